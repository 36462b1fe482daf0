# ruff: noqa: E501 (words are easier to read on one line)
"""What the two pages on images show of their records, one function for each part of a page (Sections 3.1 and 3.2)."""

import pandas as pd

from lib.datasets import catalogue
from lib.splines import is_constant

from ..experiments.parts import MONITORED_ROWS
from ..figures import explore, looks, plots
from ..figures.display import say, show, table
from ..records import intervals
from ..records.frames import Collected
from ..records.intervals import paired_interval
from ..transfer.tables import PAPER_DATASETS, PAPER_TABLE
from . import tables
from .plan import ARMS, BY_HAND, INITS, LAYERS, LONGER, PLANS, RANDOM


def scope(results: Collected, profile: str) -> None:
    """What was run, and what is missing."""
    finals, learning = tables.finals(results), results.frame("learn")
    where = (
        "from the committed records, scaled down as follows"
        if profile == "paper"
        else "**small, computed live** (profile smoke)"
    )
    if len(finals):
        sizes = ", ".join(
            f"{looks.name_of(run.data)} ({_rows(run.data)}{run.steps:,} steps on batches of {run.batch:,})"
            for run in finals.drop_duplicates("data").itertuples()
        )
        say(
            f"These results are {where}: {sizes}; one hidden layer of {finals['network.width'].iloc[0]} units, "
            f"{finals.seed.nunique()} seeds, {learning.seed.nunique()} restart(s) of the learning."
        )
    if results.missing:
        say(
            f"**Not yet run** in part: {results.missing} or more records of this section are missing in profile {profile}."
        )
    for data in PLANS[profile].more:
        if data not in set(finals.data):
            say(
                f"{looks.name_of(data)}: **not run**"
                + (" yet." if catalogue.known(data) else ": data not available here.")
            )


def _rows(data: str) -> str:
    """The number of training images, where they are not all."""
    counts = catalogue.recorded_rows(data)
    return "" if counts is None or counts[0] == counts[1] else f"{counts[0]:,} of the {counts[1]:,} training images; "


def optimisers(results: Collected) -> None:
    """The tuning of the optimiser with ReLU."""
    finals, tuning = tables.finals(results), results.frame(role="tuning")
    if finals.empty:
        return
    table(
        tables.tuning_table(tuning),
        caption="ReLU: validation accuracy (%) per optimiser and learning rate, one seed. The best of each column is used.",
    )
    for data, name, rate in tables.at_the_edge(finals, tuning):
        say(
            f"On {looks.name_of(data)} the best rate of {name}, {rate:g}, is at the edge of what was tried: a better one may lie beyond."
        )


def accuracies(section: str, results: Collected) -> None:
    """Figure 2: the accuracy of each activation."""
    finals, tuning = tables.finals(results), results.frame(role="tuning")
    if finals.empty:
        return
    best = tables.chosen(tuning)["optimiser.name"]
    for title, summary in tables.summaries(finals, tuning).items():
        gains, shown = summary.dropna(), list(summary.data.unique())
        words = "; ".join(f"{looks.name_of(r.data)}, {r.arm}: {_signed(r)}" for r in gains.itertuples())
        used = ", ".join(f"{best[data]} on {looks.name_of(data)}" for data in shown) if "tuned" in title else "SGD"
        show(
            lambda summary=summary, shown=shown: plots.accuracies(summary, shown),
            alt=f"Test accuracy with {title}, one panel per dataset, for ReLU and the two learned activations, with 95 % intervals. Differences to ReLU in points: {words}.",
            caption=f"Test accuracy with {title} ({used}); bars are 95 % intervals over {summary.n.max()} seeds. Paired differences to ReLU in points: {words}.",
            name=f"fig-accuracy-{section}-" + title.split()[-1],
            data=summary,
        )
    chance = 1 / 10  # all datasets have ten classes
    means = tables.tuned(results).groupby(["data", "arm"], sort=False).test_accuracy.mean()
    for data, part in means.groupby(level="data", sort=False):
        if part.max() < 1.25 * chance:
            say(
                f"**On {looks.name_of(data)} nothing is learned**: every activation is within {100 * (part - chance).abs().max():.1f} points of chance. The loss falls, but one hidden layer "
                "and these steps do not suffice for more, with any of the optimisers tried, so the dataset says nothing about activations here. The claims count it all the same."
            )
        elif part.max() < 1.5 * chance:
            say(
                f"**On {looks.name_of(data)} the networks are hardly above chance**: {100 * part.min():.1f} to {100 * part.max():.1f} %, chance is {100 * chance:.0f} %. Differences there say little; the claims count them "
                "all the same."
            )


