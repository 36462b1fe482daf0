"""The words of pages: values are filled in by name, and nothing is missing, surplus or not finite."""

from pathlib import Path

import pytest

from notebooks.paper.figures.words import Words

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "notebooks" / "paper").glob("**/*.md"))
TEXT = """# A page

## answer
It takes {steps:,.0f} steps.

## fig-one
One rises to {top}.

Alt: A line over steps that rises to {top} at the end.
"""


@pytest.fixture
def words(tmp_path):
    (tmp_path / "words.md").write_text(TEXT)
    return Words(tmp_path / "words.md")


def test_values_are_filled_in(words, capsys):
    words.say("answer", steps=1170.0)
    assert capsys.readouterr().out.strip() == "It takes 1,170 steps."
    assert words.fill("fig-one", top="9").endswith("rises to 9 at the end.")


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("answer", {}, "steps"),
        ("answer", {"steps": 1, "more": 2}, "more"),
        ("answer", {"steps": float("nan")}, "finite"),
        ("answer", {"steps": None}, "None"),
        ("other", {}, "no part 'other'"),
    ],
)
def test_what_does_not_fit_is_refused(words, name, values, said):
    with pytest.raises(ValueError, match=said):
        words.fill(name, **values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## a\nx\n\n## a\ny", "must be new"),
        ("## A part\nx", "must be new"),
        ("## fig-a\n" + "word " * 51, "at most 50 words, got 51"),
    ],
)
def test_a_file_that_is_not_right_is_refused(tmp_path, text, said):
    (tmp_path / "words.md").write_text(text)
    with pytest.raises(ValueError, match=said):
        Words(tmp_path / "words.md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_each_part_is_used_and_each_figure_has_an_alternative_text(path):
    parts = Words(path).parts
    sources = "".join(file.read_text() for file in [*(ROOT / "notebooks").glob("*.py"), *path.parent.glob("*.py")])
    assert [name for name in parts if f'"{name}"' not in sources] == []
    assert [name for name, text in parts.items() if name.startswith("fig-") and "\n\nAlt: " not in text] == []
