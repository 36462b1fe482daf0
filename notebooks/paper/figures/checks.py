"""What is wrong with a figure or a text before it is shown, and the data of a figure as it is drawn."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import numpy as np
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.collections import Collection, PathCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text

LEFT_OVER = re.compile(r"(?<![\w\\.])(?:nan|NaN|[+-]?inf|NaT|<NA>|TODO|FIXME|TBD|XXX)(?![\w-])|\|\s*None\s*\|")
CODE = re.compile(r"``.*?``|`[^`]*`", re.DOTALL)
LARGEST_IMAGE = 10_000  # values: those of a larger picture are in the records, not in the CSV


def leftover(text: str) -> str | None:
    """The first thing in a text for readers that nobody meant to show, or None: code in backquotes may say anything.

    >>> leftover("a gain of nan ± 0.1 points"), leftover("`nan` is a number"), leftover("a banana")
    ('nan', None, None)
    """
    found = LEFT_OVER.search(CODE.sub("", text))
    return found.group().strip("| ") if found else None


def cut_off(figure: Figure, kind: str) -> list[str]:
    """The texts of a figure, just drawn as "svg" or "png", that reach over its edge by more than two pixels of a page.

    The two have different measures of letters, and so different layouts.
    """
    width, height = figure.bbox.size
    renderer, margin = (RendererSVG(width, height, io.StringIO()), 1.5) if kind == "svg" else (None, figure.dpi / 48)
    hidden = set()  # what matplotlib does not draw: axes that are off, and ticks out of view
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        beyond = [tick for tick in ticks if not low <= tick.get_loc() <= high]
        for artist in beyond if axis.axes.axison else [axis]:
            hidden.update(artist.findobj(Text))
    found, (left, bottom, right, top) = [], figure.bbox.padded(margin).extents
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in hidden:
            box = text.get_tightbbox(renderer)
            if box.x0 < left or box.y0 < bottom or box.x1 > right or box.y1 > top:
                found.append(text.get_text())
    return found


def empty_axes(figure: Figure) -> list[str]:
    """The axes in which nothing but rules is drawn, by title or place; those that are switched off may be empty."""
    found = []
    for number, ax in enumerate(figure.axes, 1):
        marks = any(_has_marks(artist, ax) for artist in [*ax.lines, *ax.collections, *ax.images])
        if ax.axison and not (marks or ax.texts or ax.patches):
            found.append(_title(ax) or f"axes {number}")
    return found


def _has_marks(artist, ax) -> bool:
    if isinstance(artist, Line2D):
        return _is_data(artist, ax) and bool(np.isfinite(artist.get_xydata()).all(axis=1).any())
    if isinstance(artist, PathCollection):
        return bool(np.isfinite(np.ma.filled(artist.get_offsets(), np.nan)).all(axis=1).any())
    return not isinstance(artist, Collection) or bool(artist.get_paths())


def _is_data(line: Line2D, ax) -> bool:
    """Whether both coordinates are of the data; a rule, such as that of axhline, goes by the axes in one."""
    return all(line.get_transform().contains_branch_seperately(ax.transData))


def _title(ax) -> str:
    return next((" ".join(t.split()) for t in (ax.get_title(), ax.get_title("left"), ax.get_title("right")) if t), "")


def as_drawn(figure: Figure) -> str | None:
    """The data of a figure's lines, markers, bars and small images as CSV: panel, series, x, y, low, high.

    low and high are the ends of an error bar. None for a figure without data, such as a sketch.
    """
    shown = [(ax, _title(ax) or f"panel {number}") for number, ax in enumerate(figure.axes, 1) if ax.axison]
    rows = [row for ax, panel in shown for row in _rows(ax, panel)]
    if not rows:
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["panel", "series", "x", "y", "low", "high"])
    writer.writerows([*row, *[""] * (6 - len(row))] for row in rows)
    return text.getvalue()


def _rows(ax, panel: str) -> Iterator[list]:
    taken = set()  # the parts of error bars

    def named(artist, kind, number):
        label = str(artist.get_label() or "")
        return label if label and not label.startswith("_") else f"{kind} {number}"

    for number, group in enumerate(ax.containers, 1):
        if isinstance(group, ErrorbarContainer):
            line, caps, bars = group
            taken.update([line, *caps])
            ends = [None] * (len(line.get_xdata()) if line is not None else 0)
            for bar in bars:
                segments = bar.get_segments()
                ends = [(s[0], s[-1]) if len(s) else None for s in segments] if len(segments) == len(ends) else ends
            for xy, end in zip(line.get_xydata() if line is not None else (), ends, strict=True):
                across = end is not None and end[0][1] == end[1][1]  # a horizontal bar: its ends are in x
                bounds = [point[0 if across else 1] for point in end or ()]
                yield [panel, named(group, "bars", number), *_short(*xy), *_short(*bounds)]
        elif isinstance(group, BarContainer):
            for bar in group:
                x, y = bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height()
                wide = group.orientation == "horizontal"
                place = (bar.get_x() + bar.get_width(), bar.get_y() + bar.get_height() / 2) if wide else (x, y)
                yield [panel, named(group, "bars", number), *_short(*place)]
    for number, line in enumerate(ax.lines, 1):
        if line not in taken and _is_data(line, ax):
            yield from ([panel, named(line, "line", number), *_short(*xy)] for xy in line.get_xydata())
    for number, dots in enumerate(ax.collections, 1):
        if isinstance(dots, PathCollection):
            yield from ([panel, named(dots, "markers", number), *_short(*xy)] for xy in dots.get_offsets())
    for image in ax.images:
        values = np.asarray(image.get_array())
        if isinstance(image, AxesImage) and values.ndim == 2 and values.size <= LARGEST_IMAGE:
            for (row, column), value in np.ndenumerate(values):
                yield [panel, "value of row x, column y", row, column, *_short(value)]


def _short(*values: float) -> list[str]:
    return [f"{float(value):.6g}" for value in values]
