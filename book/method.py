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
# # Method
#
# Three tools: a family of activation functions that can take any shape, an algorithm that finds a good one, and a measure of how complex the function of a
# trained network is {cite}`teney2025simplicity`. This page explains them beside the code that implements them; what is quoted is read from the library when the page is
# built. Everything plotted here is small and computed on the page.

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

# %% tags=["hide-input"]
import inspect

import numpy as np
import pandas as pd
import torch

from lib import activations, episodes, metalearning, metrics, splines, training
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser, take, train
from notebooks.paper.experiments.parts import LOSS_OF, load_parts
from notebooks.paper.figures import dial, method
from notebooks.paper.figures.display import provenance, say, show, table
from notebooks.paper.records.intervals import spearman

# %% [markdown]
# ## The activation is the dial
#
# A network with random weights already is a function. How complex a function depends on the activation more than on anything else: with ReLU it stays nearly as simple
# whatever the size of the weights, with a function that goes up and down it does not. This is what a learned activation changes. Drag a point of the activation, or take another one.

# %% tags=["hide-input"]
learned = {
    "learned on a+b mod 27": activations.load("grokking-aplusb-mod-27-sgd-zeros"),
    "learned on Fashion-MNIST, from ReLU": activations.load("regression-fashion_mnist-adam-relu"),
    "learned on Fashion-MNIST, from zeros": activations.load("regression-fashion_mnist-adam-zeros"),
}
shown = {
    "ReLU": (Activation("relu"), None),
    "tanh 3z": (Activation("tanh", alpha=3), None),
    "sin 3z": (Activation("sine", alpha=3), None),
}
g = learned["learned on a+b mod 27"]
shown["learned on a+b"] = Activation("spline", points=len(g.values), low=g.low, high=g.high), g.values.detach()
drawn, scale = dial.draw(), 3.0
variations = {name: dial.picture(drawn, 0, *of, scale)[1] for name, of in shown.items()}
show(
    lambda narrow=False: dial.figure(drawn, shown, scale, narrow),
    alt="One random network of two inputs with four activations. The functions are above, the network's output over the square is below as a picture. Total variation: "
    + "; ".join(f"{name} {value:.2f}" for name, value in variations.items())
    + ".",
    caption=f"The activation decides how complex a random network is. One network with two hidden layers of {dial.WIDTH} units, PyTorch's initial weights times {scale:g}: its total variation "
    f"is {variations['ReLU']:.2f} with ReLU and {variations['learned on a+b']:.2f} with a learned activation, in units of the output's range.",
    name="fig-dial",
    explore=("dial", dial.data(drawn, learned)),
)

# %% [markdown]
# ## The activation is a spline
#
# An activation function $g$ is described by its values $\psi$ at $n_c$ {term}`control points <control point>`, evenly spaced in $[a, b]$. Between two of them $g$ is a
# straight line; outside $[a, b]$ it keeps its end values $g(a)$ and $g(b)$. Nothing asks $g$ to be smooth or monotonic. That freedom is the point: a
# family with a simplicity built in could not show where simplicity hurts.
#
# One $g$ is shared by all units of a network. Two variants have one per layer, or one per input column, applied to the raw input before the first
# layer (*input activation functions*, which start as the identity).


# %% tags=["hide-input"]
def target(z):
    return torch.sin(20 * z)


counts = (15, 50, 200)
fine = torch.linspace(-1, 1, 4001, dtype=torch.float64)
errors = {
    n: float((splines.interpolate(fine, target(splines.grid(n, -1, 1)), -1, 1) - target(fine)).abs().max())
    for n in counts
}
control = np.array([0.1, -0.3, 0.5, 0.9, -0.2, 0.3, 0.6])
show(
    lambda: method.interpolations(control, target, counts),
    alt="Left: seven control points joined by steps (nearest), straight lines (linear) and a smooth curve (cubic), all constant "
    f"beyond the ends. Right: the sine of 20 z held by splines of {counts[0]}, {counts[1]} and {counts[2]} control points; the first cuts off the crests.",
    caption="Left: three ways to interpolate the same control values; the paper and this companion use straight lines, and the ablation compares. Right: the sine "
    "$\\sin 20z$ on splines of few and many points. Largest errors: "
    + ", ".join(
        f"{error:.2f} with $n_c$ = {n}" if error >= 0.01 else f"{error:.4f} with $n_c$ = {n}"
        for n, error in errors.items()
    )
    + ".",
    name="fig-splines",
)

