"""The interactive figures, in a real browser, from files and under the book's policy: mouse, touch, keyboard, paper."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import browser
import numpy as np
import pandas as pd
import pytest
import torch

from book.press import policy
from lib import splines
from lib.networks import Activation
from notebooks.paper.figures import dial, explore
from notebooks.paper.verdict import Condition, Finding

STATIC = Path(__file__).resolve().parent.parent / "book" / "_static"
ALT = "A line that rises to the right."
PICTURE = "<svg xmlns='http://www.w3.org/2000/svg' width='200' height='100'><rect width='200' height='100'/></svg>"


def record(**arrays):
    return SimpleNamespace(arrays={name: np.array(values) for name, values in arrays.items()})


def grokking_data():
    """ReLU reaches 80 % at step 1,000 and never 95; the learned one 80 % at step 10 and 95 % at 100, and falls at the end."""
    step = [0, 1, 10, 100, 1000]
    of = {"ReLU": [0, 0, 0.1, 0.5, 0.8], "learned from zeros": [0, 0.1, 0.8, 0.96, 0.9]}
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "optimiser.lr": rate,
            "steps": 1000,
            "data": data,
            "record": record(step=step, test_accuracy=a),
        }
        for data in ("a+b mod 27", "ab mod 27 " + "in a setting with a long name " * 4)
        for arm, a in of.items()
        for rate in ((1.0, 4.0) if arm == "ReLU" else (1.0,))
        for seed in (0, 1, 2)
    ]
    return explore.grokking(pd.DataFrame(rows), lambda row: row["data"], list(of), first=1)


def complexity_data():
    """On each dataset three runs of two arms; accuracy rises with total variation in the end and falls halfway."""
    learned = SimpleNamespace(
        key="learn-1", kind="learn", arrays={"psi_hidden": np.sin(np.linspace(-5, 5, 20))},
        config={"network": {"activation": {"low": -5.0, "high": 5.0}}},
    )  # fmt: skip
    step, rows = [0, 50, 100], []
    for data in ("mnist", "svhn"):
        for i, arm in enumerate(["ReLU", "ReLU", "learned from zeros"]):
            arrays = record(step=step, tv=[0, 1 + i, 2 + i], test_accuracy=[0.1, 0.5 - 0.1 * i, 0.6 + 0.1 * i])
            rows.append({"data": data, "arm": arm, "learned": "learn-1" if i == 2 else "", "seed": i, "best_step": 100,
                         "record": arrays})  # fmt: skip
    return explore.complexity(pd.DataFrame(rows), [learned], lambda row: f"seed {row.seed}")


def transfer_data():
    tasks, arms = ["a^2 mod 27", "a.b S4"], ["ReLU", "learned on a^2 mod 27", "learned on all"]
    score = pd.DataFrame([[0.2, 1.0, 0.9], [0.1, 0.3, 1.0]], tasks, arms)
    runs = [
        {
            "data": task,
            "arm": arm,
            "record": record(step=[0, 1, 10, 100], test_accuracy=[0, 0, 0.5, score.loc[task, arm]]),
        }
        for task in tasks
        for arm in arms
    ]
    return explore.transfer(pd.DataFrame(runs), score, pd.Series([True, False], tasks))


def claims_data():
    """Three claims of two sections: one holds, one in part, one not yet run."""
    history = (SimpleNamespace(date="2026-01-01", change="First text.", seen="no results"),)
    rows = [
        ("C1", "images", "reproduced", [True]),
        ("C2", "regression", "in part", [True, False]),
        ("C3", "images", "not yet run", []),
    ]
    claims = [
        SimpleNamespace(
            name=name,
            section=section,
            statement=f"Says {name}.",
            paper="10 %",
            rule=f"Rule of {name}.",
            conditions=(SimpleNamespace(name="above ReLU", test="per case: above"),),
            history=history,
            address="../a.ipynb#b",
        )
        for name, section, *_ in rows
    ]
    findings = {
        name: Finding(
            "",
            kind,
            tuple(
                Condition("above ReLU", f"case {i}", 2.0, 1.0, np.inf if i else 3.0, 0.5, holds, "points")
                for i, holds in enumerate(held)
            ),
        )
        for name, _, kind, held in rows
    }
    return explore.claims(claims, findings, {"images": "Images", "regression": "Regression"})


WAVES = splines.Spline(torch.sin(torch.linspace(-12, 12, 200)), -1, 1)
DRAWN = dial.draw(networks=2, width=8)
DIAL = dial.data(DRAWN, {"learned on waves": WAVES})
DATA = {
    "dial": DIAL,
    "grokking": grokking_data(),
    "complexity": complexity_data(),
    "transfer": transfer_data(),
    "claims": claims_data(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A page for each kind of figure, as the book has it, in a folder without a server."""
    folder = tmp_path_factory.mktemp("explore")
    shutil.copytree(STATIC / "explore", folder / "explore")
    for name in ("book.css", "book.js"):
        shutil.copyfile(STATIC / name, folder / name)
    (folder / "a.svg").write_text(PICTURE)
    (folder / "explore" / "data").mkdir()
    for kind, data in DATA.items():
        text = f"explore.data({json.dumps(kind)}, {json.dumps(data, allow_nan=False)});"
        (folder / "explore" / "data" / f"{kind}.js").write_text(text)
        scripts = ["book.js", "explore/explore.js", f"explore/{kind}.js", f"explore/data/{kind}.js"]
        images = "".join(
            f'<a class="on-{t}" href="a.svg"><img src="a.svg" alt="{ALT}" loading="lazy"></a>'
            for t in ("light", "dark")
        )
        page = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>'
            '<meta name="viewport" content="width=device-width">'
            "<script>document.documentElement.dataset.theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'</script>"
            '<link rel="stylesheet" href="book.css"><link rel="stylesheet" href="explore/explore.css">'
            + "".join(f'<script defer src="{script}"></script>' for script in scripts)
            + f'</head><body><article class="bd-article"><figure><div class="themed-images" data-explore="{kind}" data-key="{kind}">'
            f"{images}</div><figcaption>Caption.</figcaption></figure></article></body></html>"
        )
        (folder / f"{kind}.html").write_text(page)
    policy.secure(folder)
    return folder


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if (executable := browser.find()) is None:
        pytest.skip("no Chromium on this machine: install chromium to try the interactive figures")
    tab = browser.Browser(executable, tmp_path_factory.mktemp("profile"))
    yield tab
    tab.close()


