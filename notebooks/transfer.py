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

# %% tags=["remove-input"]
from notebooks.paper import claims, sections
from notebooks.paper.figures import explore, limits, looks
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import folded, provenance, say
from notebooks.paper.grokking import figures as grokking_figures
from notebooks.paper.records import intervals
from notebooks.paper.transfer import by_budget, figures, shown, tables, verdicts
from notebooks.paper.transfer.plan import PLANS

words = page_words.words("transfer")
read, plan = sections.reader(profile, data_dir), PLANS[profile]
results = read("transfer")
cells, finals, deep = results.frame(role="matrix"), results.frame(role="final"), results.frame(role="depth")
trials, controls = results.frame(role="control trial"), results.frame(role="control")
images_done = tables.table_complete(finals, plan.images)
equal = read("budgets")
seeds = by_budget.cells(equal)[0] if equal.records and not equal.missing else cells
cells = seeds[seeds.seed == cells.seed.iloc[0]] if len(cells) else cells  # for courses of training and the sines
scores = by_budget.scores(seeds) if len(cells) and results.lacking <= verdicts.LATER else None
compared, shared = (
    tables.against_sines(cells, trials, controls) if len(controls) and not results.missing else (None, "")
)
changed = intervals.summary(finals, "test_accuracy", ["data"]) if images_done else None

# %% [markdown]
# ## In short

# %% tags=["remove-input"]
paper = dict(zip(("relu", "specific", "every"), tables.PAPER_SCORES.values(), strict=True))
if scores is None:
    words.say("answer-matrix-missing", **paper)
elif len(shown.means(scores)) == len(paper):
    words.say("answer", headline=words.headline(shown.headline(scores)), **shown.means(scores))
if compared is not None:
    words.say("answer-sines", words=tables.sines_in_words(compared))
if images_done:
    words.say("answer-images", headline=words.headline(shown.images_headline(changed)), **shown.changes(changed))
if scores is not None and images_done:
    control = f" {by_budget.control(equal)}." if len(seeds) > len(cells) else ""
    words.say("sure", tasks=len(scores.score), cells=seeds.seed.nunique(), seeds=finals.seed.nunique(), control=control)
say(claims.badges("transfer", read))

# %% tags=["hide-input"]
if scores is not None:
    n, columns = scores.score.shape
    words.figure("fig-means", lambda narrow=False: figures.means(scores, narrow), tasks=n, columns=scores.specific.shape[1],
                 words=tables.in_words(tables.column_means(scores)), **{f"paper_{name}": score for name, score in paper.items()})  # fmt: skip

# %% tags=["remove-input"]
if scores is not None and images_done:
    run = finals.iloc[0]
    words.say("scale-full" if profile == "paper" else "scale-smoke", tasks=n, columns=columns, cells=len(seeds), each=seeds.seed.nunique(),
              width=cells["network.width"].iloc[0], steps=cells.steps.iloc[0], restarts=len(plan.matrix.restarts),
              data=", ".join(map(looks.name_of, plan.images.datasets)), depth=run["network.depth"], seeds=finals.seed.nunique(),
              image_width=run["network.width"], image_steps=run.steps, optimiser=looks.optimiser(run["optimiser.name"]))  # fmt: skip
for part in (results, equal):
    if part.missing:
        words.say("missing", missing=part.missing_in_words())

# %% [markdown]
# ## What the paper says
#
# Each of 22 activations, one per algorithmic task, is used on all 22 tasks. The matrix of results is filled, not diagonal: the activations transfer. One learned on all tasks
# at once is the best on average ([C17](../book/claims.ipynb#c17)). On image regression an activation helps most on the dataset that it was learned on, and one learned on all
# datasets helps slightly ([C18](../book/claims.ipynb#c18)) ([Teney et al., 2025](../book/bibliography.md#teney2025simplicity)).
#
# ## The tasks
#
# Both operands are given as one-hot vectors. The images are those of [image regression](regression.ipynb#the-data).

# %% tags=["hide-input"] fold="The tables of results of some of them"
from lib.datasets import algorithmic

some = ("a+b mod 27", "a-b mod 27", "ab mod 27", *algorithmic.TASKS[-3:])
words.figure("fig-tasks", lambda narrow=False: grokking_figures.targets(some, narrow), tasks=len(algorithmic.TASKS))

# %% [markdown]
# ## Live: learn on one task, use on another
#
# A small run on this page. The activation is learned on an addition and then used, unchanged, on a multiplication, in a fresh and wider network.

# %% tags=["hide-input"]
from dataclasses import replace

from lib import metalearning
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments.parts import load_parts, schedule, use

