"""Plain links to the glossary and the bibliography become roles of Sphinx: sources are markdown."""

import re
from pathlib import Path

LINK = re.compile(r"(\()?\[([^\]]+)\]\((?:\.\./book/)?(glossary|bibliography)\.md#([\w-]+)\)(?(1)\))")
ENTRY = re.compile(r"[a-z]+\d{4}\w*")  # the name of one in the bibliography


def terms(glossary: Path) -> dict[str, str]:
    """The terms of a glossary by the places that links name, such as "input-activation-function"."""
    text = glossary.read_text(encoding="utf-8") if glossary.is_file() else ""
    block = re.search(r"^```\{glossary\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names = re.findall(r"^\S.*$", block[1], re.MULTILINE) if block else []
    return {name.lower().replace(" ", "-"): name for name in names}


def as_roles(text: str, known: dict[str, str]) -> str:
    """A text in which links to entries are roles; a link to a term that is not known stays, and Sphinx complains.

    A citation has brackets of its own, so parentheses around its link go.

    Args:
        known: from :func:`terms`.

    >>> text = "[Records](../book/glossary.md#record) ([Teney et al., 2025](bibliography.md#teney2025simplicity))"
    >>> as_roles(text, {"record": "record"})
    '{term}`Records <record>` {cite}`teney2025simplicity`'
    >>> as_roles("[what](../book/glossary.md#other)", {"record": "record"})
    '[what](../book/glossary.md#other)'
    """

    def role(link: re.Match) -> str:
        words, page, name = " ".join(link[2].split()), link[3], link[4]
        if page == "bibliography" and ENTRY.fullmatch(name):
            return f"{{cite}}`{name}`"
        if page == "glossary" and name in known:
            term = f"{{term}}`{words} <{known[name]}>`"
            return f"({term})" if link[1] else term
        return link[0]

    return LINK.sub(role, text)


def place(name: str, known: dict[str, str]) -> str:
    """Where a term stands on the rendered page of the glossary.

    >>> place("tv-complexity", {"tv-complexity": "TV complexity"})
    'term-TV-complexity'
    """
    return f"term-{known[name].replace(' ', '-')}" if name in known else name