# %% [markdown]
# The range matters as much as the number: control points that no {term}`pre-activation` reaches are never trained, and a steep function needs points
# dense enough to hold it. Restarts of the algorithm try several $n_c$.
#
# ## Algorithm 1
#
# A good activation is one with which a network, *once trained*, does well on data it has not seen. So there are two
# problems, one inside the other:
#
# $$
# \begin{aligned}
# \min_\psi \;& \mathcal{L}_V\big(\theta_{n_{tr}}(\psi), \psi\big) \\
# \text{where}\;\; & \theta_{k+1} = \theta_k - \text{lr} \; \nabla_\theta\, \mathcal{L}_{T'}(\theta_k, \psi)
# \end{aligned}
# $$
#
# The {term}`inner loop` trains the weights $\theta$ on $T'$ with $\psi$ fixed. The {term}`outer loop` moves $\psi$ along the gradient of the loss on
# held-out data $V$. Each {term}`episode` draws a new split and new weights, so that $\psi$ cannot lean on either.
#
# ### The paper's steps beside our lines

# %% tags=["remove-input"]
SOURCE = inspect.getsource(metalearning._learn).splitlines()
INNER = inspect.getsource(episodes.inner_loop).splitlines()


def line(part, source=SOURCE):
    """The one line of a function that has this in it: the page fails when the code has moved on."""
    found = [text.strip().split("  #")[0] for text in source if part in text]
    if len(found) != 1:
        raise ValueError(f"one line with {part!r} must be there, found {found}")
    return found[0]


def block(first, last, source):
    """The lines from one that has this in it to the last before another, without their common indentation."""
    begin = next(i for i, text in enumerate(source) if first in text)
    end = next(i for i, text in enumerate(source) if last in text and i > begin)
    return inspect.cleandoc("\n".join(source[begin - 1 : end])).splitlines()


STEPS = [
    (r"Initialise $\psi$ with zeros, or as a ReLU.", [line("init_psi")]),
    (
        r"Let $n_{tr}$, the number of inner steps, grow from one episode to the next: cheap and easy at first.",
        [line("n_tr = min(")],
    ),
    (r"Split the training data $T$ of this episode into $T'$ and $V$.", [line("draw_episode")]),
    (r"Draw fresh weights $\theta$.", [line("network.init(generator)")]),
    (
        r"Repeat $n_{tr}$ times: a gradient step on $\theta$ for the loss on $T'$, with $\psi$ fixed.",
        [line("inner_loop("), "", *block("with torch.no_grad()", "return theta", INNER)],
    ),
    (r"Evaluate the loss on $V$ after this training.", [line("loss = outer_loss")]),
    (
        r"One gradient step on $\psi$, with learning rate $\eta$.",
        [line("torch.autograd.grad"), line("settings.outer.step(")],
    ),
    (r"Stop when the performance worsens.", [line("settings.patience * len(tasks)")]),
]
say(
    "\n".join(
        f"{i}. {words}\n\n   ```python\n" + "\n".join(f"   {code}" for code in lines) + "\n   ```\n"
        for i, (words, lines) in enumerate(STEPS, 1)
    )
)

# %% tags=["remove-input"]
defaults = Settings()
symbols = [
    (r"$\psi$", "`psi`", "values of the activation at the control points"),
    (r"$\theta$", "`theta`, `params`", "weights and biases"),
    (
        r"$T'$, $V$",
        "`train_rows`, `outer_rows`",
        f"an episode's training and validation rows; {100 * defaults.validation:.0f} % are $V$ by default",
    ),
    (r"$n_{tr}$, $n_{tr}^{max}$", "`n_tr`, `n_tr_max`", "inner steps, and their largest number"),
    (r"$t$", "`unroll`", f"inner steps that the outer gradient goes back through; {defaults.unroll} by default"),
    (r"$\eta$", "`outer.lr`", "learning rate of $\\psi$"),
    (
        r"$n_c$, $[a, b]$",
        "`points`, `low`, `high`",
        f"control points and their range; {Activation().points} in [{Activation().low:g}, {Activation().high:g}] by default",
    ),
]
table(
    pd.DataFrame(symbols, columns=["paper", "code", "meaning"]),
    caption="The paper's symbols and the names in the library.",
)