def starts(results: Collected) -> None:
    """Which initial function is the better one, paired by seed."""
    finals, words, sides = tables.finals(results), [], []
    if finals.empty:
        return
    plain = finals[finals["optimiser.name"] == "sgd"]
    tuned = tables.tuned(results)
    plain = plain[~plain.data.isin(tuned[tuned["optimiser.name"] == "sgd"].data)]
    for title, runs in (("the tuned optimiser", tuned), ("plain gradient descent", plain)):
        found = []
        for data, part in runs.groupby("data", sort=False):
            wide = part.pivot(index="seed", columns="arm", values="test_accuracy")
            if {*INITS.values()} <= {*wide}:  # neither diverged
                gain = paired_interval(wide[INITS["zeros"]], wide[INITS["relu"]])
                found.append(f"{looks.name_of(data)} {looks.plus_minus(*gain)}")
                sides.append(0 if abs(gain.mean) <= gain.half_width else 1 if gain.mean > 0 else -1)
        words += [f"with {title}: {', '.join(found)}"] if found else []
    say(
        f"Zeros against a ReLU as the start of the learning, in points, paired by seed, {'; '.join(words)}. The paper finds zeros best on every dataset. Here they are the better start in "
        f"{sides.count(1)} of these {len(sides)} comparisons, the worse one in {sides.count(-1)}, and not told apart in {sides.count(0)}."
    )


def functions(section: str, results: Collected) -> None:
    """Figures 3 and 16: the learned functions, and their distance from GELU."""
    if tables.finals(results).empty:
        return
    panels, distances = tables.functions(results)
    near = (
        distances.assign(gelu=pd.to_numeric(distances["distance to GELU"], errors="coerce"))
        .groupby("activation")
        .gelu.agg(["min", "max"])
    )
    words = "; ".join(f"{arm} {row['min']:.2f} to {row['max']:.2f}" for arm, row in near.dropna().iterrows())
    constant = [title.replace("\n", ", ") for title, _, psi, _, _ in panels if is_constant(psi)]
    layers = tables.layer_functions(results)
    shapes = {
        "learned from ReLU": "Those learned from ReLU keep the shape of a hinge, more or less bent",
        "learned from zeros": "those learned from zeros go up and down"
        + (f", but for a constant ({'; '.join(constant)})" if constant else ""),
    }
    shapes |= (
        {"layer-specific": "the layer-specific ones start from a ReLU too and have one function for each of two layers"}
        if layers
        else {}
    )
    show(
        lambda: plots.learned_functions(panels + layers, "gelu", tables.used_ranges(results)),
        alt="Small panels of the learned activation functions on the range from -5 to 5, with GELU dotted beside those learned from ReLU: one panel per dataset, optimiser and initial function. "
        f"{'; '.join(shapes.values())}. Distance from GELU: {words}.",
        caption="The learned functions that the final runs use, with GELU dotted beside those learned from ReLU"
        + (
            ", and the layer-specific ones of networks with two hidden layers, numbered from the input"
            if layers
            else ""
        )
        + f". Grey: where 95 % of the trained network's pre-activations are{' (not for layer-specific ones)' if layers else ''}; distances are weighted by them. Scale and offset carry no meaning: the next layer's weights absorb them. Distance from GELU (table below): {words}.",
        name=f"fig-functions-{section}",
    )
    for title in constant:
        say(
            f"**{title}: the function that was learned is constant**, so nothing was learned there, and its networks predict one and the same value."
        )
    table(
        distances,
        caption="Distance of each learned function from GELU and from ReLU after the best scale, shift and input scale, weighted by where the "
        "trained network's pre-activations fall: 0 is equality, 1 is no better than a constant; — where the function itself is constant there, or all pre-activations are on one side of 0.",
        name=f"tab-distance-{section}",
    )
    both = distances[["distance to GELU", "distance to ReLU"]].apply(pd.to_numeric, errors="coerce").dropna()
    nearer = both["distance to ReLU"] - both["distance to GELU"]
    others = int((nearer <= 0).sum())
    rest = (
        f"; the other{'s are' if others > 1 else ' is'} as near to it as to ReLU, to within {max(-nearer.min(), 0.001):.3f}"
        if others
        else ""
    )
    far = both["distance to GELU"][both["distance to GELU"] > 0.15]
    rounded = int(((both["distance to GELU"] <= 0.15) & (nearer > 0.01)).sum())
    say(
        f"ReLU itself is at most {pd.to_numeric(distances['ReLU to GELU'], errors='coerce').max():.3f} from GELU by this measure, because a large input scale makes a GELU as sharp as a ReLU: the scaled GELUs "
        "contain ReLU as their limit. So to be nearer to GELU than to ReLU is nearly automatic, and **weak evidence** for a resemblance: what is not exactly a ReLU fits the larger family about as well or better. Of the "
        f"{len(both)} functions here, those learned from zeros counted too, {(nearer > 0).sum()} are nearer to GELU{rest}."
        + (
            f" At distances of {far.min():.2f} to {far.max():.2f}, where 1 is no better than a constant, {len(far)} of them cannot be said to resemble either."
            if len(far)
            else ""
        )
        + (
            f" Near a GELU, and nearer to it than to ReLU by more than 0.01, are {rounded}: their bend is rounded, which does not make them a GELU."
            if rounded
            else ""
        )
    )


