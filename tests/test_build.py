"""The build of the book, on a tiny book: what it makes of a notebook, and everything that must stop it."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml
from bs4 import BeautifulSoup
from prepared_files import write_images

from book.press import build as book
from book.press import check, execute, pairs
from book.press.build import BookError, build_book
from notebooks.paper import claims, sections, verdict
from notebooks.paper.figures import display, looks
from notebooks.paper.records.frames import Collected
from notebooks.paper.tabular.plan import INPUTS

ROOT = Path(__file__).resolve().parent.parent
HEADER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""
NOTEBOOK = (
    HEADER
    + """# %% [markdown]
# # A notebook
#
# See [the start](../book/start.md).

# %% tags=["set-up"]
print("this is set-up")

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import sys

from matplotlib import pyplot as plt
import pandas

from notebooks.paper.figures.display import provenance, say, show, table

colours = []


def draw():
    figure, axes = plt.subplots(figsize=(4, 3))
    (line,) = axes.plot([0, 1], [0, seed])
    colours.append(line.get_color())
    return figure


show(
    draw,
    alt=f"A straight line from zero to {seed} over one unit.",
    caption="A line, $y = x$, of {cite}`someone2020`.",
    name="fig-line",
    data=pandas.DataFrame({"x": [0, 1]}),
)

# %% tags=["remove-input"]
say(f"In {{numref}}`fig-line` the seed is **{seed}** and the profile is {profile}.")
rows = pandas.DataFrame({"arm": ["$a|b$"], "link": ["[start](../book/start.md)"]})
table(rows, caption="A table.", name="tab-a")

# %%
print(len(colours), len(set(colours)))

# %% tags=["hide-input"] fold="More of it"
table(rows, caption="Another table.", name="tab-b")
say("<details>\\n<summary>Still more</summary>\\n\\ninside of both\\n\\n</details>")

# %% tags=["remove-input"]
class Record:
    key = "run-0123456789ab"
    provenance = {"hardware": {"cpu": "a processor"}, "packages": {"torch": "9.9"}}


provenance(profile, [Record()])
"""
)
START = "# Start\n\n(here)=\n\nMaths: $x^2$.\n"
BIBLIOGRAPHY = "# Bibliography\n\n## How to cite\n\n```{bibliography}\n:all:\n:style: authoryear\n```\n"
TOC = "format: jb-book\nroot: book/start\nchapters:\n  - file: notebooks/page\n  - file: book/bibliography\n"
BIB = "@misc{someone2020, author = {Some One}, title = {A Title}, year = {2020}}\n"
PARAMETERS = {"profile": "smoke", "seed": 7}


def write_book(root):
    """The sources of the tiny book."""
    (root / "book").mkdir(parents=True)
    (root / "notebooks").mkdir()
    shutil.copytree(ROOT / "book" / "_static", root / "book" / "_static")
    shutil.copyfile(ROOT / "_config.yml", root / "_config.yml")
    (root / "_toc.yml").write_text(TOC)
    (root / "book" / "start.md").write_text(START)
    (root / "book" / "bibliography.md").write_text(BIBLIOGRAPHY)
    (root / "book" / "references.bib").write_text(BIB)
    (root / "notebooks" / "page.py").write_text(NOTEBOOK)
    pairs.write(root)


def build(root, parameters=PARAMETERS):
    lines = []
    return build_book(root, parameters, root / "_build", 1, lines.append), "\n".join(lines)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tiny book that was built, with what the build said; not to be changed."""
    root = tmp_path_factory.mktemp("book")
    write_book(root)
    _, said = build(root)
    return root, said


@pytest.fixture
def copy(built, tmp_path):
    """A copy of the built book, to be changed and built again."""
    root = tmp_path / "copy"
    shutil.copytree(built[0], root)
    return root


@pytest.fixture(scope="module")
def page(built):
    return BeautifulSoup((built[0] / "_build/html-smoke/notebooks/page.html").read_text("utf-8"), "html.parser")


def edit(root, name, old, new):
    path = root / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    pairs.write(root)


