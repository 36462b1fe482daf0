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


@pytest.mark.parametrize("text", ["gain nan", "from NaN", "up to inf", "at -inf steps", "TODO", "| None |", "<NA>"])
@pytest.mark.parametrize("where", ["alt", "caption", "say", "cell", "table caption"])
def test_what_is_left_over_is_refused(text, where):
    with pytest.raises(ValueError, match="must be finished and its numbers finite, got"):
        if where == "say":
            display.say(f"On MNIST: {text}.")
        elif where == "cell":
            display.table(pandas.DataFrame({"a": [text.strip("| ")]}), caption="A table.")
        elif where == "table caption":
            display.table(pandas.DataFrame({"a": [1]}), caption=text)
        else:
            display.show(draw, **{"alt": ALT, "caption": "A line.", where: f"{ALT} {text}"})


def test_words_and_code_with_such_letters_are_fine(capsys):
    display.say("A banana is infinite, `nan` is a float, $\\inf$ is not a number, information, None of these.")
    assert "banana" in capsys.readouterr().out


@pytest.mark.parametrize(
    "fill",
    [
        lambda ax: None,
        lambda ax: ax.plot([], []),
        lambda ax: ax.plot([0, 1], [float("nan")] * 2),
        lambda ax: ax.scatter([], []),
        lambda ax: ax.axhline(0),
    ],
    ids=["nothing", "an empty line", "a line of nan", "no markers", "a rule only"],
)
def test_a_figure_with_empty_axes_is_refused(fill):
    def empty():
        figure, (left, right) = plt.subplots(1, 2, figsize=(3, 2))
        left.plot([0, 1])
        fill(right)
        right.set_title("MNIST")
        return figure

    with pytest.raises(ValueError, match="every axes of a figure must show something, got nothing in MNIST"):
        display.show(empty, alt=ALT, caption="A line.")


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="a table must have rows and columns, got 0 rows and 1 columns"):
        display.table(pandas.DataFrame({"a": []}), caption="A table.")


def shown(monkeypatch, *arguments, **options):
    """What `display.show` hands to the book."""
    outputs = []
    monkeypatch.setattr(display, "_display", lambda output, attributes=None: outputs.append(output))
    display.show(*arguments, **{"alt": ALT, "caption": "A line.", **options})
    return outputs[0][display.MIME]


def test_the_settings_of_the_readers_computer_do_not_change_a_figure(monkeypatch):
    there = {
        "text.usetex": True, "savefig.bbox": "tight", "font.family": "monospace", "axes.grid": True, "path.sketch": (1, 100, 2),
        "figure.figsize": (1, 1), "savefig.dpi": 10, "lines.linestyle": ":", "svg.fonttype": "none", "axes.unicode_minus": False,
    }  # fmt: skip
    usual = shown(monkeypatch, draw)
    with plt.rc_context(there):
        assert shown(monkeypatch, draw) == usual
        assert plt.rcParams["font.family"] == ["monospace"]  # and the figure does not change theirs


def test_the_pixels_of_an_image_are_kept_as_they_are(monkeypatch):
    """A drawing has the image itself, which a screen enlarges without smoothing."""

    def image():
        figure, axes = plt.subplots(figsize=(2, 2))
        axes.imshow([[(37 * i * i + j) % 101 for j in range(28)] for i in range(28)])
        return figure

    for drawn in shown(monkeypatch, image)["images"].values():
        found = re.findall(r"<image [^>]*>", drawn["content"])
        assert len(found) == 1 and 'width="28" height="28"' in found[0] and "image-rendering:pixelated" in found[0]


def test_a_figure_is_a_drawing_where_that_is_smaller_and_a_picture_where_it_is_not(monkeypatch):
    def noise():
        figure, axes = plt.subplots(figsize=(2, 2))
        axes.plot(range(20_000), [(37 * n * n) % 101 for n in range(20_000)], linewidth=0.3)
        return figure

    assert {image["format"] for image in shown(monkeypatch, draw)["images"].values()} == {"svg"}
    assert {image["format"] for image in shown(monkeypatch, noise)["images"].values()} == {"png"}


def test_a_figure_that_can_be_narrow_is_drawn_for_phones_too(monkeypatch):
    def both(narrow=False):
        figure, axes = plt.subplots(figsize=(3.5, 2) if narrow else (7, 2))
        axes.plot([0, 1])
        return figure

    images = shown(monkeypatch, both)["images"]
    widths = {name: image["width"] for name, image in images.items()}
    assert widths == {"light": 672, "dark": 672, "light-narrow": 336, "dark-narrow": 336}
    assert set(shown(monkeypatch, draw)["images"]) == {"light", "dark"}


def test_without_data_the_csv_has_what_is_drawn(monkeypatch):
    def several():
        figure, (left, right) = plt.subplots(1, 2, figsize=(5, 2))
        left.plot([0, 1], [2, 3], label="ReLU")
        left.axhline(0)
        left.errorbar([1], [5], yerr=[0.5], label="learned", capsize=2)
        left.set_title("MNIST")
        right.bar([0, 1], [7, 8], label="trees")
        right.scatter([4], [9], label="runs")
        return figure

    rows = shown(monkeypatch, several)["csv"].splitlines()
    assert rows == [
        "panel,series,x,y,low,high", "MNIST,learned,1,5,4.5,5.5", "MNIST,ReLU,0,2,,", "MNIST,ReLU,1,3,,",
        "panel 2,trees,0,7,,", "panel 2,trees,1,8,,", "panel 2,runs,4,9,,",
    ]  # fmt: skip


def test_text_from_records_is_text(capsys):
    cpu = "<script>alert(1)</script> [a](javascript:b) `c` | d"
    record = SimpleNamespace(key="r", provenance={"hardware": {"cpu": cpu}, "packages": {"torch": "9.9"}})
    display.provenance("smoke", [record])
    said = capsys.readouterr().out
    assert "<script" not in said.replace("\\<script", "") and "[a]" not in said and "\\`c\\`" in said