def complexity(section: str, results: Collected) -> None:
    """Figures 4 and 18: accuracy against total variation."""
    if tables.finals(results).empty:
        return
    runs = tables.main_runs(results)
    points, correlations = tables.markers(runs), tables.correlations(runs)
    only_tuned = tables.correlations(tables.tuned_runs(results))
    outside = tables.nearly_constant(points)
    points = points[~outside]
    throughout = tables.marker_correlations(points)
    words, over_markers, chosen = (
        "; ".join(f"{looks.name_of(data)} {c}" for data, c in found.items())
        for found in (correlations, throughout, only_tuned)
    )
    show(
        lambda: plots.scatter(points, "tv", list(correlations)),
        alt=f"Scatter plots of test accuracy against total variation, one panel per dataset, markers by activation. Rank correlations over the runs at their best step: {words}; over all markers: {over_markers}.",
        caption=f"Test accuracy against total variation. Rank correlation over the runs of a dataset at their best step ({', '.join(f'{looks.name_of(data)} {n}' for data, n in runs.groupby('data', sort=False).size().items())} "
        f"runs), with 95 % interval from a bootstrap over activations and optimisers: {words}. Over all {len(points):,} markers, which are runs throughout their training: {over_markers}."
        + (f" {outside.sum()} markers of nearly constant networks are outside the frame." if outside.any() else ""),
        name=f"fig-tv-{section}",
        data=points.drop(columns="cluster"),
        explore=("complexity", explore.complexity(runs, results.records, explore.training_run)),
    )
    moved = max((abs(c.value - correlations[data].value) for data, c in only_tuned.items()), default=0.0)
    say(
        "The two correlations answer different questions. Over the runs at their best step, one point each, the training is over, and what differs is activation, optimiser, learning rate, restart and seed. "
        "Over all markers the course of training is in it too, in which complexity rises, and accuracy rises with it and in some runs falls again (the branches that go down at the right); a rank correlation does not show such a maximum. The paper's markers differ in hyperparameters or in the number of training steps "
        "(caption of its Figure 18); so [C3](../book/claims.ipynb) counts all markers, of all depths. "
        f"Optimisers and rates that were tried and not chosen are there with ReLU alone. Over the selecting and the final runs with the tuned optimiser only, the correlations at the best steps are {chosen}"
        f"{', so which runs are counted moves them by up to ' + format(moved, '.2f') if only_tuned else ''}. "
        f"Over all runs at their best steps the interval excludes 0 on {sum(c.low > 0 or c.high < 0 for c in correlations.values())} of {len(correlations)} datasets."
    )
    ahead = tables.gaps(tables.tuned(results))
    words = "; ".join(
        f"{looks.name_of(data)}, "
        + ", ".join(f"{row.arm} {looks.plus_minus(row.mean, row.half_width)}" for row in part.itertuples())
        for data, part in ahead.groupby("data", sort=False)
    )
    show(
        lambda: plots.scatter(points, "train_accuracy", list(correlations)),
        alt=f"Scatter plots of test accuracy against training accuracy, one panel per dataset, the same markers by activation, and a dotted line where both are equal. Training ahead of test at the best steps of the final runs with the tuned optimiser, in points: {words}.",
        caption=f"Test against training accuracy (on at most {MONITORED_ROWS:,} training rows) of the same models (the paper's Figure 18, left); below the dotted line training is ahead. How far at the best steps of the final runs with the tuned optimiser, in points, with 95 % interval over seeds: {words}.",
        name=f"fig-train-test-{section}",
        data=points.drop(columns="cluster"),
    )
    apart = [data for data, c in throughout.items() if abs(c.value - correlations[data].value) > 0.2]
    for data in apart:
        say(
            f"On {looks.name_of(data)} they are far apart: {correlations[data].value:+.2f} at the best steps, {throughout[data].value:+.2f} over all markers."
        )


