"""The figure that opens the book and the README: where the simplicity bias hurts, by how much, and whether learning was
needed. Per dataset the accuracy that an activation adds to ReLU; per task how many times sooner it generalises.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullFormatter, ScalarFormatter

from .ablations import learner_tables
from .figures.explore import pretty
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
LEARNED, LEARNER, BY_HAND, TREES = "learned", "learner", "by hand", "trees"
KINDS = {LEARNED: ("C2", "o", 5.5), LEARNER: ("C4", "D", 4.0), BY_HAND: ("C1", "^", 5.5), TREES: ("C7", "s", 4.5)}
LABELS = {
    LEARNED: "learned, Algorithm 1 of the paper",
    LEARNER: "learner that picks its start",
    BY_HAND: "best function by hand",
    TREES: "boosted trees",
}
ACCURACY, SPEED = "accuracy", "speed"


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
    return by_convention.median_steps(runs.steps_to_95) if len(runs) else np.inf


def _of_task(name: str, runs: pd.DataFrame, learned: str, by_hand: str = "", learner: float = np.inf):
    def median(arm):
        return by_convention.median_steps(runs[runs.arm == arm].test_steps_to_95)

    for kind, steps in ((LEARNED, median(learned)), (BY_HAND, median(by_hand)), (LEARNER, learner)):
        yield from _sooner(name, kind, median("ReLU"), steps, int(runs.steps.max()))


def _sooner(name, kind, relu, other, last):
    """A row where one of the two gets there: the ratio of the median steps, or a bound of it."""
    if not np.isfinite(other):
        return ()
    ratio = min(relu, last) / other
    return ((SPEED, "algorithmic", name, kind, ratio, ratio, ratio if np.isfinite(relu) else np.inf, False),)


@dataclass(frozen=True, eq=False)
class Headline:
    """The figure with its words.

    table: from :func:`gains`. others: how the tasks were run that do not say it. layers: from :func:`layers`.
    """

    table: pd.DataFrame
    others: str = ""
    layers: str = ""

    def rows(self, panel: str) -> pd.DataFrame:
        """The learned activations of a panel, the largest last."""
        own = self.table[(self.table.panel == panel) & (self.table.kind == LEARNED)]
        return own.sort_values("value", kind="stable")

    def beside(self, panel: str, kind: str) -> pd.DataFrame:
        """The learned activations of a panel that have another kind beside them: columns value_x and value_y."""
        other = self.table[(self.table.panel == panel) & (self.table.kind == kind)]
        return self.rows(panel).merge(other, on="name")

    def counts(self) -> dict[str, int]:
        """On how many datasets learned activations are above ReLU, of how many, and in how many tasks sooner."""
        points = self.rows(ACCURACY)
        return {"above": int((points.low > 0).sum()), "datasets": len(points), "tasks": len(self.rows(SPEED))}

    def ahead(self) -> list[str]:
        """What is mostly better still than the learned activations."""
        rivals = {
            "boosted trees on tables": self.beside(ACCURACY, TREES),
            "sines on algorithmic tasks": self.beside(SPEED, BY_HAND),
        }
        return [name for name, rows in rivals.items() if 2 * (rows.value_y > rows.value_x).sum() > len(rows)]

    def sentence(self) -> str:
        """The message of the figure with its numbers."""
        points, times, words = self.rows(ACCURACY), self.rows(SPEED), []
        if len(points):
            trees, hand = self.beside(ACCURACY, TREES), self.beside(ACCURACY, BY_HAND)
            words.append(
                f"Learned activations are above ReLU on {(points.low > 0).sum()} of {len(points)} datasets, below on "
                f"{(points.high < 0).sum()}; trees are above them on {(trees.value_y > trees.value_x).sum()} of "
                f"{len(trees)} tables, functions made by hand on {(hand.value_y > hand.value_x).sum()} of {len(hand)}."
            )
        if len(times):
            hand = self.beside(SPEED, BY_HAND)
            words.append(
                f"In {len(times)} algorithmic cases they generalise {times.value.min():.0f} to {times.value.max():.0f} "
                f"times sooner or more; sines sooner still in {(hand.value_y > hand.value_x).sum()} of {len(hand)}."
            )
        return " ".join(words)

    def scale(self) -> str:
        """How to read the marks: bounds, where ReLU had not converged, and under what setting all was run."""
        many = int(self.rows(ACCURACY).improving.sum())
        words = ["Bars: 95 % intervals over seeds."]
        words += [f"Images: networks with {self.layers}."] * bool(self.layers)
        learners = pd.concat([self.beside(panel, LEARNER) for panel in (ACCURACY, SPEED)])
        if len(learners):
            own = "; accuracies of it are over the ReLU of its own runs" * bool(len(self.beside(ACCURACY, LEARNER)))
            words.append(f"Diamonds ({len(learners)}): a learner that picks its start in a race of short runs{own}.")
        words += [f"Hollow ({many}): most ReLU runs were still improving when they ended."] * bool(many)
        bounds = int(np.isinf(self.rows(SPEED).high).sum())
        words += [f"Arrows ({bounds}): lower bounds, as ReLU did not get there."] * bool(bounds)
        return " ".join([*words, self.others]).strip()

    def alt(self) -> str:
        """The figure in words, for who cannot see it."""
        points, times = self.rows(ACCURACY), self.rows(SPEED)
        parts = (
            ("Largest gains", " points", points[::-1][:3]),
            ("Least", " points", points[:3]),
            ("Soonest", " times", times[::-1][:3]),
        )
        ends = [
            f"{title}: {', '.join(f'{row.name} {row.value:.1f}{unit}' for row in picked.itertuples())}."
            for title, unit, picked in parts
            if len(picked)
        ]
        return f"Dots on a line per dataset, beside a line for ReLU. {self.sentence()} {' '.join(ends)}"

    def draw(self, narrow: bool = False) -> Figure:
        """Points over ReLU, and times sooner than ReLU."""
        panels = [panel for panel in (ACCURACY, SPEED) if len(self.rows(panel))]
        counts = [len(self.rows(panel)) for panel in panels]
        size = (3.7, 0.9 + 0.8 * len(panels) + 0.19 * sum(counts)) if narrow else (7.4, 1.3 + 0.185 * max(counts))
        shape = (len(panels), 1) if narrow else (1, len(panels))
        ratios = {"height_ratios": counts} if narrow else {}
        figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, gridspec_kw=ratios)
        for ax, panel in zip(axes.flat, panels, strict=True):
            self._panel(ax, panel, 8.5 if narrow else 8)
            # beside long names a label is wider than its axes, so it ends where they end
            ax.set_xlabel(ax.get_xlabel(), loc="right" if narrow else "center")
        handles = {}
        for ax in axes.flat:
            handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        names = [name for name in LABELS.values() if name in handles]
        figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=1 if narrow else 2)
        return figure

    def _panel(self, ax, panel: str, fontsize: float) -> None:
        learned, speed = self.rows(panel), panel == SPEED
        places = {name: i for i, name in enumerate(learned["name"])}
        ax.axvline(1 if speed else 0, color="C0", linewidth=1.2)
        for kind in (TREES, BY_HAND, LEARNER, LEARNED):
            own = self.table[(self.table.panel == panel) & (self.table.kind == kind) & self.table["name"].isin(places)]
            colour, marker, size = KINDS[kind]
            for i, row in enumerate(own.itertuples()):
                y = places[row.name]
                filled = colour if not row.improving else "none"
                label = LABELS[kind] if i == 0 else None
                ax.plot(row.value, y, marker, color=colour, markersize=size, markerfacecolor=filled, label=label)
                if kind == LEARNED and speed and np.isinf(row.high):
                    ax.annotate(
                        "", (row.value * 1.6, y), (row.value, y), arrowprops={"arrowstyle": "->", "color": colour}
                    )
                elif kind == LEARNED and np.isfinite(row.low):
                    ax.plot([row.low, row.high], [y, y], color=colour, linewidth=1.3)
        ax.set_yticks(range(len(places)), [_written(name) for name in places], fontsize=fontsize)
        ax.set_ylim(-0.7, len(places) - 0.3)
        ax.grid(axis="x")
        if speed:
            ax.set(xscale="log", xlabel="times sooner than ReLU", title="Steps to generalise")
            ax.set_xlim(right=max(ax.get_xlim()[1], 2 * learned.value.max()))  # an arrow has room
            ax.set_xticks([1, 3, 10, 30, 100])
            ax.xaxis.set_major_formatter(ScalarFormatter())
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.set(xlabel="points over ReLU", title="Test accuracy")
            ax.xaxis.set_major_locator(MultipleLocator(5))


def _written(name: str) -> str:
    task, comma, convention = name.partition(",")
    return pretty(task) + comma + convention


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
