"""Algorithm 1 for any torch module: its weights as a list, its learned function as an argument (through torch.func).

:class:`ModuleNetwork` offers what :func:`lib.metalearning.learn` asks of a network: init, init_psi, embed,
loss_and_gradients, loss, functions, check_data. :class:`lib.networks.Network` is the fast path of the same protocol,
with its gradient written out; on an MLP both give the same outer gradient (tested in float64).
"""

import contextlib
import statistics
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from . import splines
from .episodes import Report, episode_generator, from_scratch, ordinary_torch, silent, watch_loss, watch_split
from .learner import STARTS, Start, at, check_names, family, learn_from, openings, outer_rate, race
from .metalearning import Learned, Settings, Task
from .networks import Activation, Params, Psi
from .training import Optimiser, take

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # of Adam, that the baseline is tried with
LOSSES = {"mse": F.mse_loss, "cross_entropy": F.cross_entropy, "logistic": F.binary_cross_entropy_with_logits}


def default_settings(inner: Optimiser, start: str | Start = "relu", **changes) -> Settings:
    """The settings of Algorithm 1 for a task that nothing is known of, but the optimiser that suits its baseline.

    The outer rate is relative to a start that comes from a race.
    """
    outer = Optimiser("adam", outer_rate(start.psi) if isinstance(start, Start) else 0.05)
    about = {"episodes": 60, "n_tr_start": 150, "n_tr_step": 0, "batch": 256, "patience": 30, "length": 0.5}
    return Settings(inner=inner, **{"outer": outer, **about} | changes)


def race_of(task: Task, settings: Settings, steps: int, seed: int, report: Report) -> list[Start]:
    """A race for starts, whose last heat has so many steps; none where no hidden function is learned.

    The unit of the family is an eighth of the range: about a standard deviation, as :func:`range_of` makes it.
    """
    if (hidden := task.network.functions.get("hidden")) is None:
        return []
    about = {"inner": settings.inner, "batch": settings.batch, "steps": steps, "seed": seed}
    return race(task, family((hidden.high - hidden.low) / 8), **about, report=report)


class LearnedFunction(nn.Module):
    """The g that a model is made with: the spline with the psi of the moment. Copies of it share that psi."""

    def __init__(self, activation: Activation, dim: int):
        super().__init__()
        self.activation, self.dim = activation, dim
        self.function: Callable[[Tensor], Tensor] | None = None  # instead of the spline: the baseline's
        self.psi: list[Tensor] = []
        self.seen: list[Tensor] | None = None  # pre-activations, where they are asked for
        self.calls = 0

    def __deepcopy__(self, memo):
        return self  # as nn.TransformerEncoder copies its layers

    def forward(self, z: Tensor) -> Tensor:
        self.calls += 1
        if self.seen is not None:
            self.seen.append(z.detach().flatten())
        if self.function is not None:
            return self.function(z)
        a = self.activation
        return splines.evaluate(z, self.psi[0], a.low, a.high, a.method, self.dim)