def published(root):
    """A hash of everything that is published."""
    digest = hashlib.sha256()
    for path in sorted((root / "_build" / "html-smoke").rglob("*")):
        digest.update(path.as_posix().encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


# ---------------------------------------------------------------- what a page becomes


def test_progress_names_the_notebook_and_its_time(built):
    assert re.search(r"\[ 1/1\] notebooks/page +\d+\.\d s", built[1])
    assert re.search(r"3 pages with 1 figures, rendered in \d", built[1])


def test_a_figure_has_two_images_an_alt_a_caption_a_number_and_its_data(built, page):
    (figure,) = page.find_all("figure")
    images = figure.find_all("img")
    links = figure.select(".themed-images a")
    assert [link["class"] for link in links] == [["on-light"], ["on-dark"]]
    assert {image["loading"] for image in images} == {"lazy"} and all(int(image["width"]) == 384 for image in images)
    assert {image["alt"] for image in images} == {"A straight line from zero to 7 over one unit."}
    files = [(built[0] / "_build/html-smoke/notebooks" / image["src"]).read_bytes() for image in images]
    assert all(b"<svg" in content for content in files) and files[0] != files[1]  # a line is smaller as SVG
    assert [link["href"] for link in links] == [image["src"] for image in images]  # the dark one opens dark
    assert b"#ffffff" in files[0] and b"#121212" in files[1]
    caption = figure.find("figcaption")
    assert "Fig. 1" in caption.get_text() and caption.find(class_="math") and caption.find("a", class_="internal")
    data = figure.find("a", class_="download")
    assert (built[0] / "_build/html-smoke/notebooks" / data["href"]).read_text() == "x\n0\n1\n"
    assert "make page PAGE=notebooks/page" in figure.find("figcaption").get_text()


def test_text_and_tables_become_part_of_the_page(page):
    (paragraph,) = [tag for tag in page.find_all("p") if "the seed is" in tag.get_text()]
    assert paragraph.get_text() == "In Fig. 1 the seed is 7 and the profile is smoke."
    table = page.find("table", id="tab-a")
    assert "A table." in table.find("caption").get_text()
    assert table.find("td").find(class_="math").get_text() == r"\(a|b\)"
    assert table.find("a", href="../book/start.html")


def test_a_cell_is_folded_away_below_its_title_and_its_code_once_more(page):
    (box,) = [tag for tag in page.find_all("details") if tag.summary.get_text(strip=True) == "More of it"]
    assert "Another table." in box.find("table", id="tab-b").caption.get_text()
    assert [tag.summary.get_text(strip=True) for tag in box.find_all("details")] == [
        "Still more",
        "Show code cell source",
    ]
    assert 'name="tab-b"' in box.select_one("details .highlight-python pre").get_text()
    assert page.get_text().count('name="tab-b"') == 1


def test_set_up_parameters_and_removed_input_are_not_on_the_page(page):
    text = page.find("article").get_text()
    assert "this is set-up" not in text and "profile = " not in text
    assert "say(f" not in text
    assert "def draw()" in text and "2 2" in text  # drawn twice, in two colours


def test_the_page_ends_with_its_provenance_and_says_the_profile_on_top(built, page):
    rows = dict((cell.get_text() for cell in row.find_all("td")) for row in page.select("#provenance details tbody tr"))
    assert list(rows) == ["Commit", "Profile", "Records read", "Computed on", "Packages", "Hardware", "Execution time"]
    assert rows["Profile"] == "smoke" and re.fullmatch(r"\d+\.\d s", rows["Execution time"])
    assert rows["Records read"] == "1" and rows["Computed on"] == "1 on a processor, torch 9.9"
    assert re.match(r"Made at commit .* in \d+\.\d s, from 1 record\.", page.select_one("#provenance p").get_text())
    names = page.select_one("#provenance details a.download")["href"]
    assert (built[0] / "_build/html-smoke/notebooks" / names).read_text() == "run-0123456789ab\n"
    assert "Profile smoke" in page.find(class_="bd-header-announcement").get_text()


def test_a_page_has_its_description_its_card_its_icon_and_its_policy(page):
    said = {meta.get("name") or meta.get("property"): meta["content"] for meta in page.select("meta[content]")}
    assert said["description"] == said["og:description"] and len(said["description"].split()) > 1
    assert said["og:title"] == "A notebook" and said["og:image"].endswith(".png")
    assert page.select_one("link[rel~=icon]") and page.select_one("meta[http-equiv=Content-Security-Policy]")


def test_the_colab_button_opens_the_notebook_at_its_path(built, page):
    url, _ = book.repository(built[0])
    address = page.find("a", href=re.compile("colab"))["href"]
    repository = url.replace("github.com", "colab.research.google.com/github")
    assert address == f"{repository}/blob/executed/notebooks/page.ipynb"


def test_an_unchanged_book_is_not_executed_and_not_rendered_again(copy):
    before = published(copy)
    _, said = build(copy)
    assert re.search(r"notebooks/page +unchanged", said) and "pages are unchanged" in said
    assert published(copy) == before


def test_the_page_of_execution_times_lists_the_pages(copy):
    (copy / "book" / "executions.md").write_text("# Times\n\n{executions}\n")
    edit(copy, "_toc.yml", "  - file: notebooks/page\n", "  - file: notebooks/page\n  - file: book/executions\n")
    html, _ = build(copy)
    page = BeautifulSoup((html / "book/executions.html").read_text("utf-8"), "html.parser")
    name, time_, figures = (cell.get_text() for cell in page.select("article td"))
    assert name == "A notebook" and re.fullmatch(r"\d+\.\d s", time_) and figures == "1"
    assert page.find("a", href="../notebooks/page.html")


def test_another_text_is_rendered_without_executing(copy):
    edit(copy, "book/start.md", "Maths", "Mathematics")
    html, said = build(copy)
    assert re.search(r"notebooks/page +unchanged", said) and "rendered in" in said
    assert "Mathematics" in (html / "book/start.html").read_text("utf-8")


# ---------------------------------------------------------------- what stops the build

BAD_BOOKS = {
    "the kernel dies": (
        "notebooks/page.py",
        "print(len(colours)",
        "import os\nos._exit(3)\nprint(len(colours)",
        "notebooks/page: at cell 6: the kernel died: it ended itself with exit status 3",
    ),
    "a link to no file": (
        "book/start.md",
        "Maths",
        '\n\n```{raw} html\n<a href="nowhere.html">there</a>\n```\n\n',
        "broken link nowhere.html",
    ),
    "a page without a source": ("_toc.yml", "notebooks/page", "notebooks/pages", "there is none"),
}


@pytest.mark.parametrize("case", BAD_BOOKS)
def test_a_bad_book_is_refused_and_the_published_one_stays(copy, case):
    name, old, new, message = BAD_BOOKS[case]
    before = published(copy)
    edit(copy, name, old, new)
    with pytest.raises(BookError, match=re.escape(message)):
        build(copy)
    assert published(copy) == before


def test_all_links_and_citations_that_lead_nowhere_are_named_and_stop_the_build(copy):
    before = published(copy)
    edit(copy, "book/start.md", "Maths", "[No page](nowhere.md) and [no place](#elsewhere).")
    edit(copy, "book/references.bib", "someone2020", "noone1999")
    with pytest.raises(BookError) as caught:
        build(copy)
    assert all(name in str(caught.value) for name in ("nowhere.md", "elsewhere", "someone2020"))
    assert published(copy) == before


def kernel(tmp_path, monkeypatch, *argv):
    """Takes the place of the kernel of pages."""
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"argv": [sys.executable, "-c", *argv], "display_name": "x"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


def test_a_kernel_that_cannot_start_says_why(copy, tmp_path, monkeypatch):
    kernel(tmp_path, monkeypatch, "raise SystemExit('there is no ipykernel here')")
    (copy / "_build/smoke/executed/notebooks/page.json").unlink()
    with pytest.raises(BookError, match="(?s)the kernel could not start.*exit status 1.*there is no ipykernel here"):
        build(copy)


def test_a_kernel_that_finds_its_port_taken_is_started_once_more(copy, tmp_path, monkeypatch):
    start = """
import os, sys
tried = sys.argv[1]
if not os.path.exists(tried):
    open(tried, "w").close()
    sys.exit("Address already in use")
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *sys.argv[2:]])
"""
    kernel(tmp_path, monkeypatch, start, str(tmp_path / "tried"), "-f", "{connection_file}")
    (copy / "_build/smoke/executed/notebooks/page.json").unlink()
    html, _ = build(copy)
    assert (tmp_path / "tried").exists() and (html / "notebooks/page.html").is_file()


def test_two_profiles_are_built_at_once_and_each_says_what_it_is(copy):
    edit(copy, "book/start.md", "Maths", "Mathematics")
    with ThreadPoolExecutor(2) as pool:
        builds = {profile: pool.submit(build, copy, {"profile": profile, "seed": 7}) for profile in ("paper", "smoke")}
    for profile, result in builds.items():
        html, said = result.result()
        text = (html / "notebooks/page.html").read_text("utf-8")
        assert "rendered in" in said and f"<p>{profile}</p>" in text
        assert f"the profile is {profile}" in text and "Mathematics" in (html / "book/start.html").read_text("utf-8")


def test_a_second_build_of_a_profile_waits_for_the_first(tmp_path):
    said, order = [], []

    def second():
        with book.alone(tmp_path, "smoke", said.append):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with book.alone(tmp_path, "smoke", pytest.fail):
            waiting = pool.submit(second)
            while not said:
                time.sleep(0.01)
            order.append("first")
        waiting.result()
    assert order == ["first", "second"] and "another build of the profile smoke is running" in said[0]


@pytest.mark.parametrize("ending", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_build_that_is_ended_leaves_no_process_and_no_file(copy, tmp_path, ending):
    (tmp_path / "tmp").mkdir()
    started = tmp_path / "started"
    cell = f"import os, subprocess, time\nchild = subprocess.Popen(['sleep', '60'])\nopen({str(started)!r}, 'w').write("
    edit(
        copy,
        "notebooks/page.py",
        "print(len(colours)",
        f"{cell}f'{{os.getpid()}} {{child.pid}} ')\ntime.sleep(60)\nprint(len(colours)",
    )
    before = published(copy)
    code = "import pathlib, sys; from book.press import build as book; book.ROOT = pathlib.Path(sys.argv[1]); "
    code += "sys.exit(book.main(['--profile', 'smoke', '-p', 'seed=7']))"
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(copy)], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while run.poll() is None and (not started.is_file() or started.read_text().count(" ") < 2):
        time.sleep(0.05)
    run.send_signal(ending)
    said = run.communicate(timeout=60)[0]
    assert run.returncode == 128 + ending and "Traceback" not in said, said
    left = [psutil.Process(int(pid)) for pid in started.read_text().split() if psutil.pid_exists(int(pid))]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)  # what init has not yet taken note of
    assert list((tmp_path / "tmp").iterdir()) == [] and published(copy) == before