@pytest.fixture
def opened(tab, folder):
    """Open the page of a kind; what the browser complains of afterwards fails the test."""

    def opening(kind, width=720, dark=False):
        tab.open((folder / f"{kind}.html").as_uri(), width, dark=dark)
        tab.settle()
        return tab

    yield opening
    assert tab.complaints() == []
    assert all(url.startswith("file:") for url in tab.requests())


def text(tab):
    return tab.evaluate("document.querySelector('.explore-live').innerText")


def choose(tab, label, value):
    """Choose in a menu as a reader does with the keyboard's help: by its label."""
    found = tab.evaluate(
        f"(() => {{ const label = [...document.querySelectorAll('.explore-live label')].find((l) => l.textContent === {json.dumps(label)});"
        f"const control = document.getElementById(label.htmlFor); control.value = {json.dumps(value)};"
        "control.dispatchEvent(new Event('input', {bubbles: true})); control.dispatchEvent(new Event('change', {bubbles: true}));"
        "return control.value; })()"
    )
    assert found == value
    tab.settle()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", DATA)
def test_the_figure_starts_and_fits_and_its_words_can_be_read(opened, kind, width, dark):
    tab = opened(kind, width, dark)
    seen = tab.evaluate(
        """(() => {
          const live = document.querySelector(".explore-live"), shown = (node) => node.getClientRects().length > 0;
          const sizes = [...live.querySelectorAll("svg text")].map((node) => parseFloat(getComputedStyle(node).fontSize));
          return {
            live: shown(live), plain: [...document.querySelectorAll("figure a")].filter(shown).length,
            width: document.documentElement.scrollWidth, least: Math.min(...sizes, 99), texts: sizes.length,
            named: [...live.querySelectorAll("svg, canvas")].every((node) => node.getAttribute("aria-label")),
            labelled: [...live.querySelectorAll("select, input")].every((node) => node.labels.length === 1),
          };
        })()"""
    )
    assert seen["live"] and seen["plain"] == 0 and seen["width"] <= width
    assert (
        seen["least"] >= 11 and seen["texts"] > (5 if kind != "claims" else -1) and seen["named"] and seen["labelled"]
    )


