"""What is published beside the pages: executed notebooks for Colab, the book as one PDF; and the check of links."""

import http.server
import json
import shutil
import subprocess
import threading

import nbformat
import pytest
from nbformat import v4

from book.press import build, executed, pairs, pdf
from notebooks.paper.figures.display import MIME

URL = pairs.address()
COLAB = URL.replace("https://github.com", "https://colab.research.google.com/github")
BOOK = build.pages_address(pairs.ROOT)


@pytest.fixture
def notebook():
    """As papermill leaves it: with its own cell and metadata, outputs, and what only the build reads."""
    output = v4.new_output("display_data", {"image/png": "aGk=", "text/plain": "Figure", MIME: {"dark": "x" * 1000}})
    text = v4.new_output("display_data", {"text/markdown": "See [C1](../book/claims.ipynb#c1).", "text/plain": "See"})
    code = v4.new_code_cell(
        "show()", outputs=[output, text], execution_count=1, metadata={"papermill": {"status": "done"}}
    )
    links = "[a](#here) [b](https://example.org) [c](images.ipynb) [d](../book/glossary.md#spline) ![e](../x.png)"
    cells = [v4.new_markdown_cell(links), v4.new_code_cell("x = 1", metadata={"tags": ["injected-parameters"]}), code]
    return v4.new_notebook(cells=cells, metadata={"papermill": {"duration": 1.0}})


def test_an_executed_notebook_keeps_its_outputs_and_its_links_lead_somewhere_from_anywhere(notebook):
    before = json.dumps(notebook)
    made = executed.published(notebook, "notebooks/grokking")
    assert json.dumps(notebook) == before
    assert len(made.cells) == 2 and "papermill" not in json.dumps(made) and MIME not in json.dumps(made)
    assert made.cells[0].source == (
        f"[a](#here) [b](https://example.org) [c]({COLAB}/blob/executed/notebooks/images.ipynb) "
        f"[d]({BOOK}book/glossary.html#term-spline) ![e]({URL}/blob/main/x.png)"
    )
    image, text = made.cells[1].outputs
    assert image.data["image/png"] == "aGk="
    assert text.data["text/markdown"] == f"See [C1]({BOOK}book/claims.html#c1)."


def test_all_executed_notebooks_are_written_or_the_missing_one_is_named(notebook, tmp_path, capsys, monkeypatch):
    names = [name for name in build.names(pairs.ROOT) if (pairs.ROOT / f"{name}.py").is_file()]
    for name in names:
        path = tmp_path / "executed" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
    assert executed.write(tmp_path / "executed", tmp_path / "made") == names
    found = {path.relative_to(tmp_path / "made").as_posix() for path in (tmp_path / "made").rglob("*.*")}
    assert found == {"README.md", *(f"{name}.ipynb" for name in names)}
    monkeypatch.setattr(executed, "ROOT", tmp_path)
    assert executed.main([str(tmp_path / "other")]) == 1 and "run `make book` first" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("pdfunite") is None, reason="pdfunite (poppler-utils) is not installed")
def test_the_pdf_has_all_pages_in_order(tmp_path):
    if not any(map(shutil.which, pdf.BROWSERS)):
        pytest.skip("no Chromium on this machine")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: a\nchapters:\n  - file: b\n")
    for name in "ab":
        (tmp_path / f"{name}.md").touch()
        (tmp_path / f"{name}.html").write_text(f"<html><body><h1>This is page {name}</h1></body></html>")
    whole = pdf.book(tmp_path, tmp_path)
    text = subprocess.run(["pdftotext", str(whole), "-"], capture_output=True, text=True, check=True).stdout
    assert 0 < text.index("page a") < text.index("page b")
    (tmp_path / "b.html").unlink()
    with pytest.raises(pdf.PdfError, match="b.html is missing: run `make book` first"):
        pdf.book(tmp_path, tmp_path)


def test_links_to_other_sites_are_looked_up(tmp_path, monkeypatch):
    """With a site on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if self.path == "/there" else 404)
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    stage = tmp_path / "paper" / "stage"
    stage.mkdir(parents=True)
    (stage / "_toc.yml").write_text("format: jb-book\nroot: a\n")
    (stage / "_config.yml").write_text("title: T\nexecute: {execute_notebooks: 'off'}\n")
    try:
        for path in ("there", "gone"):
            (stage / "a.md").write_text(f"# A\n\n[a](http://127.0.0.1:{server.server_port}/{path})\n")
            if path == "there":
                build.check_links("paper", tmp_path, print)
            else:
                with pytest.raises(build.BookError, match="/gone"):
                    build.check_links("paper", tmp_path, print)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(build.BookError, match="build it first"):
        build.check_links("smoke", tmp_path, print)
