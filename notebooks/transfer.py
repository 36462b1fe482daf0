# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -papermill,-execution
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Transfer of activation functions
#
# Does an activation learned on one task help on another?

# %% tags=["set-up"] cellView="form" jupyter={"source_hidden": true}
# @title Set-up: finds the files of this companion or, in Colab, fetches them
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = "https://github.com/simplicity-bias-companion/companion"


def is_whole(folder):
    return (folder / "lib" / "splines.py").is_file() and (folder / "notebooks" / "paper" / "claims.toml").is_file()


here, clone = Path.cwd(), Path.cwd() / "companion"
places = [here, *here.parents, *map(Path, filter(None, sys.path)), clone]
root = next(filter(is_whole, places), None)
if root is None:
    with tempfile.TemporaryDirectory(prefix="companion-", dir=here) as scratch:  # one that is cut short is never used
        command = ["git", "clone", "--quiet", "--depth", "1", REPOSITORY, f"{scratch}/new"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise RuntimeError(f"{REPOSITORY} is not here and could not be fetched: {reason}") from None
        if clone.exists():  # half of one, or something else
            clone.rename(tempfile.mkdtemp(prefix="companion-old-", dir=here))
        Path(scratch, "new").rename(clone)
    root = clone
if "google.colab" in sys.modules:
    needed = ("openml", "safetensors", "scikit-learn>=1.7")  # installs what is lacking or older
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *needed], check=True)
root = str(root.resolve())
sys.path[:] = [root, *(place for place in sys.path if place != root)]  # before any other folder that has a `lib`
if not str(getattr(sys.modules.get("lib"), "__file__", None)).startswith(root):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lib"]:
        del sys.modules[name]  # another one, imported before

# %% tags=["parameters"]
profile = "paper"
seed = 0
data_dir = None

# %%
import pandas as pd
import torch

from lib import metalearning
from lib.datasets import algorithmic
from lib.metalearning import Settings, Task
from lib.metrics.similarity import turning_points
from lib.networks import Activation, Network
from lib.training import Optimiser, train
from notebooks.paper import claims, sections
from notebooks.paper.experiments.parts import accuracy, load_parts, schedule
from notebooks.paper.figures import explore
from notebooks.paper.figures.display import provenance, say, show, table
from notebooks.paper.figures.looks import name_of, plus_minus
from notebooks.paper.grokking import figures as grokking_figures
from notebooks.paper.records import limits
from notebooks.paper.records.intervals import paired_interval, summary
from notebooks.paper.transfer import figures as transfer_figures
from notebooks.paper.transfer import tables as transfer_tables
from notebooks.paper.transfer import verdicts as transfer_verdicts
from notebooks.paper.transfer.matrix import ALL, learned_on
from notebooks.paper.transfer.plan import PLANS

# %% [markdown]
# ## What the paper says
#
# Each of 22 activations, one per algorithmic task, is used on all 22 tasks. The matrix of results is filled, not diagonal: the activations transfer. One learned on all tasks
# at once is the best on average ([C17](../book/claims.ipynb)). On image regression an activation helps most on the dataset that it was learned on, and one learned on all
# datasets helps slightly ([C18](../book/claims.ipynb)) ([Teney et al., 2025](../book/bibliography.md#teney2025simplicity)).
#
# ## Live: learn on one task, use on another
#
# A small run on this page. The activation is learned on an addition and then used, unchanged, on a multiplication, in a fresh and wider network.

# %%
source, target = "a+b mod 17", "ab mod 17"
parts = load_parts(source, "one-hot", split=0, validation=0.0)
spline = Activation("spline", points=60, low=-1, high=1)
network = Network(parts.inputs, parts.outputs, width=64, depth=1, activation=spline)
inner, outer = Optimiser("sgd", 2.0), Optimiser("adam", 0.006)
learned = metalearning.learn(
    [Task(network, parts.train.x, parts.train.y, "mse")],
    Settings(episodes=140, n_tr_start=150, n_tr_step=1, unroll=10, validation=0.15, watch=0.0, patience=140,
             outer=outer, inner=inner),
    seed=seed,
)  # fmt: skip

# %% [markdown]
# Now the other task, which the learning never saw:


