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
# # Image classification
#
# Which activation function does image classification want, and does it matter?

# %% tags=["set-up"]
# In a clone this finds `lib`; on Colab it fetches the repository and installs what Colab lacks.
import importlib.util
import subprocess
import sys
from pathlib import Path

REPOSITORY = "https://github.com/simplicity-bias-companion/companion"
if importlib.util.find_spec("lib") is None:
    folders = [Path.cwd(), *Path.cwd().parents, Path.cwd() / "companion"]
    root = next((folder for folder in folders if (folder / "lib" / "display.py").is_file()), None)
    if root is None:
        root = folders[-1]
        subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, str(root)], check=True)
    lacking = [name for name in ("openml", "safetensors") if importlib.util.find_spec(name) is None]
    if lacking and "google.colab" in sys.modules:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *lacking], check=True)
    sys.path.insert(0, str(root))

# %% tags=["parameters"]
profile = "smoke"
seed = 0
data_dir = None

# %%
import pandas as pd
import torch
from matplotlib import pyplot as plt

from lib import figures, image_results, metalearning, reading, splines
from lib.display import provenance, say, show, table
from lib.experiments import LOSS_OF, load_parts
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser, train

# %% [markdown]
# ## What the paper says
#
# For image classification all activations do about equally well
# ([C1](../book/claims.ipynb)): starting from a ReLU, Algorithm 1 ends at a smooth variant that resembles a GELU; starting from zeros it finds a
# wavelet-like function that performs as well. Accuracy does not go with complexity
# ([C3](../book/claims.ipynb)). The simplicity bias of ReLU networks suits this domain {cite}`teney2025simplicity`.
#
# ## Live: learn an activation in a few seconds
#
# A small run on scikit-learn's 8×8 digits, computed on this page. Each of Algorithm 1's episodes draws fresh weights
# and a fresh split, trains a network of 32 hidden units for a growing number of steps, and moves the 50 control
# values of the activation along the gradient of the held-out loss.

# %%
parts = load_parts("digits", "classification", split=0, validation=0.1)
spline = Activation("spline", points=50, low=-5, high=5)
network = Network(parts.inputs, parts.outputs, width=32, depth=1, activation=spline)
inner = Optimiser("sgd", 0.2)
learned = {
    init: metalearning.learn(
        [Task(network, parts.train.x, parts.train.y, LOSS_OF["classification"])],
        Settings(init=init, episodes=40, n_tr_start=20, n_tr_step=5, inner=inner),
        seed=seed,
    )
    for init in ("relu", "zeros")
}

# %% tags=["hide-input"]
def live_figure():
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8))
    grid = splines.grid(50, -5, 5)
    for init, arm in {"relu": "learned from ReLU", "zeros": "learned from zeros"}.items():
        colour, _, line = figures.ARMS[arm]
        left.plot(grid, learned[init].psi["hidden"], color=colour, linestyle=line, label=arm)
        right.plot(learned[init].history["outer"], color=colour, linestyle=line, label=arm)
    left.set(xlabel="pre-activation $z$", ylabel="$g(z)$", title="the learned functions")
    right.set(xlabel="episode", ylabel="loss on $V$", title="what they were learned from", yscale="log")
    left.legend(fontsize=8)
    left.grid()
    right.grid()
    return figure


first, last = learned["zeros"].history["outer"][0], learned["zeros"].history["outer"][-1]
show(
    live_figure,
    alt=f"Left: two learned activation functions on the range from -5 to 5. Right: the held-out loss of the episodes; "
    f"from zeros it falls from {first:.3f} to {last:.3f}.",
    caption="Two activations learned on this page (small, live): from a ReLU and from zeros. The held-out loss of the "
    "episodes falls, partly because later episodes train longer.",
    name="fig-live-images",
)

# %% [markdown]
# Used as fixed activations in a fresh, wider network:

# %% tags=["hide-input"]
from lib.experiments import accuracy