@pytest.mark.parametrize("kind", DATA)
def test_the_plain_figure_can_be_had_and_is_what_is_printed(opened, kind):
    tab = opened(kind, dark=True)
    shown = (
        "[...document.querySelectorAll('figure a')].filter((a) => a.getClientRects().length).map((a) => a.className)"
    )
    tab.click(".explore-switch button")
    assert tab.evaluate(shown) == ["on-dark"]
    tab.click(".explore-switch button")
    assert tab.evaluate(shown) == []
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.evaluate(shown) == ["on-light"]
        assert not tab.evaluate("document.querySelector('.explore-live').getClientRects().length")
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("lost", ["explore/explore.js", "explore/grokking.js", "explore/data/grokking.js"])
def test_without_its_scripts_the_plain_figure_stands(tab, folder, tmp_path, lost):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / lost).unlink()
    tab.open((tmp_path / "copy" / "grokking.html").as_uri(), 720)
    tab.settle()
    assert tab.evaluate("document.querySelector('figure a.on-light').getClientRects().length") == 1
    assert tab.evaluate("document.querySelector('.explore-on')") is None


def test_a_script_that_is_not_the_books_does_not_run(tab, folder, tmp_path):
    page = (folder / "grokking.html").read_text()
    for text_, allowed in (("<script>window.ran = 1</script>", False), ("<img src=x onerror='window.ran = 1'>", False)):
        target = folder / "changed.html"
        target.write_text(page.replace("</body>", f"{text_}</body>"))
        tab.open(target.as_uri(), 720)
        assert bool(tab.evaluate("window.ran")) == allowed
    target.unlink()


# ------------------------------------------------------------------------------------------ what is folded away


@pytest.fixture
def folded(folder):
    """A page with a figure inside of what is closed, twice."""
    page = (folder / "grokking.html").read_text()
    page = re.sub(r"<script defer src=\"explore.*?</script>", "", page).replace('src="a.svg"', 'src="inside.svg"')
    page = page.replace("<figure>", '<details><summary>A</summary><details><summary>B</summary><figure id="fig-a">')
    (folder / "folded.html").write_text(page.replace("</figure>", "</figure></details></details>"))
    shutil.copyfile(folder / "a.svg", folder / "inside.svg")
    return (folder / "folded.html").as_uri()


OPEN = "[...document.querySelectorAll('details')].map((details) => details.open)"


def loaded(tab):
    return any(url.endswith("inside.svg") for url in tab.requests())


def test_a_figure_that_is_folded_away_loads_when_it_is_opened_or_printed(tab, folded):
    tab.open(folded, 720)
    tab.settle()
    assert tab.evaluate(OPEN) == [False, False] and not loaded(tab)
    tab.click("summary")
    tab.evaluate("document.querySelector('details details').open = true")
    tab.settle()
    assert loaded(tab)
    tab.open(f"{folded}?again", 720)
    tab.pdf()
    assert loaded(tab) and tab.evaluate(OPEN) == [False, False]


def test_a_link_to_what_is_folded_away_opens_it(tab, folded):
    tab.open(f"{folded}#fig-a", 720)
    tab.settle()
    assert tab.evaluate(OPEN) == [True, True] and loaded(tab)
    tab.open(f"{folded}?again", 720)
    tab.evaluate("location.hash = '#fig-a'; 0")
    tab.settle()
    assert tab.evaluate(OPEN) == [True, True] and loaded(tab)


# ------------------------------------------------------------------------------------------ grokking


def test_times_sooner_follows_the_threshold_and_the_convention(opened):
    tab = opened("grokking")
    assert "at least 10.0 times sooner" in text(tab)  # 95 %: learned at 100, ReLU not within 1,000
    assert "ReLU: not within 1,000 steps (0 of 3 seeds get there)" in text(tab)
    choose(tab, "Accuracy asked for", "80")
    assert "The learned activation is 100.0 times sooner." in text(tab)  # 1,000 / 10
    choose(tab, "Accuracy asked for", "95")
    tab.click(".explore-live input[type=checkbox]")
    tab.settle()
    assert "does not get there" in text(tab)  # it falls to 90 % in the end


