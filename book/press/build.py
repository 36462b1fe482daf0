"""Build the book: `python -m book.press.build [--profile paper|smoke]`.

Notebooks are executed (papermill), checked, turned into pages in a staging tree, rendered (jupyter-book) and
checked again. Only a book without a single problem or warning replaces the published one, which is in `_build/html`,
or in `_build/html-smoke` for the profile smoke. A profile is built in a folder of its own, by one build at a time.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

import filelock
import nbformat
import yaml

from notebooks.paper.figures.display import commit_text, markdown_rows
from notebooks.paper.records import provenance

from . import check, icons, links, pairs, policy
from . import execute as execution
from .execute import LIBRARY, PRESS, Executed, execute
from .pages import page

ROOT = Path(__file__).resolve().parents[2]
BANNERS = {  # on every page; what is at the paper's scale differs from page to page, and each says it itself
    "paper": "",
    "smoke": "Profile <strong>smoke</strong>: computed small, to show that everything runs. "
    "The numbers are not those of the paper's scale.",
}
EXECUTIONS = "book/executions.md"  # in which {executions} becomes a table of what each page took
FOLDERS_TO_STAGE = ("book/_static",)
EXECUTED = "executed"  # the branch with the executed notebooks
FILES_TO_STAGE = ("_toc.yml", "book/references.bib")


class BookError(Exception):
    """The book cannot be published; the message lists why, one problem a line."""


def names(root: Path) -> list[str]:
    """The pages of `_toc.yml`, in order.

    Raises:
        BookError: a page without a source (`.py` or `.md`), or with both.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    pages, groups = [toc["root"]], [toc]
    while groups:
        group = groups.pop(0)
        inside = [entry for kind in ("parts", "chapters", "sections") for entry in group.get(kind, [])]
        pages += [entry["file"] for entry in inside if "file" in entry]
        groups = inside + groups
    for name in pages:
        sources = [ending for ending in (".py", ".md") if (root / f"{name}{ending}").is_file()]
        if len(sources) != 1:
            there = " and ".join(sources) or "none"
            raise BookError(f"{name}: _toc.yml needs one source, .py or .md, and there is {there}")
    return pages


def repository(root: Path) -> tuple[str, str]:
    """Address and branch of the public repository, from `_config.yml`."""
    there = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return pairs.address(root), there["branch"]


def pages_address(root: Path) -> str:
    """Where the book is published, unless the repository's settings say otherwise."""
    owner, name = repository(root)[0].rstrip("/").split("/")[-2:]
    return f"https://{owner.lower()}.github.io/{name}/"


def colab_address(root: Path, name: str) -> str:
    """Where Colab opens the executed notebook of a page, which the publishing workflow puts on a branch of its own."""
    url = pairs.address(root).replace("https://github.com", "https://colab.research.google.com/github")
    return f"{url}/blob/{EXECUTED}/{name}.ipynb"


