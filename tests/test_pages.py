"""The real book: every notebook runs in profile smoke, and the pages hold in a browser without a network."""

import functools
import re
import shutil
import subprocess
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import browser
import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from book.press import build as book
from book.press import execute

ROOT = Path(__file__).resolve().parent.parent
PAGES = book.names(ROOT)
EXECUTED = [name for name in PAGES if (ROOT / f"{name}.py").is_file()]
PARAMETERS = {"profile": "smoke"}
PRINTED = ("book/method", "book/claims", "book/own_data", "book/glossary", "notebooks/tabular")  # one of each kind
PHONE, DESKTOP = 390, 1280
AXE = (ROOT / "tests" / "axe" / "axe.min.js").read_text("utf-8")
THEMES_OWN = {}  # what axe-core finds that the theme brings: rule -> pattern of the elements

FOLDS = "document.querySelectorAll('article details').forEach((details) => { details.open = %s; })"
LOOK = """(async () => { // images load when they come into view
  const images = [...document.querySelectorAll("figure img")].filter((image) => image.getClientRects().length);
  for (const image of images) {
    image.scrollIntoView();
    for (let i = 0; i < 100 && !image.complete; i++) await new Promise((done) => setTimeout(done, 20));
  }
  window.scrollTo(0, 0);
})()"""
MEASURE = """(() => {
  const shown = (element) => element.getClientRects().length > 0;
  const article = document.querySelector("article");
  const copy = article.cloneNode(true);
  copy.querySelectorAll("pre, code, script, .katex").forEach((element) => element.remove());
  return {
    width: document.documentElement.scrollWidth,
    theme: document.documentElement.dataset.theme,
    formulas: article.querySelectorAll(".katex").length,
    wrong: [...article.querySelectorAll(".katex-error")].map((element) => element.textContent),
    scrolling: [...article.querySelectorAll("span.math")].filter(
      (element) => /auto|scroll/.test(getComputedStyle(element).overflowX)).length,
    narrow: [...article.querySelectorAll("td")].filter(
      (cell) => shown(cell) && cell.textContent.trim().length > 20 && cell.clientWidth < 120
    ).map((cell) => cell.textContent),
    unhinted: [...article.querySelectorAll(".pst-scrollable-table-container")].filter(
      (box) => !getComputedStyle(box).backgroundAttachment.includes("local") || [...box.querySelectorAll("tr, th, td")].some(
        (part) => getComputedStyle(part).backgroundColor.startsWith("rgb("))).length,
    wide: [...article.querySelectorAll(".pst-scrollable-table-container, pre, div.math")].filter(
      (box) => shown(box) && box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent.slice(0, 80)),
    raw: copy.textContent.match(/\\\\[([]/g) ?? [],
    figures: [...article.querySelectorAll("figure")].map((figure) => ({
      live: shown(figure.querySelector(".explore-live") ?? document.head),
      links: [...figure.querySelectorAll(".themed-images > a")].filter(shown).map((link) => link.className),
      loaded: [...figure.querySelectorAll("img")].filter(shown).every((image) => image.naturalWidth > 0),
      fits: [...figure.querySelectorAll("img")].every((image) => image.clientWidth <= figure.clientWidth),
      shrunk: [...figure.querySelectorAll("img")].filter(shown).some((image) => {
        const phone = image.closest("picture")?.querySelector("source");
        const used = phone && matchMedia(phone.media).matches ? phone : image;
        return image.clientWidth < 0.8 * used.getAttribute("width");
      }),
      own: [...figure.querySelectorAll(".themed-images > a")].every((link) => link.href === link.querySelector("img").src),
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
    folder = build / PARAMETERS["profile"] / "executed"  # where the build of the book finds them
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
    measures, requests, complaints, pdfs = {}, {}, {}, {}
    try:
        for name in PAGES:
            tab.open((site / f"{name}.html").as_uri(), PHONE)
            tab.evaluate(FOLDS % "true")
            tab.settle()
            tab.evaluate(LOOK)
            requests[name, PHONE] = tab.requests()
            measures[name, PHONE] = tab.evaluate(MEASURE) | {"violations": violations(tab)}
            tab.resize(DESKTOP)
            tab.settle()
            light = (
                violations(tab) if name == PAGES[0] else []
            )  # what a desktop adds to a phone is the same on all pages
            tab.theme(dark=True)
            tab.settle()
            tab.evaluate(FOLDS % "false")
            height = tab.evaluate("document.querySelector('article').scrollHeight")
            tab.evaluate(FOLDS % "true")
            tab.settle()
            tab.evaluate(LOOK)
            measures[name, DESKTOP] = tab.evaluate(MEASURE) | {"violations": light + violations(tab), "height": height}
            if name in PRINTED:
                tab.evaluate(FOLDS % "false")
                pdfs[name] = tab.pdf()
            requests[name, DESKTOP], complaints[name] = tab.requests(), tab.complaints()
    finally:
        tab.close()
    return measures, requests, complaints, pdfs


def violations(tab):
    """What axe-core finds on the page as it is: (rule, selector of the element), of serious and critical impact."""
    tab.evaluate(AXE + "; 0")
    return tab.evaluate(
        """axe.run(document, {resultTypes: ["violations"], preload: false}).then((found) => found.violations
          .filter((rule) => ["serious", "critical"].includes(rule.impact))
          .flatMap((rule) => rule.nodes.map((node) => [rule.id, node.target.join(" ")])))"""
    )


@pytest.mark.parametrize("name", EXECUTED)
def test_the_notebook_runs_in_smoke(executions, name):
    assert executions[name].problems == ()
    assert executions[name].seconds > 0


@pytest.mark.parametrize("name", PAGES)
def test_the_page_holds_in_a_browser(seen, site, name):
    measures, requests, complaints, _ = seen
    assert measures[name, PHONE]["width"] <= PHONE
    asked = requests[name, PHONE] + requests[name, DESKTOP]
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert [url for url in requests[name, PHONE] if re.search(r"_images/.*-dark", url)] == []  # one theme's are loaded
    assert complaints[name] == []
    html = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser")
    for width, theme in ((PHONE, "light"), (DESKTOP, "dark")):
        found = measures[name, width]
        assert found["theme"] == theme and "Profile smoke" in found["banner"]
        assert found["formulas"] >= len(html.select("article .math"))
        assert found["wrong"] == [] and found["raw"] == [] and found["scrolling"] == 0
        assert found["narrow"] == [] and found["unhinted"] == 0  # columns to read, and a shadow where a table goes on
        assert found["wide"] == []  # neither tables nor code nor formulas go on beyond the column
        for figure in found["figures"]:
            assert figure["links"] == ([] if figure["live"] else [f"on-{theme}"])
            assert not figure["shrunk"]  # phones have drawings of their own, with letters to read
            assert figure["loaded"] and figure["fits"] and figure["own"] and figure["caption"]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_anybody_from_reading_the_page(seen, name):
    """On a phone and a desktop, light and dark: nothing serious but what the theme brings, for the reason said there."""
    found = [tuple(one) for width in (PHONE, DESKTOP) for one in seen[0][name, width]["violations"]]
    assert [(rule, target) for rule, target in found if not re.search(THEMES_OWN.get(rule, "$^"), target)] == []


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("notebooks/")])
def test_a_page_of_results_is_not_too_high(seen, name):
    """About 10,000 pixels on a desktop, with everything folded that can be."""
    assert 2000 < seen[0][name, DESKTOP]["height"] < 10_500


@pytest.mark.parametrize("name", PRINTED)
def test_a_dark_page_is_printed_light_and_whole(seen, site, name, tmp_path):
    if not (shutil.which("pdftotext") and shutil.which("pdftoppm")):
        pytest.skip("pdftotext and pdftoppm (poppler-utils) read what is printed")
    (tmp_path / "page.pdf").write_bytes(seen[3][name])
    run = functools.partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True)
    printed = words_of(run(["pdftotext", "-raw", "page.pdf", "-"]).stdout.decode())
    html = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser")
    lines = [line for code in html.select("article pre") for line in code.get_text().splitlines()]
    cells = [cell.get_text(" ") for cell in html.select("article td") if not cell.select(".math")]
    wanted = [words_of(text) for text in [*lines, *cells] if words_of(text)]
    lost = [text for text in wanted if text not in printed]
    assert lost == []
    run(["pdftoppm", "-r", "20", "-gray", "page.pdf", "sheet"])
    sheets = [np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("sheet*.pgm"))]
    assert sheets and all(np.median(sheet) > 240 for sheet in sheets)  # paper is white


def words_of(text):
    """Letters and digits alone: lines break elsewhere on paper, and hyphens and ligatures come and go."""
    return re.sub(r"[^A-Za-z0-9]", "", unicodedata.normalize("NFKD", text))


def test_the_method_page_has_formulas_and_the_notebooks_have_figures(seen):
    """So that the checks above cannot pass on empty pages."""
    assert seen[0]["book/method", PHONE]["formulas"] > 0
    assert all(seen[0][name, PHONE]["figures"] for name in EXECUTED if name.startswith("notebooks/"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_how_to_cite_and_its_licence(site, name):
    foot = BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser").select_one(".extra_footer")
    assert [link.get_text() for link in foot.select("a")][1:] == ["How to cite", "MIT licence"]
    assert foot.select_one("a")["href"] == "https://arxiv.org/abs/2503.10065"
