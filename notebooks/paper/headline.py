"""The numbers of the figure that opens the book and the README: where the simplicity bias hurts, by how much, and
whether learning was needed. Per dataset the accuracy that an activation adds to ReLU; per task how many times sooner it
generalises.
"""

import numpy as np
import pandas as pd

from .ablations import learner_tables
from .figures.headline import ACCURACY, BY_HAND, LEARNED, LEARNER, SPEED, TREES, Headline
from .figures.looks import WEIGHTS, name_of, span
from .grokking import by_convention
from .grokking.conventions import SINE, TUNED
from .images import tables as images
from .images.by_convergence import over
from .images.plan import BY_HAND as BEST
from .records.frames import Collected
from .records.intervals import Interval
from .shortcuts import tables as shortcuts
from .tabular import tables as tabular
from .transfer import tables as transfer
from .verdict import Read

COLUMNS = ["panel", "group", "name", "kind", "value", "low", "high", "improving"]


def gains(read: Read) -> pd.DataFrame:
    """What activations add to ReLU, on everything that has records.

    Returns:
        Columns panel ("accuracy" or "speed"), group (kind of data), name (dataset or task), kind ("learned", "learner",
        "by hand", "trees"), value, low, high (accuracy: points with the 95 % interval, NaN for one value; speed: how
        many times sooner 95 % test accuracy is reached, high is infinite where ReLU never gets there), improving
        (whether most of ReLU's runs are best at their last step, so that it might catch up).
    """
    learner = learner_tables.collect(read("longer"), "paper", longer=True)[0]
    rows = [*_images(read), *_tables(read("tabular")), *_learner(learner)]
    for collages in shortcuts.compared(read("colour"), read("shortcuts")):
        rows += _collages(collages)
    rows += _speeds(read, _learner_steps(learner))
    return pd.DataFrame(rows, columns=COLUMNS)


def _points(group, name, kind, gain, half, improving):
    return (ACCURACY, group, name, kind, *(100 * end for end in (gain, gain - half, gain + half)), improving)


def _improving(runs: pd.DataFrame) -> bool:
    """Whether most ReLU runs are best at their last step."""
    relu = runs[runs.arm == "ReLU"]
    return bool(2 * (relu.best_step >= relu.steps).sum() > len(relu))


def _over_relu(part: pd.DataFrame, arm: str) -> Interval:
    return over(part[part.arm == arm], part[part.arm == "ReLU"])


def _images(read: Read):
    """One hidden layer, the tuned optimiser; the better start by validation; the best function by hand."""
    for section, group in (("images", "classification"), ("regression", "regression")):
        results = read(section)
        runs = _image_runs(results)
        both = (results, read("controls"))
        controls = pd.concat([found.frame(role="control", section=section, arm=BEST) for found in both])
        for data, part in runs.groupby("data", sort=False) if len(runs) else ():
            merit = part[part.arm != "ReLU"].groupby("arm").validation_accuracy.mean()
            improving, name = _improving(part), f"{name_of(data)} {group}"
            if len(merit):
                yield _points("images", name, LEARNED, *_over_relu(part, merit.idxmax()), improving)
            relu = part[part.arm == "ReLU"]
            own = controls[controls.data == data] if len(controls) else controls
            if len(own) == len(relu):
                yield _points("images", name, BY_HAND, *over(own, relu), improving)


def _image_runs(results: Collected) -> pd.DataFrame:
    """The runs on images that are compared."""
    return images.tuned(results) if len(results.frame(role="final")) else results.frame(role="final")


def layers(read: Read) -> str:
    """How many hidden layers the networks on images have that are compared, by their configurations; "" without any."""
    runs = [_image_runs(read(section)) for section in ("images", "regression")]
    depths = [int(depth) for part in runs if len(part) for depth in part["network.depth"]]
    return f"{span(depths)} hidden layer{'s' * (max(depths) > 1)}" if depths else ""


def _tables(results: Collected):
    """The best learned arm by validation; tanh with a tuned slope; trees."""
    table, runs = tabular.comparison(results), results.frame(role="final")
    for data, part in table.groupby("data", sort=False) if len(table) else ():
        learned = part[part.arm.str.startswith("learned")]
        arms = {BY_HAND: "tanh", TREES: tabular.TREES}
        if len(learned):
            arms[LEARNED] = learned.loc[learned.validation.idxmax()].arm
        depth = part[part.arm == "ReLU"].depth.iloc[0]
        improving = _improving(runs[(runs.data == data) & (runs["network.depth"] == depth)])
        for kind, arm in arms.items():
            for row in part[part.arm == arm].itertuples():
                yield _points("tables", data, kind, row.gain, row.gain_half_width, improving)


def _collages(results: Collected):
    """The tile that ReLU neglects, without normalisation, stopped early for that tile."""
    runs = shortcuts.runs(results, "final")
    runs = runs[~runs.spectral.astype(bool)] if len(runs) else runs
    for pair, part in runs.groupby("pair", sort=False) if len(runs) else ():
        tile = shortcuts.names(pair)
        name = f"{tile['second']} tile beside {tile['first']}"
        for kind, arm in ((LEARNED, "learned for the second tile"), (BY_HAND, "by hand for the second tile")):
            if (part.arm == arm).any():
                yield _points("collages", name, kind, *shortcuts.gain(part, arm, "by_second_second"), False)