def gains(results: Collected, data: str) -> None:
    """What the learned activations gain on one dataset with the tuned optimiser, beside what the paper says of it."""
    finals = tables.finals(results)
    if finals.empty or data not in set(finals.data):
        return
    runs = tables.tuned(results)
    found = intervals.summary(runs[runs.data == data], "test_accuracy", ["data"]).dropna()
    above = [row.arm for row in found.itertuples() if row.gain > row.gain_half_width]
    deep = tables.at_best_depth(results)
    deep = deep[deep.data == data].dropna() if len(deep) else deep
    say(
        f"On {looks.name_of(data)} the differences to ReLU are here, with one hidden layer, "
        + ", ".join(f"{row.arm} {_signed(row)} points" for row in found.itertuples())
        + ". "
        + (
            f"So {' and '.join(above)} {'is' if len(above) == 1 else 'are'} above ReLU with 95 % confidence. How much “slightly” is, the paper does not say."
            if above
            else "So none is above ReLU with 95 % confidence, and the paper's slight improvement is not seen."
        )
    )
    if len(deep):
        sure = [row.arm for row in deep.itertuples() if row.gain > row.gain_half_width]
        say(
            "The paper takes the depth that is best for each activation. With the depth that validation rows choose the differences are "
            + ", ".join(f"{row.arm} {_signed(row)} points" for row in deep.itertuples())
            + f": {' and '.join(sure) if sure else 'none'} above ReLU with 95 % confidence."
        )


def baselines(results: Collected, deep: pd.DataFrame) -> None:
    """How our ReLU networks compare with the paper's, in image regression.

    Args:
        deep: the final runs of the transfer section, which are the paper's Table 4.
    """
    runs, words = tables.finals(results), []
    if len(runs):
        runs = runs[(runs.arm == "ReLU") & (runs.data == "fashion_mnist")]
    if len(runs):
        best = tables.chosen(results.frame(role="tuning")).loc["fashion_mnist", "optimiser.name"]
        names = sorted(runs["optimiser.name"].unique(), key=lambda name: name != best)
        ours = " and ".join(
            f"{100 * runs[runs['optimiser.name'] == name].test_accuracy.mean():.1f} % with {name}" for name in names
        )
        words.append(f"with one hidden layer on Fashion-MNIST {ours} (the paper: 53.1 %, Table 1)")
    if len(deep):
        deep = deep[deep.arm == "ReLU"]
        paper = dict(zip(PAPER_DATASETS, PAPER_TABLE["ReLU"], strict=False))
        found = deep.groupby("data", sort=False).test_accuracy.mean()
        words.append(
            f"with {deep['network.depth'].iloc[0]} hidden layers in [transfer](transfer.ipynb), trained with {deep['optimiser.name'].iloc[0]}, "
            + ", ".join(
                f"{looks.name_of(data)} {100 * mean:.1f} % (the paper: {paper[data]}, Table 4)"
                for data, mean in found.items()
            )
        )
    at_depth = tables.by_depth(results)
    at_depth = at_depth[(at_depth.arm == "ReLU") & (at_depth.data == "cifar10")] if len(at_depth) else at_depth
    if len(deep) and len(at_depth):
        row = at_depth.sort_values("depth").iloc[-1]
        words.append(
            f"with {row.depth} hidden layers on this page, with more steps and smaller batches than in transfer, CIFAR-10 {100 * row['mean']:.1f} %"
        )
    if words:
        say(
            f"**Our ReLU is not the paper's baseline.** It reaches {'; '.join(words)}. The likely reason is the optimiser: the paper tunes it but does not list it, and here it moves the accuracy more than the activation "
            "does. A learned activation may have more to gain over a weaker baseline."
        )


