"""What a page shows: figures for light and dark pages, computed sentences, tables, provenance.

In Jupyter and Colab each helper displays something readable. When the book is built, `book.press.pages` finds the
same outputs by their `MIME` entry and turns them into real figures, text and tables of the page.
"""

from __future__ import annotations

import base64
import functools
import inspect
import io
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import matplotlib
from cycler import cycler
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from ..records import provenance as sources
from .checks import as_drawn, cut_off, empty_axes, leftover

MIME = "application/vnd.companion+json"
PIXELS_PER_INCH = 96  # of the page
SHARPNESS = 2  # image pixels for each pixel of the page
PAGES = ("#ffffff", "#121212")  # background of a light and of a dark page

# Okabe and Ito's palette, each colour with at least 3:1 contrast to the background of its theme.
LIGHT = ("#0072b2", "#c75000", "#008060", "#b0559a", "#8a6d00", "#2b8cbe", "#5f4fa2", "#a01c2c")
DARK = ("#56b4e9", "#f0883e", "#2fc79a", "#dc8fc4", "#e6c84b", "#9ad1f0", "#b3a5f0", "#ff8a8a")


def style(dark: bool = False) -> dict[str, Any]:
    """Matplotlib settings of the book's figures: colour-blind safe, on the background of a light or a dark page.

    >>> style(dark=True)["figure.facecolor"]
    '#121212'
    """
    ink, rule = ("#e3e8ee", "#7d8894") if dark else ("#1f2328", "#8a929b")
    return {
        "axes.edgecolor": rule,
        "axes.facecolor": "none",
        "axes.labelcolor": ink,
        "axes.prop_cycle": cycler(color=DARK if dark else LIGHT),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": ink,
        "axes.titlesize": 11,
        "figure.constrained_layout.use": True,
        "figure.dpi": PIXELS_PER_INCH,
        "figure.facecolor": PAGES[dark],
        "font.size": 10.5,
        "grid.alpha": 0.35,
        "grid.color": rule,
        "legend.edgecolor": "none",
        "legend.facecolor": "none",
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "savefig.facecolor": PAGES[dark],
        "svg.hashsalt": "companion",  # the same picture has the same names inside, and so the same bytes
        "text.color": ink,
        "xtick.color": rule,
        "xtick.labelcolor": ink,
        "ytick.color": rule,
        "ytick.labelcolor": ink,
    }


def show(
    draw: Callable[..., Figure],
    *,
    alt: str,
    caption: str,
    name: str | None = None,
    data=None,
    explore: tuple[str, dict] | None = None,
) -> None:
    """Show a figure with its alternative text and caption, drawn once for light and once for dark pages.

    Args:
        draw: draws and returns a matplotlib figure. It is called several times, so it must only draw, not compute.
            Colours: the cycle ("C0", "C1", ...) and the defaults for text and axes; never black or white. If it has a
            parameter `narrow`, it is called with True as well, for phones: no wider than 3.75 inches then.
        alt: what a reader who does not see the figure must know: axes, arms, and what is seen.
        caption: MyST markdown below the figure.
        name: label for references from the text, `{numref}`.
        data: `pandas.DataFrame` behind the figure, offered as CSV; without it, what is drawn.
        explore: kind and data of the interactive figure that takes its place in the book where scripts run
            (`book/_static/explore/`); elsewhere, and on paper, this figure stands.

    Raises:
        ValueError: a missing or meaningless alternative text or caption, a number in them that is not one, `draw` not
            returning a figure, axes with nothing in them, or a text of the figure that its edge cuts off.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> def draw():
        ...     figure, axes = plt.subplots(figsize=(3, 2))
        ...     axes.plot([0, 1], [0, 1])
        ...     return figure
        >>> show(draw, alt="A straight line that rises from 0 to 1.", caption="The identity.")
        Figure: A straight line that rises from 0 to 1.
        *The identity.*
    """
    if not callable(draw):
        raise ValueError(f"draw must be a function that returns a figure, got {type(draw).__name__}")
    alt, caption = " ".join(typeset(str(alt)).split()), typeset(str(caption).strip())
    if problem := alt_problem(alt):
        raise ValueError(f"alt {problem}, got {alt!r}")
    if not caption:
        raise ValueError(f"caption must say what the figure shows, got {caption!r}")
    _finished(alt=alt, caption=caption)
    light, csv = _render(draw, False, "svg", "png")
    png, width, height = (light["png"][key] for key in ("content", "width", "height"))
    # a drawing, which is sharp at any size, may have a third more bytes than the picture, as base64 has
    kind = "svg" if len(light["svg"]["content"].encode()) < len(png) else "png"
    images = {"light": light[kind], "dark": _render(draw, True, kind)[0][kind]}
    if "narrow" in inspect.signature(draw).parameters:
        phone = functools.partial(draw, narrow=True)
        images |= {f"{theme}-narrow": _render(phone, theme == "dark", kind)[0][kind] for theme in ("light", "dark")}
    marked = {"kind": "figure", "alt": alt, "caption": caption, "name": name, "width": width, "images": images}
    drawn = csv if data is None else data.to_csv(index=False)
    if drawn:
        marked["csv"] = drawn
    if explore is not None:
        marked["explore"] = explore
    output = {"image/png": png, "text/plain": f"Figure: {alt}", MIME: marked}
    _display(output, {"image/png": {"width": width, "height": height}})
    _markdown(f"*{' '.join(caption.split())}*", {"kind": "fallback"})