def test_a_seed_is_told_by_mouse_touch_and_keys(opened):
    tab = opened("grokking")
    target = tab.place(".explore-live svg", 0.95, 0.25)
    tab.mouse("moved", *target)
    assert re.search(r"learned from zeros, seed \d: 90\.0 % at step 1,000", text(tab))
    tab = opened("grokking", 390)
    tab.tap(*tab.place(".explore-live svg", 0.95, 0.3))
    assert re.search(r"seed \d: [89]0\.0 % at step 1,000", text(tab))
    tab = opened("grokking")
    tab.evaluate("document.querySelector('.explore-live svg').focus()")
    tab.press("ArrowDown")
    assert "ReLU, seed 0: 80.0 % at step 1,000; 95 %: not within 1,000 steps." in text(tab)
    tab.press("ArrowUp")
    assert "learned from zeros, seed 2" in text(tab)


def test_the_slider_moves_with_the_keyboard_alone(opened):
    tab = opened("grokking")
    tab.evaluate("document.querySelector('.explore-live input[type=range]').focus()")
    tab.press(*["ArrowLeft"] * 15)
    assert "80 %" in text(tab) and "100.0 times sooner" in text(tab)


def test_the_rate_is_offered_where_there_are_several(opened):
    tab = opened("grokking")
    choose(tab, "Rate of ReLU", "4")
    assert "at least 10.0 times sooner" in text(tab)
    choose(tab, "Setting", DATA["grokking"]["settings"][1]["name"])
    assert "at least 10.0 times sooner" in text(tab)


# ------------------------------------------------------------------------------------------ the dial

VALUE = "Number(document.querySelector('.explore-landscape').dataset.tv)"


def measured(activation, scale, values=None):
    """What the figure must show of the first network, computed by the library in double precision."""
    return dial.picture(DRAWN, 0, activation, values, scale)[1]


def test_the_total_variation_is_that_of_the_library(opened):
    tab = opened("dial")
    assert tab.evaluate(VALUE) == pytest.approx(measured(Activation("relu"), 3), rel=1e-6)
    choose(tab, "Weights times", "6")
    assert tab.evaluate(VALUE) == pytest.approx(measured(Activation("relu"), 6), rel=1e-6)
    choose(tab, "Activation", "learned on waves")
    g = DIAL["functions"][0]
    spline = Activation("spline", points=200, low=-1, high=1)
    values = torch.tensor(g["values"], dtype=torch.float64)
    assert tab.evaluate(VALUE) == pytest.approx(measured(spline, 6, values), rel=1e-6)
    for name, activation in (
        ("tanh αz", Activation("tanh", alpha=3)),
        ("sin αz", Activation("sine", alpha=3)),
        ("GELU", Activation("gelu")),
    ):
        choose(tab, "Activation", name)
        assert tab.evaluate(VALUE) == pytest.approx(measured(activation, 6), rel=0.02)  # on 801 points


def test_a_control_point_is_dragged_by_mouse_and_moved_by_keys(opened):
    tab = opened("dial")
    plain = tab.evaluate(VALUE)
    x, y = tab.place(".explore-handle:nth-of-type(6)")
    for kind, dy in (("moved", 0), ("pressed", 0), ("moved", -20), ("moved", -60), ("released", -60)):
        tab.mouse(kind, x, y + dy)
    tab.settle()
    dragged = tab.evaluate(VALUE)
    assert dragged > 1.5 * plain and "changed ReLU" in text(tab)
    tab.evaluate("document.querySelector('.explore-handle:nth-of-type(6)').focus()")
    tab.press("ArrowUp")
    tab.settle()
    assert tab.evaluate(VALUE) != dragged
    assert tab.evaluate("document.activeElement.classList.contains('explore-handle')")  # and goes on
    tab.evaluate(
        "[...document.querySelectorAll('.explore-button')].find((b) => b.textContent === 'Undo changes').click()"
    )
    tab.settle()
    assert tab.evaluate(VALUE) == plain


