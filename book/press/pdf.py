"""The book as one PDF: `python -m book.press.pdf` prints the pages of `_build/html` with Chromium and joins them.

Needs Chromium (or Chrome) and `pdfunite`, of poppler-utils. The file is `companion.pdf` beside the pages.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import build

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--virtual-time-budget=20000",  # milliseconds, until the formulas are set
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
)


class PdfError(Exception):
    """The PDF cannot be made; the message says why."""


def printed(page: Path, target: Path, browser: str) -> None:
    """Print one page.

    Raises:
        PdfError: if the browser fails, or writes nothing.
    """
    command = [browser, *FLAGS, f"--user-data-dir={target}.profile", f"--print-to-pdf={target}", page.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if run.returncode or not target.is_file() or target.read_bytes()[:5] != b"%PDF-":
        raise PdfError(f"{page.name} could not be printed:\n{run.stderr.strip()}")


def book(root: Path, html: Path) -> Path:
    """Print the pages of the table of contents, in order, into one file; returns its path."""
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None or shutil.which("pdfunite") is None:
        raise PdfError("a PDF needs Chromium and pdfunite (poppler-utils), and one of them is not installed")
    target = html / "companion.pdf"
    with tempfile.TemporaryDirectory(prefix="companion-", ignore_cleanup_errors=True) as scratch:
        parts = []
        for name in build.names(root):
            page = html / f"{name}.html"
            if not page.is_file():
                raise PdfError(f"{page} is missing: run `make book` first")
            parts.append(Path(scratch) / f"{len(parts):02d}.pdf")
            printed(page, parts[-1], browser)
        whole = Path(scratch) / "whole.pdf"
        subprocess.run(["pdfunite", *map(str, parts), str(whole)], check=True)
        shutil.copyfile(whole, target)
    return target


if __name__ == "__main__":
    try:
        print(book(build.ROOT, build.published(build.ROOT / "_build", "paper")))
    except PdfError as error:
        sys.exit(str(error))