# %%
def curves(activation, psi, steps=1500):
    """Train a fresh network on the other task; the history of its training and test accuracy."""
    wide = Network(other.inputs, other.outputs, width=128, depth=1, activation=activation)

    def monitor(params):
        return {
            f"{name}_accuracy": accuracy(wide.forward(params, psi, part.x), part, "one-hot", other.classes)
            for name, part in (("train", other.train), ("test", other.test))
        }

    done = train(wide, psi, (other.train.x, other.train.y), loss="mse", optimiser=inner, evaluate_at=schedule(steps, 40, True),
                 monitor=monitor, generator=torch.Generator().manual_seed(seed), best=None)  # fmt: skip
    return done.history


other = load_parts(target, "one-hot", split=0, validation=0.0)
live = {"ReLU": curves(Activation("relu"), {}), "learned from zeros": curves(spline, learned.psi)}

# %% tags=["hide-input"]
top = {arm: 100 * max(history["test_accuracy"]) for arm, history in live.items()}
often = 100 * (other.test.labels == other.train.labels.mode().values).float().mean()
words = f"{top['learned from zeros']:.0f} % with the function learned on {source}, {top['ReLU']:.0f} % with ReLU"
show(
    lambda: grokking_figures.live(learned.psi["hidden"].numpy(), live),
    alt=f"Left: the function learned on {source}, an irregular oscillation on the range from -1 to 1. Right: training (dotted) and test accuracy "
    f"(solid) over steps on {target}. The highest test accuracy is {words}.",
    caption=f"Learned on {source}, used on {target} (small, live, one seed). Highest test accuracy: {words}; to always give the result that is the most frequent in training has {often:.0f} %.",
    name="fig-live-transfer",
)

# %% [markdown]
# ## Results

# %% tags=["remove-input"]
results = sections.results("transfer", profile, data_dir)
plan = PLANS[profile]
cells, finals, deep = results.frame(role="matrix"), results.frame(role="final"), results.frame(role="depth")
matrix_done = len(cells) > 0 and results.lacking <= transfer_verdicts.LATER
images_done = transfer_tables.table_complete(finals, plan.images)
where = (
    "from the committed records, scaled down as follows"
    if profile == "paper"
    else "**small, computed live** (profile smoke)"
)
if results.missing:
    say(f"**Not yet run**: {results.missing} or more records of this section are missing in profile {profile}.")

# %% tags=["remove-input"]
if at_limit := limits.of_fixed_steps(results):
    say(at_limit)

# %% [markdown]
# ### Across algorithmic tasks
#
# The score of a cell is relative to the best activation for its task (row). Easy tasks, which a ReLU network solves, are scored by speed: the fewest steps to 95 % test accuracy,
# divided by the cell's steps. Hard tasks are scored by accuracy: the cell's test accuracy at the end, divided by the best. The score of a hard task
# is not 0 at chance level, so a low score there says little.