# %% [markdown]
# The loop as it runs, one restart of the algorithm:

# %% tags=["remove-input"]
start = next(i for i, text in enumerate(SOURCE) if text.startswith("    for episode"))
say("```python\n" + inspect.cleandoc("\n".join(SOURCE[start:])) + "\n```")
say(
    f"The paper's *performance worsens* is read on {100 * defaults.watch:.0f} % of the rows that no episode draws, by default: see [departures](departures.ipynb). "
    "A *restart* is one such run with its own seed, $n_c$, $t$, $\\eta$ and initial $\\psi$. From several restarts, the one is kept that does best "
    "on validation data after a network was trained from scratch with it."
)

# %% [markdown]
# ### The gradient through the last steps
#
# $\mathcal{L}_V$ depends on $\psi$ in two ways: directly, because the trained network evaluates $g$; and through the weights, because every inner step used $g$. Following the
# second way back through *all* steps would need the memory of all of them. The algorithm follows it through the last $t$ and treats $\theta_{n_{tr}-t}$ as a constant. Through these
# steps it is exact: it differentiates the gradients themselves, so it needs second derivatives.

# %% tags=["hide-input"]
show(
    method.outer_gradient,
    alt="A row of weights from theta 0 to theta n, then the loss on V; psi above. Solid arrows run forward. Dashed arrows run back from the loss through the last t "
    "steps only, and from each of them and from the loss itself up to psi. The first steps are marked as run without autograd.",
    caption="Solid: training, forward. Dashed: the outer gradient, back through the last $t$ steps and up to $\\psi$. The steps before are plain "
    "training and cost no more than that.",
    name="fig-outer-gradient",
)

# %% [markdown]
# How much does the truncation lose? For episodes on digits, the gradient through the last $t$ steps beside the one through all steps, computed exactly:

# %% tags=["hide-input"]
parts = load_parts("digits", "regression", split=0, validation=0.1)
spline = Activation("spline", points=50, low=-5, high=5)
small = Network(parts.inputs, parts.outputs, width=16, depth=1, activation=spline)
task = Task(small, parts.train.x, parts.train.y, LOSS_OF["regression"])
n_tr, tails, rates, repeats = 100, (0, 1, 5, 20, 50, 100), (0.05, 0.2), 3


def outer_gradient(t, rate, episode):
    """The outer gradient of one episode through the last t of its steps."""
    settings = Settings(unroll=t, inner=Optimiser("sgd", rate))
    generator = torch.Generator().manual_seed(1000 * seed + episode)
    rows, held_out = episodes.draw_episode(task, settings, torch.arange(len(task.x)), generator)
    psi = {"hidden": small.init_psi("relu")["hidden"].requires_grad_()}
    theta = episodes.inner_loop(task, psi, small.init(generator), rows, n_tr, settings, generator)
    return torch.autograd.grad(
        episodes.outer_loss(task, psi, theta, take(episodes.outer_source(task, settings), held_out)), psi["hidden"]
    )[0]


cosines, lengths = {}, {}  # per rate: (episodes, tails)
for rate in rates:
    found = torch.stack([torch.stack([outer_gradient(t, rate, e) for t in tails]) for e in range(repeats)])
    whole = found[:, -1:]  # (episodes, 1, n_c)
    cosines[rate] = torch.cosine_similarity(found, whole, dim=2).numpy()
    lengths[rate] = (found.norm(dim=2) / whole.norm(dim=2)).numpy()
five = tails.index(5)
words = "; ".join(
    f"at a learning rate of {rate:g}, a mean cosine of {cosines[rate][:, five].mean():.2f} and a mean relative length of {lengths[rate][:, five].mean():.2f}"
    for rate in rates
)
show(
    lambda: method.truncation(tails, cosines),
    alt=f"Cosine between the truncated and the whole outer gradient over t, for {repeats} episodes each at two learning rates of the inner loop. With t = 5: {words}.",
    caption=f"{repeats} episodes of {n_tr} inner steps each, digits as a regression, from a ReLU; thick: the mean. With the paper's usual $t = 5$: {words}.",
    name="fig-truncation",
)

