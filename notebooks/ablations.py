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
# # Ablations
#
# Which choices in Algorithm 1 matter: restarts, interpolation, the outer objective, the depth of unrolling, the number of control points, the outer optimiser?

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
from notebooks.paper import sections
from notebooks.paper.ablations import figures, learner_tables, tables
from notebooks.paper.ablations import variants as variants_plan
from notebooks.paper.ablations.plan import DEFAULT
from notebooks.paper.figures import limits, looks
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import folded, provenance, say

words = page_words.words("ablations")
results = sections.results("ablations", profile, data_dir)
compared = tables.compare(results)
accuracies, restarts, apart = compared.accuracies, compared.restarts, compared.told_apart()
run = results.frame(role="final").iloc[0]
data, seeds = looks.name_of(run.data), len(accuracies["ReLU"])
numbers = {"seeds": seeds, "few": compared.few}
default = results.frame("learn").set_index("arm").loc[[DEFAULT]].iloc[0]
unroll, points = default["settings.unroll"], default["network.activation.points"]

# %% [markdown]
# ## In short

# %% tags=["remove-input"]
tested = restarts.test * 100
means = {
    name: 100 * accuracies[arm].mean()
    for name, arm in (("default", compared.equal), ("relu", "ReLU"), ("chosen", DEFAULT))
}
words.say("answer", headline=words.headline(compared.headline()), data=data, unroll=unroll, points=points, restarts=len(restarts),
          low=tested.min(), high=tested.max(), **means, **apart, **numbers)  # fmt: skip

# %% tags=["hide-input"]
summary = compared.summary()
variants = {name: len(arms.split(", ")) * (arms != "none") for name, arms in apart.items()}
relu_gain = abs(summary.set_index("arm").gain["ReLU"])
words.figure("fig-ablations", lambda narrow=False: figures.differences(compared, narrow), data=compared.shown(), relu=relu_gain, **numbers,
             restarts=len(restarts), total=sum(variants.values()), worse=variants["worse"], better=variants["better"])  # fmt: skip

# %% tags=["remove-input"]
words.say("scale-full" if profile == "paper" else "scale-smoke", data=data, width=run["network.width"], steps=run.steps, batch=run.batch,
          optimiser=looks.optimiser(run["optimiser.name"]), rate=run["optimiser.lr"], restarts=len(restarts), **numbers)  # fmt: skip
if results.missing:
    words.say("missing", missing=results.missing_in_words())

# %% tags=["remove-input"]
if at_limit := limits.of_fixed_steps(results):
    say(at_limit)

# %% [markdown]
# ## What the paper says
#
# Appendix D ablates the method on Fashion-MNIST regression with one hidden layer, 10 seeds. Restarts help but are not
# indispensable (the paper's Table 1); nearest-neighbour interpolation is worse, cubic no better than linear (the paper's Table 2); minimising the
# training loss is a little worse than the validation loss, which is about as good as cheating with the test loss (the paper's Table 3).
# The text adds that first order alone is worse than unrolling a few steps ([Teney et al., 2025](../book/bibliography.md#teney2025simplicity)).
#
# ## Live: three interpolations
#
# A small run on the 8×8 digits, computed on this page: the same episodes with linear, nearest-neighbour and cubic splines.

# %%
from lib import metalearning, splines
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments.parts import load_parts

parts = load_parts("digits", "regression", split=0, validation=0.1)
settings = Settings(episodes=25, n_tr_start=20, n_tr_step=5, inner=Optimiser("sgd", 0.2))
learned = {}
for method in splines.METHODS:
    network = Network(parts.inputs, parts.outputs, width=32, activation=Activation("spline", points=50, method=method))
    learned[method] = metalearning.learn([Task(network, parts.train.x, parts.train.y, "mse")], settings, seed=seed)

# %% tags=["hide-input"]
last = {method: run.history["outer"][-1] for method, run in learned.items()}
losses = ", ".join(f"{method} {loss:.3f}" for method, loss in last.items())
functions = {method: run.psi["hidden"] for method, run in learned.items()}
words.figure("fig-live-ablations", lambda narrow=False: figures.interpolations(functions, 3, narrow), losses=losses, best=min(last, key=last.get))  # fmt: skip

# %% [markdown]
# ## Results in detail

# %% tags=["hide-input"]
words.table("tab-ablations", compared.table(), few=compared.few)

# %% tags=["remove-input"]
best, smaller = restarts.validation.idxmax(), restarts[restarts.seed < compared.few].validation.idxmax()
if best != smaller:
    words.say("chosen-below" if tested[best] < tested[smaller] else "chosen-above", all=len(restarts), few=compared.few,
              best=tested[best], smaller=tested[smaller])  # fmt: skip
first_order = summary[summary.arm == "first order (t = 0)"]
if len(first_order):
    words.say(
        "first-order",
        unroll=unroll,
        gain=first_order.gain.item(),
        half=first_order.gain_half_width.item(),
        spread=tested.max() - tested.min(),
    )

# %% [markdown]
# ### The learned functions

