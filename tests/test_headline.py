"""The figure that opens the book: its numbers from the records, its words and marks."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from notebooks.paper import headline, sections
from notebooks.paper.figures import display
from notebooks.paper.grokking import by_convention
from notebooks.paper.records.frames import Collected


@pytest.fixture(scope="module")
def read():
    return sections.reader("paper")


@pytest.fixture(scope="module")
def table(read):
    return headline.gains(read).set_index(["name", "kind"])


@pytest.fixture
def made():
    """Two tables, one of them unfinished, and two tasks, one with a bound."""
    rows = [
        ("accuracy", "tables", "a", "learned", 2.0, 1.0, 3.0, False),
        ("accuracy", "tables", "a", "by hand", 2.5, 2.0, 3.0, False),
        ("accuracy", "tables", "a", "trees", 1.0, 0.5, 1.5, False),
        ("accuracy", "tables", "b", "learned", -1.0, -1.5, -0.5, True),
        ("speed", "algorithmic", "c", "learned", 4.0, 4.0, np.inf, False),
        ("speed", "algorithmic", "d", "learned", 2.0, 2.0, 2.0, False),
        ("speed", "algorithmic", "d", "by hand", 1.5, 1.5, 1.5, False),
    ]
    return headline.Headline(pd.DataFrame(rows, columns=headline.COLUMNS))


def test_a_gain_is_that_of_the_records(read, table):
    """Trees on electricity, straight from the records: the mean over seeds less ReLU's at its best depth."""
    trees = read("tabular").frame("baseline", role="final", data="electricity", arm="boosted trees")
    relu = read("tabular").frame(role="final", data="electricity", arm="ReLU")
    counts = relu.groupby("network.depth").seed.nunique()
    means = relu.groupby("network.depth").mean(numeric_only=True)
    depth = means[counts == counts.max()].validation_accuracy.idxmax()
    relu = relu[relu["network.depth"] == depth].set_index("seed").test_accuracy
    gain = (trees.set_index("seed").test_accuracy[relu.index] - relu).mean()
    assert table.value["electricity", "trees"] == pytest.approx(100 * gain)


def test_a_speed_is_the_ratio_of_medians_or_its_bound(read, table):
    runs = read("transfer").frame(role="own", data="a^2+b^2 mod 27")
    runs = pd.concat([runs, read("transfer").frame(role="matrix", data="a^2+b^2 mod 27")])
    own = runs[runs.arm == "learned on a^2+b^2 mod 27"].drop_duplicates("seed")
    assert runs[runs.arm == "ReLU"].test_steps_to_95.isna().all()
    row = table.loc["a^2+b^2 mod 27", "learned"]
    assert row.value == pytest.approx(runs.steps.max() / own.test_steps_to_95.astype(float).median())
    assert np.isinf(row.high)


def test_the_learner_that_picks_its_start_stands_beside_algorithm_1(read, table):
    runs = read("longer").frame(role="final")
    own = runs[runs.arm == "learner: a+b mod 27, default, rate 1"]
    under = by_convention.table(read("conventions"))
    under = under[(under.initialisation == "default") & (under.rate == 1.0)]
    assert len(under) == 1 and np.isinf(under.relu.item())
    row = table.loc["a+b mod 27, PyTorch's, rate 1", "learner"]
    assert row.value == pytest.approx(under["last"].item() / own.test_steps_to_95.astype(float).median())
    assert np.isinf(row.high)
    shown = headline.headline(read).scale()
    assert f"Diamonds ({(table.index.get_level_values('kind') == 'learner').sum()})" in shown


def test_each_row_has_its_own_name_and_a_sine_its_own_convention(read, table):
    names = table.index[table.index.get_level_values(0).str.startswith("a+b mod 27")]
    assert names.is_unique and len(names) > 5
    finals = by_convention.runs_of(read("conventions"), "final")
    sine = finals[(finals.arm == "by hand: a sine") & (finals.initialisation == "glorot") & (finals.rate == 13.5)]
    row = table.loc["a+b mod 27, Glorot, rate 13.5", "by hand"]
    assert row.value == pytest.approx(60_000 / sine.steps_to_95.median())


@pytest.mark.parametrize(
    ("relu", "other", "expected"),
    [(100, 50, (2, 2)), (np.inf, 50, (20, np.inf)), (np.inf, np.inf, None), (100, np.inf, None)],
)
def test_a_task_that_the_activation_does_not_solve_has_no_row(relu, other, expected):
    rows = headline._sooner("task", "learned", relu, other, 1000)
    assert [(row[4], row[6]) for row in rows] == ([expected] if expected else [])


def test_words_count_what_the_dots_show(made):
    assert made.sentence() == (
        "Learned activations are above ReLU on 1 of 2 datasets, below on 1; trees are above them on 0 of 1 tables, "
        "functions made by hand on 1 of 1. In 2 algorithmic cases they generalise 2 to 4 times sooner or more; sines "
        "sooner still in 0 of 1."
    )
    assert made.counts() == {"above": 1, "datasets": 2, "tasks": 2} and made.ahead() == []
    assert "Hollow (1)" in made.scale() and "Arrows (1)" in made.scale()
    assert "Largest gains: a 2.0 points, b -1.0 points." in made.alt()


@pytest.mark.parametrize("narrow", [False, True])
def test_what_had_not_converged_is_hollow_and_a_bound_has_an_arrow(made, narrow):
    figure = made.draw(narrow)
    accuracy, speed = figure.axes
    marks = {tuple(float(v) for v in line.get_xydata()[0]): line for line in accuracy.lines if line.get_marker() == "o"}
    assert marks[-1.0, 0.0].get_markerfacecolor() == "none" and marks[2.0, 1.0].get_markerfacecolor() == "C2"
    assert len(accuracy.texts) == 0 and len(speed.texts) == 1  # the arrow
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["b", "a"]
    matplotlib.pyplot.close(figure)


def test_the_figure_of_the_records_fits_a_page_and_a_phone(read):
    """`show` refuses a drawing whose edge cuts off text; what comes into the records makes names longer and bars wider."""
    display.show(headline.headline(read).draw, alt="The gains of the committed records.", caption="Gains.")


def test_the_caption_says_how_the_other_tasks_were_run(read, table):
    """Those of the section on transfer, as their runs say; on data without any, nothing."""
    shown = headline.headline(read)
    runs = read("transfer").frame(role="matrix")
    runs = runs[runs.data.isin({name for name, kind in table.index if kind == "learned"})]
    assert len(runs) and set(runs.steps) == {5000} and set(runs["network.initialisation"]) == {"default"}
    assert shown.scale().endswith("of the transfer section, 5,000 steps, rate 1.0 to 2.0, PyTorch's weights.")
    assert set(runs["optimiser.lr"]) == {1.0, 53 / 27}
    assert headline._other_tasks(Collected([], 3), shown.table) == ""


def test_the_words_say_with_how_many_layers_the_networks_on_images_were(read):
    """That of the runs that are compared, of both sections, not of those at other depths."""
    depths = {
        depth
        for section in ("images", "regression")
        for depth in read(section).frame(role="final")["network.depth"].unique()
    }
    assert depths == {1} and len(read("regression").frame(role="depth"))
    shown = headline.headline(read)
    assert shown.layers == "1 hidden layer" and "Images: networks with 1 hidden layer." in shown.scale()
    assert headline.layers(lambda section: Collected([], 3)) == ""


def test_without_records_there_is_no_headline():
    with pytest.raises(ValueError, match="needs final runs"):
        headline.headline(lambda section: Collected([], 3))