# %% [markdown]
# With gentle inner steps, the short gradient points where the whole one does. With larger ones, the whole gradient is another: it is much longer, because going back through
# many steps of a lively training multiplies many matrices, and the earliest steps come to dominate it. There the truncation does more than save memory: it is not clear that the whole gradient would be the better guide. The
# paper found $t = 5$ to do well, and the first-order variant, $t = 0$, to do worse; the [ablations](../notebooks/ablations.ipynb) try several and do not confirm the latter.
#
# ### What "learned from zeros" means
#
# At $\psi = 0$ the network is a constant: every hidden unit outputs 0, whatever its weights. The inner loop can then train the last bias only. But the
# loss on $V$ still has a gradient in $\psi$, since a bump in $g$ would move the outputs, by the random output weights; the first steps on $\psi$ are made from that. Nothing of a ReLU, or of any other
# known function, is in the start. When such a run ends near a known function, it has found it; when it ends elsewhere, the ReLU start may have
# been a local optimum.

# %% tags=["hide-input"]
inner = Optimiser("sgd", 0.2)
narrow = Network(parts.inputs, parts.outputs, width=32, depth=1, activation=spline)
settings = {k: Settings(episodes=k, n_tr_start=20, n_tr_step=5, inner=inner) for k in (5, 15, 40)}
learned = {
    k: metalearning.learn([Task(narrow, parts.train.x, parts.train.y, LOSS_OF["regression"])], s, seed=seed)
    for k, s in settings.items()
}
psi = learned[40].psi
watched = learned[40].history["watch"]
show(
    lambda: method.growth({k: found.psi["hidden"].numpy() for k, found in learned.items()}, -5, 5),
    alt="An activation function that starts as the zero function and takes a shape with several bumps within 40 episodes, most of it between -2 and 2.",
    caption=f"An activation learned from zeros, live: digits as a regression, the best so far after 5, 15 and 40 episodes. The loss on the watched rows "
    f"goes from {watched[0]:.3f} to {watched[learned[40].best_episode]:.3f}.",
    name="fig-from-zeros",
)

# %% [markdown]
# ## How complex is a trained network?
#
# ### Total variation along paths
#
# Take two training points of different classes, walk from one to the other in a straight line, and watch the output: how much does it go up and down
# on the way? The {term}`TV complexity` of a model is this, averaged over paths. From the outputs along a path, the straight line between the two ends is subtracted, because
# the two predictions differ and some change is needed; what is summed is what goes beyond. So a linear model scores exactly 0.
#
# $$
# \operatorname{TV}(f, T) = \mathbb{E}_{x_a, x_z \sim T} \sum_i \big| d(x_{i+1}) - d(x_i) \big|,
# \qquad d(x_i) = f(x_i) - \text{the line from } f(x_a) \text{ to } f(x_z)
# $$


# %% tags=["hide-input"]
def trained(activation, psi, optimiser=inner, steps=400):
    network = Network(parts.inputs, parts.outputs, width=64, depth=1, activation=activation)
    done = train(network, psi, (parts.train.x, parts.train.y), loss="mse", optimiser=optimiser, evaluate_at=[steps],
                 monitor=lambda params: {}, generator=torch.Generator().manual_seed(seed), best=None)  # fmt: skip
    return lambda x: network.forward(done.params, psi, x)


models = {"ReLU": trained(Activation("relu"), {}), "learned": trained(spline, psi)}
pairs = metrics.sample_paths(
    parts.train.x, parts.train.labels, generator=torch.Generator().manual_seed(seed), paths=200
)
complexity = {
    name: metrics.total_variation(f, parts.train.x, None, generator=torch.Generator().manual_seed(seed), paths=pairs)
    for name, f in models.items()
}
# the path on which the two models are, together, nearest to their means
typical = sum((c.per_path / c.mean - 1).abs() for c in complexity.values()).argmin()
ends = parts.train.x[pairs[typical]]
walk = torch.lerp(ends[:1], ends[1:], torch.linspace(0, 1, 100)[:, None])
panels = [
    (name, f(walk)[:, 0].detach().numpy(), float(complexity[name].per_path[typical])) for name, f in models.items()
]
from_class, to_class = parts.train.labels[pairs[typical]].tolist()
words = ", ".join(f"{name} {c.mean:.2f} ± {c.standard_error:.2f}" for name, c in complexity.items())
show(
    lambda: method.paths(panels),
    alt=f"Outputs of two models along a path between a digit {from_class} and a digit {to_class}, with the straight line between their ends and the deviation from it shaded. "
    f"Total variation of this path: {', '.join(f'{name} {variation:.2f}' for name, _, variation in panels)}.",
    caption=f"The paper's Figure 30 on digits: the output of a model on the way from a {from_class} to a {to_class}, one typical path of {len(pairs)}. "
    f"Means over all of them, with standard errors: {words}. Small live models.",
    name="fig-paths",
)

