"""Training steps without autograd, in place: buffers that are made once, and few passes between the matrix products.

Up to rounding they equal `Network.loss_and_gradients` and `Optimiser.step`, the readable version of the same (tested).
What lies between the products is fused (steps.cpp) where there is a compiler and the activation is a linear spline or a
ReLU; elsewhere it is PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .kernels import native
from .networks import Data, Network, Params, Psi, largest_singular_value, loss_and_delta

if TYPE_CHECKING:
    from .training import Batches, Optimiser

PRODUCTS = ("float32", "bfloat16")
SETTING = getattr(torch.backends.mkldnn, "matmul", None)  # of their precision; before 2.9 PyTorch has none


def has_bfloat16() -> bool:
    """Whether PyTorch multiplies in bfloat16 on this processor when asked to: it does where there is AMX."""
    return _when_asked() == "bfloat16"


def multiplies() -> str:
    """What multiplies float32 matrices on the CPU under `products`: "oneDNN", or "default", PyTorch's own choice."""
    return "oneDNN" if _when_asked() == "float32" else "default"


@cache
def _when_asked() -> str | None:
    """What products of float32 matrices are on this processor when PyTorch may round their factors to bfloat16.

    Where oneDNN does not round, "float32", its own code is asked for that way on processors of AMD: with AVX-512 it
    takes less than half of the time of MKL, which is PyTorch's first choice and keeps to AVX2 there. None elsewhere.
    """
    if SETTING is None:
        return None
    x = torch.randn(128, 128, generator=torch.Generator().manual_seed(0))
    with _allowed("bf16"):
        product = x @ x
    exact = x.double() @ x.double()
    if (product - exact).norm() > 1e-4 * exact.norm():
        return "bfloat16"
    cpu = getattr(torch.cpu, "get_capabilities", dict)()
    return "float32" if "AMD" in cpu.get("cpu_name", "") and cpu.get("avx512_bf16") else None


@contextmanager
def _allowed(precision: str) -> Iterator[None]:
    """Set the precision of products, where PyTorch has a setting for it."""
    if SETTING is None:
        yield
        return
    before, SETTING.fp32_precision = SETTING.fp32_precision, precision
    try:
        yield
    finally:
        SETTING.fp32_precision = before


@contextmanager
def products(kind: str) -> Iterator[None]:
    """Round the factors of matrix products on the CPU to bfloat16, where the processor can; sums stay float32.

    Args:
        kind: one of PRODUCTS; "float32" rounds nothing, whatever the caller has set.
    """
    kind = "bfloat16" if kind == "bfloat16" and has_bfloat16() else "float32"
    with _allowed("bf16" if _when_asked() == kind else "ieee"):
        yield


