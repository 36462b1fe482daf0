"""From an executed notebook to the page that Sphinx reads: figures, text and tables become markdown cells."""

from __future__ import annotations

import base64
from pathlib import Path

from nbformat import NotebookNode, v4

from notebooks.paper.figures.display import MIME, markdown_rows

HIDDEN = {"parameters", "injected-parameters", "set-up"}  # tags of cells that are not on the page
HIDDEN_INPUT = {"remove-input", "remove-cell"}
FENCE = "``````"


def page(executed: NotebookNode, stem: str, images: Path, seconds: float, commit: str) -> tuple[NotebookNode, int]:
    """The page of an executed notebook, and how many figures it has.

    Args:
        executed: left as it is.
        stem: of the notebook's file; the names of its images begin with it.
        images: folder for the images, beside the page; made if needed.
        seconds: execution time that the provenance states.
        commit: of the sources the page was made from, for the provenance.
    """
    cells, figures, last = [], 0, {"execution": f"{seconds:.1f} s", "commit": commit}
    for cell in executed.cells:
        if HIDDEN & set(cell.metadata.get("tags", [])):
            continue
        if cell.cell_type != "code":
            cells.append(v4.new_markdown_cell(cell.source))
            continue
        marked = [output for output in cell.outputs if MIME in output.get("data", {})]
        kept = [output for output in cell.outputs if output not in marked and output.get("name") != "stderr"]
        if kept or not HIDDEN_INPUT & set(cell.metadata.get("tags", [])):
            cells.append(
                v4.new_code_cell(
                    cell.source,
                    execution_count=cell.execution_count,
                    outputs=kept,
                    metadata=_clean(cell.metadata),
                )
            )
        for output in marked:
            what = output.data[MIME]
            if what["kind"] == "figure":
                figures += 1
                cells.append(v4.new_markdown_cell(_figure(output, f"{stem}-{figures}", images)))
            elif what["kind"] != "fallback":
                cells.append(v4.new_markdown_cell(_text(what, last)))
    for index, cell in enumerate(cells):
        cell["id"] = f"{stem}-{index}"
    kernel = {"kernelspec": executed.metadata["kernelspec"], "language_info": {"name": "python"}}
    return v4.new_notebook(cells=cells, metadata=kernel), figures


def _figure(output: NotebookNode, stem: str, images: Path) -> str:
    """Write the images of a figure (and its data); returns the directive."""
    what = output.data[MIME]
    images.mkdir(parents=True, exist_ok=True)
    for theme, encoded in (("light", output.data["image/png"]), ("dark", what["dark"])):
        (images / f"{stem}-{theme}.png").write_bytes(base64.b64decode(encoded))
    legend = ""
    if what.get("csv"):
        (images / f"{stem}.csv").write_text(what["csv"], encoding="utf-8")
        legend = f"\n{{download}}`The figure's data (CSV) <{images.name}/{stem}.csv>`\n"
    options = {"dark": f"{images.name}/{stem}-dark.png", "alt": what["alt"], "width": f"{what['width']}px"}
    if what["name"]:
        options["name"] = what["name"]
    return _directive("themed-figure", f"{images.name}/{stem}-light.png", options, f"{what['caption']}\n{legend}")


def _text(what: dict, last: dict[str, str]) -> str:
    """The markdown of computed text, of a table or of the provenance."""
    if what["kind"] == "table":
        options = {"name": what["name"]} if what["name"] else {}
        return _directive("table", what["caption"], options, what["rows"])
    if what["kind"] == "provenance":
        rows = {**dict(what["rows"]), "Commit": last["commit"], "Execution time": last["execution"]}
        text = "## Provenance\n\n" + markdown_rows(["What", "Value"], rows.items())
        keys = ", ".join(f"`{key}`" for key in what["records"])
        return f"{text}\n\n{_directive('dropdown', 'The records', {}, keys)}" if keys else text
    return what["text"]


def _directive(kind: str, argument: str, options: dict[str, str], body: str) -> str:
    """A MyST directive."""
    lines = [f"{FENCE}{{{kind}}} {argument}", *(f":{key}: {value}" for key, value in options.items())]
    return "\n".join([*lines, "", body, FENCE])


def _clean(metadata: NotebookNode) -> dict:
    """The metadata of a cell that matter for a page."""
    return {key: metadata[key] for key in ("tags", "mystnb") if key in metadata}