def test_a_control_point_is_dragged_by_a_finger(opened):
    tab = opened("dial", 390)
    plain = tab.evaluate(VALUE)
    x, y = tab.place(".explore-handle:nth-of-type(6)")
    for kind, dy in (("touchStart", 0), ("touchMove", -10), ("touchMove", -50)):
        tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y + dy}])
    tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    tab.settle()
    assert tab.evaluate(VALUE) > 1.2 * plain


# ------------------------------------------------------------------------------------------ accuracy and complexity


def test_the_correlation_is_of_the_moment_and_of_the_arms_shown(opened):
    tab = opened("complexity")
    assert "each run’s best step" in text(tab)
    assert "Rank correlation +1.00" in text(tab) and "over the 3 runs shown" in text(tab)
    choose(tab, "Moment", "1")
    assert "Rank correlation −1.00" in text(tab)
    tab.click(".explore-live input[type=checkbox]")
    tab.settle()
    assert "Too few runs" in text(tab) and "over the 1 runs shown" in text(tab)


def test_a_run_is_told_with_its_function(opened):
    tab = opened("complexity")
    tab.evaluate("document.querySelector('.explore-live svg').focus()")
    tab.press("ArrowLeft")
    tab.settle()
    assert "learned from zeros seed 2: 80.0 % at total variation 4, step 100." in text(tab)
    assert (
        tab.evaluate(
            "document.querySelectorAll('.explore-live svg')[1].querySelector('path.run').getAttribute('d').split('L').length"
        )
        == 20
    )
    tab.press("ArrowRight")
    assert "ReLU seed 0: 60.0 %" in text(tab)
    choose(tab, "Dataset", "SVHN")
    assert "Point at a marker" in text(tab)


@pytest.mark.parametrize("hand", ["mouse", "finger"])
def test_a_run_is_told_where_it_is_pointed_at(opened, hand):
    tab = opened("complexity", 390 if hand == "finger" else 720)
    mark = ".explore-live svg path.mark:nth-last-of-type(1)"
    if hand == "mouse":
        tab.mouse("moved", *tab.place(mark))
    else:
        tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
        tab.tap(*tab.place(mark))
    tab.settle()
    assert "learned from zeros seed 2: 80.0 % at total variation 4, step 100." in text(tab)


def test_a_run_that_broke_down_does_not_squash_the_others_and_is_counted(tab, folder):
    data = json.loads(json.dumps(DATA["complexity"]))
    (runs := data["datasets"][0]["runs"]).extend(dict(runs[0], about=f"seed {seed}") for seed in range(3, 30))
    runs.append(dict(runs[0], tv=[0.0, 1e-6, 1e-6], test=[10.0, 10.0, 10.0]))
    page = (folder / "complexity.html").read_text().replace("data/complexity.js", "data/broken.js")
    (folder / "broken.html").write_text(page)
    (folder / "explore" / "data" / "broken.js").write_text(f'explore.data("complexity", {json.dumps(data)});')
    tab.open((folder / "broken.html").as_uri(), 720)
    tab.settle()
    assert "At the edge because beyond the axes: 1." in text(tab)
    places = tab.evaluate("[...document.querySelectorAll('path.mark')].map((mark) => mark.getBoundingClientRect().x)")
    assert max(places) - sorted(places)[1] > 200  # the others have the width


# ------------------------------------------------------------------------------------------ the transfer matrix


def test_a_cell_is_told_and_the_matrix_is_sorted(opened):
    tab = opened("transfer")
    assert "all on a² mod 27: 90 % of the best activation's speed, as ReLU solves it" in text(tab)  # best on average
    tab.evaluate("document.querySelector('.explore-live svg').focus()")
    tab.press("ArrowDown")
    assert (
        "all on a·b S4: 100 %" in text(tab)
        and "all: 100 % at the end" in text(tab)
        and "ReLU: 10 % at the end" in text(tab)
    )
    choose(tab, "Activations", "page")
    tab.press("ArrowRight")
    assert "ReLU on a·b S4: 10 %" in text(tab)
    tab.mouse("moved", *tab.place(".explore-live svg", 0.97, 0.2))
    tab.settle()
    assert re.search(r" on a(²|·b)", text(tab)) and "ReLU on a·b S4: 10 %" not in text(tab)
    tab = opened("transfer", 390)
    tab.tap(*tab.place(".explore-live svg", 0.97, 0.2))
    assert re.search(r" on a(²|·b)", text(tab))


