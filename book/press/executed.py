"""The executed notebooks as readers open them in Colab: `python -m book.press.executed FOLDER`.

Takes what the build of the profile paper executed and writes it to FOLDER at the paths of the repository, with outputs,
without what only the build needs, and with links that lead somewhere from anywhere. The publishing workflow makes the
branch `executed` of it; `main` has no outputs.
"""

import posixpath
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from notebooks.paper.figures.display import MIME

from . import build, links, pairs

ROOT = pairs.ROOT
LINK = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)\s#]+)((?:#[^)\s]*)?\))")


def absolute(text: str, name: str, root: Path = ROOT) -> str:
    """Markdown of the page `name` with its relative links as addresses.

    Notebooks are those in Colab; places on pages and pages of text are the book's; all else is the repository's.

    >>> absolute("[a](#b), [c](../book/glossary.md#spline)", "notebooks/images").split("/")[-1]
    'glossary.html#term-spline)'
    """
    url, branch = build.repository(root)
    pages, terms = build.names(root), links.terms(root / "book" / "glossary.md")

    def address(link: re.Match) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), link[2]))
        page, ending = posixpath.splitext(path)
        place = link[3][1:-1]
        if page not in pages or ending not in (".md", ".ipynb"):
            target = f"{url}/blob/{branch}/{path}{link[3][:-1]}"
        elif ending == ".ipynb" and not place:
            target = build.colab_address(root, page)
        else:
            place = links.place(place, terms) if page == "book/glossary" else place
            target = f"{build.pages_address(root)}{page}.html{place and '#'}{place}"
        return f"{link[1]}{target})"

    return LINK.sub(address, text)


def published(executed: NotebookNode, name: str, root: Path = ROOT) -> NotebookNode:
    """A copy of an executed notebook for readers."""
    made = nbformat.from_dict(executed)
    made.cells = [cell for cell in made.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    made.metadata.pop("papermill", None)
    for cell in made.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "markdown":
            cell.source = absolute(cell.source, name, root)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(MIME, None)
            if "text/markdown" in data:
                data["text/markdown"] = absolute("".join(data["text/markdown"]), name, root)
    nbformat.validate(made)
    return made


def write(executed: Path, folder: Path, root: Path = ROOT) -> list[str]:
    """Write all executed notebooks and a README; returns their names.

    Raises:
        FileNotFoundError: if the book was not built, or a page was not executed.
    """
    names = [name for name in build.names(root) if (root / f"{name}.py").is_file()]
    for name in names:
        target = folder / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(published(nbformat.read(executed / f"{name}.ipynb", as_version=4), name, root), target)
    url, branch = build.repository(root)
    text = f"# Executed notebooks\n\nMade by the publishing workflow from [{branch}]({url}/tree/{branch}), for Colab.\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    return names


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python -m book.press.executed FOLDER", file=sys.stderr)
        return 2
    try:
        names = write(ROOT / "_build" / "paper" / "executed", Path(arguments[0]))
    except FileNotFoundError as error:
        print(f"{error.filename} is missing: run `make book` first", file=sys.stderr)
        return 1
    print(f"{len(names)} notebooks in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