def test_a_used_port_is_refused_before_anything_is_built():
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        command = [sys.executable, "-m", "book.press.build", "--serve", str(port)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and f"port {port} cannot be used" in run.stderr and "Traceback" not in run.stderr


def test_a_mistyped_parameter_is_refused(copy):
    before = published(copy)
    with pytest.raises(BookError, match="unknown parameter sede; its parameters cell declares profile, seed"):
        build(copy, {"profile": "smoke", "sede": 1})
    assert published(copy) == before


def test_an_unknown_profile_is_refused(copy):
    with pytest.raises(ValueError, match="profile must be one of paper, smoke, got 'papre'"):
        build(copy, {"profile": "papre"})


def test_pairs_out_of_step_are_refused(copy):
    path = copy / "notebooks" / "page.ipynb"
    path.write_text(path.read_text("utf-8").replace("this is set-up", "this is not"), encoding="utf-8")
    with pytest.raises(BookError, match="cell 1 differs from page.py in source"):
        build(copy)


def test_a_page_with_two_sources_is_refused(copy):
    (copy / "notebooks" / "page.md").write_text("# Page\n")
    with pytest.raises(BookError, match="there is .py and .md"):
        book.names(copy)


def test_a_failed_execution_is_not_kept(copy):
    before = published(copy)
    edit(copy, "notebooks/page.py", "print(len(colours)", "1 / 0\nprint(len(colours)")
    for _ in range(2):
        with pytest.raises(BookError, match="ZeroDivisionError"):
            build(copy)
    assert published(copy) == before


def test_the_previous_book_stays_if_it_cannot_be_replaced(tmp_path):
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html").write_text("previous")
    with pytest.raises(OSError, match="missing"):
        book.publish(tmp_path / "missing", tmp_path / "html")
    assert (tmp_path / "html" / "index.html").read_text() == "previous"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "notebooks/nothing"], "no such page: notebooks/nothing"),
        (["--only", "book/figures"], "nothing to execute: book/figures has no code (.md)"),
        (["--parameter", "profile=smoke"], "the profile is set by --profile, not by --parameter"),
    ],
)
def test_the_command_refuses_what_it_would_not_do(arguments, message):
    run = subprocess.run(
        [sys.executable, "-m", "book.press.build", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode and message in run.stderr and "Traceback" not in run.stderr


def test_a_script_without_kernelspec_is_refused(copy):
    path = copy / "notebooks" / "page.py"
    path.write_text(path.read_text("utf-8").replace("python3", "python2"), encoding="utf-8")
    message = "page.py must name the kernelspec python3"
    with pytest.raises(BookError, match=message):
        build(copy)
    assert message in execute.execute(copy, "notebooks/page", PARAMETERS, copy / "executed").problems[0]


# ---------------------------------------------------------------- checks of executed notebooks

DRAWN = {"kind": "figure", "alt": "A straight line that rises to the right.", "caption": "A line."}


def executed(outputs=(), source="x", count=1, metadata=None):
    """An executed notebook of one code cell."""
    cell = nbformat.v4.new_code_cell(source, execution_count=count, outputs=list(outputs), metadata=metadata or {})
    return nbformat.v4.new_notebook(cells=[cell])


def output(data):
    return nbformat.v4.new_output("display_data", data=data)


def figure(**changes):
    return output({"image/png": "", display.MIME: {**DRAWN, **changes}})


def test_a_good_notebook_has_no_problems():
    assert execute.check(executed([figure()], "show(draw, alt=a, caption=c)"), needs_figure=True) == []


BARE = output({"image/png": ""})
ERROR = nbformat.v4.new_output("error", ename="KeyError", evalue="'a'", traceback=[])


@pytest.mark.parametrize(
    ("notebook", "message"),
    [
        (executed([ERROR]), "raised KeyError: 'a'"),
        (executed(count=None), "was not executed"),
        (executed([BARE]), "image without alternative text"),
        (executed([BARE], metadata={"mystnb": {"image": {"alt": "plot"}}}), "image without alternative text"),
        (executed([figure(alt="fig1.png")]), "alt text must be"),
        (executed(source="show(draw, alt=a, caption=c)"), "calls show 1 times and gave 0 figures"),
        (executed(source="print(1)"), "has no figure"),
    ],
)
def test_a_bad_notebook_is_found(notebook, message):
    assert any(message in problem for problem in execute.check(notebook, needs_figure=True))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("stderr", "UserWarning: the store has 2 damaged records\n", "wrote to stderr: UserWarning: the store has 2"),
        ("stderr", "anything\n", "wrote to stderr: anything"),
        ("stdout", "fine\nERROR no such dataset\n", "wrote to stdout: ERROR no such dataset"),
        ("stdout", "ValueError: nothing\n", "wrote to stdout: ValueError: nothing"),
        ("stdout", "an error of 2 points, no warning\n", None),
        ("stderr", "\n", None),
    ],
)
def test_complaints_that_no_reader_would_see_are_found(name, text, message):
    found = execute.complaints(executed([nbformat.v4.new_output("stream", name=name, text=text)]))
    assert [message in complaint for complaint in found] == ([True] if message else [])