def _with_gain(row) -> list[str]:
    """Two cells of a row of :func:`.records.intervals.summary`: the accuracy, and the difference to ReLU."""
    return [looks.plus_minus(row.mean, row.half_width), "" if row.arm == "ReLU" else _signed(row)]


def _signed(row) -> str:
    """The difference to ReLU of a row of :func:`.records.intervals.summary`, in points."""
    return f"{100 * row.gain:+.1f} ± {100 * row.gain_half_width:.1f}"


def depths(section: str, results: Collected) -> None:
    """Figure 17: the number of hidden layers."""
    deep = tables.by_depth(results)
    if deep.empty:
        say("Not yet run.")
        return
    best = {data: part.sort_values("depth") for data, part in tables.best_depths(deep).groupby("data", sort=False)}
    words = "; ".join(
        f"{looks.name_of(data)}, " + ", ".join(f"{r.arm} {100 * r.mean:.1f} ({r.depth})" for r in part.itertuples())
        for data, part in best.items()
    )
    show(
        lambda: plots.by_depth(deep, list(deep.data.unique())),
        alt=f"Test accuracy against the number of hidden layers, one panel per dataset, a line per activation. With the depth that validation rows choose, in brackets: {words} %.",
        caption=f"Depths, {'one seed' if deep.n.min() == 1 else f'{deep.n.min()} seeds, 95 % intervals'} (the paper's Figure 17). With the depth that validation rows choose, in brackets: {words} %.",
        name=f"fig-depth-{section}",
        data=deep,
    )
    compared = tables.at_best_depth(results)
    if len(compared):
        cells = [[looks.name_of(r.data), r.arm, r.depth, *_with_gain(r)] for r in compared.itertuples()]
        table(
            pd.DataFrame(
                cells, columns=["dataset", "activation", "hidden layers", "test accuracy (%)", "difference to ReLU"]
            ),
            caption=f"Each activation at the depth that validation rows choose for it, against ReLU at its own; {compared.n.min()} seeds, mean ± 95 % interval, differences paired by seed.",
            name=f"tab-depth-{section}",
        )
        gains = compared.dropna()
        better = [f"{r.arm} on {looks.name_of(r.data)}" for r in gains.itertuples() if r.gain > r.gain_half_width]
        below = [
            f"{r.arm} on {looks.name_of(r.data)} ({_signed(r)})"
            for r in gains.itertuples()
            if -r.gain > r.gain_half_width
        ]
        shallow = intervals.summary(tables.tuned(results), "test_accuracy", ["data"]).dropna()
        deeper = compared[(compared.arm == "ReLU") & (compared.depth > 1)].data
        lost = shallow[(shallow.gain > shallow.gain_half_width) & shallow.data.isin(deeper)]
        lost = [name for r in lost.itertuples() if (name := f"{r.arm} on {looks.name_of(r.data)}") not in better]
        say(
            (
                f"With the depth that suits each, above ReLU with 95 % confidence: {', '.join(better)}."
                if better
                else "**With the depth that suits each, no learned activation is above ReLU with 95 % confidence.**"
            )
            + (f" Above ReLU with one hidden layer, but not above a deeper ReLU: {', '.join(lost)}." if lost else "")
        )
        say(
            (f"Below ReLU: {', '.join(below)}. " if below else "")
            + f"With {compared.n.min()} seeds, differences smaller than {100 * gains.gain_half_width.min():.1f} to {100 * gains.gain_half_width.max():.1f} points do not show. The activations were learned with one hidden "
            "layer; in deeper networks only the layer-specific ones below were learned, with two."
        )
    own = deep[deep.arm == LAYERS]
    for row in own.itertuples():
        same = deep[(deep.data == row.data) & (deep.depth == row.depth)].set_index("arm")["mean"]
        others = ", ".join(f"{arm} {100 * same[arm]:.1f}" for arm in ARMS if arm in same)
        say(
            f"On {looks.name_of(row.data)} with {row.depth} hidden layers, one activation learned for each layer reaches {100 * row.mean:.1f} % ({others})."
        )