rows = []
arms = {
    "ReLU": (Activation("relu"), {}),
    "learned from ReLU": (spline, learned["relu"].psi),
    "learned from zeros": (spline, learned["zeros"].psi),
}
for arm, (activation, psi) in arms.items():
    wide = Network(parts.inputs, parts.outputs, 64, 1, activation)

    def monitor(params, wide=wide, psi=psi):
        return {
            f"{name}_accuracy": accuracy(wide.forward(params, psi, part.x), part, "classification", parts.classes)
            for name, part in (("validation", parts.validation), ("test", parts.test))
        }

    done = train(wide, psi, (parts.train.x, parts.train.y), loss=LOSS_OF["classification"], optimiser=inner,
                 evaluate_at=range(0, 301, 20), monitor=monitor, generator=torch.Generator().manual_seed(seed))  # fmt: skip
    at = done.history["step"].index(done.best_step)
    rows.append((arm, f"{100 * done.history['test_accuracy'][at]:.1f}", done.best_step))
table(pd.DataFrame(rows, columns=["activation", "test accuracy (%)", "best step"]), caption="The live run: one seed, digits, 64 hidden units. It shows the mechanism, not the claim.")

# %% [markdown]
# ## Results

# %% tags=["remove-input"]
results = reading.results("images", profile, data_dir)
finals, tuning, learning = image_results.finals(results), results.frame(role="tuning"), results.frame("learn")
complete = len(finals) > 0
where = "full scale, from the committed records" if profile == "paper" else "**small, computed live** (profile smoke)"
if complete:
    sizes = ", ".join(figures.name_of(data) for data in finals.data.unique())
    say(
        f"These results are {where}: {sizes}; one hidden layer of {finals['network.width'].iloc[0]} units, "
        f"{finals.steps.iloc[0]:,} steps of batch {finals.batch.iloc[0]:,}, {finals.seed.nunique()} seeds, "
        f"{learning.seed.nunique()} restart(s) of the learning."
    )
if results.missing:
    say(f"**Not yet run** in part: {results.missing} or more records of this section are missing in profile {profile}.")

# %% [markdown]
# ### The optimiser, tuned with ReLU
#
# As in the paper (Appendix E.1), optimiser and learning rate are tuned with ReLU, on validation rows, once per dataset,
# and then used for every activation, inside Algorithm 1 too. The choice of the optimiser moves the accuracy more than the
# activation does; for [regression](regression.ipynb) the comparison is made with plain gradient descent as well.

# %% tags=["remove-input"]
if complete:
    table(image_results.tuning_table(tuning), caption="ReLU: validation accuracy (%) per optimiser and learning rate, one seed. The best of each column is used.")
    for data, rate in image_results.at_the_edge(tuning):
        say(f"On {figures.name_of(data)} the best rate, {rate:g}, is at the edge of what was tried: a better one may lie beyond.")

# %% [markdown]
# ### Accuracy

# %% tags=["hide-input"]
if complete:
    best = image_results.chosen(tuning)["optimiser.name"].reindex(finals.data.unique())
    for title, summary in image_results.summaries(finals, tuning).items():
        gains = summary.dropna()
        words = "; ".join(
            f"{figures.name_of(row.data)}, {row.arm}: {100 * row.gain:+.1f} ± {100 * row.gain_half_width:.1f}" for row in gains.itertuples()
        )
        used = ", ".join(f"{name} on {figures.name_of(data)}" for data, name in best.items()) if "tuned" in title else "SGD"
        show(
            lambda summary=summary: figures.accuracies(summary, list(summary.data.unique())),
            alt=f"Test accuracy with {title}, one panel per dataset, for ReLU and the two learned activations, with 95 % "
            f"intervals. Differences to ReLU in points: {words}.",
            caption=f"Test accuracy with {title} ({used}); bars are 95 % intervals over {summary.n.max()} seeds. "
            f"Paired differences to ReLU in points: {words}.",
            name="fig-accuracy-images-" + title.split()[-1],
            data=summary,
        )

# %% tags=["remove-input"]
if profile == "paper":
    for data in ("cifar10", "svhn"):
        if data not in set(finals.data):
            say(f"{figures.name_of(data)}: **not run**" + (": data not available here." if data == "svhn" else " yet."))

# %% [markdown]
# ### The learned functions

