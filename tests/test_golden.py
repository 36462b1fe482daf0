"""What must stay the same whatever is moved or rewritten: names of records, plans, verdicts, the tables behind the figures.

``python -m tests.test_golden`` writes tests/golden/*.json anew. After a change that is meant, do that, and look at the
difference before it is committed.
"""

import functools
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from book.press import departures
from notebooks.paper import claims, sections
from notebooks.paper.data import open_store
from notebooks.paper.grokking import tables as grokking_tables
from notebooks.paper.images import tables as images_tables
from notebooks.paper.records import intervals, provenance
from notebooks.paper.records.configuration import key, rebuild
from notebooks.paper.sections import KINDS, SECTIONS
from notebooks.paper.shortcuts import figures as shortcuts_figures
from notebooks.paper.shortcuts import tables as shortcuts_tables
from notebooks.paper.tabular import tables as tabular
from notebooks.paper.transfer import tables as transfer_tables

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parent.parent
# Sections whose records still arrive.
GROWING = {"sines", "tables", "deep", "plain", "longer", "controls", "variants", "ranks"}


@functools.cache
def read(section):
    """The committed records, as a clone without datasets finds them by the manifest."""
    return sections.collect(section, "paper", open_store(data_dir=sections.NO_DATA))


def plans():
    """Per section: what is missing, how many records its plan names, and a hash of their sorted names."""
    found = {}
    for section in SECTIONS.keys() - GROWING:
        names = sorted({record.key for record in read(section).records})
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        found[section] = {"missing": read(section).missing, "records": len(names), "sha256": digest}
    return found


def verdicts():
    return {
        name: {"label": finding.label, "conditions": list(finding.holds)}
        for name, finding in claims.settled(read).items()
    }


def tuned_runs(runs, best):
    """The selecting and the final runs with each dataset's tuned optimiser, on datasets with three activations there."""
    runs = runs[runs.role != "tuning"]
    name, rate = (best[f"optimiser.{key}"].reindex(runs.data).to_numpy() for key in ("name", "lr"))
    runs = runs[(runs["optimiser.name"] == name) & (runs["optimiser.lr"] == rate)]
    return runs[images_tables._clusters(runs).groupby(runs.data).transform("nunique") >= 3]


def image_tables(section):
    results = read(section)
    finals, tuning = images_tables.finals(results), results.frame(role="tuning")
    runs = images_tables.main_runs(results)
    found = {f"accuracy, {title}": frame for title, frame in images_tables.summaries(finals, tuning).items()}
    return found | {
        "depth": images_tables.by_depth(results),
        "best depth": images_tables.at_best_depth(images_tables.depth_runs(results)),
        "correlations": pd.DataFrame.from_dict(images_tables.correlations(runs), orient="index"),
        "markers": images_tables.markers(tuned_runs(runs, images_tables.chosen(tuning))),
        "gaps": images_tables.gaps(images_tables.tuned(results)),
        "functions": images_tables.functions(results)[1],
        "controls": images_tables.over_controls(images_tables.with_controls(results)),
    }


def tabular_tables():
    results = read("tabular")
    table = tabular.comparison(results)
    names = list(table.data.unique())
    return {
        "comparison": table,
        "averages": tabular.averages(table),
        "depth": tabular.average_by_depth(results, names),
        "width": tabular.width_gains(results, names[0]),
        "complexity": tabular.best_complexities(results, names),
        "pictured": tabular.pictured({names[0]: tabular.panels(results, names[0])}),
        "measures": tabular.measures(results).drop(columns="record"),
        "ranked": tabular.ranked(results, table),
        "crowded": tabular.crowded(results),
        "variants": tabular.variants(results),
    }


def other_tables():
    grokking, shortcuts, transfer = read("grokking"), read("shortcuts"), read("transfer")
    finals, matrix = transfer.frame(role="final"), transfer.frame(role="matrix")
    scores, summary = transfer_tables.matrix_scores(matrix), intervals.summary(finals, "test_accuracy", ["data"])
    control = [transfer.frame(role=role) for role in ("control trial", "control")]
    return {
        "grokking, steps": grokking_tables.steps_table(grokking.frame(role="final")),
        "grokking, delays": grokking_tables.delays(grokking.frame(role="final")),
        "grokking, settings": grokking_tables.settings_table(grokking),
        "shortcuts, comparison": shortcuts_figures.comparison(
            shortcuts_tables.runs(shortcuts, "final"), shortcuts_tables.runs(shortcuts, "upper bound")
        ),
        "shortcuts, steering": shortcuts_tables.steering(shortcuts_tables.runs(shortcuts, "final")),
        "transfer, matrix": scores.score,
        "transfer, scores": transfer_tables.score_table(scores),
        "transfer, images": transfer_tables.image_table(summary),
        "transfer, depths": transfer_tables.architectures(finals, transfer.frame(role="depth")),
        "transfer, sines": transfer_tables.against_sines(matrix, *control)[0],
        "ablations": intervals.summary(read("ablations").frame(role="final"), "test_accuracy", ["section"]),
    }