def _speeds(read: Read, learner: dict[str, float]):
    """Tasks on which an activation reaches 95 %: a+b mod 27 under each convention, and the others.

    Args:
        learner: from the name of a task to the median step of the learner that picks its start.
    """
    conventions, task = read("conventions"), by_convention.PLANS["paper"].task
    finals, at_own_rates = (by_convention.runs_of(found, "final") for found in (conventions, read("sines")))
    table = by_convention.table(conventions)
    for row in table.itertuples():
        name = _under(task, row.initialisation, by_convention.at_rate(row))
        yield from _sooner(name, LEARNED, row.relu, row.learned, row.last)
        best = row.convention == by_convention.BEST
        runs, own = (at_own_rates, {"arm": SINE + TUNED}) if best else (finals, {"arm": SINE, "rate": row.rate})
        sine = _median(runs, initialisation=row.initialisation, **own)
        yield from _sooner(name, BY_HAND, row.relu, sine, row.last)
        yield from _sooner(name, LEARNER, row.relu, learner.get(name, np.inf), row.last)
    first = read("grokking").frame(role="final")
    first = first[first.data == task] if len(first) else first
    if len(first) and not ((table.initialisation == "default") & (table.rate == 1.0)).any():
        name = _under(task, "default", "rate 1")
        yield from _of_task(name, first, "learned from zeros", learner=learner.get(name, np.inf))
    results = read("transfer")
    runs = results.frame(role="own")
    runs = pd.concat([runs, results.frame(role="matrix")]) if len(runs) else runs
    sines, tried = results.frame(role="control"), results.frame(role="control trial")
    best = transfer.sine_merits(tried).idxmax(axis=1) if len(tried) else {}
    for data, part in runs[runs.data != task].groupby("data", sort=False) if len(runs) else ():
        part = pd.concat([part.drop_duplicates(["arm", "seed"]), sines[sines.data == data]])
        yield from _of_task(data, part, transfer.learned_on(data), best.get(data, ""))


def _learner(tasks: dict[str, learner_tables.TaskResults]):
    """The learner that picks its start (see the ablations), over the ReLU of its own runs."""
    for task in tasks.values():
        data, regression = task.setting.data, task.setting.task == "regression"
        if not task.steps and (task.setting.network.depth == 1 or not regression):
            name = f"{name_of(data)} regression" if regression else data
            yield _points("ablations", name, LEARNER, *(part / 100 for part in task.over(learner_tables.RELU)), False)


def _learner_steps(tasks: dict[str, learner_tables.TaskResults]) -> dict[str, float]:
    """Its median step to 95 % test accuracy, by the name of the task; infinite where that is the horizon."""
    steps = {}
    for task in tasks.values():
        if task.steps:
            values, setting = task.finals[learner_tables.LEARNED], task.setting
            name = _under(setting.data, setting.network.initialisation, f"rate {setting.optimiser.lr:g}")
            steps[name] = by_convention.median_steps(values.where(values < values.attrs["horizon"], np.inf))
    return steps


def _under(task: str, initialisation: str, rate: str) -> str:
    """A task with the convention that it is run under."""
    return f"{task}, {WEIGHTS[initialisation]}, {rate}"


def _median(runs: pd.DataFrame, **where) -> float:
    """The median step to 95 % of the runs with these values; infinite if there are none."""
    for column, value in where.items() if len(runs) else ():
        runs = runs[runs[column] == value]
    return by_convention.median_steps(runs.test_steps_to_95) if len(runs) else np.inf


def _of_task(name: str, runs: pd.DataFrame, learned: str, by_hand: str = "", learner: float = np.inf):
    relu, own, hand = (_median(runs, arm=arm) for arm in ("ReLU", learned, by_hand))
    for kind, steps in ((LEARNED, own), (BY_HAND, hand), (LEARNER, learner)):
        yield from _sooner(name, kind, relu, steps, int(runs.steps.max()))


def _sooner(name, kind, relu, other, last):
    """A row where one of the two gets there: the ratio of the median steps, or a bound of it."""
    if not np.isfinite(other):
        return ()
    ratio = min(relu, last) / other
    return ((SPEED, "algorithmic", name, kind, ratio, ratio, ratio if np.isfinite(relu) else np.inf, False),)


def headline(read: Read) -> Headline:
    """The headline of the committed records. Raises ValueError if there are none that it could show."""
    table = gains(read)
    if not (table.kind == LEARNED).any():
        raise ValueError("the headline needs final runs with a learned activation, and no section has some")
    return Headline(table, _other_tasks(read("transfer"), table), layers(read))


def _other_tasks(results: Collected, table: pd.DataFrame) -> str:
    """Under what setting the tasks of the section on transfer were run, as far as they are shown."""
    runs, shown = results.frame(role="matrix"), table[(table.panel == SPEED) & (table.kind == LEARNED)]
    runs = runs[runs.data.isin(shown.name)] if len(runs) else runs
    if runs.empty:
        return ""
    steps, rates = int(runs.steps.max()), sorted({float(f"{rate:.2g}") for rate in runs["optimiser.lr"]})
    rate = f"{rates[0]:.1f}" + (f" to {rates[-1]:.1f}" if len(rates) > 1 else "")
    task = by_convention.PLANS["paper"].task
    return f"Other tasks than {task}: runs of the transfer section, {steps:,} steps, rate {rate}, PyTorch's weights."
