"""The real book: every notebook runs in profile smoke, and the pages hold in a browser without a network."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import browser
import pytest
from bs4 import BeautifulSoup

from book.press import build as book
from book.press import execute

ROOT = Path(__file__).resolve().parent.parent
PAGES = book.names(ROOT)
EXECUTED = [name for name in PAGES if (ROOT / f"{name}.py").is_file()]
PARAMETERS = {"profile": "smoke"}
PHONE, DESKTOP = 390, 1280

MEASURE = """(() => {
  const shown = (element) => element.getClientRects().length > 0;
  const article = document.querySelector("article");
  const copy = article.cloneNode(true);
  copy.querySelectorAll("pre, code, script, mjx-container").forEach((element) => element.remove());
  return {
    width: document.documentElement.scrollWidth,
    theme: document.documentElement.dataset.theme,
    formulas: article.querySelectorAll("mjx-container").length,
    wrong: [...article.querySelectorAll("mjx-merror, merror")].map((element) => element.textContent),
    scrolling: [...article.querySelectorAll("span.math")].filter(
      (element) => /auto|scroll/.test(getComputedStyle(element).overflowX)).length,
    narrow: [...article.querySelectorAll("td")].filter(
      (cell) => shown(cell) && cell.textContent.trim().length > 20 && cell.clientWidth < 120
    ).map((cell) => cell.textContent),
    unhinted: [...article.querySelectorAll(".pst-scrollable-table-container")].filter(
      (box) => !getComputedStyle(box).backgroundAttachment.includes("local") || [...box.querySelectorAll("tr, th, td")].some(
        (part) => getComputedStyle(part).backgroundColor.startsWith("rgb("))).length,
    raw: copy.textContent.match(/\\\\[([]/g) ?? [],
    figures: [...article.querySelectorAll("figure")].map((figure) => ({
      images: [...figure.querySelectorAll("img")].filter(shown).map((image) => image.className),
      loaded: [...figure.querySelectorAll("img")].filter(shown).every((image) => image.naturalWidth > 0),
      fits: [...figure.querySelectorAll("img")].every((image) => image.clientWidth <= figure.clientWidth),
      link: figure.querySelector("a > img.on-light")?.parentElement.href === figure.querySelector("img.on-light").src,
      caption: shown(figure.querySelector("figcaption")),
    })),
    banner: document.querySelector(".bd-header-announcement")?.textContent ?? "",
  };
})()"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def executions(build):
    """All notebooks, executed two at a time as the build does it."""
    folder = build / "executed" / PARAMETERS["profile"]
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda name: execute.execute(ROOT, name, PARAMETERS, folder), EXECUTED)
        return {result.name: result for result in done}


@pytest.fixture(scope="module")
def site(build, executions):
    """The book in HTML."""
    return book.build_book(ROOT, PARAMETERS, build, 2, lambda line: None)


@pytest.fixture(scope="module")
def seen(site, tmp_path_factory):
    """What a browser makes of each page: measures by (page, width, dark), requests and complaints by page."""
    if (executable := browser.find()) is None:
        pytest.skip("no Chromium on this machine: install chromium to check the pages in a browser")
    tab = browser.Browser(executable, tmp_path_factory.mktemp("profile"))
    measures, requests, complaints = {}, {}, {}
    try:
        for name in PAGES:
            tab.open((site / f"{name}.html").as_uri(), PHONE)
            measures[name, PHONE] = tab.evaluate(MEASURE)
            tab.resize(DESKTOP)
            tab.theme(dark=True)
            tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
            measures[name, DESKTOP] = tab.evaluate(MEASURE)
            requests[name], complaints[name] = tab.requests(), tab.complaints()
    finally:
        tab.close()
    return measures, requests, complaints


@pytest.mark.parametrize("name", EXECUTED)
def test_the_notebook_runs_in_smoke(executions, name):
    assert executions[name].problems == ()
    assert executions[name].seconds > 0


@pytest.mark.parametrize("name", PAGES)
def test_the_page_holds_in_a_browser(seen, site, name):
    measures, requests, complaints = seen
    assert measures[name, PHONE]["width"] <= PHONE
    assert [url for url in requests[name] if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints[name] == []
    html = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser")
    for width, theme in ((PHONE, "light"), (DESKTOP, "dark")):
        found = measures[name, width]
        assert found["theme"] == theme and "Profile smoke" in found["banner"]
        assert found["formulas"] >= len(html.select("article .math"))
        assert found["wrong"] == [] and found["raw"] == [] and found["scrolling"] == 0
        assert found["narrow"] == [] and found["unhinted"] == 0  # columns to read, and a shadow where a table goes on
        for figure in found["figures"]:
            assert len(figure["images"]) == 1 and f"on-{theme}" in figure["images"][0].split()
            assert figure["loaded"] and figure["fits"] and figure["link"] and figure["caption"]


def test_the_method_page_has_formulas_and_the_notebooks_have_figures(seen):
    """So that the checks above cannot pass on empty pages."""
    assert seen[0]["book/method", PHONE]["formulas"] > 0
    assert all(seen[0][name, PHONE]["figures"] for name in EXECUTED if name.startswith("notebooks/"))