def say(text: str) -> None:
    """A paragraph with computed numbers in it, MyST markdown: it becomes ordinary text of the page.

    >>> say(f"The answer is {6 * 7}.")
    The answer is 42.
    """
    _finished(text=str(text))
    _markdown(typeset(str(text)), {"kind": "text"})


def table(frame, *, caption: str, name: str | None = None) -> None:
    """A table from a `pandas.DataFrame`; its cells may hold MyST markdown, the index is not shown.

    >>> import pandas
    >>> table(pandas.DataFrame({"arm": ["ReLU"], "accuracy": ["53.1"]}), caption="Accuracy in %.")
    | arm | accuracy |
    |:---|:---|
    | ReLU | 53.1 |
    <BLANKLINE>
    *Accuracy in %.*
    """
    caption = typeset(" ".join(str(caption).split()))
    if not caption:
        raise ValueError(f"caption must say what the table shows, got {caption!r}")
    if frame.empty:
        raise ValueError(f"a table must have rows and columns, got {len(frame)} rows and {frame.shape[1]} columns")
    rows = typeset(markdown_rows([str(column) for column in frame.columns], frame.itertuples(index=False)))
    _finished(caption=caption, table=rows)
    _markdown(f"{rows}\n\n*{caption}*", {"kind": "table", "rows": rows, "caption": caption, "name": name})


def folded(title: str, frame) -> None:
    """A table that is closed until it is asked for, below a title that says what it holds.

    >>> import pandas
    >>> folded("All values", pandas.DataFrame({"rate": [0.1]}))
    <details>
    <summary>All values</summary>
    <BLANKLINE>
    | rate |
    |:---|
    | 0.1 |
    <BLANKLINE>
    </details>
    """
    rows = markdown_rows([str(column) for column in frame.columns], frame.itertuples(index=False))
    say(f"<details>\n<summary>{title}</summary>\n\n{rows}\n\n</details>")


def provenance(profile: str, records: Iterable = ()) -> None:
    """Where the page's numbers come from: commit, profile, records and where they were computed, versions, hardware.

    The build of the book adds the execution time.

    Args:
        profile: what was run, "paper" or "smoke".
        records: the records that the page read (anything with a `key` and a `provenance`).
    """
    by_key = {record.key: record.provenance for record in records}
    machines = Counter(plain(f"{of['hardware']['cpu']}, torch {of['packages']['torch']}") for of in by_key.values())
    versions = ", ".join(f"{name} {version}" for name, version in sources.packages().items())
    hardware = sources.hardware()
    rows = {
        "Commit": commit_text(sources.code()),
        "Profile": profile,
        "Records read": len(by_key),
        **({"Computed on": "; ".join(f"{n:,} on {name}" for name, n in machines.most_common())} if by_key else {}),
        "Packages": f"Python {platform.python_version()}, {versions}",
        "Hardware": f"{hardware['cpu']}, {hardware['cores']} cores, {platform.system()}",
    }
    text = markdown_rows(["What", "Value"], rows.items())
    marked = {"kind": "provenance", "rows": list(rows.items()), "records": sorted(by_key)}
    _markdown(f"**Provenance**\n\n{text}", marked)


def plain(text: str) -> str:
    """Text from outside, such as from a record, for a place that takes markdown: nothing in it is markup.

    >>> plain("<script>[a](b)")
    '\\\\<script\\\\>\\\\[a\\\\](b)'
    """
    return re.sub(r"([\\`*_{}\[\]<>|$#&~])", r"\\\1", " ".join(str(text).split()))


# Headings, code, formulas, addresses and tags stay as they are; minus signs, gaps before % and those around ± do not.
KEPT = r"^#[^\n]*|(`+).+?\1|\$[^$]+\$|\]\([^)]*\)|<[^>]*>"
SIGN = r"(?P<minus>(?<![^\s(\[±×])-(?=\d))|(?<=\d)(?P<gap> )(?=%)| (?P<pm>±) (?=\d)"


