"""The words of pages: values are filled in by name, and nothing is missing, surplus or not finite."""

import ast
from pathlib import Path

import pytest

from book.press import pairs
from notebooks.paper.figures.words import Words

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "notebooks" / "paper").glob("**/*.md"))
SCRIPTS = pairs.scripts()
LONGEST, MOST = 15, 0.1  # lines of a cell without its imports; the part of a notebook's code that is words
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
    sources = "".join(file.read_text() for file in [*SCRIPTS, *path.parent.glob("*.py")])
    assert [name for name in parts if f'"{name}"' not in sources] == []
    assert [name for name, text in parts.items() if name.startswith("fig-") and "\n\nAlt: " not in text] == []


def code(script):
    """The code of a notebook's cells, without the set-up that all share."""
    cells = pairs.notebook(script).cells
    return [cell.source for cell in cells if cell.cell_type == "code" and "set-up" not in cell.metadata.get("tags", [])]


def texts(source):
    """The texts in code that are words: of three or more, and no documentation."""
    documentation = set()
    for node in ast.walk(tree := ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            documentation.add(node.body[0].value)
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            said = "".join(part.value if isinstance(part, ast.Constant) else "" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
            said = node.value
        else:
            waiting += ast.iter_child_nodes(node)
            continue
        if len(said.split()) >= 3:
            yield ast.get_source_segment(source, node)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_cells_are_short_and_words_are_not_built_in_code(script):
    cells = code(script)
    lines = [
        [line for line in cell.splitlines() if line and not line.startswith(("import ", "from "))] for cell in cells
    ]
    assert [cell for cell, own in zip(cells, lines, strict=True) if len(own) > LONGEST] == []
    words = sum(len(text) for cell in cells for text in texts(cell))
    assert words <= MOST * sum(map(len, cells))


def test_words_in_code_are_found():
    source = (
        'def f(x):\n    """It does what it does."""\n    say(f"The accuracy of {x} is high", color="C1", name="a b")'
    )
    assert list(texts(source)) == ['f"The accuracy of {x} is high"']