class ModuleNetwork:
    """Any module that uses a function g, as a function of its weights and of g's control values psi.

    Args:
        make_model: from g, a torch.nn.Module, to a fresh model; g may be used anywhere in it, and more than once.
        activation: a spline: range, points and interpolation of g.
        channels: for one function per channel, how many there are; g then takes tensors (N, channels, ...).

    Weights are the parameters that require a gradient. Steps are taken in ``train()``, with dropout and with the
    statistics of the batch; losses on V and on watched rows are in ``eval()``, with the running statistics that those
    steps left. Attention runs by PyTorch's math kernel, since the fused ones have no second derivative, and recurrent
    layers without cuDNN, for the same reason.

    NOTE[DIFF]: the paper's networks have no running statistics. Here they are constants to the outer gradient: what
    they owe to psi is not followed.
    """

    def __init__(self, make_model: Callable[[nn.Module], nn.Module], activation: Activation, channels: int = 0):
        if not callable(make_model) or isinstance(make_model, nn.Module):
            got = type(make_model).__name__
            raise ValueError(f"make_model must be a function of g that returns a fresh model, got {got}")
        if activation.name != "spline" or activation.layerwise:
            raise ValueError(f"activation must be a spline that is not layerwise, got {activation}")
        self.make_model, self.activation, self.channels = make_model, activation, channels
        self.functions, self.dim = {"hidden": activation}, 1 if channels else -1
        self.g = LearnedFunction(activation, self.dim)
        self.device, self.model, self.names = torch.device("cpu"), None, []

    def __repr__(self) -> str:
        name = getattr(self.make_model, "__qualname__", type(self.make_model).__name__)
        return f"ModuleNetwork({name}, {self.activation}, channels={self.channels})"

    def check_data(self, x: Tensor, y: Tensor, loss: str | Callable) -> None:
        """Raise a ValueError that names the rule that inputs, targets or loss break."""
        if not callable(loss) and loss not in LOSSES:
            raise ValueError(f"loss must be one of {tuple(LOSSES)} or a function of outputs and targets, got {loss!r}")
        for name, values in (("x", x), ("y", y)):
            if not isinstance(values, Tensor) or values.ndim == 0:
                got = type(values).__name__
                raise ValueError(f"{name} must be a torch.Tensor with one row per example, got {got}")
            if values.requires_grad or values.is_inference():
                raise ValueError(f"{name} must be plain data, without gradient: give {name}.detach().clone()")
            if values.is_floating_point() and not bool(values.isfinite().all()):
                raise ValueError(f"{name} must be finite, got {int((~values.isfinite()).sum())} infinite or NaN")
        if len(x) != len(y) or x.device != y.device:
            got = f"{tuple(x.shape)} on {x.device} and {tuple(y.shape)} on {y.device}"
            raise ValueError(f"x and y must have one row per example, on one device, got {got}")
        self.device = x.device

    def init(self, generator: torch.Generator) -> Params:
        """The weights of a fresh model. What is random in the model, now and later (dropout), follows the generator."""
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        self.g.calls = 0
        self.model = self.make_model(self.g)
        if not isinstance(self.model, nn.Module):
            raise ValueError(f"make_model must return a torch.nn.Module, got {type(self.model).__name__}")
        self.model.to(self.device).train()
        weights = {name: w for name, w in self.model.named_parameters() if w.requires_grad}
        if any(isinstance(w, nn.parameter.UninitializedParameter) for w in weights.values()):
            raise ValueError("make_model must return a model whose sizes are known, got lazy modules: give their sizes")
        if not weights:
            raise ValueError("make_model must return a model with weights to train, got none that require a gradient")
        self.names = list(weights)
        return [w.detach().clone() for w in weights.values()]

    def init_psi(self, init="zeros") -> Psi:
        """psi at the start; see :func:`lib.splines.initial_values`. One row per channel where there are channels."""
        a = self.activation
        values = splines.initial_values(init, a.points, a.low, a.high)
        return {"hidden": values.repeat(self.channels, 1) if self.channels else values}

    def embed(self, psi: Psi, x: Tensor) -> Tensor:
        """x: nothing of a module is before its weights."""
        return x

    def forward(self, params: Params, psi: Psi, x: Tensor) -> Tensor:
        """Outputs of the model with these weights and this function, in the mode (train or eval) that it is in."""
        self.g.psi = [psi["hidden"]] if psi else []
        recurrent = any(isinstance(part, nn.RNNBase) for part in self.model.modules())
        cudnn = torch.backends.cudnn.flags(enabled=False) if recurrent else contextlib.nullcontext()
        with sdpa_kernel(SDPBackend.MATH), cudnn:
            outputs = functional_call(self.model, dict(zip(self.names, params, strict=True)), (x,))
        if not self.g.calls:
            raise ValueError("make_model(g) must return a model that uses g: its outputs came without a call of g")
        return outputs

    def loss(self, params: Params, psi: Psi, x: Tensor, y: Tensor, loss: str | Callable) -> Tensor:
        """The loss in evaluation mode, a scalar."""
        self.model.eval()
        try:
            return self._loss(params, psi, x, y, loss)
        finally:
            self.model.train()

    @torch.no_grad()
    def outside(self, params: Params, psi: Psi, x: Tensor) -> dict[str, float]:
        """Share of what g is given that is outside its range, over all places where it is used."""
        self.g.seen, a = [], self.activation
        self.model.eval()
        self.forward(params, psi, x)
        z, self.g.seen = torch.cat(self.g.seen), None
        self.model.train()
        return {"hidden": float(((z < a.low) | (z > a.high)).double().mean())}

    def loss_and_gradients(
        self, params: Params, psi: Psi, x: Tensor, y: Tensor, loss: str | Callable
    ) -> tuple[Tensor, Params]:
        """Loss of a training step, and its gradient for every weight, which autograd can differentiate once more."""
        recorded = torch.is_grad_enabled()
        with torch.enable_grad():
            leaves = [w if recorded and w.requires_grad else w.detach().requires_grad_() for w in params]
            value = self._loss(leaves, psi, x, y, loss)
            grads = torch.autograd.grad(value, leaves, create_graph=recorded, allow_unused=True, materialize_grads=True)
        return value.detach(), list(grads)

    def _loss(self, params, psi, x, y, loss) -> Tensor:
        outputs = self.forward(params, psi, x)
        if loss in ("mse", "logistic") and outputs.shape != y.shape:  # which torch would broadcast
            got = f"{tuple(outputs.shape)} and {tuple(y.shape)}"
            raise ValueError(f"outputs and y must have one shape for the loss {loss!r}, got {got}")
        value = loss(outputs, y) if callable(loss) else LOSSES[loss](outputs, y)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"loss must return a scalar, the mean over examples, got {got}")
        return value.reshape(())


