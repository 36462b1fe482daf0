"""Results of a section made by hand, for the tests of what is read from records and of what decides claims."""

from types import SimpleNamespace

import pandas as pd

from notebooks.paper.records.frames import Collected


class Given(Collected):
    """Results whose runs are these rows, of the kind "train" if they do not name another.

    records: what `by_key` finds, for rows that name another record.
    """

    def __init__(self, rows, missing=0, records=(), lacking=()):
        kinds = {"train": []}
        for row in rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows:
            kinds.setdefault(row.get("kind", "train"), []).append(row)
        frames = {kind: pd.DataFrame(own) for kind, own in kinds.items()}
        some = [SimpleNamespace(kind="made up", key="made up")] if len(rows) else []
        super().__init__([*records] or some, missing, frozenset(lacking), _frames=frames)
