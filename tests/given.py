"""Results of a section made by hand, for the tests of what decides claims."""

import pandas as pd

from notebooks.paper.records.frames import Collected


class Given(Collected):
    """Results whose runs are these rows, of the kind "train" if they do not name another.

    records: what `by_key` finds, for rows that name another record.
    """

    def __init__(self, rows, missing=0, records=(), lacking=()):
        super().__init__([*records] or ["there are some"] * bool(rows), missing, frozenset(lacking))
        object.__setattr__(self, "rows", rows)

    def frame(self, kind="train", **equal):
        frame = pd.DataFrame([row for row in self.rows if row.get("kind", "train") == kind])
        for column, value in equal.items():
            frame = frame[frame[column] == value] if len(frame) else frame
        return frame.reset_index(drop=True)