source, target = "a+b mod 17", "ab mod 17"

# %%
parts = load_parts(source, "one-hot", split=0, validation=0.0)
spline = Activation("spline", points=60, low=-1, high=1)
network = Network(parts.inputs, parts.outputs, width=64, activation=spline)
inner, outer = Optimiser("sgd", 2.0), Optimiser("adam", 0.006)
settings = Settings(episodes=140, n_tr_start=150, n_tr_step=1, unroll=10,
                    validation=0.15, watch=0.0, patience=140,
                    outer=outer, inner=inner)  # fmt: skip
task = Task(network, parts.train.x, parts.train.y, "mse")
learned = metalearning.learn([task], settings, seed=seed)

# %% [markdown]
# Now the other task, which the learning never saw:


# %% tags=["hide-input"]
def curves(activation, psi):
    """The accuracies of a fresh network during its training on the other task."""
    wide = replace(network, width=128, activation=activation)
    return use(wide, psi, other, "one-hot", optimiser=inner, evaluate_at=schedule(1500, 40, True), seed=seed).history


other = load_parts(target, "one-hot", split=0, validation=0.0)
live = {"ReLU": curves(Activation("relu"), {}), "learned from zeros": curves(spline, learned.psi)}

# %% tags=["hide-input"]
top = {arm: 100 * max(history["test_accuracy"]) for arm, history in live.items()}
often = 100 * (other.test.labels == other.train.labels.mode().values).float().mean()
words.figure("fig-live-transfer", lambda narrow=False: grokking_figures.live(learned.psi["hidden"].numpy(), live, narrow), source=source,
             target=target, learned=top["learned from zeros"], relu=top["ReLU"], often=float(often))  # fmt: skip

# %% [markdown]
# ## Results in detail
#
# ### Across algorithmic tasks
#
# The score of a cell is relative to the best activation for its task (row). Easy tasks, which a ReLU network solves, are scored by speed: the fewest steps to 95 % test accuracy,
# divided by the cell's steps. Hard tasks are scored by accuracy: the cell's test accuracy at the end, divided by the best. The score of a hard task
# is not 0 at chance level, so a low score there says little.

# %% tags=["hide-input"]
if scores is not None:
    moving = ("transfer", explore.transfer(cells, scores.score, scores.easy))
    words.figure("fig-matrix", lambda narrow=False: figures.heat_map(scores, narrow), data=scores.score.reset_index(names="task"), explore=moving,
                 easy=int(scores.easy.sum()), tasks=n, columns=columns, words=tables.means_in_words(scores),
                 own=100 * tables.own_scores(scores).own.mean(), others=100 * tables.own_scores(scores).others.mean())  # fmt: skip
    if scores.noise:
        words.say(
            "noise",
            count=len(scores.noise),
            tasks=", ".join(map(explore.pretty, scores.noise)),
            words=tables.rest_in_words(scores) or "none",
        )

# %% tags=["hide-input"] fold="The mean scores"
if scores is not None:
    words.table("tab-matrix", tables.score_table(scores))

# %% [markdown]
# ### Its own activation for each task
#
# The functions themselves are on the page of [learned activations](../book/activations.ipynb), the courses of training in the interactive matrix above.

# %% tags=["hide-input"]
own = shown.own_runs(results, cells) if scores is not None else cells
gains = tables.own_gains(own) if len(own) else ()
if len(gains) > 1 and tables.own_scores(scores)["all"].notna().all():
    words.say("own-scores", **shown.own(scores))
if len(gains):
    words.figure("fig-own-gains", lambda narrow=False: figures.own_gains(gains, narrow), data=gains.reset_index(names="task"),
                 **shown.gains(own, gains))  # fmt: skip

# %% [markdown]
# ### Or would any oscillation do?

# %% tags=["hide-input"]
if compared is not None:
    slopes = ", ".join(f"{g.alpha:g}" for g in plan.matrix.by_hand)
    words.table("tab-sines", shown.sines_table(compared), slopes=slopes, shared=shared, steps=controls.steps.iloc[0])

# %% [markdown]
# ### How the activations were learned

# %% tags=["remove-input"]
if learning := shown.learned(results):
    words.say("how-learned", **learning)
if nothing := shown.without(results, cells):
    words.say("nothing-learned", tasks=", ".join(map(explore.pretty, nothing)))

# %% [markdown]
# ### Across image datasets
#
# Regression on the class id with four hidden layers and residual connections. One optimiser is used for all datasets, the best on average with ReLU,
# so that an activation meets the training that it was learned with.

