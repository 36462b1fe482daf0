"""Words from a markdown file, with named values filled in: captions, alternative texts, answers, findings on claims.

A part begins with a heading, "## name". A figure's has its caption and then a paragraph that begins with "Alt:"::

    ## fig-curves
    With {arm}, 95 % is reached after {steps:,.0f} steps.

    Alt: Accuracy over steps, one line per arm.

Values are given by name where the figure is drawn. A name that is not given, or not asked for, is an error, and so is a
number that is not finite.
"""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from string import Formatter
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from . import display

LONGEST = 50  # words of a caption, without its values


class Words:
    """The words of one page.

    Args:
        path: of the markdown file.

    Raises:
        ValueError: for a part without a name, a name twice, a caption of more than 50 words.
    """

    def __init__(self, path: Path):
        self.path = path
        self.parts: dict[str, str] = {}
        for part in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, text = part.partition("\n")
            if not re.fullmatch(r"[a-z0-9-]+", name.strip()) or name.strip() in self.parts:
                raise ValueError(
                    f"{path.name}: the name of a part must be new, of a-z, 0-9 and -, got {name.strip()!r}"
                )
            self.parts[name.strip()] = text.strip()
            length = len(self._caption(name.strip()).split())
            if name.startswith(("fig-", "tab-")) and length > LONGEST:
                raise ValueError(
                    f"{path.name}: a caption has at most {LONGEST} words, got {length} in {name.strip()!r}"
                )

    def say(self, name: str, **values: Any) -> None:
        """A paragraph of the page."""
        display.say(self.fill(name, **values))

    def figure(
        self,
        name: str,
        draw: Callable[[], Figure],
        data: pd.DataFrame | None = None,
        explore: tuple[str, Any] | None = None,
        label: str | None = None,
        **values: Any,
    ) -> None:
        """A figure with the caption and the alternative text of its name; see :func:`display.show`."""
        caption, _, alt = self.fill(name, **values).partition("\n\nAlt:")
        display.show(draw, alt=alt.strip(), caption=caption, name=label or name, data=data, explore=explore)

    def table(self, name: str, frame: pd.DataFrame, label: str | None = None, **values: Any) -> None:
        """A table with the caption of its name, which also labels it unless `label` does."""
        display.table(frame, caption=self.fill(name, **values), name=label or name)

    def headline(self, parts: Iterable[str]) -> str:
        """What heads the answer of a page, of parts that its records choose."""
        return f"**{''.join(map(self.fill, parts))}.**"

    def fill(self, name: str, /, **values: Any) -> str:
        """The text of a part with its values."""
        if name not in self.parts:
            raise ValueError(f"{self.path.name} has no part {name!r}; it has {', '.join(self.parts)}")
        text = self.parts[name]
        asked = {re.split(r"[.\[]", field)[0] for _, field, _, _ in Formatter().parse(text) if field is not None}
        if asked != set(values):
            raise ValueError(
                f"{self.path.name}, {name}: asks for {sorted(asked)}, got {sorted(values)}; "
                f"missing or not asked for: {sorted(asked ^ set(values))}"
            )
        for field, value in values.items():
            if value is None or isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{self.path.name}, {name}: {field} must be a finite number or a text, got {value}")
        return text.format(**values)

    def _caption(self, name: str) -> str:
        return self.parts[name].partition("\n\nAlt:")[0]


def words(section: str, page: str = "words") -> Words:
    """The words of a section's page, `notebooks/paper/SECTION/words.md`; of its other page or its findings, by name."""
    return Words(Path(__file__).parents[1] / section / f"{page}.md")