# %% tags=["hide-input"]
if complete:
    panels, distances = image_results.functions(results)
    show(
        lambda: figures.learned_functions(panels, "gelu"),
        alt="Small panels of the learned activation functions on the range from -5 to 5, with GELU dotted: "
        "one panel per dataset, optimiser and initial function.",
        caption="The learned functions that the final runs use, with GELU dotted. Scale and offset carry no meaning: "
        "the next layer's weights absorb them.",
        name="fig-functions-images",
    )
    table(
        distances,
        caption="Distance of each learned function from GELU and from ReLU after the best scale, shift and input scale, weighted by where the "
        "trained network's pre-activations fall: 0 is equality, 1 is no better than a constant.",
        name="tab-distance-images",
    )

# %% [markdown]
# ### Accuracy against complexity
#
# Each marker is one model at one moment of its training: all runs of this section, over optimisers, learning rates,
# restarts and seeds, from 10 % of the steps on. Complexity is the [total variation](../book/method.ipynb) along paths between
# training points of different classes.

# %% tags=["hide-input"]
if complete:
    last = image_results.main_runs(results)
    points, correlations = image_results.markers(last), image_results.correlations(last)
    words = "; ".join(
        f"{figures.name_of(data)} {c.value:+.2f} [{c.low:+.2f}, {c.high:+.2f}]" for data, c in correlations.items()
    )
    show(
        lambda: figures.accuracy_against_tv(points, list(correlations)),
        alt=f"Scatter plots of test accuracy against total variation, one panel per dataset, markers by activation. "
        f"Rank correlations over the runs: {words}.",
        caption=f"Test accuracy against total variation. Rank correlation over the {len(last)} runs at their best step, "
        f"with 95 % interval: {words}.",
        name="fig-tv-images",
        data=points,
    )

# %% [markdown]
# ### Other depths
#
# The same activations in deeper, residual networks; and, with two hidden layers, one activation learned for each layer.

# %% tags=["hide-input"]
deep = image_results.by_depth(results)
if len(deep):
    best_of = deep.loc[deep.groupby(["data", "arm"])["mean"].idxmax()]
    words = "; ".join(f"{figures.name_of(r.data)}, {r.arm} {figures.plus_minus(r.mean, r.half_width)} ({r.depth})" for r in best_of.itertuples())
    show(
        lambda: figures.by_depth(deep, list(deep.data.unique())),
        alt=f"Test accuracy against the number of hidden layers, one panel per dataset, a line per activation. Best of each, with its depth: {words}.",
        caption=f"Depths, {deep.n.min()} seeds, 95 % intervals (the paper's Figure 17). Best depth of each activation: {words} %.",
        name="fig-depth-images",
        data=deep,
    )
else:
    say("Not yet run.")

# %% [markdown]
# ## Against the paper
#
# The paper shows Figure 2a as a plot without numbers: accuracies between arms "differ little". The claims are settled by these rules.

# %% tags=["remove-input"]
from lib import claims

table(
    claims.frame(claims.for_section("images"), reading.reader(profile, data_dir, images=results)),
    caption="The claims of this section; rules and all others on the [claims page](../book/claims.ipynb).",
)

# %% [markdown]
# ## What differs from the paper, and why
#
# - What is planned but has no record yet says so above: deeper networks, CIFAR-10 (batches of 1,024). Deeper networks use the activations learned with one hidden layer.
# - SVHN is not run: the data were not at hand. With `svhn.npz` or a download in the data directory, `make results SECTION=images` runs it.
# - Only the tuned optimiser is used, and the learning takes fewer episodes than for regression: scaled down to afford both.
# - Width, number of steps and the grid of learning rates are not in the paper; ours are above.
# - The outer optimiser is Adam, and some rows are watched that no episode draws, to stop in time. See [departures](../book/departures.ipynb).
#
# ## Recompute

# %% tags=["remove-input"]
if results.records:
    hours = sum(record.provenance["duration_s"] for record in results.records) / 3600
    say(f"The {len(results.records)} records behind this page took {hours:.2f} core-hours.")
say("`make results SECTION=images` computes what is missing.")

# %% tags=["remove-input"]
provenance(profile, records=results.records)