# %% tags=["hide-input"]
of_method = tables.interpolated(results)
alike = ", ".join(f"{method} {value:.2f}" for method, value in tables.likeness(of_method).items())
words.figure(
    "fig-ablation-functions",
    lambda narrow=False: figures.interpolations(of_method, 5, narrow),
    methods=len(of_method),
    alike=alike,
)

# %% [markdown]
# ## A learner that picks its start
#
# Many restarts of Algorithm 1 learn nothing, and functions made by hand do as well as learned ones on several tasks. `lib.learner` takes something of both:
#
# 1. *Race.* Functions made by hand (sines, tanh, GELU, SiLU, ReLU) and random smooth ones are held fixed while networks train with them, for short. The better part trains again, and longer
#    (successive halving [Jamieson and Talwalkar, 2016](../book/bibliography.md#jamieson2016nonstochastic)), the last three as long as a whole training.
# 2. *Learn.* Algorithm 1 begins at the best of them.
# 3. *Pick.* What is best on validation rows is kept: one of the three, what was learned, or ReLU; on tables also input activations, which Algorithm 1 learns beside ReLU.
#
# Amplitudes and slopes are multiples of the spread of the pre-activations, so the same functions and settings serve all tasks. `learn_activation` and the estimators begin in this way, with shorter races.

# %% tags=["remove-input"]
read = sections.reader(profile, data_dir, ablations=results)
searched, first = read("longer"), read("learner")
tasks, absent = learner_tables.collect(searched, profile, read if profile == "paper" else None, longer=True)
on_collages, none = learner_tables.collect(of_tiles := read("collages"), profile, longer=True, collages=True)
tasks, absent = tasks | on_collages, absent + none
before, _ = learner_tables.collect(first, profile)
if tasks:
    good, total = learner_tables.counted(tasks)
    added, holds = learner_tables.gains_of_learning(tasks), sum(bool(task.holds()) for task in tasks.values())
    words.say("learner-answer", good=good, total=total, holds=holds, tasks=len(tasks), better=int(added.better.sum()),
              starts=len(added))  # fmt: skip

# %% [markdown]
# It is compared with a *search by hand*, which spends about as many inner steps on races of functions made by hand alone. Where the learner keeps a start that was made by hand, it often is the function that this search finds, too, and the two are one.

# %% tags=["hide-input"]
words.say("learner-rule", **learner_tables.rule())
if tasks:
    words.table("tab-learner", learner_tables.table(tasks), restarts=len(next(iter(tasks.values())).restarts()))
    folded("The other arms, and what the searches cost in inner steps", learner_tables.more(tasks))
    if len(chosen := learner_tables.choices(tasks)):
        words.table("tab-choice", chosen)

# %% tags=["remove-input"]
rivals = learner_tables.trained_together(tasks)
if "rational" in rivals:
    words.say("learner-rational", accuracies=rivals["rational"])
if "DiTAC" in rivals:
    words.say("learner-ditac", accuracies=rivals["DiTAC"])
if before:
    good_before, total_before = learner_tables.counted(before)
    words.say("learner-before", good=good_before, total=total_before, tasks=len(before),
              holds=sum(bool(task.holds()) for task in before.values()))  # fmt: skip
absent += [f"{name} (the search by hand)" for name, task in tasks.items() if learner_tables.HAND not in task.finals]
if absent:
    words.say("learner-absent", tasks=", ".join(absent))

# %% tags=["hide-input"]
if tasks:
    words.figure(
        "fig-learner", lambda narrow=False: figures.searches(tasks, narrow), good=good, total=total, tasks=len(tasks)
    )

# %% tags=["hide-input"] fold="Starts, and ways to the outer gradient, side by side"
tried = learner_tables.of_variants(read("variants"), before)
waiting = [name for name in variants_plan.PLANS[profile].tasks if name not in set(tried.task)]
if len(tried):
    words.table("tab-gradients", tried)
if waiting:
    words.say("gradients-absent", tasks=", ".join(waiting))

# %% [markdown]
# ## What differs from the paper, and why
#
# - Nearest-neighbour interpolation has no slope: its backward pass uses the slope of the linear spline.
# - Batches have 1,024 rows, not 4,096, for all arms alike.
# - Our restarts of an arm are equal but for their seed. The paper's also differ in hyperparameters, and its Table 1 is over “restarts / hyperparameters”; so its average and its best say more of the search
#   than ours.
# - Only the default arm has four restarts; the others have two, and are compared with the default's best of two.
# - First order, other values of $t$, the number of control points and the outer optimiser are not in the paper's tables; readers ask for them.
# - The learner that picks its start is not in the paper. A SiLU with a slope, which is in its family, is a Swish. Rational functions and DiTAC are trained with the weights, at their rate, a tenth or a hundredth of it, by validation.
#
# ## Recompute
#
# `make results SECTION=ablations` computes what is missing, `make results SECTION=longer` and `make results SECTION=collages` of the learner that picks its start, and `make results SECTION=variants` of the ways to the gradient.

# %% tags=["remove-input"]
provenance(profile, records=[*results.records, *searched.records, *of_tiles.records, *first.records])