def test_a_complaint_stops_the_execution(copy):
    edit(copy, "notebooks/page.py", "print(len(colours)", "import warnings\nwarnings.warn('old')\nprint(len(colours)")
    assert "wrote to stderr" in execute.execute(copy, "notebooks/page", PARAMETERS, copy / "executed").problems[0]


def test_an_exception_noted_by_papermill_is_found():
    notebook = executed()
    notebook.metadata["papermill"] = {"exception": True}
    assert execute.check(notebook) == ["papermill recorded an exception"]


def test_cells_executed_out_of_order_are_found():
    notebook = executed(count=2)
    notebook.cells += executed(count=1).cells
    assert execute.check(notebook) == ["cell 1 was executed out of order: [1] after [2]"]


def test_an_image_with_alt_in_the_metadata_of_its_cell_is_accepted():
    alt = {"mystnb": {"image": {"alt": "A straight line that rises to the right."}}}
    assert execute.check(executed([BARE], metadata=alt)) == []


READING = """import pathlib
import notebooks.helper
for name in ("data/results/one/a.json", "book/notes.txt", "data/results/gone/a.json"):
    file = pathlib.Path("{root}", name)
    text = file.read_text() if file.is_file() else ""
print(len(colours)"""


@pytest.fixture(scope="module")
def reading(built, tmp_path_factory):
    """A book whose page reads data, a file and a module; not to be changed."""
    root = tmp_path_factory.mktemp("reading") / "book"
    shutil.copytree(built[0], root)
    for name in (
        "data/results/one/a.json",
        "data/results/two/a.json",
        "book/notes.txt",
        "notebooks/helper/__init__.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("0")
    (root / "requirements.lock").write_text("torch")
    edit(
        root,
        "notebooks/page.py",
        "print(len(colours)",
        f"sys.path.insert(0, {str(root)!r})\n" + READING.format(root=root),
    )
    time.sleep(0.01)  # what changed since the start of an execution is not trusted
    result = execute.execute(root, "notebooks/page", PARAMETERS, root / "_build")
    assert not result.problems and not result.reused
    return root


CHANGES = {
    "nothing": (None, True),
    "another page": ("book/start.md", True),
    "records of another section": ("data/results/two/a.json", True),
    "a record that it read": ("data/results/one/a.json", False),
    "a new record beside those that it read": ("data/results/one/b.json", False),
    "a new section": ("data/results/gone/a.json", False),
    "a file that it read": ("book/notes.txt", False),
    "a module that it imports": ("notebooks/helper/__init__.py", False),
    "the script": ("notebooks/page.py", False),
    "the packages": ("requirements.lock", False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_page_is_executed_again_if_something_changed_that_it_depends_on(reading, monkeypatch, change):
    name, unchanged = CHANGES[change]
    ran = []
    monkeypatch.setattr(execute, "_papermill", lambda *_: ran.append(1) or "it ran")
    stamp = (reading / "_build/notebooks/page.json").read_bytes()
    path = reading / (name or "nothing")
    before = path.read_bytes() if path.is_file() else None
    try:
        if name:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((before or b"") + b"\n# changed\n")
        execute.execute(reading, "notebooks/page", PARAMETERS, reading / "_build")
    finally:
        if before is not None:
            path.write_bytes(before)
        elif name:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        (reading / "_build/notebooks/page.json").write_bytes(stamp)
    assert ran == ([] if unchanged else [1])


def test_a_page_is_executed_again_with_other_parameters_or_datasets(reading, tmp_path, monkeypatch):
    def now(parameters=PARAMETERS):
        return execute.fingerprint(reading, "notebooks/page", parameters)

    seen = [now(), now({**PARAMETERS, "seed": 8})]
    for name in ("mnist", "cifar10"):
        write_images(tmp_path / "data", name)
        monkeypatch.setenv("SIMPLICITY_DATA", str(tmp_path / "data"))
        assert now() == now({**PARAMETERS}) and now() not in seen
        seen.append(now())
    assert len(set(seen)) == len(seen)


def test_a_damaged_note_beside_an_executed_copy_is_ignored(copy):
    (copy / "_build/smoke/executed/notebooks/page.json").write_text('{"key": ')
    _, said = build(copy)
    assert re.search(r"notebooks/page +\d+\.\d s", said)


# ---------------------------------------------------------------- checks of rendered pages

GOOD = """<html><body><a href="b.html#there">b</a><article>
<figure><a class="on-light" href="a.png"><img src="a.png" alt="A line that rises to the right."></a>
<a class="on-dark" href="a.png"><img src="a.png" alt="A line that rises to the right."></a></figure></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text('<html><body><p id="there">b</p></body></html>')
    (tmp_path / "index.html").write_text("<html></html>")
    (tmp_path / "a.png").touch()
    return tmp_path


def test_a_good_site_has_no_problems(site):
    assert check.problems(site, {"a": 1, "b": 0}) == []


BAD_PAGES = {
    "b.html#there": ("b.html#elsewhere", "broken link b.html#elsewhere: no such place"),
    'href="b.html': ('href="c.html', "broken link c.html"),
    'src="a.png"': ('src="b.png"', "broken link b.png"),
    'alt="A line that rises to the right."': ('alt="0a1b2c3d4e5f60718293a4b5c6d7e8f9"', "alt text must be"),
    'class="on-dark"': ("", "shows 1 figures"),
    "<article>": ("<article>Traceback (most recent call last)", "shows a traceback"),
    "</article>": ('</article><img src="a.png">', "image a.png has no alt"),
    "<html>": (
        '<html><script src="https://example.org/a.js"></script>',
        "loads script https://example.org/a.js",
    ),
    "<body>": ('<link rel="stylesheet" href="//example.org/a.css"><body>', "loads link //example.org/a.css"),
    "</html>": (
        '<script>import("https://example.org/a.js")</script></html>',
        "script that loads from another",
    ),
}


# what would run, or be seen by readers, if it were put into a page's content -> the message
BAD_CONTENT = {
    "<script>alert(1)</script>": "has <script> in its content",
    '<p onclick="alert(1)">a</p>': "event handler in its content: onclick",
    '<svg onload="alert(1)"></svg>': "event handler in its content: onload",
    '<a href="javascript:alert(1)">a</a>': "address that is not of a page or file: href='javascript:",
    '<a href=" JavaScript :alert(1)">a</a>': "address that is not of a page or file",
    '<a href="data:text/html,a">a</a>': "address that is not of a page or file",
    "<style>p {background: url(https://example.org)}</style>": "has <style> in its content",
    '<p style="background: url(//example.org/a.png)">a</p>': "has a style that loads",
    '<object data="a.swf"></object>': "has <object> in its content",
    '<embed src="a.png">': "has <embed> in its content",
    '<form action="a"></form>': "has <form> in its content",
    '<iframe src="b.html"></iframe>': "has <iframe> in its content",
    '<base href="https://example.org">': "has <base> in its content",
    '<meta http-equiv="refresh" content="0">': "has <meta> in its content",
    '<video poster="https://example.org/a.png"></video>': "loads video https://example.org/a.png from another host",
    '<img srcset="https://example.org/a.png" alt="A line that rises to the right.">': "loads img https://example.org",
    "<p>a gain of nan points</p>": "shows 'nan' in: a gain of nan points",
    "<table><tr><td>-inf</td></tr></table>": "shows '-inf' in: -inf",
    "<table><tr><td>None</td></tr></table>": "shows 'None' in a table",
    "<figcaption>Mean NaN ± 0.1.</figcaption>": "shows 'NaN' in: Mean NaN",
    '<img src="a.png" alt="A line that ends at nan on the right.">': "alt text shows 'nan'",
    "<p>TODO: say why</p>": "shows 'TODO' in",
    "<table><thead><tr><th>arm</th></tr></thead><tbody></tbody></table>": "has a table without rows: arm",
}


@pytest.mark.parametrize("content", BAD_CONTENT)
def test_active_and_unfinished_content_is_found(site, content):
    (site / "a.html").write_text(GOOD.replace("</article>", f"{content}</article>"))
    found = check.problems(site, {"a": 1, "b": 0})
    assert any(problem.startswith("a: ") and BAD_CONTENT[content] in problem for problem in found), found


def test_code_may_speak_of_numbers_that_are_none(site):
    (site / "a.html").write_text(GOOD.replace("</article>", "<pre>nan</pre><p>NaNny <code>nan</code></p></article>"))
    assert check.problems(site, {"a": 1, "b": 0}) == []


@pytest.mark.parametrize("old", BAD_PAGES)
def test_a_bad_page_is_found(site, old):
    new, message = BAD_PAGES[old]
    assert old in GOOD
    (site / "a.html").write_text(GOOD.replace(old, new))
    found = check.problems(site, {"a": 1, "b": 0})
    assert found and all(problem.startswith("a: ") for problem in found)
    assert any(message in problem for problem in found)


# what a page loads besides 2 MB of images -> on which screens that is too much; each file is of 2 MB
EVERYWHERE = {f"{width} {theme}" for width in ("wide", "narrow") for theme in ("light", "dark")}
HEAVY = {
    '<img src="b.png" alt="">': EVERYWHERE,
    '<script src="b.png?v=1"></script>': EVERYWHERE,
    '<link rel="stylesheet" href="b.png"><link rel="next" href="c.png">': EVERYWHERE,
    '<a class="on-dark"><img src="b.png" alt=""></a>': {"wide dark", "narrow dark"},
    '<a class="on-light"><img src="b.png" alt=""></a>': {"wide light", "narrow light"},
    '<picture><source srcset="b.png"><img src="a.png" alt=""></picture>': {"narrow light", "narrow dark"},
    '<img src="a.png" alt=""><script src="a.png"></script><a href="b.png">b</a>': set(),
}


@pytest.mark.parametrize("more", HEAVY)
def test_a_page_that_loads_too_much_in_a_theme_is_found(site, more):
    for name in ("a.png", "b.png", "c.png"):
        (site / name).write_bytes(bytes(2_000_000))
    (site / "a.html").write_text(GOOD.replace("</article>", "</article>" + more))
    found = {problem for problem in check.problems(site, {"a": 1, "b": 0}) if " loads " in problem}
    assert found == {f"a: loads 4.00 MB on a {one} screen, the limit is 3.0 MB" for one in HEAVY[more]}


def test_missing_and_additional_pages_and_colab_buttons_are_found(site):
    found = check.problems(site, {"a": 1, "c": 0}, {"a": "https://colab.example.org/a.ipynb"})
    assert found[:2] == ["c: page is missing", "b: page is not in _toc.yml"]
    assert found[2:] == ["a: has no Colab button to https://colab.example.org/a.ipynb"]


def words_of_pages():
    """The sources of what pages say: their own text, captions and findings; but for the list of the paper's figures."""
    paths = [*ROOT.glob("notebooks/*.py"), *ROOT.glob("book/*.py"), *ROOT.glob("book/*.md")]
    paths += ROOT.glob("notebooks/paper/**/*.md")
    return {path: path.read_text("utf-8") for path in paths if path != ROOT / "book" / "figures.md"}


def test_a_figure_or_table_of_the_paper_is_called_the_papers():
    """The book numbers its own."""
    named = re.compile(r"(?<!paper's )(?<!\bits )\b(?:Figures?|Tables?)[ \u00a0]\d+", re.IGNORECASE)
    found = {
        path.name: named.findall(" ".join(text.replace("\n#", "\n").split())) for path, text in words_of_pages().items()
    }
    assert not {name: some for name, some in found.items() if some}


def test_input_activations_have_one_name():
    """Only the glossary says what the paper's abbreviation means."""
    assert [path.name for path, text in words_of_pages().items() if re.search(r"\bIAFs?\b", text)] == ["glossary.md"]
    assert looks.label(INPUTS) == looks.name_of_arm(INPUTS) == "input activations"


def test_each_figure_and_table_of_the_paper_has_its_line_and_each_line_leads_to_a_section():
    text = (ROOT / "book" / "figures.md").read_text(encoding="utf-8")
    lines = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith(("| Figure", "| Table"))]
    assert lines == [f"Figure\N{NO-BREAK SPACE}{n}" for n in range(1, 31)] + [
        f"Table\N{NO-BREAK SPACE}{n}" for n in range(1, 5)
    ]
    for page, anchor in re.findall(r"\]\(([^)#]+)\.ipynb#([^)]+)\)", text):
        source = (ROOT / "book" / f"{page}.py").read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^# #+ (.+)$", source, re.MULTILINE)
        }
        assert anchor in headings, f"{page} has no section {anchor}"


def test_each_claim_leads_to_the_part_of_a_notebook_that_has_the_evidence():
    for claim in claims.CLAIMS:
        source = (ROOT / "notebooks" / f"{claim.section}.py").read_text(encoding="utf-8")
        assert re.search(f"^# #+ {re.escape(claim.heading)}$", source, re.MULTILINE), claim.name
    assert claims.CLAIMS[4].address == "../notebooks/tabular.ipynb#which-model-type-is-best"


def test_a_claim_is_shown_with_its_verdict_its_numbers_and_a_link_to_its_rule():
    finding = verdict.Finding("1 ± 2.", "in part")
    claim = replace(claims.CLAIMS[0], decide=lambda read: finding)
    shown = claims.block(claim, finding)
    assert shown.startswith(f"**C1: in part.** *{claim.statement}* In the paper: {claim.paper}. ")
    assert shown.endswith("[The rule](../book/claims.ipynb#c1). **Ours**: 1 ± 2.")
    assert claims.block(claim, verdict.NOT_RUN).endswith("**Ours**: not yet run.")
    long = verdict.Finding("First 0.5 ± 0.1 (a+b mod 27). Then 2.", "in part")
    folded = claims.block(claim, long).partition("<details>")[2]
    assert "<summary>C1, in part: what was measured</summary>\n\n**C1: in part.**" in folded
    assert "\n\n- First 0.5 ± 0.1 (a+b mod 27).\n- Then 2.\n" in folded
    assert claims.block(claim, verdict.Finding("a " * 200, "in part")).count("<details>") == 1


def test_a_notebook_shows_all_its_claims():
    waiting = claims.section("shortcuts", lambda section: Collected([], 1))
    for name in ("C10", "C11", "C12"):
        assert f"**{name}: not yet run.**" in waiting and f"](../book/claims.ipynb#{name.lower()})" in waiting


def test_every_section_of_records_has_a_page_that_shows_it():
    for section in sections.SECTIONS:
        assert (ROOT / "notebooks" / f"{sections.SHOWN_IN.get(section, section)}.py").is_file(), section
    assert list(sections.NAMES) == list(sections.SECTIONS)  # each is written in words


def test_every_page_of_the_real_book_has_its_place_in_the_toc():
    toc = set(book.names(ROOT))
    assert {path.relative_to(ROOT).with_suffix("").as_posix() for path in pairs.scripts(ROOT)} <= toc
    sections = {"images", "regression", "tabular", "shortcuts", "grokking", "transfer", "ablations", "architectures"}
    assert {f"notebooks/{section}" for section in sections} <= toc
    matrix = yaml.safe_load((ROOT / ".github/workflows/notebooks.yml").read_text())["jobs"]["notebooks"]["strategy"]
    assert set(matrix["matrix"]["notebook"]) == sections