def execute_all(
    root: Path, pages: list[str], parameters: dict, build: Path, jobs: int, say: Callable
) -> list[Executed]:
    """Execute the pages that are notebooks, `jobs` at a time; tells progress through `say`.

    Raises:
        BookError: with the problems of all notebooks.
    """
    scripts = [name for name in pages if (root / f"{name}.py").is_file()]
    folder = build / parameters["profile"] / "executed"
    results = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(execute, root, name, parameters, folder) for name in scripts]
        try:
            for count, future in enumerate(as_completed(waiting), 1):
                result = results[future.result().name] = future.result()
                state = "FAILED" if result.problems else "unchanged" if result.reused else f"{result.seconds:.1f} s"
                say(f"  [{count:2d}/{len(scripts)}] {result.name:<26} {state:>10}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            execution.stop()
            raise
    ordered = [results[name] for name in scripts]
    if problems := [problem for result in ordered for problem in result.problems]:
        raise BookError("\n".join(problems))
    return ordered


def commit() -> dict:
    """The commit of the sources, and whether they differ from it."""
    return provenance.code("lib", "notebooks", "book")


def stage(root: Path, folder: Path, pages: list[str], executed: list[Executed], profile: str) -> dict[str, int]:
    """Lay out what jupyter-book reads, each page at its path in the repository; returns the figures of each."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in FOLDERS_TO_STAGE:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name)
    markdown = [f"{name}.md" for name in pages if (root / f"{name}.md").is_file()]
    for name in [*FILES_TO_STAGE, *markdown]:
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, folder / name)
    terms = links.terms(folder / "book" / "glossary.md")
    for name in markdown:
        (folder / name).write_text(links.as_roles((folder / name).read_text("utf-8"), terms), encoding="utf-8")
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    config.setdefault("html", {})["announcement"] = BANNERS[profile]
    config["repository"]["branch"] = EXECUTED  # which the pages' buttons for Colab open
    config["html"]["baseurl"] = pages_address(root)
    (folder / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    figures = dict.fromkeys(pages, 0)
    sources = commit_text(commit())
    for result in executed:
        target = folder / f"{result.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.read(result.path, as_version=4)
        made, figures[result.name] = page(notebook, result.name, folder, result.seconds, sources)
        for cell in made.cells:
            if cell.cell_type == "markdown":
                cell.source = links.as_roles(cell.source, terms)
        nbformat.write(made, target)
    times = folder / EXECUTIONS
    if times.is_file():
        rows = [(f"[](../{one.name}.ipynb)", f"{one.seconds:.1f} s", figures[one.name]) for one in executed]
        table = markdown_rows(["Page", "Execution", "Figures"], rows)
        times.write_text(times.read_text("utf-8").replace("{executions}", table), encoding="utf-8")
    return figures


def render(source: Path, output: Path, builder: str = "html") -> Path:
    """Run jupyter-book with warnings as errors; returns the folder with what it made.

    Args:
        builder: "html", or "linkcheck", which looks up every address and makes nothing.

    Raises:
        BookError: with the warnings and errors.
    """
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source)]
    command += ["--path-output", str(output), "-W", "-n", "--keep-going", "--all"]
    command += ["--builder", builder]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY), "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    log = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout + run.stderr)
    complaints = [line for line in log.splitlines() if re.search(r"\b(WARNING|ERROR|CRITICAL)\b", line)]
    if run.returncode or complaints:
        shown = "\n".join(complaints) or "\n".join(log.strip().splitlines()[-30:])
        raise BookError(shown.replace(f"{source}{os.sep}", ""))
    return output / "_build" / builder


def publish(made: Path, target: Path) -> None:
    """Put the rendered book in the place of the previous one, by renaming."""
    previous = target.with_name(f".{target.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    if target.exists():
        target.rename(previous)
    try:
        made.rename(target)
    except OSError:
        if previous.exists():
            previous.rename(target)
        raise
    shutil.rmtree(previous, ignore_errors=True)


@contextmanager
def alone(build: Path, profile: str, say: Callable) -> Iterator[Path]:
    """The folder in which a profile is built; no other build of the profile has it as long."""
    folder = build / profile
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say(f"  another build of the profile {profile} is running: waiting for its end")
        lock.acquire()
    try:
        yield folder
    finally:
        lock.release()


def published(build: Path, profile: str) -> Path:
    """Where the book of a profile is published."""
    return build / ("html" if profile == "paper" else f"html-{profile}")


def build_book(root: Path, parameters: dict, build: Path, jobs: int = 2, say: Callable = print) -> Path:
    """Build the book of the repository at `root` below `build`; returns the folder with the HTML.

    Args:
        parameters: papermill parameters; "profile" ("paper" or "smoke") must be one of them.
        jobs: notebooks that are executed at a time.
        say: is called with each line of progress.

    Raises:
        BookError: whatever forbids publishing. The published book is then left as it was.
    """
    if (profile := parameters.get("profile")) not in BANNERS:
        raise ValueError(f"profile must be one of {', '.join(BANNERS)}, got {profile!r}")
    with alone(build, profile, say) as folder:
        pages, target = names(root), published(build, profile)
        try:
            problems = pairs.differences(root)
        except ValueError as error:
            raise BookError(str(error)) from error
        if problems:
            raise BookError("\n".join([*problems, "run `make pairs`"]))
        executed = execute_all(root, pages, parameters, build, jobs, say)
        key, stamp = _inputs_hash(root, pages, executed, profile), target / ".built-from"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
            say("  pages are unchanged")
            return target
        started = time.monotonic()
        figures = stage(root, folder / "stage", pages, executed, profile)
        html = render(folder / "stage", folder / "jupyter-book")
        icons.slim(html)
        colab = {result.name: colab_address(root, result.name) for result in executed}
        if problems := check.problems(html, figures, colab):
            raise BookError("\n".join(problems))
        (html / ".built-from").write_text(key, encoding="utf-8")
        (html / ".nojekyll").touch()
        policy.secure(html)
        publish(html, target)
        seconds = time.monotonic() - started
        say(f"  {len(pages)} pages with {sum(figures.values())} figures, rendered in {seconds:.1f} s")
        return target


def check_links(profile: str, build: Path, say: Callable = print) -> None:
    """Look up every address of another site that the pages of a built book name.

    Raises:
        BookError: with the addresses that do not answer.
    """
    with alone(build, profile, say) as folder:
        if not (folder / "stage").is_dir():
            raise BookError("there is no book to check: build it first")
        render(folder / "stage", folder / "links", "linkcheck")


def _inputs_hash(root: Path, pages: list[str], executed: list[Executed], profile: str) -> str:
    """Hash of all that the rendered book depends on."""
    files = [result.path for result in executed] + [root / f"{name}.md" for name in pages]
    files += [root / name for name in (*FILES_TO_STAGE, "_config.yml", "requirements.lock")]
    files += [path for name in FOLDERS_TO_STAGE for path in sorted((root / name).rglob("*"))]
    files += [*sorted(PRESS.glob("*.py")), LIBRARY / "notebooks" / "paper" / "figures" / "display.py"]
    hashes = [f"{path.name} {execution.digest(path)}" for path in files]
    told = [profile, str(commit()), *(f"{result.name} {result.seconds}" for result in executed)]
    return hashlib.sha256("\n".join([*hashes, *told]).encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m book.press.build", description="Build the book.")
    parser.add_argument("--profile", choices=list(BANNERS), default="paper", help="what the notebooks do")
    parser.add_argument(
        "--parameter", "-p", action="append", default=[], metavar="NAME=VALUE", help="another parameter"
    )
    parser.add_argument(
        "--only", action="append", metavar="PAGE", help="execute this page only (implies --execute-only)"
    )
    parser.add_argument("--execute-only", action="store_true", help="execute and check the notebooks, render nothing")
    parser.add_argument("--links", action="store_true", help="look up the addresses of other sites afterwards")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="notebooks at a time")
    parser.add_argument("--serve", type=int, nargs="?", const=8000, metavar="PORT", help="serve the book afterwards")
    options = parser.parse_args(arguments)
    given = dict(item.partition("=")[::2] for item in options.parameter)
    if "profile" in given:
        parser.error("the profile is set by --profile, not by --parameter")
    parameters = {"profile": options.profile, **{name: yaml.safe_load(value) for name, value in given.items()}}
    say, build, started = functools.partial(print, flush=True), ROOT / "_build", time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends like Ctrl-C: in good order
    try:
        server = options.serve and _server(published(build, options.profile), options.serve)
        say(f"The book, profile {options.profile}, {options.jobs} notebooks at a time")
        if options.only or options.execute_only:
            pages = names(ROOT)
            if unknown := set(options.only or []) - set(pages):
                raise BookError(f"no such page: {', '.join(sorted(unknown))}; there are {', '.join(pages)}")
            if text := [name for name in options.only or [] if not (ROOT / f"{name}.py").is_file()]:
                raise BookError(f"nothing to execute: {', '.join(text)} has no code (.md)")
            with alone(build, options.profile, say):
                execute_all(ROOT, options.only or pages, parameters, build, options.jobs, say)
            return 0
        html = build_book(ROOT, parameters, build, options.jobs, say)
        say(f"Built in {time.monotonic() - started:.0f} s. Open {html / 'index.html'}")
        if options.links:
            check_links(options.profile, build, say)
            say("All addresses of other sites answer")
        if server:
            say(f"Serving http://127.0.0.1:{options.serve} (Ctrl-C ends)")
            server.serve_forever()
    except BookError as error:
        print(f"The book was not built:\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped")
        return 128 + signal.SIGINT
    return 0


def _server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of the files in a folder, for this machine only."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        raise BookError(f"port {port} cannot be used ({error}); another one: make serve PORT={port + 1}") from error


if __name__ == "__main__":
    sys.exit(main())