def typeset(text: str) -> str:
    """The text with minus signs, not hyphens, before its numbers, and no break before % and around ±.

    >>> typeset("-1.0 ± 0.3 points (-2 to -1), `-1.0`, a-1, 5-10, 95 %").replace("\\xa0", "_")
    '−1.0_±_0.3 points (−2 to −1), `-1.0`, a-1, 5-10, 95_%'
    """

    def written(found: re.Match) -> str:
        signs = {"minus": "−", "gap": "\xa0", "pm": "\xa0±\xa0"}
        return next((signs[name] for name in signs if found[name]), found[0])

    return re.sub(f"{KEPT}|{SIGN}", written, text, flags=re.DOTALL | re.MULTILINE)


def commit_text(code: dict[str, Any]) -> str:
    """How a page states `notebooks.paper.records.provenance.code()`.

    >>> commit_text({"commit": "0123456789abcdef", "dirty": True})
    '`0123456789` with uncommitted changes'
    """
    commit = code["commit"] if code["commit"] == "unknown" else f"`{code['commit'][:10]}`"
    return commit + (" with uncommitted changes" if code["dirty"] else "")


def alt_problem(alt: str | None) -> str | None:
    """What is wrong with an alternative text, or None: it must be a sentence and no file name or hash.

    >>> alt_problem("4f2a9c0e77d1b3aa4f2a9c0e77d1b3aa.png")
    'must be a sentence of at least 20 characters'
    """
    alt = (alt or "").strip()
    return None if len(alt) >= 20 and alt.count(" ") >= 3 else "must be a sentence of at least 20 characters"


def markdown_rows(head: Iterable[str], rows: Iterable[Iterable]) -> str:
    """A markdown table; line breaks and bars inside cells are escaped.

    >>> print(markdown_rows(["a", "b"], [(1, "x|y")]))
    | a | b |
    |:---|:---|
    | 1 | x\\|y |
    """
    head = list(head)
    lines = [head, *rows]
    cells = [[re.sub(r"(?<!\\)\|", r"\\|", " ".join(str(cell).split())) for cell in line] for line in lines]
    text = ["| " + " | ".join(line) + " |" for line in cells]
    return "\n".join([text[0], "|" + ":---|" * len(head), *text[1:]])


def _finished(**texts: str) -> None:
    """Raise ValueError for texts in which something is left over: a number that is none, or a note to oneself."""
    for name, text in texts.items():
        if found := leftover(text):
            raise ValueError(f"{name} must be finished and its numbers finite, got {found!r} in {text!r:.300}")


def _render(draw: Callable[[], Figure], dark: bool, *kinds: str) -> tuple[dict[str, dict[str, Any]], str]:
    """A drawing as "svg", "png" (base64) or both, with its width and height in pixels of the page; and its data as csv.

    Only the settings of `style` count, on matplotlib's own: those of the reader's computer would change the book.
    """
    from matplotlib import pyplot  # here, so that importing notebooks.paper.figures.display does not choose a backend

    pyplot.close(pyplot.figure())  # loads the backend, whose settings the context would otherwise take back
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style(dark))
        figure = draw()
        if not isinstance(figure, Figure):
            raise ValueError(f"draw must return a matplotlib figure, got {type(figure).__name__}")
        for text in figure.findobj(Text):
            text.set_text(typeset(text.get_text()))
        csv, width, height = as_drawn(figure), *(round(side * PIXELS_PER_INCH) for side in figure.get_size_inches())
        images, cut = {}, []
        for image in figure.findobj(AxesImage):
            image.set_interpolation("none")  # its pixels stay what they are, and are squares at any size
        for kind in kinds:
            figure.dpi = 72 if kind == "svg" else PIXELS_PER_INCH * SHARPNESS
            metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
            dpi = PIXELS_PER_INCH * SHARPNESS  # in a drawing: of the images in it
            for _ in range(3):  # a layout may only fit once it has seen where the one before has put its titles
                figure.savefig(buffer := io.BytesIO(), format=kind, dpi=dpi, metadata=metadata)
                if not (cut := cut_off(figure, kind)):
                    break
            if cut:
                break
            content = buffer.getvalue()
            text = content.decode() if kind == "svg" else base64.b64encode(content).decode("ascii")
            images[kind] = {"format": kind, "content": text, "width": width, "height": height}
        empty = empty_axes(figure)
        pyplot.close(figure)
        if cut:
            raise ValueError(f"the edge of the figure must not cut off text, got {', '.join(map(repr, cut))}")
        if empty:
            raise ValueError(f"every axes of a figure must show something, got nothing in {', '.join(empty)}")
    return images, csv


def _markdown(text: str, marked: dict) -> None:
    """Display markdown with the mark that the book's build looks for."""
    _display({"text/markdown": text, "text/plain": text, MIME: {**marked, "text": text}})


def _display(output: dict, attributes: dict | None = None) -> None:
    """Display an output in all its forms; outside a notebook, print the plain one."""
    if get_ipython() is not None:
        display(output, metadata=attributes, raw=True)
    else:
        print(output["text/plain"])