# %% tags=["hide-input"]
if images_done:
    words.figure("fig-images-transfer", lambda narrow=False: figures.image_changes(changed, narrow), data=changed,
                 seeds=int(changed.n.max()), **{k: v for k, v in shown.changes(changed).items() if k != "own"})  # fmt: skip
    folded(
        "Test accuracy (%) ± 95 % interval over seeds, in brackets the paper's Table 4; bold: its own dataset",
        tables.image_table(changed),
    )
else:
    words.table("tab-paper", shown.paper_table())
if at_limit := limits.of_fixed_steps(results):
    say(at_limit)

# %% tags=["hide-input"] fold="With other numbers of layers"
if images_done and len(deep) and not results.missing:
    accuracies = tables.architectures(finals, deep)
    words.table("tab-pairs", shown.pairs_table(accuracies), n=len(accuracies.drop("ReLU")))

# %% [markdown]
# ## Against the paper

# %% tags=["remove-input"]
say(claims.section("transfer", read))
of_paper = tables.paper_own_best()
words.say("paper-own", best=sum(of_paper.values()), total=len(of_paper),
          exception=", ".join(looks.name_of(data) for data, best in of_paper.items() if not best))  # fmt: skip

# %% [markdown]
# ## The deciding numbers, straight from the records
#
# Those of C17 again, without the code of the verdicts: a few lines of pandas over the configurations and numbers of the records.

# %% tags=["hide-input"] fold="Mean scores, and the lines that compute them"
import pandas as pd

from notebooks.paper.figures.display import table


def means_of(part):
    """The mean scores of one seed."""
    speed = (1 / pd.to_numeric(part.test_steps_to_95)).groupby([part.data, part.arm]).first().unstack()
    last = part.pivot(index="data", columns="arm", values="test_accuracy_last")
    score = last.where(speed["ReLU"].isna(), speed.fillna(0.0), axis=0)
    score = 100 * score.div(score.max(axis=1), axis=0)
    specific = score.filter(like="learned on ").drop(columns="learned on all").rename(columns=lambda arm: arm[11:])
    own = specific.where(specific.apply(lambda column: column.index == column.name))
    others = specific.where(own.isna()).mean(axis=1)
    means = {"others' activations": others.mean(), "a task's own": own.max(axis=1).mean()}
    return (
        {"ReLU": score["ReLU"].mean()} | means | {"one for all, equal steps per task": score["learned on all"].mean()}
    )


# %% tags=["hide-input"] fold="Seed by seed"
runs = equal.frame()
if len(runs):
    runs = runs[runs.seed.isin(runs.seed[runs.role == "equal"]) & runs.role.isin(["matrix", "own", "equal"])]
    runs = runs[(runs.arm != "learned on all") | (runs.role == "equal")]
    found = pd.DataFrame([means_of(part) for _, part in runs.groupby("seed")])
    table(found.mean().round(1).to_frame().T, caption=f"Mean scores in %, over the tasks and {len(found)} seeds.")

# %% [markdown]
# ## What differs from the paper, and why
#
# - The steps of the matrix are cut, equally for every cell, because a matrix at the paper's 60,000 steps would take days on a small computer. A task that ReLU solves later
#   than that counts as hard here.
# - Tasks with modulus 53 and S5 are learned and trained on batches of 1,024 pairs, about half of their training pairs with modulus 53 and a tenth with S5; the others on all
#   training pairs at once. So is the activation for all tasks: learned on batches of at most 1,024.
# - Their learning rate is in proportion to the number of results: 1 is for modulus 27, so about 2 for modulus 53 and 4.4 for S5. The loss is a mean over the outputs, and with rate 1, the
#   paper's, a task with more outputs needs as many more steps. For all tasks at once the loss is a sum over the outputs, so that each task counts as much.
# - The intervals of the mean scores are over tasks.
# - Batches of 1,024 images instead of 4,096, for all activations alike.
# - **Added.** Sines made by hand on every algorithmic task, as a control for what was learned.
# - Two restarts for the activations of image datasets. CIFAR-10 is its first 20,000 training images, and all its accuracies are near chance (10 %). ReLU on MNIST is far above the paper's number; the paper does not list its optimiser.
# - SVHN is not among the image datasets. The inner optimiser is the same for all datasets.
# - For the paper's Figure 19 the activations are those of the table above, learned with four hidden layers, and used with one to four. See [departures](../book/departures.ipynb).
#
# ## Recompute
#
# `make results SECTION=transfer` computes what is missing of most, `SECTION=budgets` of the scores with several seeds and equal inner steps.

# %% tags=["remove-input"]
provenance(profile, records=[*results.records, *equal.records])
