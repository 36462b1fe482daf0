"""Steps in place against the readable version: losses, activations, optimisers, pairs, batches; with and without a compiler."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from covering import covering

from benchmarks.products import rounded
from lib import episodes, steps
from lib.episodes import inner_loop
from lib.kernels import native
from lib.metalearning import Settings, Task, learn
from lib.networks import LOSSES, Activation, Network
from lib.steps import Steps
from lib.training import Batches, Optimiser, take, train

SPLINE = Activation("spline", points=9, low=-2, high=2)
NETWORKS = {
    "no hidden layer": Network(6, 3, width=5, depth=0, activation=SPLINE),
    "one layer": Network(6, 3, width=5, depth=1, activation=SPLINE),
    "two layers, many points": Network(6, 7, width=33, depth=2, activation=replace(SPLINE, points=150)),
    "layerwise, residual": Network(6, 3, width=6, depth=3, activation=replace(SPLINE, layerwise=True), residual=True),
    "wider than a block": Network(6, 2, width=2100, depth=1, activation=replace(SPLINE, points=60)),
    "ReLU": Network(6, 5, width=17, depth=2, activation=Activation("relu")),
    "tanh": Network(6, 5, width=17, depth=2, activation=Activation("tanh", alpha=2)),
    "cubic, spectral": Network(6, 3, width=5, depth=2, activation=replace(SPLINE, method="cubic"), spectral=True),
    "spectral": Network(6, 3, width=6, depth=2, activation=SPLINE, spectral=True, residual=True),
}
OPTIMISERS = [Optimiser("sgd", 0.3), Optimiser("sgd", 0.1, 0.9), Optimiser("rmsprop", 0.01), Optimiser("adam", 0.02)]


def problem(network, loss, pairs, dtype, n=40):
    g = torch.Generator().manual_seed(0)
    x = (
        torch.randint(network.inputs, (n, 2), generator=g)
        if pairs
        else torch.randn(n, network.inputs, generator=g, dtype=dtype)
    )
    if loss == "cross_entropy":
        y = torch.randint(network.outputs, (n,), generator=g)
    else:
        y = torch.randint(2, (n, network.outputs), generator=g).to(dtype)
    psi = {
        name: values.to(dtype) + 0.3 * torch.randn(values.shape, generator=g, dtype=dtype)
        for name, values in network.init_psi("relu").items()
    }
    return psi, network.init(g, dtype), (x, y)


@pytest.fixture(params=["compiled", "torch"])
def backend(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(native, "library", lambda: None)
    elif native.library() is None:
        pytest.skip("no compiler")


def check(network, loss, optimiser, pairs, batch, dtype=torch.float64, count=4, **tolerance):
    if loss == "logistic":
        network = replace(network, outputs=1)
    psi, theta, data = problem(network, loss, pairs, dtype)
    batches = [Batches(40, batch, torch.Generator().manual_seed(1)) for _ in range(2)]
    fast = Steps(network, psi, theta, data, loss, optimiser, batches[0])
    before, params, state = [p.clone() for p in theta], theta, optimiser.init(theta)
    for _ in range(count):
        fast.step()
        value, grads = network.loss_and_gradients(params, psi, *take(data, batches[1].next()), loss)
        params, state = optimiser.step(params, grads, state)
        torch.testing.assert_close(fast.loss(), value, **tolerance)
    torch.testing.assert_close(fast.unflatten(fast.flat), params, **tolerance)
    torch.testing.assert_close(fast.state(), state, **tolerance)
    torch.testing.assert_close(theta, before, rtol=0, atol=0)


@pytest.mark.parametrize("name, loss, outputs, pairs", covering(NETWORKS, LOSSES, [1, None], [False, True]))
def test_steps_equal_the_readable_version(backend, name, loss, outputs, pairs):
    network = replace(NETWORKS[name], outputs=outputs or NETWORKS[name].outputs)
    if pairs:  # there is nothing to add a layer's input to
        network = replace(network, inputs=11)
    check(network, loss, Optimiser("sgd", 0.03), pairs, batch=13)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_it_holds_is_freed_with_it(backend, name):
    """Not when the garbage collector next comes: of large data, each training would keep a copy until then."""
    psi, theta, (x, y) = problem(NETWORKS[name], "mse", False, torch.float64)
    held = weakref.ref(x)
    fast = Steps(NETWORKS[name], psi, theta, (x, y), "mse", OPTIMISERS[0], Batches(40, 13, torch.Generator()))
    fast.step()
    gc.disable()
    try:
        del fast, x
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("optimiser", OPTIMISERS, ids=lambda o: f"{o.name} {o.momentum}")
@pytest.mark.parametrize("batch", [40, 13])
@pytest.mark.parametrize("pairs", [False, True])
def test_optimisers_and_batches(backend, optimiser, batch, pairs):
    check(NETWORKS["one layer"], "mse", optimiser, pairs, batch)


@pytest.mark.parametrize("name", ["one layer", "two layers, many points", "wider than a block", "ReLU"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_float32(backend, name, outputs):
    check(
        replace(NETWORKS[name], outputs=outputs),
        "mse",
        Optimiser("sgd", 0.03),
        False,
        40,
        torch.float32,
        1,
        rtol=1e-4,
        atol=1e-6,
    )


# --- products of bfloat16 -------------------------------------------------------------------------------------------


def episode(kind):
    """psi's gradient after an episode on 200 rows of 64 columns."""
    network = Network(64, 1, width=32, depth=2, activation=SPLINE)
    psi, theta, data = problem(network, "mse", False, torch.float32, n=200)
    settings = Settings(unroll=2, inner=Optimiser("sgd", 0.05), products=kind)
    leaf = {"hidden": psi["hidden"].requires_grad_()}
    task, generator = Task(network, *data, "mse"), torch.Generator()
    trained = inner_loop(task, leaf, theta, torch.arange(150), 10, settings, generator)
    return torch.autograd.grad(network.loss(trained, leaf, *data, "mse"), leaf["hidden"])[0]


