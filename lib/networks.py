"""Multi-layer perceptrons as functions of their weights, with a hand-written gradient (Appendix E).

A :class:`Network` is a frozen description. Its weights ``params`` are a flat list [W0, b0, W1, b1, ...] with W of shape
(out, in), and its learned activations ``psi`` a dict of control values; both are passed explicitly. The gradient is
written out in differentiable operations: under ``torch.no_grad()`` it is a fast training step without autograd, and
where autograd records it, it is the second-order term of Algorithm 1.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from . import splines

Params = list[Tensor]
Psi = dict[str, Tensor]
Data = tuple[Tensor, Tensor]  # inputs and targets

ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sine", "spline")
LOSSES = ("mse", "sse", "cross_entropy", "logistic")
INITIALISATIONS = ("default", "glorot", "he")
ROWS = 2048  # at most, in a part that `predict` works in


def integer(name: str, value) -> int:
    """The value as an int, or a ValueError with the name."""
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None


def _number(name: str, value) -> float:
    if type(value) in (int, float):  # and no other kind of number, which JSON would not know
        return value
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None


@dataclass(frozen=True)
class Activation:
    """An elementwise activation function g.

    Args:
        name: one of ACTIVATIONS. "spline" takes its values from psi (Section 2.3).
        alpha: slope inside: tanh(alpha x) (Section 3.3), sin(alpha x); unused by the others.
        amplitude: factor of the sine, A sin(alpha x); unused by the others.
        points, low, high, method: n_c, [a, b] and interpolation of a spline; unused by the others.
        layerwise: one spline per hidden layer instead of one for the network (Section 3.1).
    """

    name: str = "relu"
    alpha: float = 1.0
    amplitude: float = 1.0
    points: int = 50
    low: float = -5.0
    high: float = 5.0
    method: str = "linear"
    layerwise: bool = False

    def __post_init__(self):
        for name in ("alpha", "amplitude", "low", "high"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        object.__setattr__(self, "points", integer("points", self.points))
        if self.name not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {ACTIVATIONS}, got {self.name!r}")
        if self.method not in splines.METHODS:
            raise ValueError(f"method must be one of {splines.METHODS}, got {self.method!r}")
        if self.name == "spline" and self.points < 2:
            raise ValueError(f"points must be at least 2, got {self.points}")
        if self.name == "spline" and not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"the range must be finite with low < high, got [{self.low}, {self.high}]")

    def module(self, values: Tensor, **options) -> splines.Spline:
        """The spline with these control values as a module; see :class:`lib.splines.Spline` for the options."""
        if self.name != "spline":
            raise ValueError(f"only a spline has control values, this is {self.name!r}")
        return splines.Spline(values, self.low, self.high, self.method, **options)

    def value(self, z: Tensor, values: Tensor | None) -> Tensor:
        """g(z), shaped like z; values: the control values of a spline, None for the others."""
        if self.name == "spline":
            return splines.interpolate(z, values, self.low, self.high, self.method)
        if self.name == "tanh":
            return torch.tanh(self.alpha * z)
        if self.name == "sine":
            return self.amplitude * torch.sin(self.alpha * z)
        return {"relu": torch.relu, "gelu": F.gelu, "silu": F.silu}[self.name](z)

    def slope_product(self, z: Tensor, values: Tensor | None, grad: Tensor, reuse: bool = False) -> Tensor:
        """grad * g'(z), differentiable once more; shaped like z. With ``reuse``, grad may be overwritten with it."""
        if self.name == "spline":
            return splines.slope_product(z, values, grad, self.low, self.high, self.method, reuse)
        if self.name == "relu":
            return torch.ops.aten.threshold_backward(grad, z, 0)  # grad * (z > 0) takes seven times as long
        if self.name == "tanh":
            return grad * (self.alpha * (1 - torch.tanh(self.alpha * z).square()))
        if self.name == "sine":
            return grad * (self.amplitude * self.alpha * torch.cos(self.alpha * z))
        if self.name == "silu" and torch.is_grad_enabled():  # the faster one below has no derivative
            s = torch.sigmoid(z)
            return grad * (s * (1 + z * (1 - s)))
        aten = torch.ops.aten
        return (aten.gelu_backward if self.name == "gelu" else aten.silu_backward)(grad, z)