def tables():
    """Of each table that figures and pages are made from: its columns, rows, sums of numbers, a hash of its words."""
    found = {
        f"{section}, {name}": table
        for section in ("images", "regression")
        for name, table in image_tables(section).items()
    }
    found |= {f"tabular, {name}": table for name, table in tabular_tables().items()} | other_tables()
    return {name: digest(table) for name, table in found.items()}


def digest(table):
    table, sums, words = table.reset_index(), {}, []
    for column in table:
        if pd.api.types.is_numeric_dtype(table[column]):
            values = table[column].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            sums[str(column)] = float(f"{values.sum():.9g}"), len(values)
        else:
            words += [str(column), *map(str, table[column])]
    words = hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]
    return {"rows": len(table), "sums": json.loads(json.dumps(sums)), "words": words}


WRITTEN = {"plans": plans, "verdicts": verdicts, "tables": tables}


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_every_committed_record_rebuilds_to_its_own_name():
    count = 0
    for record in open_store(data_dir=sections.NO_DATA).records():
        experiment = rebuild(record.config, KINDS)
        assert key(experiment, record.data.__getitem__) == record.key
        count += 1
    assert count >= 4000


@pytest.mark.parametrize("name", ["plans", "verdicts"])
def test_plans_and_verdicts_are_those_that_were_frozen(name):
    assert WRITTEN[name]() == golden(name)


def test_the_tables_behind_the_figures_are_those_that_were_frozen():
    found, expected = tables(), golden("tables")
    assert sorted(found) == sorted(expected)
    for name, table in found.items():
        frozen = expected[name]
        assert (table["rows"], table["words"], sorted(table["sums"])) == (
            frozen["rows"],
            frozen["words"],
            sorted(frozen["sums"]),
        ), name
        for column, (total, count) in table["sums"].items():
            assert (total, count) == (
                pytest.approx(frozen["sums"][column][0], rel=1e-6, abs=1e-9),
                frozen["sums"][column][1],
            )


def test_a_changed_number_a_lost_row_and_another_word_are_seen():
    table = pd.DataFrame({"arm": ["ReLU", "sine"], "mean": [0.5, 0.25]})
    assert digest(table) == digest(table.copy())
    for other in (table.assign(mean=[0.5, 0.26]), table[:1], table.assign(arm=["ReLU", "tanh"])):
        assert digest(other) != digest(table)


def test_what_counts_as_uncommitted_is_all_code_that_a_result_depends_on(monkeypatch):
    asked = []

    def run(command, **options):
        asked.append(command)
        output = str(ROOT) if "--show-toplevel" in command else ""
        return type("Done", (), {"stdout": output})()

    monkeypatch.setattr(provenance.subprocess, "run", run)
    provenance.code.__wrapped__()
    (status,) = [command for command in asked if "status" in command]
    looked_at = status[status.index("--") + 1 :]
    experiments = {Path(__import__(cls.__module__, fromlist=["_"]).__file__) for cls in KINDS.values()}
    for path in experiments | {ROOT / "lib" / "splines.py", Path(provenance.__file__)}:
        inside = path.resolve().relative_to(ROOT)
        assert any(inside.is_relative_to(folder) for folder in looked_at), inside


def test_every_departure_that_is_marked_is_collected():
    text = re.compile(r"^\s*(#\s*)?NOTE\[DIFF\]:", re.MULTILINE)
    folders = ("lib", "notebooks", "book")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.parent.name != "press"]
    marks = sum(len(text.findall(path.read_text(encoding="utf-8"))) for path in paths)
    assert len(departures.collect()) == marks >= 29


def test_provenance_names_the_kernels_that_are_in_use():
    from lib import kernels

    assert provenance._implementations()["backend"] == kernels.backend()


def test_the_numeric_tests_that_run_without_compiled_kernels_exist():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    names = re.search(r"for name in ([\w ]+); do", script).group(1).split()
    assert len(names) >= 9
    for name in names:
        assert (ROOT / "tests" / f"test_{name}.py").is_file()
    assert "if [ -f" not in script  # a file that is missing fails the run


if __name__ == "__main__":
    for name, make in WRITTEN.items():
        text = json.dumps(make(), indent=1, sort_keys=True) + "\n"
        (GOLDEN / f"{name}.json").write_text(text, encoding="utf-8")
