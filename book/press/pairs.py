"""Notebooks are generated from percent scripts, one way: `python -m book.press.pairs` writes the `.ipynb` files.

It also writes what all scripts share, the set-up cell (`first_cell.txt`), and brings the repository's address, which
`_config.yml` says, into every text that names it: a fork changes that one line. `--check` lists the pairs that are out
of step and fails if there are any.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import yaml
from nbformat import NotebookNode

from lib.files import write_atomically

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("notebooks", "book")
SET_UP = re.compile(r'^# %% [^\n]*"set-up".*?(?=^# %%)', re.MULTILINE | re.DOTALL)
FOLDED = 'tags=["set-up"] cellView="form" jupyter={"source_hidden": true}'  # closed in Colab and in Jupyter


def scripts(root: Path = ROOT) -> list[Path]:
    """The scripts that have a notebook beside them."""
    return sorted(path for folder in FOLDERS for path in (root / folder).glob("*.py"))


def notebook(script: Path) -> NotebookNode:
    """The notebook of a percent script: no outputs, fixed metadata, cell ids that depend on content only.

    Raises:
        ValueError: a script without a kernelspec in its header (papermill would not find a kernel).
    """
    made = jupytext.read(script, fmt="py:percent")
    if made.metadata.get("kernelspec", {}).get("name") != "python3":
        raise ValueError(f"the header of {script} must name the kernelspec python3")
    jupytext_filter = made.metadata.get("jupytext", {}).get("cell_metadata_filter")
    made.metadata = NotebookNode(kernelspec=made.metadata.kernelspec, language_info=NotebookNode(name="python"))
    if jupytext_filter:
        parts = sorted(jupytext_filter.split(","), key=lambda part: (part.startswith("-"), part))  # jupytext's vary
        made.metadata["jupytext"] = NotebookNode(cell_metadata_filter=",".join(parts))
    for cell in made.cells:  # what the page does not show is closed in Colab and in Jupyter too
        if {"hide-input", "remove-input"} & set(cell.metadata.get("tags", [])):
            cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    made.nbformat, made.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in made.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    nbformat.validate(made)
    return made


def text(script: Path) -> str:
    """The text of the `.ipynb` of a script."""
    return json.dumps(notebook(script), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def difference(script: Path) -> str | None:
    """How the `.ipynb` beside a script differs from it, or None: types, sources, tags, metadata."""
    path = script.with_suffix(".ipynb")
    if not path.is_file():
        return f"{path} is missing"
    wanted = json.loads(text(script))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        cells = found.pop("cells")
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        return f"{path} is not a notebook: {error}"
    expected = wanted.pop("cells")
    for index, (cell, twin) in enumerate(zip(cells, expected, strict=False)):
        parts = [part for part in {**cell, **twin} if cell.get(part) != twin.get(part)]
        if parts:
            return f"{path}: cell {index} differs from {script.name} in {', '.join(sorted(parts))}"
    if len(cells) != len(expected):
        return f"{path} has {len(cells)} cells, {script.name} has {len(expected)}"
    return None if found == wanted else f"{path}: its metadata differ from {script.name}"


def differences(root: Path = ROOT) -> list[str]:
    """One line for each pair that is out of step, and for each notebook that has no script."""
    found = [difference(script) for script in scripts(root)]
    notebooks = sorted(path for folder in FOLDERS for path in (root / folder).glob("*.ipynb"))
    alone = [f"{path} has no script beside it" for path in notebooks if not path.with_suffix(".py").is_file()]
    return [line for line in found if line] + alone


def write(root: Path = ROOT) -> list[Path]:
    """Generate every notebook; returns the ones that changed."""
    changed = []
    for script in scripts(root):
        path, content = script.with_suffix(".ipynb"), text(script)
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            write_atomically(path, content.encode())
            changed.append(path)
    return changed


def address(root: Path = ROOT) -> str:
    """The address of the public repository, from `_config.yml`.

    Raises:
        ValueError: if it is not that of a repository on GitHub.
    """
    url = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", str(url)):
        raise ValueError(f"repository.url in _config.yml must be https://github.com/OWNER/NAME, got {url!r}")
    return url


def set_up(script: str, url: str) -> str:
    """The text of a script with the set-up cell that all of them share."""
    cell = (Path(__file__).with_name("first_cell.txt")).read_text(encoding="utf-8")
    cell = f"# %% {FOLDED}\n{cell.replace('https://github.com/OWNER/NAME', url)}\n"
    return SET_UP.sub(lambda _: cell, script)


def renamed(text: str, old: str, new: str) -> str:
    """A text with another address of the repository, also where it is part of an address of Colab.

    >>> renamed("github.com/a/b/tree, google.com/github/a/b/blob, github.com/a/bc; cd b", "https://github.com/a/b", "https://github.com/c/d")
    'github.com/c/d/tree, google.com/github/c/d/blob, github.com/a/bc; cd d'
    """
    before, after = (url.removeprefix("https://github.com/") for url in (old, new))
    text = re.sub(rf"(github\.com/|google\.com/github/){re.escape(before)}(?![\w-])", rf"\g<1>{after}", text)
    names = (url.rpartition("/")[2] for url in (before, after))
    return re.sub(rf"\bcd {re.escape(next(names))}$", f"cd {next(names)}", text, flags=re.MULTILINE)


def share(root: Path = ROOT) -> list[Path]:
    """Bring the address and the set-up cell into the texts of the repository; returns the files that changed."""
    url, changed = address(root), []
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    texts = [root / name for name in ("README.md", "CITATION.cff", "pyproject.toml")]
    for path in filter(Path.is_file, [*texts, *sorted((root / "book").glob("*.md")), *scripts(root)]):
        text = path.read_text(encoding="utf-8")
        made = renamed(text, citation["repository-code"], url)
        made = set_up(made, url) if path.suffix == ".py" else made
        if made != text:
            write_atomically(path, made.encode())
            changed.append(path)
    return changed


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Write the pairs, or check them with `--check`; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m book.press.pairs [--check]", file=sys.stderr)
        return 2
    if arguments:
        found = differences(root)
        print("\n".join([*found, "run `make pairs`"]) if found else "all pairs are in step")
        return 1 if found else 0
    for path in [*share(root), *write(root)]:
        print(f"wrote {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