def _seconds(runs: pd.DataFrame) -> float:
    """What runs took together."""
    return sum(record.provenance["duration_s"] for record in runs.record)


def controls(section: str, results: Collected) -> None:
    """What else the time of the search could have been spent on."""
    both = tables.with_controls(results)
    if both.empty:
        say("Not yet run.")
        return
    known, tried = both.data.unique(), results.frame(role="control trial")
    compared = intervals.summary(both, "test_accuracy", ["data"])
    cells = [[looks.name_of(r.data), r.arm, r.n, *_with_gain(r)] for r in compared.itertuples()]
    counts = tried[tried.data.isin(known)].groupby("arm").size() // len(known)
    longer = int((both.steps.groupby(both.data).max() / both.steps.groupby(both.data).min()).max())
    table(
        pd.DataFrame(cells, columns=["dataset", "activation", "seeds", "test accuracy (%)", "difference to ReLU"]),
        caption=f"Controls with the tuned optimiser: the best of {counts[BY_HAND]} hand-made activations, the best of {counts[RANDOM]} random splines, ReLU with {longer} times the "
        "steps (and early stopping); mean ± 95 % interval.",
        name=f"tab-controls-{section}",
    )
    learning, relu, spent = results.frame("learn"), both[both.arm == "ReLU"], []
    learning = learning[learning.arm.isin(ARMS)].rename(
        columns={"settings.inner.name": "name", "settings.inner.lr": "lr"}
    )
    for data, trained in relu.groupby("data", sort=False):
        name, lr = trained[["optimiser.name", "optimiser.lr"]].iloc[0]
        same = learning[(learning.data.str[0] == data) & (learning.name == name) & (learning.lr == lr)]
        one = _seconds(trained) / len(trained)
        longest = both[(both.data == data) & (both.arm == LONGER)]
        control = max(
            _seconds(longest) / len(longest), *(_seconds(part) for _, part in tried[tried.data == data].groupby("arm"))
        )
        spent.append(
            f"{_seconds(same) / one:.0f} times as long as one training with ReLU on {looks.name_of(data)} ({len(same)} restarts; the costliest of the controls: {control / one:.0f} times)"
        )
    say(f"The learning took {', '.join(spent)}.")
    best = both[both.arm == LONGER].best_step.astype(int)
    if len(best):
        last = int(both[both.arm == LONGER].steps.max())
        say(
            f"The longer runs with ReLU have their best validation accuracy at steps {best.min():,} to {best.max():,} of {last:,}"
            + (": still more time would not help." if best.max() < last / 2 else ".")
        )
    for row in tables.over_controls(both).itertuples():
        name = tried[(tried.data == row.data) & (tried.arm == BY_HAND)].sort_values("validation_accuracy").iloc[-1]
        hand = name["network.activation.name"] + (
            f" (slope {name['network.activation.alpha']:g})" if name["network.activation.name"] == "sine" else ""
        )
        say(
            f"On {looks.name_of(row.data)} the hand-made activation that was chosen is {hand}. Against the best control by validation rows ({row.control}), the best learned activation "
            f"({row.learned}) is at {looks.plus_minus(row.gain, row.half_width)} points. "
            + (
                "The gain of this function survives the controls; the interval is over seeds of the one that was chosen, not over learning it again."
                if row.gain > row.half_width
                else "**Its gain over ReLU does not survive the controls.**"
            )
        )