def tune(task: Task, *, steps: int, batch: int, seed: int, report: Report = silent):
    """Train the task's model with ReLU at several rates of Adam; which is best on held-out rows, and what g then sees.

    Returns:
        the optimiser, and low and high that hold the pre-activations of the model trained with it.
    """
    g, found = task.network.g, {}
    rows, held = watch_split(len(task.x), 0.2, seed)
    for lr in RATES:
        g.function, settings = torch.relu, Settings(inner=Optimiser("adam", lr), batch=batch)
        theta, loss = from_scratch(task, {}, rows, held, steps, settings, episode_generator(seed, 0))
        g.seen = []
        watch_loss(task, {}, theta, held, 0.0)
        found[lr], g.seen, g.function = (loss, torch.cat(g.seen)), None, None
        report(f"ReLU, Adam at {lr:g}: loss {loss:.4g} on held-out rows after {steps} steps")
    lr = min(found, key=lambda rate: found[rate][0])
    return Optimiser("adam", lr), *range_of(found[lr][1])


def range_of(z: Tensor) -> tuple[float, float]:
    """A range [-b, b] that holds all pre-activations but about one in 500, with a quarter more."""
    z = z[z.isfinite()].abs().float()
    if not len(z):
        return -5.0, 5.0
    k = max(1, round(0.998 * len(z)))
    bound = max(1.25 * float(z.kthvalue(k).values), 0.1)
    digits = 1 - int(torch.tensor(bound).log10().floor())
    return -round(bound, digits), round(bound, digits)