# ------------------------------------------------------------------------------------------ claims

ROWS = "[...document.querySelectorAll('.explore-claim')].filter((row) => row.getClientRects().length).map((row) => row.querySelector('strong').textContent)"


def test_claims_are_filtered_by_part_verdict_and_conditions(opened):
    tab = opened("claims")
    assert tab.evaluate(ROWS) == ["C1", "C2", "C3"] and "3 of 3 claims" in text(tab)
    choose(tab, "Part", "Images")
    assert tab.evaluate(ROWS) == ["C1", "C3"]
    choose(tab, "Verdict", "not yet run")
    assert tab.evaluate(ROWS) == ["C3"] and "1 of 3 claims" in text(tab)
    choose(tab, "Part", "")
    choose(tab, "Verdict", "")
    tab.click(".explore-live input[type=checkbox]")
    tab.settle()
    assert tab.evaluate(ROWS) == ["C2"]


@pytest.mark.parametrize("hand", ["mouse", "keyboard", "finger"])
def test_a_claim_opens_with_its_numbers_rule_history_and_evidence(opened, hand):
    tab = opened("claims", 390 if hand == "finger" else 720)
    assert "Rule of C2" not in text(tab)
    row = ".explore-claim:nth-of-type(2) summary"
    if hand == "mouse":
        tab.click(row)
    elif hand == "finger":
        tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
        tab.tap(*tab.place(row))
    else:
        tab.evaluate(f"document.querySelector({row!r}).focus()")
        tab.press(" ")
    tab.settle()
    shown = text(tab)
    assert "case 0: 2.00 [1.00, 3.00] points (threshold 0.50), holds" in shown
    assert "case 1: at least 2.00 points (threshold 0.50), does not hold" in shown
    assert (
        "Rule of C2." in shown
        and "above ReLU: per case: above" in shown
        and "2026-01-01: First text. Seen by then: no results." in shown
    )
    links = tab.evaluate("[...document.querySelectorAll('.explore-claim-body a')].map((a) => a.getAttribute('href'))")
    assert links == ["../a.html#b", "#claim-c2"]


@pytest.mark.parametrize(("cell", "lines"), [("+0.128&nbsp;±&nbsp;0.833", 4), ("as far as it was measured", 7)])
def test_a_table_of_numbers_has_two_of_them_in_a_line_on_a_phone(tab, folder, cell, lines):
    """Below each row's name; words have a line for each cell. No number is broken."""
    heads = ["table", "ReLU", "hidden", "input", "tanh", "trees", "linear"]
    rows = "".join(f"<tr><td><p>{name}</p></td>" + f"<td><p>{cell}</p></td>" * 6 + "</tr>" for name in "abc")
    table = "<thead><tr>" + "".join(f"<th><p>{head}</p></th>" for head in heads) + f"</tr></thead><tbody>{rows}</tbody>"
    page = (folder / "grokking.html").read_text()
    page = re.sub(r"<script defer src=\"explore.*?</script>|<figure>.*</figure>", "", page)
    box = f'<div class="pst-scrollable-table-container"><table class="table">{table}</table></div>'
    (folder / "table.html").write_text(page.replace("</article>", f"{box}</article>"))
    tab.open((folder / "table.html").as_uri(), 390)
    tab.settle()
    tops = (
        "[...document.querySelectorAll('tbody tr')].map((row) => new Set([...row.children].map((cell) => "
        "Math.round(cell.getBoundingClientRect().top))).size)"
    )
    assert tab.evaluate(tops) == [lines] * 3
    heights = "[...document.querySelectorAll('tbody td:not(:first-child) p')].map((p) => p.getClientRects()[0].height)"
    assert lines == 7 or len(set(tab.evaluate(heights))) == 1
    tab.resize(1280)
    tab.settle()
    assert tab.evaluate(tops) == [1] * 3 and tab.evaluate("document.querySelectorAll('.column').length") == 0