class Steps:
    """Gradient steps on the weights of a network with psi fixed; :meth:`step` does one.

    They start from a copy of the weights ``theta``; ``data`` are embedded inputs and targets, as in
    :func:`lib.networks.loss_and_delta`. ``flat`` holds the weights of all layers as one vector that the steps change;
    see :meth:`unflatten`.
    """

    def __init__(
        self, network: Network, psi: Psi, theta: Params, data: Data, loss: str, optimiser: Optimiser, batches: Batches
    ):
        self.network, self.psi, self.loss_name = network, psi, loss
        self.optimiser, self.batches, self.count = optimiser, batches, 0
        (x, y), self.sizes, self.rows = data, network.sizes, min(batches.size, batches.n)
        self.pairs, self.squared = not x.is_floating_point(), loss in ("mse", "sse")
        self.scale = 2 / (self.rows if loss == "sse" else self.rows * network.outputs)  # of a squared loss's derivative
        if self.squared and network.outputs > 4:  # products are faster with a multiple of 4; what is added stays 0
            self.sizes = [*self.sizes[:-1], -(-network.outputs // 4) * 4]
            y = F.pad(y, (0, self.sizes[-1] - network.outputs))
        self.data = self.batch = x.contiguous(), y.contiguous()
        if self.rows < batches.n:
            self.batch = tuple(part.new_empty(self.rows, *part.shape[1:]) for part in self.data)

        zeros, empty = theta[0].detach().new_zeros, theta[0].detach().new_empty
        self.shapes = list(zip(self.sizes, self.sizes[1:], strict=False))  # (inputs, outputs) of each layer
        length = sum(_aligned(i * o) + _aligned(o) for i, o in self.shapes)
        self.flat, self.gradient, self.mean, self.square = (zeros(length) for _ in range(4))
        self.weights, self.biases = self._layers(self.flat)
        self.weight_gradients, self.bias_gradients = self._layers(self.gradient)
        for w, b, theta_w, theta_b in zip(self.weights, self.biases, theta[::2], theta[1::2], strict=True):
            w[:, : len(theta_w)], b[: len(theta_b)] = theta_w.T, theta_b
        self.applied = [w.clone() for w in self.weights] if network.spectral else self.weights

        # of each layer: pre-activation, output, derivative in the output and then in the pre-activation
        self.z, self.a, self.delta = ([empty(self.rows, size) for size in self.sizes[1:]] for _ in range(3))
        # compiled functions, where there are some; none refers to this object, which is freed as soon as it is let go
        self.forward, self.backward, self.update = [None] * (network.depth + 1), [None] * network.depth, None
        self.last, self.looks_up = network.depth, False
        if self.flat.is_cpu and (library := native.library()) is not None:
            self._fuse(library)

    def _layers(self, flat: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Each layer's matrix (inputs, outputs) in a vector, with the hidden units side by side, and its bias."""
        weights, biases, at = [], [], 0
        for layer, (i, o) in enumerate(self.shapes):
            w, bias = flat[at : at + i * o], at + _aligned(i * o)
            weights.append(w.view(i, o) if layer < self.network.depth else w.view(o, i).T)
            biases.append(flat[bias : bias + o])
            at = bias + _aligned(o)
        return weights, biases

    def unflatten(self, flat: Tensor) -> Params:
        """Copies of the weights in a vector like ``flat``, as :meth:`lib.networks.Network.init` makes them."""
        layers = zip(*self._layers(flat), self.network.sizes[1:], strict=True)
        return [p.clone(memory_format=torch.contiguous_format) for w, b, o in layers for p in (w.T[:o], b[:o])]

    def state(self) -> dict:
        """The state of the optimiser, as :meth:`lib.training.Optimiser.step` returns it."""
        slots = {"mean": self.mean, "momentum": self.mean, "square": self.square}
        names = self.optimiser.init([])
        return {name: self.count if name == "steps" else self.unflatten(slots[name]) for name in names}

    def loss(self) -> Tensor:
        """The loss before the last step, a scalar."""
        outputs, y = self.z[-1][:, : self.network.outputs], self.batch[1]
        return loss_and_delta(outputs, y[:, : self.network.outputs] if y.ndim == 2 else y, self.loss_name)[0]

    def step(self) -> None:
        """One step of the optimiser."""
        rows, net, inputs, above = self.batches.next(), self.network, [], None
        if rows is not None:
            for part, batch in zip(self.data, self.batch, strict=True):
                torch.index_select(part, 0, rows.to(part.device), out=batch)
        if net.spectral:
            singular = [largest_singular_value(w) for w in self.weights]
            for w, applied, (sigma, _) in zip(self.weights, self.applied, singular, strict=True):
                torch.div(w, sigma, out=applied)

        h = self.batch[0]
        for layer in range(self.last + 1):
            inputs.append(h)
            if layer or not self.pairs:
                torch.mm(h, self.applied[layer], out=self.z[layer])
            elif not self.looks_up:
                left, right = (self.applied[0].index_select(0, operand) for operand in h.unbind(1))
                torch.add(left, right, out=self.z[0])
            if (compiled := self.forward[layer]) is not None:
                compiled()
            elif layer < net.depth:
                self._activate(layer)
            else:
                self._output()
            h = self.a[layer].add_(h) if layer < net.depth and net.skips(layer) else self.a[layer]

        for layer in range(self.last, -1, -1):
            h, delta, g = inputs[layer], self.delta[layer], self.weight_gradients[layer]
            if layer or not self.pairs:
                torch.mm(h.T, delta, out=g)
            elif not self.looks_up:
                g.zero_().index_add_(0, h[:, 0], delta).index_add_(0, h[:, 1], delta)
            if layer:
                back = torch.mm(delta, self.applied[layer].T, out=self.delta[layer - 1])
                if net.residual:
                    above = (back.add_(above) if layer < net.depth and net.skips(layer) else back).clone()
                if (compiled := self.backward[layer - 1]) is not None:
                    compiled()
                else:
                    self._differentiate(layer - 1)
        if net.spectral:  # the derivative of w / sigma(w) has no part along the top singular pair
            for w, g, (sigma, pair) in zip(self.weights, self.weight_gradients, singular, strict=True):
                g.sub_((g * w).sum() / sigma * pair).div_(sigma)
        self.count += 1
        correct = self.optimiser.name == "adam"
        rate = self.optimiser.lr / (1 - 0.9**self.count if correct else 1)
        (self.update or self._update)(rate, self.optimiser.momentum, (1 - 0.999**self.count) ** 0.5 if correct else 1.0)

    # --- between the products, in PyTorch ---------------------------------------------------------------------------

    def _activate(self, layer: int) -> None:
        values = self.network.values_of(self.psi, layer)
        self.a[layer] = self.network.activation.value(self.z[layer].add_(self.biases[layer]), values)

    def _differentiate(self, layer: int) -> None:
        values, g = self.network.values_of(self.psi, layer), self.network.activation
        self.delta[layer] = g.slope_product(self.z[layer], values, self.delta[layer], True)
        torch.sum(self.delta[layer], 0, out=self.bias_gradients[layer])

    def _output(self) -> None:
        outputs, y = self.z[-1].add_(self.biases[-1]), self.batch[1]
        if self.squared:
            torch.sub(outputs, y, out=self.delta[-1]).mul_(self.scale)
        else:
            self.delta[-1] = loss_and_delta(outputs, y, self.loss_name)[1]
        torch.sum(self.delta[-1], 0, out=self.bias_gradients[-1])

    def _update(self, rate: float, momentum: float, correction: float) -> None:
        p, g = self.flat, self.gradient
        if self.optimiser.name == "sgd":
            p.sub_(self.mean.mul_(momentum).add_(g) if momentum else g, alpha=rate)
            return
        adam = self.optimiser.name == "adam"
        decay = 0.999 if adam else 0.99
        self.square.mul_(decay).addcmul_(g, g, value=1 - decay)
        p.addcdiv_(self.mean.lerp_(g, 0.1) if adam else g, (self.square.sqrt() / correction).add_(1e-8), value=-rate)

    # --- between the products, compiled -----------------------------------------------------------------------------

    def _fuse(self, library) -> None:
        """Replace what steps.cpp can do by it, bound to the buffers."""
        self.kept = []  # what the pointers point to

        def bind(name, *arguments):
            self.kept += [x for x in arguments if isinstance(x, Tensor)]
            function = getattr(library, f"{name}_{str(self.flat.dtype).removeprefix('torch.')}")
            return partial(function, *(x.data_ptr() if isinstance(x, Tensor) else x for x in arguments))

        net, g, (x, y) = self.network, self.network.activation, self.batch
        rule = {"sgd": int(self.optimiser.momentum > 0), "rmsprop": 2, "adam": 3}[self.optimiser.name]
        self.update = bind("update", rule, self.flat, self.gradient, self.mean, self.square, len(self.flat))
        if self.squared:
            buffers = self.z[-1], self.biases[-1], y, self.delta[-1], self.bias_gradients[-1]
            self.forward[-1] = bind("squared", *buffers, self.rows, self.sizes[-1], self.scale)
        if not net.depth or (g.name, g.method) not in (("relu", g.method), ("spline", "linear")):
            return
        shape = (g.points, float(g.low), float(g.high)) if g.name == "spline" else (0, 0.0, 0.0)
        psi = [net.values_of(self.psi, layer) for layer in range(net.depth)]
        psi = [None if values is None else values.detach().contiguous() for values in psi]
        if self.sizes[-1] == 1 and self.loss_name != "cross_entropy" and not net.residual:
            last = self.last = net.depth - 1  # from this hidden layer, one pass goes through the output and back
            self.delta[last] = self.z[last]
            buffers = self.z[last], self.biases[last], psi[last], self.applied[-1], self.biases[-1], y, self.z[-1]
            gradients = self.bias_gradients[last], self.weight_gradients[-1], self.bias_gradients[-1]
            logistic = int(self.loss_name == "logistic")
            self.forward[last] = bind("head", *buffers, *gradients, self.rows, net.width, *shape, logistic)
        self.looks_up = self.pairs and self.last > 0
        for layer in range(min(self.last, net.depth)):
            source, pairs = (self.applied[0], x) if self.looks_up and layer == 0 else (self.z[layer], None)
            buffers = source, pairs, self.biases[layer], psi[layer], self.a[layer], self.z[layer]
            self.forward[layer] = bind("forward", *buffers, self.rows, net.width, *shape)  # z becomes the slope
            delta, slope, bias = self.delta[layer], self.z[layer], self.bias_gradients[layer]
            self.backward[layer] = bind("backward", delta, slope, bias, self.rows, net.width)
            if pairs is not None:
                buffers = delta, slope, pairs, self.weight_gradients[0], bias
                self.backward[0] = bind("scatter", *buffers, self.rows, net.width, net.inputs)


def _aligned(count: int) -> int:
    return -(-count // 16) * 16  # a cache line of float32
