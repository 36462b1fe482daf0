"""Plain links to the glossary and the bibliography, which the build turns into roles."""

import re
from pathlib import Path

import pytest

from book.press import links

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*(ROOT / "notebooks").glob("*.py"), *(ROOT / "notebooks" / "paper").rglob("*.md"), *(ROOT / "book").glob("*.py")]
)


def test_the_terms_of_the_glossary_are_found():
    found = links.terms(ROOT / "book" / "glossary.md")
    assert (
        found["input-activation-function"] == "input activation function" and found["tv-complexity"] == "TV complexity"
    )
    assert len(found) > 40 and links.terms(ROOT / "none.md") == {}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_plain_markdown_and_its_links_name_entries(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\{(?:cite|term|numref)[^}]*\}`", text) == []
    known = {
        "glossary": links.terms(ROOT / "book" / "glossary.md"),
        "bibliography": re.findall(
            r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text("utf-8"), re.MULTILINE
        ),
    }
    assert [link[0] for link in links.LINK.finditer(text) if link[4] not in known[link[3]]] == []


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("hurts ([T., 2025](../book/bibliography.md#teney2025simplicity)).", "hurts {cite}`teney2025simplicity`."),
        ("([T.](bibliography.md#shah2020pitfalls), [G.](bibliography.md#geirhos2020shortcut))",
         "({cite}`shah2020pitfalls`, {cite}`geirhos2020shortcut`)"),
        ("([a\nspline](glossary.md#spline))", "({term}`a spline <spline>`)"),
        ("[cite](../book/bibliography.md#how-to-cite) [claims](../book/claims.ipynb#c1)", None),
    ],
)  # fmt: skip
def test_links_to_entries_become_roles_and_others_stay(text, roles):
    assert links.as_roles(text, {"spline": "spline"}) == (roles or text)
