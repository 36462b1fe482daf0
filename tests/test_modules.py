"""Algorithm 1 for any torch module: on an MLP the same outer gradient as the written-out one."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from lib import modules
from lib.episodes import inner_loop, outer_loss
from lib.learner import family
from lib.metalearning import Settings, Task, learn
from lib.modules import ModuleNetwork, learn_activation, range_of
from lib.networks import Activation, Network
from lib.splines import Spline, coverage, grid
from lib.training import Optimiser

SPLINE = Activation("spline", points=9, low=-2, high=2)
QUICK = Settings(episodes=2, n_tr_start=4, n_tr_step=0, unroll=2, inner=Optimiser("adam", 0.01), batch=16)


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def mlp(g):
    return nn.Sequential(nn.Linear(3, 5), g, nn.Linear(5, 5), g, nn.Linear(5, 2))


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("inner", [Optimiser("sgd", 0.1), Optimiser("rmsprop", 0.01), Optimiser("adam", 0.01)])
def test_the_outer_gradient_is_that_of_the_written_out_network(loss, inner):
    settings = Settings(inner=inner, unroll=3, batch=16)
    x, y = draw(40, 3, dtype=torch.float64), draw(40, 2, seed=1, dtype=torch.float64)
    y = y.argmax(1) if loss == "cross_entropy" else y
    own = Network(3, 2, width=5, depth=2, activation=SPLINE)
    other = ModuleNetwork(lambda g: mlp(g).double(), SPLINE)
    other.init(torch.Generator().manual_seed(0))
    gradients, weights = [], []
    for network in (own, other):
        psi = {"hidden": draw(9, seed=2, dtype=torch.float64).requires_grad_()}
        theta = own.init(torch.Generator().manual_seed(1), torch.float64)
        task = Task(network, x, y, loss)
        theta = inner_loop(task, psi, theta, torch.arange(30), 7, settings, torch.Generator().manual_seed(2))
        value = outer_loss(task, psi, theta, (x[30:], y[30:]))
        gradients.append(torch.autograd.grad(value, [psi["hidden"], *[w for w in theta if w.grad_fn is None]])[0])
        weights.append(theta)
    for one, two in zip(*weights, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)
    assert gradients[0].abs().max() > 1e-4
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-11)


class Cell(nn.Module):
    """A recurrent network whose candidate state goes through g."""

    def __init__(self, g):
        super().__init__()
        self.gru, self.g = nn.GRU(4, 6, batch_first=True), g
        self.step, self.out = nn.Linear(10, 6), nn.Linear(6, 2)

    def forward(self, x):
        h, _ = self.gru(x)
        state = x.new_zeros(len(x), 6)
        for t in range(x.shape[1]):
            state = 0.5 * state + 0.5 * self.g(self.step(torch.cat([x[:, t], state], 1)))
        return self.out(state + h[:, -1])


class Transformer(nn.Module):
    """Two layers, copies of one that has g, and so of g."""

    def __init__(self, g):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, activation=g, batch_first=True)
        self.layers, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.layers(x).mean(1))


class Convolution(nn.Module):
    """With batch normalisation, frozen weights and a closure around g."""

    def __init__(self, g):
        super().__init__()
        self.first, self.norm, self.out = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 2)
        self.first.bias.requires_grad_(False)
        self.call = lambda z: g(z)

    def forward(self, x):
        return self.out(self.call(self.norm(self.first(x[:, None]))).mean((2, 3)))


MODELS = {"recurrent": Cell, "transformer": Transformer, "convolution": Convolution}


@pytest.mark.parametrize("name, channels", [*[(name, 0) for name in MODELS], ("convolution", 3)])
def test_any_model_learns_and_is_repeatable(name, channels):
    x, y = draw(40, 5, 4), draw(40, 2, seed=1).argmax(1)
    said = []

    def once(**changes):
        options = {"settings": QUICK, "low": -2, "high": 2, "points": 9, "restarts": 1, "channels": channels} | changes
        return learn_activation(MODELS[name], x, y, loss="cross_entropy", report=said.append, **options)

    state = torch.get_rng_state()
    learned = once()
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers are as they were
    assert not learned.diverged and all(learned.history["norm"]) and len(learned.losses["relu"]) == 3
    g = learned.module()
    z = draw(2, 3, 4, 5)
    assert g(z).shape == z.shape and g.values.shape == ((3, 9) if channels else (9,)) and said
    again = once()
    assert again.history == learned.history and torch.equal(again.psi["hidden"], learned.psi["hidden"])


def test_batch_normalisation_has_fresh_statistics_each_episode_and_is_evaluated_with_them():
    network = ModuleNetwork(Convolution, SPLINE)
    x, y = draw(20, 5, 4) + 3, draw(20, 2, seed=1)
    psi = network.init_psi("relu")
    theta = network.init(torch.Generator().manual_seed(0))
    statistics = network.model.norm.running_mean
    assert not statistics.any() and len(theta) == len(list(network.model.parameters())) - 1  # one is frozen
    before = network.loss(theta, psi, x, y, "mse")
    network.loss_and_gradients(theta, psi, x, y, "mse")
    assert statistics.any() and network.model.training
    assert network.loss(theta, psi, x, y, "mse") != before
    network.init(torch.Generator().manual_seed(0))
    assert not network.model.norm.running_mean.any()


def test_rate_and_range_come_from_the_baseline_and_relu_is_named_where_it_is_no_worse():
    x = draw(60, 3)
    said = []
    settings = replace(QUICK, episodes=1)
    learned = learn_activation(
        mlp, x, x[:, :2].contiguous(), loss=nn.functional.mse_loss, settings=settings, starts=("relu",), restarts=1,
        points=401, report=said.append,
    )  # fmt: skip
    g = learned.functions["hidden"]
    assert sum("ReLU, Adam at" in line for line in said) == 7 and 0.1 <= g.high < 10 and g.low == -g.high
    assert learned.losses["learned"] == pytest.approx(learned.losses["relu"], rel=0.05)  # it is a ReLU still
    learned.losses["relu"] = [0.0] * 3
    assert learned.problems[-1].startswith("keep ReLU: the loss on held-out rows is 0 with it and ")


def test_the_start_of_the_race_is_kept_if_learning_makes_it_worse():
    x, said = torch.linspace(-1, 1, 200)[:, None], []
    settings = replace(QUICK, n_tr_start=60, n_tr_max=60, outer=Optimiser("sgd", 1e3), clip=1e3)
    learned = learn_activation(
        lambda g: nn.Sequential(nn.Linear(1, 16), g, nn.Linear(16, 1)), x, torch.sin(25 * x), loss="mse",
        settings=settings, low=-3, high=3, restarts=1, report=said.append,
    )  # fmt: skip
    name = next(line for line in said if line.startswith("restart")).split("from ")[1].split(", in [")[0]
    torch.testing.assert_close(learned.psi["hidden"], family(6 / 8)[name](grid(50, -3, 3)).float())
    assert f"nothing was learned beyond the best of the race, {name}: it is kept as it is" in learned.problems


def test_what_came_to_the_end_of_the_race_is_judged_too(monkeypatch):
    x, judged = torch.linspace(-1, 1, 100)[:, None], []

    def judge(task, learned, *more):
        judged.append(learned)
        learned.losses = {"learned": [0.0 if len(judged) == 2 else 1.0] * 3}  # the second of the race wins

    monkeypatch.setattr(modules, "judge", judge)
    learned = learn_activation(
        lambda g: nn.Sequential(nn.Linear(1, 8), g, nn.Linear(8, 1)), x, x.square(), loss="mse",
        settings=QUICK, low=-3, high=3, restarts=1,
    )  # fmt: skip
    assert len(judged) == 3 + 1 + 1  # of the race, the restart, ReLU
    assert learned is judged[1] and learned.raced == judged[1].raced != judged[0].raced
    torch.testing.assert_close(learned.psi["hidden"], family(6 / 8)[learned.raced](grid(50, -3, 3)).float())


def test_unscaled_inputs_and_narrow_ranges_are_named_and_else_nothing():
    x = torch.linspace(-1, 1, 60)[:, None]

    def problems(scale=1.0, **options):
        learned = learn_activation(
            lambda g: nn.Sequential(nn.Linear(1, 8), g, nn.Linear(8, 1)), scale * x, x.square(), loss="mse",
            settings=QUICK, restarts=1, **options,
        )  # fmt: skip
        assert set(learned.outside) == {"hidden"}
        return [problem for problem in learned.problems if "range" in problem]

    assert problems() == []
    assert "is wide: scale the inputs" in " ".join(problems(255))
    assert "of the pre-activations are outside [-0.01, 0.01]: widen the range" in " ".join(
        problems(low=-0.01, high=0.01)
    )


def test_learning_goes_on_from_any_episode():
    def make_model(g):
        return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), g, nn.Dropout(0.2), nn.Linear(5, 2))

    settings, states = replace(QUICK, episodes=4), []
    task = Task(ModuleNetwork(make_model, SPLINE), draw(30, 3), draw(30, 2), "mse")
    whole = learn([task], settings, seed=0, after=lambda state: states.append(copy.deepcopy(state)))
    again = learn([replace(task, network=ModuleNetwork(make_model, SPLINE))], settings, seed=0, state=states[1])
    assert again.history == whole.history and torch.equal(again.psi["hidden"], whole.psi["hidden"])


def test_range_of_holds_nearly_everything():
    z = draw(10_000)
    low, high = range_of(z)
    assert low == -high and 3 < high < 5
    assert range_of(torch.full((3,), float("nan"))) == (-5, 5)


def test_coverage_per_spline_and_per_column():
    shared, columns = Spline(torch.zeros(5), -1, 1), Spline(torch.zeros(2, 5), -1, 1, dim=1)
    z = torch.zeros(4, 2, 2)
    z[0, 1] = 5.0
    found = coverage(nn.Sequential(shared, nn.Identity(), columns), z)
    torch.testing.assert_close(found["0"], torch.tensor(2 / 16))
    assert found["2"].tolist() == [0, 0]  # the first made all of it 0
    assert coverage(columns, z)[""].tolist() == [0, 0.25]


@pytest.mark.parametrize(
    "make_model, changes, message",
    [
        (lambda g: nn.Linear(3, 2), {}, "must return a model that uses g"),
        (mlp(nn.ReLU()), {}, "make_model must be a function of g that returns a fresh model, got Sequential"),
        (lambda g: None, {}, "make_model must return a torch.nn.Module, got NoneType"),
        (lambda g: nn.Sequential(nn.LazyLinear(4), g), {}, "sizes are known, got lazy modules"),
        (lambda g: g, {}, "must return a model with weights to train"),
        (mlp, {"loss": "sse"}, "loss must be one of .* or a function of outputs and targets, got 'sse'"),
        (mlp, {"loss": lambda a, b: (a - b).square()}, "loss must return a scalar"),
        (mlp, {"y": torch.zeros(5, 2)}, "x and y must have one row per example"),
        (mlp, {"x": [1.0]}, "x must be a torch.Tensor with one row per example, got list"),
        (mlp, {"x": torch.full((20, 3), torch.inf)}, "x must be finite, got 60 infinite or NaN"),
        (mlp, {"y": torch.zeros(20)}, "outputs and y must have one shape for the loss 'mse', got .13, 2. and .13,"),
        (mlp, {"restarts": 0}, "restarts must be at least 1, got 0"),
        (mlp, {"starts": ("gelu",)}, "starts must be a tuple of names of .*, got .'gelu'"),
        (mlp, {"starts": "relu"}, "starts must be a tuple of names of .*, got 'relu'"),
        (mlp, {"settings": {"episodes": 3}}, "settings must be a Settings or None, got dict"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_refusals(make_model, changes, message):
    options = {"x": draw(20, 3), "y": draw(20, 2), "loss": "mse", "settings": QUICK, "low": -1, "high": 1} | changes
    with pytest.raises(ValueError, match=message):
        learn_activation(make_model, **options)


def test_learn_takes_a_module_too():
    task = Task(ModuleNetwork(mlp, SPLINE), draw(30, 3), draw(30, 2), "mse")
    learned = learn([task], QUICK, seed=0)
    assert len(learned.history["outer"]) == 2 and learned.module().low == -2