@dataclass(frozen=True)
class Network:
    """An MLP with 0 to 4 hidden layers.

    Args:
        inputs, outputs: d_in and d_out; those of an experiment are set from its data.
        width, depth: units per hidden layer, and how many hidden layers there are.
        activation: g of the hidden layers.
        input_activation: a spline per input column, applied to the raw input (IAF, Section 3.3), or None.
        residual: add a hidden layer's input to its activation's output where the shapes allow (Appendix E.2).
        spectral: divide each weight matrix by its largest singular value (Section 3.4).
        initialisation: of :meth:`init`, one of INITIALISATIONS. The paper does not say which it used.
    """

    inputs: int = 1
    outputs: int = 1
    _: KW_ONLY
    width: int = 128
    depth: int = 1
    activation: Activation = Activation()
    input_activation: Activation | None = None
    residual: bool = False
    spectral: bool = False
    initialisation: str = field(default="default", metadata={"old": "default"})

    def __post_init__(self):
        for name in ("inputs", "outputs", "width", "depth"):
            object.__setattr__(self, name, integer(name, getattr(self, name)))
        for name, g in (("activation", self.activation), ("input_activation", self.input_activation)):
            if not isinstance(g, Activation) and not (g is None and name == "input_activation"):
                example = f"such as Activation({g!r})" if isinstance(g, str) else "such as Activation('relu')"
                raise ValueError(f"{name} must be an Activation, {example}, got {g!r}")
        if self.input_activation is not None and self.input_activation.name != "spline":
            got = repr(self.input_activation.name)
            raise ValueError(f"input_activation must be a spline, Activation('spline'), got {got}")
        if self.initialisation not in INITIALISATIONS:
            raise ValueError(f"initialisation must be one of {INITIALISATIONS}, got {self.initialisation!r}")
        if min(self.inputs, self.outputs, self.width) < 1:
            raise ValueError(f"sizes must be at least 1, got {self.inputs}, {self.outputs}, width {self.width}")
        if not 0 <= self.depth <= 4:
            raise ValueError(f"depth must be 0 to 4 hidden layers, got {self.depth}")

    @property
    def functions(self) -> dict[str, Activation]:
        """What can be learned: "hidden" and "input", as in psi."""
        hidden = {"hidden": self.activation} if self.depth > 0 and self.activation.name == "spline" else {}
        return hidden | ({"input": self.input_activation} if self.input_activation else {})

    @property
    def sizes(self) -> list[int]:
        """Units per layer, from the input to the output."""
        return [self.inputs] + [self.width] * self.depth + [self.outputs]

    def init(self, generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Params:
        """Fresh weights theta, uniform in [-c, c].

        By default c = 1/sqrt(fan-in) for weights and biases, as torch.nn.Linear draws them. With "glorot",
        c = sqrt(6 / (fan-in + fan-out)), with "he", c = sqrt(6 / fan-in), and the biases are 0.
        """
        params = []
        for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False):
            scale = {"default": 1 / fan_in, "glorot": 6 / (fan_in + fan_out), "he": 6 / fan_in}
            bound = math.sqrt(scale[self.initialisation])
            for shape in ((fan_out, fan_in), (fan_out,)):
                if len(shape) == 1 and self.initialisation != "default":
                    params.append(torch.zeros(shape, dtype=dtype, device=generator.device))
                else:
                    uniform = torch.rand(shape, generator=generator, dtype=dtype, device=generator.device)
                    params.append((2 * uniform - 1) * bound)
        return params

    def init_psi(self, init: str | Callable[[Tensor], Tensor] = "zeros") -> Psi:
        """psi at the start of Algorithm 1: hidden splines from ``init`` (see :func:`lib.splines.initial_values`), input
        splines as the identity."""
        psi, g, h = {}, self.activation, self.input_activation
        if g.name == "spline":
            values = splines.initial_values(init, g.points, g.low, g.high)
            psi["hidden"] = values.repeat(self.depth, 1) if g.layerwise else values
        if h is not None:
            psi["input"] = splines.initial_values("identity", h.points, h.low, h.high).repeat(self.inputs, 1)
        return psi

    def forward(self, params: Params, psi: Psi, x: Tensor) -> Tensor:
        """Outputs for inputs x, (n, d_in) or integer pairs (n, 2) of one-hot operands; shape (n, d_out)."""
        x = self.embed(psi, x)
        return self.forward_from_first(params, psi, self.first(params, x), x)

    @torch.no_grad()
    def predict(self, params: Params, psi: Psi, x: Tensor) -> Tensor:
        """As :meth:`forward`, without gradients, and faster on many rows: in parts that the processor's cache holds."""
        parts = x.tensor_split(-(-len(x) // ROWS)) if len(x) > ROWS else [x]
        return torch.cat([self.forward(params, psi, part) for part in parts])

    def embed(self, psi: Psi, x: Tensor) -> Tensor:
        """Apply the input activations, if any: they do not depend on the weights. Shape like x."""
        return x if self.input_activation is None else self.input_activation.value(x, psi["input"])

    @torch.no_grad()
    def outside(self, params: Params, psi: Psi, x: Tensor) -> dict[str, float]:
        """Share of what each learned function is given that is outside its range; a hidden one in the first layer."""
        z = {"hidden": self.first(params, self.embed(psi, x)), "input": x}
        return {k: float(((z[k] < g.low) | (z[k] > g.high)).double().mean()) for k, g in self.functions.items()}

    def first(self, params: Params, x: Tensor) -> Tensor:
        """Pre-activation of the first layer, affine in x; shape (n, width)."""
        return _affine(x, self._weight(params, 0), params[1])

    def last(self, params: Params) -> tuple[Tensor, Tensor]:
        """Weight (outputs, width) and bias of the output layer, as they are applied."""
        return self._weight(params, self.depth), params[-1]

    def forward_from_first(self, params: Params, psi: Psi, z: Tensor, x: Tensor, see=lambda layer: None) -> Tensor:
        """Outputs from the first layer's pre-activation z (n, width) and the embedded inputs x (n, d_in); ``see`` is
        called with the pair of the input and the pre-activation of each layer."""
        see((x, z))
        for layer in range(self.depth):
            a = self.activation.value(z, self.values_of(psi, layer))
            x = a + x if self.skips(layer) else a
            z = _affine(x, self._weight(params, layer + 1), params[2 * layer + 3])
            see((x, z))
        return z

    def _weight(self, params: Params, layer: int) -> Tensor:
        w = params[2 * layer]
        return w / largest_singular_value(w)[0] if self.spectral else w

    def values_of(self, psi: Psi, layer: int) -> Tensor | None:
        values = psi.get("hidden")
        return values[layer] if self.activation.layerwise and values is not None else values

    def skips(self, layer: int) -> bool:
        return self.residual and self.sizes[layer] == self.sizes[layer + 1]

    def loss(self, params: Params, psi: Psi, x: Tensor, y: Tensor, loss: str) -> Tensor:
        """The mean loss of raw inputs x and targets y, a scalar."""
        return loss_and_delta(self.forward(params, psi, x), y, loss)[0]

    def loss_and_gradients(self, params: Params, psi: Psi, x: Tensor, y: Tensor, loss: str) -> tuple[Tensor, Params]:
        """Loss on embedded inputs x with targets y, and its gradient for every weight and bias.

        Equal to autograd (tested); written out so that it runs without autograd, or is recorded by it.
        """
        layers: list[tuple[Tensor, Tensor]] = []
        outputs = self.forward_from_first(params, psi, self.first(params, x), x, layers.append)
        inputs, pre = zip(*layers, strict=True)
        value, delta = loss_and_delta(outputs, y, loss)
        grads: Params = [None] * len(params)
        above = None  # derivative in the output of the hidden layer above
        for layer in range(self.depth, -1, -1):
            grads[2 * layer] = self._weight_gradient(params[2 * layer], delta, inputs[layer])
            grads[2 * layer + 1] = delta.sum(0)
            if layer > 0:  # delta: from the pre-activation of this layer to that of the layer before
                back = delta @ self._weight(params, layer)
                above = back + above if layer < self.depth and self.skips(layer) else back
                values, reuse = self.values_of(psi, layer - 1), not self.residual  # nothing below needs `above`
                delta = self.activation.slope_product(pre[layer - 1], values, above, reuse)
        return value, grads

    def _weight_gradient(self, w: Tensor, delta: Tensor, h: Tensor) -> Tensor:
        if not h.is_floating_point():  # one-hot pairs: each row of delta lands in the two columns of its operands
            zeros = delta.new_zeros(w.shape[1], w.shape[0])
            g = zeros.index_add(0, h[:, 0], delta).index_add(0, h[:, 1], delta).T
        else:
            g = delta.T @ h
        if self.spectral:  # derivative of w / sigma(w): remove the part along the top singular pair
            sigma, pair = largest_singular_value(w)
            g = (g - (g * w).sum() / sigma * pair) / sigma
        return g


def _affine(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """x W' + b; for integer pairs (n, 2) of one-hot operands, the two rows of W' that they pick."""
    if not x.is_floating_point():
        rows = w.T.contiguous()
        return rows.index_select(0, x[:, 0]) + rows.index_select(0, x[:, 1]) + b
    return torch.addmm(b, x, w.T)


def largest_singular_value(w: Tensor) -> tuple[Tensor, Tensor]:
    """Largest singular value of w and u v' of its pair, shaped like w; exact (no power iteration), differentiable.

    NOTE[DIFF]: the usual spectral normalisation estimates the value by power iteration; this one has no state.
    """
    wide = w if w.shape[0] <= w.shape[1] else w.T
    square, vectors = torch.linalg.eigh(wide @ wide.T)
    sigma, u = square[-1].sqrt(), vectors[:, -1]
    pair = torch.outer(u, u @ wide) / sigma
    return sigma, pair if wide is w else pair.T


def loss_and_delta(outputs: Tensor, y: Tensor, loss: str) -> tuple[Tensor, Tensor]:
    """Mean loss and its derivative in the outputs.

    Args:
        outputs: (n, d_out).
        y: "mse": float (n, d_out), mean over examples and outputs; "sse": the same, mean over examples of the sum over
           outputs; "cross_entropy": integer labels (n,); "logistic": float labels 0 or 1, (n, 1).

    Shape: a scalar, and (n, d_out).
    """
    if loss == "mse":
        difference = outputs - y
        return difference.square().mean(), difference * (2 / max(difference.numel(), 1))
    if loss == "sse":
        difference = outputs - y
        return difference.square().sum(dim=1).mean(), difference * (2 / max(len(difference), 1))
    if loss == "cross_entropy":
        logs = F.log_softmax(outputs, dim=1)
        picked = y[:, None]
        delta = logs.exp().scatter_add(1, picked, -torch.ones_like(picked, dtype=logs.dtype))
        return -logs.gather(1, picked).mean(), delta / len(y)
    if loss == "logistic":
        return F.binary_cross_entropy_with_logits(outputs, y), (outputs.sigmoid() - y) / y.numel()
    raise ValueError(f"loss must be one of {LOSSES}, got {loss!r}")
