import ast
import re

import pytest
import yaml

from book.press import departures, readme
from lib.splines import Spline
from notebooks.paper import claims, sections

ROOT = readme.ROOT
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def code(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def read():
    """The committed records, read once, and once decided on, for the command too."""
    with pytest.MonkeyPatch.context() as patch:
        read = sections.reader("paper")
        patch.setattr(sections, "reader", lambda profile: read)
        yield read


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    blocks = code("python")
    assert blocks
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out
    assert "restart 2 of 2" in said and "gain_half_width" in said and len(blocks[0].splitlines()) <= 8
    assert names["model"].predict(names["X"]).shape == names["y"].shape
    assert Spline.load(tmp_path / "mine.safetensors").values.shape == (50,)


def test_the_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = " ".join(code("bash") + re.findall(r"`(make [^`]+)`", TEXT))
    targets = set(re.findall(r"\bmake ([a-z]+)", commands))
    assert {"book", "test"} <= targets <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_the_claims_are_those_of_the_records(read):
    assert readme.block(TEXT, "claims") == readme.claims_block(read)


def test_every_claim_is_in_the_table_with_its_verdict(read):
    table = readme.claims_block(read)
    for claim in claims.CLAIMS:
        assert re.search(
            rf"^\| {claim.name} \|.*\| {re.escape(claims.finding(claim, read).label)} \|", table, re.MULTILINE
        )


def test_the_files_that_the_readme_links_exist():
    links = re.findall(r'(?:\]\(|src="|srcset=")(?!https?:)([^)"#]+)', TEXT)
    assert len(links) > len(claims.CLAIMS)
    assert [link for link in links if not (ROOT / link).exists()] == []
    colab = re.findall(r"colab\.research\.google\.com/github/[^/]+/[^/]+/blob/executed/([^)\s]+)", TEXT)
    assert set(colab) == {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_the_citation_is_that_of_the_citation_file():
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["preferred-citation"]
    (bibtex,) = code("bibtex")
    assert f"{{{paper['title']}}}" in bibtex and f"{{{paper['year']}}}" in bibtex
    assert all(author["family-names"] in bibtex for author in paper["authors"])


def test_blocks_are_found_and_replaced():
    text = "a\n<!-- claims -->\nold\n<!-- end of claims -->\nb"
    assert readme.block(text, "claims") == "old"
    assert readme.block(readme.replaced(text, "claims", r"new \1"), "claims") == r"new \1"
    assert readme.replaced(text, "claims", "old") == text


def test_a_missing_marker_is_refused():
    with pytest.raises(ValueError, match="<!-- claims --> and <!-- end of claims -->"):
        readme.block("<!-- claims --> none", "claims")


def test_the_command_says_when_the_claims_are_old(read, tmp_path, capsys):
    (tmp_path / "README.md").write_text(readme.replaced(TEXT, "claims", "none"), encoding="utf-8")
    assert readme.main(["--check"], tmp_path) == 1
    assert "run `python -m book.press.readme`" in capsys.readouterr().out
    assert readme.main(["--chekc"], tmp_path) == 2


def test_the_command_writes_claims_and_picture(read, tmp_path):
    (tmp_path / "book" / "_static").mkdir(parents=True)
    (tmp_path / "README.md").write_text(readme.replaced(TEXT, "claims", "none"), encoding="utf-8")
    assert readme.main([], tmp_path) == readme.main(["--check"], tmp_path) == 0
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    alt = re.search('alt="([^"]+)"', readme.block(written, "picture")).group(1)
    assert "beside a line for ReLU" in alt and f"*{alt.split('ReLU. ', 1)[1].split(' Largest')[0]}*" in written
    assert readme.block(written, "picture") == readme.block(TEXT, "picture")  # and the committed one is up to date
    for path in readme.PICTURES.values():
        assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")


# The departures that are marked in the sources.


def test_all_marks_of_the_sources_are_collected():
    found = departures.collect()
    sources = [path for folder in departures.FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(found) == sum(path.read_text(encoding="utf-8").count("NOTE[DIFF]: ") for path in sources) > 0
    for departure in found:
        assert departure.text and '"""' not in departure.text and not departure.text.startswith("#")
        line = (ROOT / departure.path).read_text(encoding="utf-8").splitlines()[departure.line - 1]
        assert "NOTE[DIFF]" in line


def test_a_mark_ends_with_its_paragraph_its_comment_or_its_docstring():
    source = '''class A:
    """Summary.

    NOTE[DIFF]: one,
    two.

    Other.
    """

    def f(self):
        # NOTE[DIFF]: three
        # NOTE[DIFF]: four
        # five.
        #
        # Not this.
        return "NOTE" + "[DIFF]: no mark"

    def g(self):
        """Summary.

        NOTE[DIFF]: six
        seven."""
        return 8


# NOTE[DIFF]: nine.
x = 10
'''
    ast.parse(source)
    found = [(d.where, d.line, d.text) for d in departures.marked(source)]
    assert found == [
        ("A", 4, "one, two."),
        ("A.f", 11, "three"),
        ("A.f", 12, "four five."),
        ("A.g", 21, "six seven."),
        ("", 26, "nine."),
    ]


def test_the_address_of_a_departure_leads_to_its_line():
    address = departures.address(departures.Departure("lib/x.py", 12, "", "text"))
    url = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    assert address == f"{url}/blob/main/lib/x.py#L12"
