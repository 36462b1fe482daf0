"""What the helpers of the pages refuse, and what they show."""

import re
from types import SimpleNamespace

import pandas
import pytest
from matplotlib import pyplot as plt

from notebooks.paper.figures import display

ALT = "A straight line that rises from 0 to 1."


def draw():
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([0, 1])
    return figure


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draw": plt.Figure()}, "draw must be a function that returns a figure, got Figure"),
        ({"draw": lambda: None}, "draw must return a matplotlib figure, got NoneType"),
        ({"alt": ""}, "alt must be a sentence of at least 20 characters, got ''"),
        ({"alt": "a_long_file_name_of_a_figure.png"}, "alt must be a sentence"),
        ({"caption": " "}, "caption must say what the figure shows, got ''"),
    ],
)
def test_a_figure_that_says_nothing_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        display.show(**{"draw": draw, "alt": ALT, "caption": "A line.", **arguments})


def test_a_figure_is_drawn_in_both_themes_and_closed():
    colours = []

    def record():
        figure = draw()
        colours.append((figure.axes[0].lines[0].get_color(), plt.rcParams["text.color"]))
        return figure

    before = plt.get_fignums(), plt.rcParams["text.color"]
    display.show(record, alt=ALT, caption="A line.")
    assert colours == [(display.LIGHT[0], "#1f2328"), (display.DARK[0], "#e3e8ee")]
    assert (plt.get_fignums(), plt.rcParams["text.color"]) == before


def with_texts(**changes):
    """A figure with a label, a title, an annotation that is not drawn and ticks out of view; some of it changed."""

    def draw():
        figure, (ax, empty) = plt.subplots(1, 2, figsize=(3, 2))
        ax.plot([1, 10, 100], [1, 2, 3])
        ax.set(xscale="log", xlim=(2, 50), **changes.get("axes", {}))
        ax.annotate("beyond the data", (1e9, 1))
        empty.set(xlabel="a label so long that it would not fit by far, if it were drawn " * 3)
        empty.set_axis_off()
        figure.text(*changes.get("at", (0.5, 0.5)), "words")
        return figure

    return draw


def test_a_figure_whose_texts_are_inside_is_shown(capsys):
    display.show(with_texts(), alt=ALT, caption="A line.")
    assert ALT in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"axes": {"xlabel": "time, forward + backward, as a multiple of nn.GELU"}}, "time, forward"),
        ({"axes": {"title": "MNIST / Fashion-MNIST, with spectral normalisation"}}, "MNIST / Fashion"),
        ({"at": (0.95, 0.5)}, "words"),
        ({"at": (0.5, -0.02)}, "words"),
    ],
)
def test_a_figure_that_cuts_off_text_is_refused(changes, text):
    with pytest.raises(ValueError, match=re.escape(f"the edge of the figure must not cut off text, got '{text}")):
        display.show(with_texts(**changes), alt=ALT, caption="A line.")


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("palette", "page"), [(display.LIGHT, "#ffffff"), (display.DARK, "#121212")])
def test_the_colours_can_be_told_from_the_page(palette, page):
    for colour in palette:
        low, high = sorted((luminance(colour), luminance(page)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_a_table_without_caption_is_refused():
    with pytest.raises(ValueError, match="caption must say what the table shows, got ''"):
        display.table(pandas.DataFrame({"a": [1]}), caption="")


def test_provenance_lists_the_records_once(capsys):
    def record(key, cpu):
        return SimpleNamespace(key=key, provenance={"hardware": {"cpu": cpu}, "packages": {"torch": "9.9"}})

    display.provenance(
        "smoke", [record("run-0", "A"), record("run-0", "A"), record("run-1", "B"), record("run-2", "A")]
    )
    shown = capsys.readouterr().out
    assert "| Records read | 3 |" in shown and "| Profile | smoke |" in shown
    assert "| Computed on | 2 on A, torch 9.9; 1 on B, torch 9.9 |" in shown
    display.provenance("smoke")
    assert "Computed on" not in capsys.readouterr().out


def test_the_commit_is_short_and_unknown_without_git():
    assert display.commit_text({"commit": "0123456789abcdef", "dirty": False}) == "`0123456789`"
    assert display.commit_text({"commit": "unknown", "dirty": None}) == "unknown"
