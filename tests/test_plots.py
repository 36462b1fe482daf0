"""The plots that several pages share."""

import matplotlib
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from notebooks.paper.figures import display, plots


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(display.style()):
        yield
    plt.close("all")


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("values", [(-0.52, 0.87), (-6.8, 1.6), (9.9, 10.3), (-4.0, -3.0)])
def test_a_label_beside_a_mark_is_inside_its_axes(values, narrow):
    rows = {"label": ["regression above classification", "another"], "value": values}
    rows |= {"low": [value - 0.3 for value in values], "high": [value + 0.3 for value in values]}
    table = pd.DataFrame({**rows, "colour": "C0", "hollow": False})
    figure = plots.forest({"one": table, "two": table.iloc[:1]}, "points", narrow=narrow)
    figure.canvas.draw()
    for ax in figure.axes:
        inside = ax.get_window_extent()
        for text in ax.texts:
            box = text.get_window_extent()
            assert inside.x0 < box.x0 and box.x1 < inside.x1, text.get_text()


def test_a_figure_with_much_room_is_not_widened():
    figure, ax = plt.subplots()
    ax.set_xlim(-100, 100)
    ax.annotate("+1.0", (1, 0), xytext=(7, 0), textcoords="offset points")
    plots.make_room([ax])
    assert ax.get_xlim() == (-100, 100)