# %% [markdown]
# The defaults are the paper's: 200 paths, 100 points each, and, for models with several outputs, one output drawn at random per path. Values of different datasets
# cannot be compared, because the distances between their points differ.
#
# #### Against a known answer
#
# A sine of $m$ whole periods along a path starts and ends at 0, so nothing is subtracted; each period goes up by 1, down by 2 and up by 1. Its total variation is $4m$.

# %% tags=["remove-input"]
x, y = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([0, 1])
rows = []
for m in (1, 3, 10, 25):

    def sine(x, m=m):
        return torch.sin(2 * torch.pi * m * x)

    few, many = (metrics.total_variation(sine, x, y, generator=torch.Generator(), points=n).mean for n in (100, 1000))
    rows.append((m, 4 * m, f"{few:.2f}", f"{many:.2f}"))
table(
    pd.DataFrame(rows, columns=["periods $m$", "exact, $4m$", "100 points", "1,000 points"]),
    caption="Total variation of a sine. With 100 points, fast oscillations are undercounted: the measure sees what happens between points only at the points.",
)

# %% [markdown]
# ### The Fourier measure
#
# The paper validates total variation against a measure from *Neural Redshift* {cite}`teney2024redshift`: the mean frequency of the function, weighted by amplitude. There it is computed on a grid over
# the input space, which cannot be had beyond a few dimensions. Here it is taken along the same paths. The outputs $f_0, \dots, f_{n-1}$ of a path are extended by their mirror image, so that they close a
# period without a jump; the mean is subtracted; and with $F_k$ the discrete Fourier transform of that,
#
# $$
# \frac{\sum_k |k| \, |F_k|}{\sum_k |F_k|} \quad \text{in cycles per path, averaged over paths.}
# $$
#
# We should say how this definition came about: there are several ways to carry the measure over to paths (with or without the mirror image, with the straight line or the mean subtracted), and
# we took the one that agreed with total variation on tanh networks of growing slope. Its agreement with total variation on such networks is therefore no independent evidence. The reasons for not
# taking the others are in the docstring of `fourier_complexity`, in `lib/metrics/complexity.py`.

# %% tags=["hide-input"]
alphas = 2.0 ** np.arange(-3, 3.5, 0.5)
tanh_models = [
    trained(Activation("tanh", alpha=float(a)), {}, Optimiser("sgd", 0.1 / float(a)), steps=200) for a in alphas
]
values = [
    [
        measure(f, parts.train.x, None, generator=torch.Generator().manual_seed(seed), paths=pairs).mean
        for f in tanh_models
    ]
    for measure in (metrics.total_variation, metrics.fourier_complexity)
]
agreement = spearman(*values)
show(
    lambda: method.measures(alphas, *values),
    alt=f"Mean frequency against total variation of {len(alphas)} small networks with tanh activations of growing slope; both grow with the slope. Rank correlation {agreement.value:.2f}.",
    caption=f"The two measures on {len(alphas)} networks with $\\tanh(\\alpha z)$, digits as a regression, live; the learning rate is divided by $\\alpha$, as in the paper. Rank correlation {agreement.value:.2f} "
    f"[{agreement.low:.2f}, {agreement.high:.2f}]. The paper's Figure 29 shows the same on the table *electricity*.",
    name="fig-measures",
)

# %% [markdown]
# ## Training, once the activation is fixed

# %% tags=["remove-input"]
say(
    "A learned $g$ is then an activation like any other: fresh networks of any width are trained with it, as with ReLU. "
    f"A model is evaluated with the average of its weights over the last {training.AVERAGED_STEPS} steps ({{term}}`weight averaging`), "
    "which leaves the training itself alone. It takes the noise of single steps out of the curves. Batches are large, "
    "and early stopping keeps the step that is best on validation data. Optimiser and learning rate are tuned with ReLU once per dataset and then used for every activation, "
    "so that any advantage of tuning is on ReLU's side."
)

# %% tags=["remove-input"]
provenance(profile)
