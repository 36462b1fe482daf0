"""Check a rendered book: pages, figures, alternative texts, links, tracebacks, and use of the network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from notebooks.paper.figures.display import alt_problem

MADE_BY_SPHINX = {"index", "genindex", "search", "py-modindex"}
REMOTE = re.compile(r"^(https?:)?//", re.IGNORECASE)
REMOTE_CODE = re.compile(r"""(?:\bsrc\s*=|\bimport\s*\(?|\bfrom|\bfetch\(|Url\s*[:=])\s*["'](?:https?:)?//""")
LOADING_LINKS = {"stylesheet", "preload", "modulepreload", "prefetch", "icon", "shortcut", "manifest"}


def problems(site: Path, figures: dict[str, int], colab: dict[str, str] | None = None) -> list[str]:
    """What forbids publishing the HTML in `site`.

    Args:
        site: folder with the rendered book.
        figures: number of figures of each page of the table of contents, by name ("notebooks/images").
        colab: address that the page's Colab button must open, for the pages that have one.
    """
    soups = {
        path.relative_to(site).with_suffix("").as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.relative_to(site).parts
    }
    found = [f"{name}: page is missing" for name in sorted({*figures, "index"} - set(soups))]
    found += [f"{name}: page is not in _toc.yml" for name in sorted(set(soups) - set(figures) - MADE_BY_SPHINX)]
    anchors = {name: {tag["id"] for tag in soup.find_all(id=True)} for name, soup in soups.items()}
    for name, soup in soups.items():
        page = [*_images(soup), *_network(soup), *_links(site, name, soup, anchors)]
        if name in figures:
            drawn = len(soup.select("figure img.on-light"))
            if drawn != figures[name] or drawn != len(soup.select("figure img.on-dark")):
                page.append(f"shows {drawn} figures, its notebook has {figures[name]}")
        if colab and name in colab and not soup.find("a", href=colab[name]):
            page.append(f"has no Colab button to {colab[name]}")
        if "Traceback (most recent call last)" in soup.get_text():
            page.append("shows a traceback")
        found += [f"{name}: {problem}" for problem in page]
    return found


def _images(soup: BeautifulSoup) -> list[str]:
    """Images of the content need an alternative text; decoration around it needs at least an empty one."""
    content = soup.find("article") or soup
    found = []
    for image in soup.find_all("img"):
        if image in content.find_all("img"):
            if problem := alt_problem(image.get("alt")):
                found.append(f"image {image.get('src')}: alt text {problem}, got {image.get('alt')!r}")
        elif not image.has_attr("alt"):
            found.append(f"image {image.get('src')} has no alt")
    return found


def _network(soup: BeautifulSoup) -> list[str]:
    """Whatever the page would load from another host."""
    loads = [(tag.name, tag["src"]) for tag in soup.find_all(["script", "img", "iframe", "video", "source"], src=True)]
    loads += [("link", tag["href"]) for tag in soup.find_all("link", href=True) if LOADING_LINKS & set(tag["rel"])]
    found = [f"loads {kind} {address} from another host" for kind, address in loads if REMOTE.match(address)]
    for script in soup.find_all("script", src=False):
        if match := REMOTE_CODE.search(script.get_text()):
            found.append(f"has a script that loads from another host: {script.get_text()[match.start() :][:80]}")
    return found


def _links(site: Path, name: str, soup: BeautifulSoup, anchors: dict[str, set[str]]) -> list[str]:
    """Links, images, scripts and styles of this book that do not exist."""
    found = set()
    for tag in soup.find_all(True):
        for attribute in ("href", "src"):
            address = tag.get(attribute)
            if not isinstance(address, str) or urlsplit(address).scheme or REMOTE.match(address):
                continue
            parts = urlsplit(address)
            target = (site / name).parent / unquote(parts.path) if parts.path else site / f"{name}.html"
            if not target.exists():
                found.add(f"broken link {address}")
            elif parts.fragment and target.suffix == ".html":
                page = target.resolve().relative_to(site.resolve()).with_suffix("").as_posix()
                if page in anchors and unquote(parts.fragment) not in anchors[page]:
                    found.add(f"broken link {address}: no such place on the page")
    return sorted(found)
