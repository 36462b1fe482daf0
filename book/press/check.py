"""Check a rendered book: pages, figures, alternative texts, links, leftovers, active content, use of the network."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from notebooks.paper.figures.checks import leftover
from notebooks.paper.figures.display import alt_problem

MADE_BY_SPHINX = {"index", "genindex", "search", "py-modindex"}
ACTIVE = {"script", "style", "object", "embed", "applet", "iframe", "frame", "form", "base", "meta", "link", "portal"}
ADDRESSES = ("src", "href", "data", "poster", "action", "formaction", "background", "xlink:href", "srcset")
SCHEME = re.compile(r"^[\s\x00-\x1f]*(?:javascript|vbscript|data)\s*:", re.IGNORECASE)
STYLE = re.compile(r"url\(|@import|expression\(", re.IGNORECASE)
REMOTE = re.compile(r"^(https?:)?//", re.IGNORECASE)
REMOTE_CODE = re.compile(r"""(?:\bsrc\s*=|\bimport\s*\(?|\bfrom|\bfetch\(|Url\s*[:=])\s*["'](?:https?:)?//""")
LOADING_LINKS = {"stylesheet", "preload", "modulepreload", "prefetch", "icon", "shortcut", "manifest"}
HEAVIEST = 3.0  # MB (millions of bytes) that a page may load in one theme


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
        if name not in MADE_BY_SPHINX:
            page += [*_active(soup), *_unfinished(soup)]
        if name in figures:
            drawn = len(soup.select("figure a.on-light"))
            if drawn != figures[name] or drawn != len(soup.select("figure a.on-dark")):
                page.append(f"shows {drawn} figures, its notebook has {figures[name]}")
            page += _heavy(site, name, soup)
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


def _content(soup: BeautifulSoup):
    """What the page's source made, without the theme around it."""
    return soup.find("article") or soup.find("main") or soup


def _active(soup: BeautifulSoup) -> list[str]:
    """What could run or reach out when the page is read. Scripts belong to the theme, outside the content."""
    found = []
    for tag in _content(soup).find_all(True):
        if tag.name in ACTIVE:
            found.append(f"has <{tag.name}> in its content: {str(tag)[:80]}")
        for name, value in tag.attrs.items():
            text = " ".join(value) if isinstance(value, list) else str(value)
            if name.lower().startswith("on"):
                found.append(f"has an event handler in its content: {name}={text[:60]!r}")
            elif name.lower() in ADDRESSES and SCHEME.match(text):
                found.append(f"has an address that is not of a page or file: {name}={text[:60]!r}")
            elif name == "style" and STYLE.search(text):
                found.append(f"has a style that loads: {text[:60]!r}")
    return found


def _unfinished(soup: BeautifulSoup) -> list[str]:
    """Numbers that are none, notes to oneself, and tables without rows."""
    content = BeautifulSoup(str(_content(soup)), "html.parser")
    for code in content.select("pre, code, .math, script"):
        code.decompose()
    found = []
    for tag in content.find_all(["p", "li", "td", "th", "dd", "caption", "figcaption", "h1", "h2", "h3", "h4"]):
        if tag.find(["p", "li", "td", "dd"]) is None and (what := leftover(tag.get_text(" "))):
            found.append(f"shows {what!r} in: {' '.join(tag.get_text(' ').split())[:100]}")
    for table in content.find_all("table"):
        cells = [cell.get_text(strip=True) for cell in table.find_all("td")]
        if not cells:
            found.append(f"has a table without rows: {table.get_text(' ', strip=True)[:100]}")
        found += [f"shows {cell!r} in a table" for cell in cells if cell == "None"]
    return found + [f"alt text shows {what!r}" for tag in content.find_all(alt=True) if (what := leftover(tag["alt"]))]


def _heavy(site: Path, name: str, soup: BeautifulSoup) -> list[str]:
    """Whether a page loads more than a phone's connection should, in either theme, on a wide or a narrow screen.

    Counted are the page and the scripts, styles and images of the book that it names, each once. A figure's images for
    the other theme and the other width are not loaded. Left out is what only a style names, such as fonts, and what
    scripts fetch.
    """
    page, found = site / f"{name}.html", []
    shared = [tag["src"] for tag in soup.select("script[src]")]
    shared += [tag["href"] for tag in soup.select("link[href]") if LOADING_LINKS.intersection(tag.get("rel", []))]
    for theme, other in (("light", "dark"), ("dark", "light")):
        seen = [image for image in soup.select("img[src]") if not image.find_parent("a", class_=f"on-{other}")]
        for width in ("wide", "narrow"):
            sources = [width == "narrow" and image.find_previous_sibling("source") for image in seen]
            images = [source["srcset"] if source else image["src"] for image, source in zip(seen, sources, strict=True)]
            files = {
                page,
                *((page.parent / unquote(urlsplit(address).path)).resolve() for address in [*shared, *images]),
            }
            size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
            if size > HEAVIEST:
                found.append(f"loads {size:.2f} MB on a {width} {theme} screen, the limit is {HEAVIEST} MB")
    return found


def _network(soup: BeautifulSoup) -> list[str]:
    """Whatever the page would load from another host."""
    loads = [
        (tag.name, address)
        for tag in soup.find_all(["script", "img", "iframe", "video", "audio", "source", "object", "embed", "input"])
        for name in ("src", "srcset", "data", "poster")
        if isinstance(address := tag.get(name), str)
    ]
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