def learn_activation(
    make_model: Callable[[nn.Module], nn.Module],
    x: Tensor,
    y: Tensor,
    *,
    loss: str | Callable[[Tensor, Tensor], Tensor],
    settings: Settings | None = None,
    low: float | str = "auto",
    high: float | str = "auto",
    points: int = 50,
    channels: int = 0,
    starts: tuple[str, ...] = ("best",),
    restarts: int = 2,
    seed: int = 0,
    report: Report = silent,
) -> Learned:
    """Learn an activation function for any torch module, and compare it with ReLU on rows that learning never sees.

    Args:
        make_model: from g, a torch.nn.Module, to a fresh model that uses it: see :class:`ModuleNetwork`.
        x, y: training data, one row per example, on the device to learn on; never test data.
        loss: "mse", "cross_entropy", "logistic", or a function of outputs and targets, a mean over examples.
        settings: of Algorithm 1; by default :func:`default_settings`, with Adam at the rate that is best for ReLU.
        low, high: range of the spline; "auto" from the pre-activations of a model trained with ReLU.
        points: control points. channels: for one function per channel, how many there are.
        starts, restarts: what the restarts begin from, in turn, and how many there are: "best" is the best function of
            a race (:func:`lib.learner.race`), then the next; "relu", "zeros" and "random" are as in the settings.
        report: called with a line per rate, per episode and per restart.

    Returns:
        the restart whose function has the lowest loss on the held-out fifth of the rows, after training three fresh
        models from scratch for n_tr steps. ``losses`` has these losses, for it ("learned") and for "relu"; where ReLU
        is not worse, ``problems`` says so.

    Raises:
        ValueError: for what :func:`lib.metalearning.learn` and :class:`ModuleNetwork` refuse.

    Example:
        >>> x = torch.linspace(-1, 1, 60)[:, None]
        >>> def make_model(g):
        ...     return nn.Sequential(nn.Linear(1, 8), g, nn.Linear(8, 1))
        >>> settings = Settings(episodes=2, n_tr_start=5, inner=Optimiser("adam", 0.01))
        >>> learned = learn_activation(make_model, x, x.square(), loss="mse", settings=settings, restarts=1)
        >>> learned.module()(torch.zeros(3)).shape
        torch.Size([3])
    """
    if restarts < 1:
        raise ValueError(f"restarts must be at least 1, got {restarts}")
    check_names("starts", starts, STARTS)
    if not isinstance(settings, Settings | None):
        raise ValueError(f"settings must be a Settings or None, got {type(settings).__name__}")
    devices = [x.device] if isinstance(x, Tensor) and x.is_cuda else []
    with torch.random.fork_rng(devices=devices), ordinary_torch(x.device if devices else torch.device("cpu")):
        network = ModuleNetwork(make_model, Activation("spline", points=points), channels)
        task = Task(network, x, y, loss)
        rows, held = watch_split(len(x), 0.2, seed)
        given, inner = settings, settings or default_settings(Optimiser())
        if settings is None or "auto" in (low, high):
            tuned, *found = tune(task, steps=inner.n_tr_start, batch=inner.batch, seed=seed, report=report)
            settings = settings or default_settings(tuned)
            low, high = (f if end == "auto" else end for f, end in zip(found, (low, high), strict=True))
        network = ModuleNetwork(make_model, Activation("spline", points=points, low=low, high=high), channels)
        part = Task(network, *take((x, y), rows), loss)
        task = replace(part, x=x, y=y)
        raced = race_of(part, settings, settings.n_tr_start, seed, report) if "best" in starts else []
        last = [start for start in raced if len(start.losses) == len(raced[0].losses)]  # came to the end of the race
        candidates = [replace(at(start.psi, network, settings).best, raced=start.name) for start in last]
        for learned in candidates:
            judge(task, learned, rows, held, settings, seed)
        for i, start in enumerate(openings(starts, restarts, raced)):
            raced_as = getattr(start, "name", "")
            report(f"restart {i + 1} of {restarts}, from {raced_as or start}, in [{low:g}, {high:g}]")
            own = default_settings(settings.inner, start) if given is None else settings
            learned = learn_from(start, part, own, seed=seed + i, report=report)
            learned.raced = raced_as
            judge(task, learned, rows, held, settings, seed)
            report(f"held-out loss {statistics.fmean(learned.losses['learned']):.4g}")
            candidates.append(learned)
        network.g.function, relu = torch.relu, Learned({})
        judge(task, relu, rows, held, settings, seed)
        network.g.function = None
    best = min(candidates, key=lambda learned: statistics.fmean(learned.losses["learned"]))
    best.losses["relu"] = relu.losses["learned"]
    for problem in best.problems:
        report(problem)
    return best


def judge(task: Task, learned: Learned, rows: Tensor, held: Tensor, settings: Settings, seed: int) -> None:
    """Train three fresh models for the steps of the first episode; fill losses and outside, on held-out rows."""
    psi, losses = learned.psi, []
    for i in range(3):
        generator = episode_generator(seed, 900_000 + i)  # of no episode
        theta, loss = from_scratch(task, psi, rows, held, settings.n_tr_start, settings, generator)
        losses.append(loss)
    learned.losses, learned.outside = {"learned": losses}, task.network.outside(theta, psi, task.x[held])
