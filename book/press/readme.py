"""The parts of the README that are computed: `python -m book.press.readme` writes them, with the picture.

`python -m book.press.readme --check` says whether the README's claims agree with the committed records.
"""

import io
import re
import sys
from pathlib import Path

import matplotlib

from lib.files import write_atomically
from notebooks.paper import claims, sections
from notebooks.paper.figures import display
from notebooks.paper.figures.display import markdown_rows
from notebooks.paper.headline import Headline, headline
from notebooks.paper.verdict import Read

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {theme: f"book/_static/headline-{theme}.png" for theme in ("light", "dark")}

CONVENTIONS = (
    "Where a row names initialisation and rate, "
    "the paper leaves the former open, and the outcome [depends on it]({page})."
)


def claims_block(read: Read) -> str:
    """The claims at a glance, for GitHub's markdown.

    Args:
        read: from a section's name to its committed records.
    """
    findings = claims.settled(read)
    found = claims.counts(findings.values())
    head = ", ".join(f"{number} {verdict}" for verdict, number in found.items() if number)
    rows = [
        (one.name, one.statement, findings[one.name].label, f"[{one.section}](notebooks/{one.section}.ipynb)")
        for one in claims.CLAIMS
    ]
    table = markdown_rows(["", "the paper says", "here", "evidence"], rows)
    return f"{claims.WHEN}\n\nOf the paper's {len(claims.CLAIMS)} claims: {head}.\n\n{table}"


def picture_block(shown: Headline) -> str:
    """The picture with its alternative text and caption, one image for each of GitHub's themes."""
    return (
        f'<picture>\n  <source media="(prefers-color-scheme: dark)" srcset="{PICTURES["dark"]}">\n'
        f'  <img src="{PICTURES["light"]}" alt="{shown.alt()}" width="672">\n</picture>\n\n'
        f"*{shown.sentence()}* {shown.scale()} {CONVENTIONS.format(page='notebooks/grokking.ipynb')}"
    )


def pictures(shown: Headline) -> dict[str, bytes]:
    """The picture as PNG for light and dark pages, by path."""
    drawn = {}
    for theme, path in PICTURES.items():
        with matplotlib.rc_context(display.style(dark=theme == "dark")):
            buffer = io.BytesIO()
            figure = shown.draw()
            figure.savefig(buffer, format="png", dpi=2 * display.PIXELS_PER_INCH, metadata={"Software": None})
            matplotlib.pyplot.close(figure)
        drawn[path] = buffer.getvalue()
    return drawn


def block(text: str, name: str) -> str:
    """What stands between the markers of a block.

    Example:
        >>> block("<!-- claims -->\\nnone\\n<!-- end of claims -->", "claims")
        'none'
    """
    return _match(text, name).group(2).strip()


def replaced(text: str, name: str, content: str) -> str:
    """The text with another content between the markers of a block."""
    found = _match(text, name)
    return f"{text[: found.start(2)]}\n{content}\n{text[found.end(2) :]}"


def _match(text: str, name: str) -> re.Match:
    found = re.search(f"(<!-- {name} -->)(.*?)(<!-- end of {name} -->)", text, re.DOTALL)
    if not found:
        raise ValueError(f"README.md must have the markers <!-- {name} --> and <!-- end of {name} -->")
    return found


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write or check the computed parts of the README; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m book.press.readme [--check]", file=sys.stderr)
        return 2
    path, read = root / "README.md", sections.reader("paper")
    text = path.read_text(encoding="utf-8")
    if arguments:
        same = block(text, "claims") == claims_block(read)
        print("the claims are up to date" if same else "the claims differ: run `python -m book.press.readme`")
        return 0 if same else 1
    shown = headline(read)
    for name, content in pictures(shown).items():
        write_atomically(root / name, content)
    text = replaced(replaced(text, "claims", claims_block(read)), "picture", picture_block(shown))
    write_atomically(path, text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