def test_products_of_bfloat16_round_by_their_precision_and_no_more(monkeypatch):
    expected = episode("float32")
    real, again = episode("bfloat16"), episode("float32")
    torch.testing.assert_close(again, expected, rtol=0, atol=0)  # and nothing of it is left behind
    monkeypatch.setattr(episodes, "products", rounded)
    emulated = episode("bfloat16")
    for rounded_by in (emulated, *([real] if steps.has_bfloat16() else [])):
        difference = (rounded_by - expected).norm() / expected.norm()
        assert 1e-5 < difference < 0.05  # bfloat16 has 8 bits
    if not steps.has_bfloat16():
        torch.testing.assert_close(real, expected, rtol=0, atol=0)


def test_products_of_bfloat16_are_float32_where_the_processor_has_no_instructions(monkeypatch):
    monkeypatch.setattr(steps, "has_bfloat16", lambda: False)
    torch.testing.assert_close(episode("bfloat16"), episode("float32"), rtol=0, atol=0)


@pytest.mark.parametrize("rows, inputs, width", [(4096, 324, 128), (583, 54, 128), (1024, 64, 64), (512, 784, 32)])
def test_products_of_float32_are_exact_to_float32_whatever_computes_them(rows, inputs, width):
    g = torch.Generator().manual_seed(0)
    x, w = torch.randn(rows, inputs, generator=g), torch.randn(inputs, width, generator=g)
    exact = x.double() @ w.double()
    with steps.products("float32"):
        for left, right in ((x, w), (x, w.T.contiguous().T), (x.T.contiguous().T, w)):
            assert (left @ right - exact).abs().max() < 3e-6 * exact.abs().max()


@pytest.mark.parametrize("when_asked", ["float32", "bfloat16", None])
def test_what_a_product_is_asked_for_depends_on_the_processor_and_ends_with_the_block(monkeypatch, when_asked):
    monkeypatch.setattr(steps, "_when_asked", lambda: when_asked)
    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    with steps.products("float32"):
        assert setting.fp32_precision == ("bf16" if when_asked == "float32" else "ieee")
        with steps.products("bfloat16"):
            assert setting.fp32_precision == ("ieee" if when_asked is None else "bf16")
    assert setting.fp32_precision == before


def test_without_a_setting_for_products_pytorchs_own_choice_multiplies(monkeypatch):
    monkeypatch.setattr(steps, "SETTING", None)  # as before PyTorch 2.9
    steps._when_asked.cache_clear()
    try:
        assert steps.multiplies() == "default" and not steps.has_bfloat16()  # also where oneDNN's could be asked for
        setting = torch.backends.mkldnn.matmul
        before = setting.fp32_precision
        with steps.products("bfloat16"):
            assert setting.fp32_precision == before
    finally:
        steps._when_asked.cache_clear()


def test_a_caller_that_lets_pytorch_round_products_changes_nothing():
    def learned():
        network = Network(64, 1, width=32, depth=2, activation=SPLINE)
        _, _, (x, y) = problem(network, "mse", False, torch.float32, n=200)
        settings = Settings(episodes=1, n_tr_start=5, unroll=2, inner=Optimiser("sgd", 0.05))
        psi = learn([Task(network, x, y, "mse")], settings, seed=0).psi
        done = train(
            network, psi, (x, y), loss="mse", optimiser=Optimiser("sgd", 0.05), evaluate_at=[5], best=None,
            monitor=lambda params: {}, generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        return psi["hidden"], torch.cat([w.flatten() for w in done.params])

    expected = learned()
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        torch.testing.assert_close(learned(), expected, rtol=0, atol=0)
    finally:
        torch.set_float32_matmul_precision(before)


def test_products_end_with_an_error():
    with pytest.raises(KeyError), steps.products("bfloat16"):
        raise KeyError
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(x @ x, (x.double() @ x.double()).float(), rtol=1e-5, atol=1e-5)


def test_unknown_products():
    with pytest.raises(ValueError, match="products must be one of .* got 'float16'"):
        Settings(products="float16")
