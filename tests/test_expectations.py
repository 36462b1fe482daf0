"""What is expected of the book has evidence that exists: tests, pages, workflows."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (ROOT / "book" / "expectations.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d", line)
]


def test_each_expectation_has_evidence_that_exists():
    assert [int(row[0]) for row in ROWS] == list(range(1, 43))
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    for number, _, here, evidence in ROWS:
        assert here.startswith("yes"), number
        named = re.findall(r"`([^`]+)`", evidence)
        pages = re.findall(r"\]\(([^)#]+)", evidence)
        assert named or pages
        for name in named:
            assert f"def {name}(" in tests if name.startswith("test_") else (ROOT / name).is_file(), name
        assert all((ROOT / "book" / page).is_file() for page in pages)


def test_every_reference_has_an_address():
    entries = re.split(r"^@", (ROOT / "book" / "references.bib").read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(entries) > 20
    assert [entry.split(",")[0] for entry in entries if not re.search(r"url\s*=\s*\{https?://", entry)] == []


def test_each_page_of_results_says_its_scale():
    for script in (ROOT / "notebooks").glob("*.py"):
        text = script.read_text("utf-8")
        assert re.search(r'words\.say\("scale', text) and '"scale-smoke"' in text, script.stem


def test_each_page_of_results_says_how_sure_it_is():
    for script in (ROOT / "notebooks").glob("*.py"):
        words = ROOT / "notebooks" / "paper" / script.stem / "words.md"
        of = words if words.is_file() else ROOT / "notebooks" / "paper" / "images" / f"{script.stem}.md"
        assert "**How sure?**" in script.read_text("utf-8") + of.read_text("utf-8"), script.stem