# %% tags=["hide-input"]
if matrix_done:
    scores = transfer_tables.matrix_scores(cells)
    words = transfer_tables.means_in_words(scores)
    n, easy = len(scores.easy), int(scores.easy.sum())
    above = "Above the line: easy tasks. " if 0 < easy < n else ""
    say(
        f"These results are {where}: {n} of the paper's {len(algorithmic.TASKS)} tasks, {easy} of them easy, {scores.score.shape[1]} activations, {len(cells)} networks of {cells['network.width'].iloc[0]} units. "
        f"Every cell has {cells.steps.iloc[0]:,} steps, in place of the paper's 60,000, and one seed. Each activation is the best of {len(plan.matrix.restarts)} restarts by held-out pairs, the one for all tasks by its mean over the tasks."
    )
    if scores.noise:
        say(
            f"On {len(scores.noise)} tasks ({', '.join(scores.noise)}) no network is above 10 % test accuracy after these steps. Their scores compare noise, so the means are given without them too."
        )
    learning = results.frame("learn", task="one-hot")
    alone = learning[learning.arm != ALL].assign(task=lambda frame: frame.data.str[0])
    still = transfer_tables.learned_nothing(alone)
    nothing = [task for task in still.index if learned_on(task) not in set(cells.arm)]
    if still.any():
        say(
            f"Of the {len(alone)} restarts, {int(still.sum())} learned nothing within {alone['settings.episodes'].min()} episodes of {alone.inner_steps.sum() / alone.episodes.sum():,.0f} steps: the function is still a constant"
            + (" or the learning diverged" if alone.diverged.any() else "")
            + f". On {int((still == 0).sum())} of {len(still)} tasks all of them learned something."
        )
    together = learning[learning.arm == ALL]
    if len(together) and len(alone):
        own_steps, all_steps = alone.inner_steps.median(), together.inner_steps.median()
        say(
            f"Budgets of learning: a restart for one task takes {own_steps:,.0f} inner steps, one for all tasks {all_steps:,.0f}, which is {all_steps / n:,.0f} per task. So per task the two are "
            f"nearly alike, {all_steps / n / own_steps:.2f} to 1; in total the one for all tasks has {all_steps / own_steps:.0f} times as many steps as a task-specific one, and both have the same number of restarts ({len(plan.matrix.restarts)}). "
            "What part of its advantage is due to the larger total is not known from these runs."
        )
    if nothing:
        fit = 100 * cells[(cells.arm == "ReLU") & cells.data.isin(nothing)].train_accuracy_last
        few, many = f"{fit.min():.0f}", f"{fit.max():.0f}"
        say(
            f"**On {len(nothing)} {'task' if len(nothing) == 1 else 'tasks'} nothing was learned** in any restart, so there is no column ({', '.join(nothing)}). "
            f"With ReLU, networks twice as wide fit {few if few == many else f'{few} to {many}'} % of the training pairs there in {cells.steps.iloc[0]:,} steps."
        )
    tried = results.frame(role="selection", task="one-hot")
    apart = transfer_tables.restarts_apart(tried[tried.arm != ALL]).rename(lambda arm: arm.removeprefix("learned on "))
    joint = transfer_tables.restarts_apart(tried[tried.arm == ALL])
    if len(apart):
        gap, most = apart["best"] - apart["worst"], (apart["best"] - apart["worst"]).idxmax()
        say(
            f"How much hangs on the restart: at the end of the runs that select, the best and the worst restart of a task are {100 * gap.median():.0f} points of held-out accuracy apart "
            f"(median of the {len(apart)} tasks on which several learned something), at most {100 * gap.max():.0f} ({most}: {100 * apart['worst'][most]:.0f} and {100 * apart['best'][most]:.0f} %)."
        )
    if len(joint):
        say(
            f"Of the restarts for all tasks, the worst has {100 * joint['worst'].iloc[0]:.0f} % and the best {100 * joint['best'].iloc[0]:.0f} % held-out accuracy at the end of these runs, on average over the tasks."
        )
    show(
        lambda: transfer_figures.heat_map(scores),
        alt=f"Heat map of the scores, {n} tasks as rows and {scores.score.shape[1]} activations as columns: those learned on each task, ReLU, and the one learned on all tasks. "
        f"Mean score per column: {words}.",
        caption=f"Scores of each activation on each task (the paper's Figure 14). {above}"
        f"Mean over the tasks, with 95 % interval over them: {words}.",
        name="fig-matrix",
        data=scores.score.reset_index(names="task"),
        explore=("transfer", explore.transfer(cells, scores.score, scores.easy)),
    )
    table(
        transfer_tables.score_table(scores),
        caption="Mean score per column, the paper's number beside ours; 95 % intervals over the tasks. The task-specific number is the mean over all columns "
        f"and all tasks, not the diagonal. The two are not one measure: {easy} of our {n} tasks are easy and scored by speed, the others by accuracy, where chance is above 0; "
        "in the paper more tasks are solved with ReLU, after more steps.",
        name="tab-matrix",
    )
    for row in learning[(learning.arm == ALL) & learning.key.isin(cells.learned)].itertuples():
        outer, rounds = row.record.arrays["history_outer"], len(row.data)
        losses = outer[: len(outer) // rounds * rounds].reshape(-1, rounds)  # round by round, task by task
        kept = row.best_episode // rounds
        fallen = int((losses[max(kept - 5, 0) : kept + 1].mean(axis=0) < 0.9 * losses[0]).sum())
        means = transfer_tables.column_means(scores)
        serves = "all tasks" in means and means["all tasks"].mean > means.get("task-specific", means["ReLU"]).mean
        say(
            f"The activation for all tasks was kept after {row.best_episode:,} of {row.episodes:,} episodes, where the mean loss on held-out pairs is lowest: {losses.mean(axis=1).min():.3f}, from {losses[0].mean():.3f} at the "
            f"start, where it predicts nothing. By then the loss is more than 10 % below its start on {fallen} of {rounds} tasks, as narrow networks generalise little within an episode's {row.inner_steps / row.episodes:,.0f} steps."
            + (" In the wider and longer runs of the matrix the function serves all the same." if serves else "")
        )
    by_key = results.by_key
    specific, functions = scores.specific, dict.fromkeys(scores.score.index)
    functions |= {
        row.data: by_key[row.learned].arrays["psi_hidden"]
        for row in cells.itertuples()
        if row.arm == learned_on(row.data)
    }
    others = results.frame(role="own") if "own" not in results.lacking else cells.iloc[:0]
    own = pd.concat([cells[(cells.arm == "ReLU") | (cells.arm == cells.data.map(learned_on))], others])
    gains, seeds = transfer_tables.own_gains(own), own.seed.nunique()
    means = "On none of these tasks anything was learned"
    if len(gains):
        own_scores = transfer_tables.own_scores(scores)
        sure = gains[gains.gain.abs() > gains.half_width]
        with_own = own[own.data.isin(gains.index)]
        relu, mine = (
            100 * part.test_accuracy_last.mean()
            for part in (with_own[with_own.arm == "ReLU"], with_own[with_own.arm != "ReLU"])
        )
        reached = with_own.groupby(["data", "arm"]).test_accuracy_last.mean().unstack()
        works = reached.drop(columns="ReLU").max(axis=1)[own_scores.index] >= 0.1
        good, bad = own_scores[works], own_scores[~works]
        say(
            f"Used on the task that it was learned on, an activation scores {100 * own_scores.own.mean():.1f} % on average, on the other tasks {100 * own_scores.others.mean():.1f} %."
            + (
                f" With {len(good)} of the {len(own_scores)} activations, networks reach 10 % test accuracy on the activation's own task; these score {100 * good.own.mean():.1f} and {100 * good.others.mean():.1f} %."
                if len(bad) and len(good)
                else ""
            )
        )
        if own_scores["all"].notna().all() and len(own_scores) > 1:
            ahead = paired_interval(own_scores.own, own_scores["all"])
            say(
                f"On these tasks the activation for all of them scores {100 * own_scores['all'].mean():.1f} %; the tasks' own are {plus_minus(*ahead)} points from it, paired by task, "
                + (
                    "so that learning on the very task is not shown to be better."
                    if ahead.mean - ahead.half_width <= 0
                    else "so that learning on the very task is better."
                )
            )
        if len(bad) and len(good):
            say(
                f"Those that fail on their own task score {100 * bad.others.mean():.1f} % on the others (their tasks: {', '.join(bad.index)}). The best column is {specific.mean().idxmax().removeprefix('learned on ')}."
            )
        means = f"Mean test accuracy at the end, over the {len(gains)} tasks on which something was learned: {relu:.0f} % with ReLU, {mine:.0f} % with the task's own activation"
        if seeds > 1:
            low = int((reached.max(axis=1) < 0.1).sum())
            say(
                f"With its own activation, a task's test accuracy after {own.steps.iloc[0]:,} steps is above ReLU's with 95 % confidence ({seeds} seeds) on {(sure.gain > 0).sum()} of {len(gains)} tasks and below it on "
                f"{(sure.gain < 0).sum()}; the largest gain is {100 * gains.gain.max():.0f} points ({gains.gain.idxmax()})."
                + (
                    f" On {low} of the {len(gains)} tasks test accuracy stays below 10 % with both, so that a gain there is of little use."
                    if low
                    else ""
                )
            )
    figure_count = -(-len(functions) // 12)
    for part in range(figure_count):
        some = dict(
            list(functions.items())[part * len(functions) // figure_count : (part + 1) * len(functions) // figure_count]
        )
        turns = [turning_points(torch.from_numpy(psi)) for psi in some.values() if psi is not None]
        show(
            lambda some=some: transfer_figures.own_activations(own, some),
            alt=f"Small panels, one for each of {len(some)} tasks: test and training accuracy over training steps with ReLU and with the activation learned on the task, and below it that function, "
            + (
                f"an irregular oscillation that turns {min(turns)} to {max(turns)} times. "
                if turns
                else "which is constant. "
            )
            + f"{means}.",
            caption=f"Each task with ReLU and with its own activation: accuracy over steps on test pairs (thick) and on training pairs (dotted), {f'mean of {seeds} seeds with 95 % bands' if seeds > 1 else 'one seed'}, "
            "and below it the function on $[-1, 1]$ (the paper's Figure 28"
            + (f", part {part + 1} of {figure_count}" if figure_count > 1 else "")
            + f"). {means}.",
            name=f"fig-own-activations-{part + 1}",
        )
    tried, control = results.frame(role="control trial"), results.frame(role="control")
    if len(control) and not results.missing:
        compared, shared = transfer_tables.against_sines(cells, tried, control)
        table(
            pd.DataFrame(
                [
                    [
                        name,
                        f"{100 * row.mean:.1f}",
                        row.tasks,
                        "—" if pd.isna(row.ahead) else plus_minus(row.ahead, row.half_width),
                    ]
                    for name, row in zip(compared.index, compared.itertuples(), strict=True)
                ],
                columns=["activation", "mean test accuracy (%)", "tasks", "ahead of the sine (points)"],
            ),
            caption=f"A control: sines made by hand, $0.1 \\sin(kz)$ with $k$ = {', '.join(f'{g.alpha:g}' for g in plan.matrix.by_hand)}, chosen on held-out pairs as restarts are, one for all tasks ({shared}) or one for each. Test accuracy after {control.steps.iloc[0]:,} steps. "
            "Last column: what was learned on all tasks against the one sine, on the task against its sine, paired by task over the tasks of its row, with 95 % intervals over tasks; one seed.",
            name="tab-sines",
        )
        words = transfer_tables.sines_in_words(compared)
        say(f"Is it the learning, or would any oscillation do? {words[:1].upper()}{words[1:]}.")
else:
    say(
        "The matrix over the algorithmic tasks is **not yet run**. In the paper the mean scores are: "
        + "; ".join(f"{k} {v} %" for k, v in transfer_tables.PAPER_SCORES.items())
        + "."
    )

# %% [markdown]
# ### Across image datasets
#
# Regression on the class id with four hidden layers and residual connections. One optimiser is used for all datasets, the best on average with ReLU,
# so that an activation meets the training that it was learned with.

# %% tags=["hide-input"]
if images_done:
    changed = summary(finals, "test_accuracy", ["data"])
    average = transfer_tables.mean_changes(changed)
    words = "; ".join(f"{transfer_tables.arm_name(arm)} {100 * row['mean']:+.1f}" for arm, row in average.iterrows())
    say(
        f"These results are {where}: {', '.join(name_of(data) for data in plan.images.datasets)}; width {plan.images.width}, {plan.images.steps:,} steps of "
        f"{finals['optimiser.name'].iloc[0]} with learning rate {finals['optimiser.lr'].iloc[0]:g}, {finals.seed.nunique()} seeds, {len(plan.images.restarts)} restart(s)."
    )
    show(
        lambda: transfer_figures.image_changes(changed),
        alt=f"Change of test accuracy against ReLU in points, one panel per dataset, one marker per activation with a 95 % interval. Mean over the datasets: {words}.",
        caption=f"Change of test accuracy against ReLU, paired over {changed.n.max()} seeds, 95 % intervals; square: learned on this dataset, diamond: on all. "
        f"Mean over the datasets in points: {words}.",
        name="fig-images-transfer",
        data=changed,
    )
    table(
        transfer_tables.image_table(changed),
        caption="Test accuracy (%) of image regression with 95 % intervals over seeds, in brackets the paper's Table 4, where it has the dataset. Bold: the dataset that the activation was learned on. "
        "Last column: mean and standard deviation over the datasets of the change against ReLU; the paper's is over its four.",
        name="tab-images-transfer",
    )
else:
    say("The image datasets are **not yet run**; the paper's numbers follow.")
    names = [name_of(data) for data in transfer_tables.PAPER_DATASETS]
    rows = [[arm, *row[:4], f"{row[4]:+.1f} ± {row[5]}"] for arm, row in transfer_tables.PAPER_TABLE.items()]
    table(
        pd.DataFrame(rows, columns=["activation", *names, "mean change"]),
        caption="The paper's Table 4: accuracy of image regression (%). Ours is not yet run.",
    )

# %% [markdown]
# The paper's Figure 19 asks whether what helps on one dataset helps on another. Each marker is an architecture: an activation, in a network of one to four hidden layers; a thin line joins the depths of an activation, in their order, up to the one whose number is written.
# Accuracies rise together with depth on any dataset that is learned, so the correlations of the changes against ReLU at equal depth say more. The architectures share a few activations, so the intervals are rather too narrow;
# CIFAR-10 is near chance and says little.

# %% tags=["hide-input"]
if images_done and len(deep) and not results.missing:
    accuracies = transfer_tables.architectures(finals, deep)
    correlations = transfer_tables.pair_correlations(accuracies)

    def in_words(which):
        return "; ".join(f"{name_of(a)} and {name_of(b)} {found[which]}" for (a, b), found in correlations.items())

    n = len(accuracies.drop("ReLU"))
    show(
        lambda: transfer_figures.pairs(accuracies),
        alt=f"Scatter plots of test accuracy on one dataset against another, one panel per pair, one marker per activation and depth, joined by depth, with a grey line fitted to the learned ones. "
        f"Rank correlations: {in_words(0)}.",
        caption=f"Test accuracy on pairs of datasets, {'one seed' if deep.seed.nunique() == 1 else f'mean over {deep.seed.nunique()} seeds'}; thin lines join the depths of an activation, the number is beside the deepest. The grey line is fitted to the {n} architectures with a learned activation (the paper's Figure 19). Their rank "
        f"correlations, with 95 % intervals over architectures: {in_words(0)}. Of their changes against ReLU at the same depth: {in_words(1)}.",
        name="fig-images-pairs",
        data=accuracies.reset_index(),
    )
else:
    say("**Not yet run**.")

# %% [markdown]
# ## Against the paper

# %% tags=["remove-input"]
say(claims.section("transfer", sections.reader(profile, data_dir, transfer=results)))

# %% tags=["remove-input"]
own = transfer_tables.paper_own_best()
say(
    f"By the rule of C18, the paper's own table has {sum(own.values())} of {len(own)} datasets that do best with their own activation; the exception is "
    f"{', '.join(name_of(data) for data, best in own.items() if not best)}."
)

# %% [markdown]
# ## The deciding numbers, straight from the records
#
# Those of C17 again, without the code of the verdicts: a few lines of pandas over the configurations and numbers of the records.

# %%
cells = results.frame(role="matrix")
if len(cells):
    last = cells.pivot(index="data", columns="arm", values="test_accuracy_last")
    speed = 1 / cells.assign(steps=pd.to_numeric(cells.test_steps_to_95)).pivot(
        index="data", columns="arm", values="steps"
    )
    easy = speed["ReLU"].notna()
    score = last.where(~easy, speed.fillna(0.0), axis=0)
    score = 100 * score.div(score.max(axis=1), axis=0).mean()
    own = score.drop(["ReLU", "learned on all"], errors="ignore")
    table(
        pd.DataFrame(
            {
                "columns": ["ReLU", "task-specific (mean)", "all tasks"],
                "mean score (%)": [score["ReLU"], own.mean(), score.get("learned on all")],
            }
        ).round(1),
        caption=f"Mean score over {len(last)} tasks, {int(easy.sum())} of them scored by speed.",
    )

# %% [markdown]
# ## What differs from the paper, and why
#
# - The steps of the matrix are cut, equally for every cell, because a matrix at the paper's 60,000 steps would take days on a small computer. A task that ReLU solves later
#   than that counts as hard here.
# - Tasks with modulus 53 and S5 are learned and trained on batches of 1,024 pairs, about half of their training pairs with modulus 53 and a tenth with S5; the others on all
#   training pairs at once. So is the activation for all tasks: learned on batches of at most 1,024.
# - Their learning rate is in proportion to the number of results: 1 is for modulus 27, so about 2 for modulus 53 and 4.4 for S5. The loss is a mean over the outputs, and with rate 1, the
#   paper's, a task with more outputs needs as many more steps. For all tasks at once the loss is a sum over the outputs, so that each task counts as much.
# - One seed per cell; the intervals of the mean scores are over tasks.
# - Batches of 1,024 images instead of 4,096, for all activations alike.
# - **Added.** Sines made by hand on every algorithmic task, as a control for what was learned.
# - Two restarts for the activations of image datasets. CIFAR-10 is its first 20,000 training images, and all its accuracies are near chance (10 %). ReLU on MNIST is far above the paper's number; the paper does not list its optimiser.
# - SVHN is not among the image datasets. The inner optimiser is the same for all datasets.
# - In Figure 19 the activations are those of the table, learned with four hidden layers, and used with one to four. See [departures](../book/departures.ipynb).
#
# ## Recompute

# %% tags=["remove-input"]
if results.records:
    hours = sum(record.provenance["duration_s"] for record in results.records) / 3600
    say(
        f"`make results SECTION=transfer` computes what is missing. The {len(results.records)} records behind this page took {hours:.2f} core-hours."
    )
else:
    say("`make results SECTION=transfer` computes this section, about twelve hours on one core (an estimate).")

# %% tags=["remove-input"]
provenance(profile, records=results.records)
