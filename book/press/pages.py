"""From an executed notebook to the page that Sphinx reads: figures, text and tables become markdown cells."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from nbformat import NotebookNode, v4

from notebooks.paper.figures.display import MIME, markdown_rows, typeset

HIDDEN = {"parameters", "injected-parameters", "set-up"}  # tags of cells that are not on the page
HIDDEN_INPUT = {"remove-input", "remove-cell"}
FENCE = "``````"
DETAILS = re.compile(r"<details>\n<summary>(.*?)</summary>\n\n(.*?)\n\n</details>", re.DOTALL)  # as Colab shows them
FIGURES = "_figures"  # folder of images and data, beside the pages


def page(executed: NotebookNode, name: str, stage: Path, seconds: float, commit: str) -> tuple[NotebookNode, int]:
    """The page of an executed notebook, and how many figures it has.

    Args:
        executed: left as it is.
        name: of the page in the table of contents, such as "notebooks/images".
        stage: the folder that is rendered; images go beside the page, data of interactive figures into `book/_static`.
        seconds: execution time that the provenance states.
        commit: of the sources the page was made from, for the provenance.
    """
    cells, figures, last = [], 0, {"execution": f"{seconds:.1f} s", "commit": commit}
    stem = name.rpartition("/")[2]
    for cell in executed.cells:
        if HIDDEN & set(cell.metadata.get("tags", [])):
            continue
        if cell.cell_type != "code":
            cells.append(v4.new_markdown_cell(typeset(cell.source)))
            continue
        marked = [output for output in cell.outputs if MIME in output.get("data", {})]
        kept = [output for output in cell.outputs if output not in marked and output.get("name") != "stderr"]
        fold = cell.metadata.get("fold") if marked else None  # the title below which what the cell shows is folded away
        coded = not HIDDEN_INPUT & set(cell.metadata.get("tags", []))
        if kept or coded and not fold:
            cells.append(
                v4.new_code_cell(
                    cell.source,
                    execution_count=cell.execution_count,
                    outputs=[_unstyled(output) for output in kept],
                    metadata=_clean(cell.metadata),
                )
            )
        shown = []
        for output in marked:
            what = output.data[MIME]
            if what["kind"] == "figure":
                figures += 1
                shown.append(_figure(what, name, figures, stage))
            elif what["kind"] == "provenance":
                shown.append(_provenance(what, name, last, stage))
            elif what["kind"] != "fallback":
                shown.append(_text(what))
        if fold:
            code = _directive("dropdown", "Show code cell source", {}, f"```python\n{cell.source}\n```")
            shown += [code] if coded and not kept else []
            shown = [_directive("dropdown", fold, {}, "\n\n".join(shown))]
        cells += map(v4.new_markdown_cell, shown)
    for index, cell in enumerate(cells):
        cell["id"] = f"{stem}-{index}"
    kernel = {"kernelspec": executed.metadata["kernelspec"], "language_info": {"name": "python"}}
    return v4.new_notebook(cells=cells, metadata=kernel), figures


def _figure(what: dict, name: str, number: int, stage: Path) -> str:
    """Write the images of a figure and its data; returns the directive."""
    key = f"{name.rpartition('/')[2]}-{number}"
    paths = {kind: f"{FIGURES}/{key}-{kind}.{image['format']}" for kind, image in what["images"].items()}
    for kind, image in what["images"].items():
        content = image["content"].encode()
        _write(stage, name, paths[kind], base64.b64decode(content) if image["format"] == "png" else content)
    options = {kind: path for kind, path in paths.items() if kind != "light"} | {"alt": what["alt"]}
    for option, kind in (("size", "light"), ("narrow-size", "light-narrow")):
        if kind in what["images"]:
            options[option] = "{width} {height}".format(**what["images"][kind])
    if what["name"]:
        options["name"] = what["name"]
    if "explore" in what:
        kind, data = what["explore"]
        options |= {"explore": kind, "key": key}
        text = f"explore.data({json.dumps(key)}, {json.dumps(data, separators=(',', ':'), allow_nan=False)});\n"
        _write(stage, "book/", f"_static/explore/data/{key}.js", text.encode())
    legend = [f"Drawn by `make page PAGE={name}`"]
    if what.get("csv"):
        _write(stage, name, f"{FIGURES}/{key}.csv", what["csv"].encode())
        legend.insert(0, f"{{download}}`The figure's data (CSV) <{FIGURES}/{key}.csv>`")
    return _directive("themed-figure", paths["light"], options, f"{what['caption']}\n\n{' · '.join(legend)}\n")


def _write(stage: Path, beside: str, path: str, content: bytes) -> None:
    """Write a file at a path that is relative to a page."""
    target = (stage / beside).parent / path if not beside.endswith("/") else stage / beside / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _text(what: dict) -> str:
    """The markdown of computed text or of a table."""
    if what["kind"] == "table":
        return _directive("table", what["caption"], {"name": what["name"]} if what["name"] else {}, what["rows"])
    return DETAILS.sub(lambda found: _directive("dropdown", found[1], {}, found[2]), what["text"])


def _provenance(what: dict, name: str, last: dict[str, str], stage: Path) -> str:
    """Where a page's numbers come from: one line, the details folded, the names of the records in a file."""
    count = len(what["records"])
    rows = {**dict(what["rows"]), "Commit": last["commit"], "Execution time": last["execution"]}
    line = f"Made at commit {last['commit']} in {last['execution']}"
    details = markdown_rows(["What", "Value"], rows.items())
    if count:
        line += f", from {count:,} record{'s' if count > 1 else ''}"
        path = f"{FIGURES}/{name.rpartition('/')[2]}-records.txt"
        _write(stage, name, path, "".join(f"{key}\n" for key in what["records"]).encode())
        details += f"\n\n{{download}}`The names of the records <{path}>`"
    return f"## Provenance\n\n{line}.\n\n{_directive('dropdown', 'Details', {}, details)}"


def _directive(kind: str, argument: str, options: dict[str, str], body: str) -> str:
    """A MyST directive; its fence is longer than those of the directives in its body."""
    fence = max([FENCE, *(f"{inside}`" for inside in re.findall("`{6,}", body))], key=len)
    lines = [f"{fence}{{{kind}}} {argument}", *(f":{key}: {value}" for key, value in options.items())]
    return "\n".join([*lines, "", body, fence])


def _unstyled(output: NotebookNode) -> NotebookNode:
    """An output without the style that pandas puts into each of its tables: the page has its own, and forbids others.

    >>> from nbformat.v4 import new_output
    >>> frame = {"text/html": "<div><style scoped>th {}</style><table></table></div>"}
    >>> _unstyled(new_output("display_data", data=frame)).data["text/html"]
    '<div><table></table></div>'
    """
    if "text/html" not in output.get("data", {}):
        return output
    html = re.sub(r"<style scoped>.*?</style>\s*", "", output.data["text/html"], flags=re.DOTALL)
    return NotebookNode({**output, "data": NotebookNode({**output.data, "text/html": html})})


def _clean(metadata: NotebookNode) -> dict:
    """The metadata of a cell that matter for a page."""
    return {key: metadata[key] for key in ("tags", "mystnb") if key in metadata}
