"""Where learning starts: units, the race, and the same learning from a given psi."""

from dataclasses import replace

import pytest
import torch

from lib.learner import Start, at, family, race
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network
from lib.splines import grid
from lib.training import Optimiser
from notebooks.paper.experiments.race import auto_settings, pre_activations, scale_and_range

ADAM = Optimiser("adam", 0.01)
SPLINE = Activation("spline", points=101, low=-3, high=3)


def sine_task(activation=SPLINE, width=16):
    """A wave of 8 periods, which a ReLU network learns late."""
    x = torch.linspace(-1, 1, 400)[:, None]
    return Task(Network(1, 1, width=width, activation=activation), x, torch.sin(25 * x), "mse")


@pytest.mark.parametrize("seed", [0, 3])
def test_a_family_has_no_units(seed):
    z = grid(41, -2, 2)
    for (name, f), g in zip(family(0.5, seed).items(), family(5.0, seed).values(), strict=True):
        torch.testing.assert_close(10 * f(z), g(10 * z), rtol=1e-6, atol=1e-6, msg=name)


def test_another_seed_is_another_part_of_the_grid():
    first, other = list(family(1.0)), list(family(1.0, 1))
    assert len(set(first)) == len(set(other)) == 28 and "sine, A = 1 s, k = 4 / s" in first
    assert len(set(first) & set(other)) == 5  # ReLU and the names of the random ones
    assert list(family(1.0, 1)) == other


def test_scale_and_range_hold_what_the_units_see():
    z = torch.cat([torch.linspace(-1, 1, 1999), torch.tensor([50.0, torch.nan])])
    scale, bound = scale_and_range(z)
    assert bound == pytest.approx(1.5, rel=0.01) and scale == pytest.approx(float(z[:-1].std()), rel=0.01)
    assert scale_and_range(torch.zeros(3)) == (1.0, 5.0)


def test_pre_activations_are_those_of_the_layers():
    network = Network(3, 2, width=4, depth=2, residual=True)
    params, x = network.init(torch.Generator().manual_seed(0)), torch.randn(5, 3)
    first = x @ params[0].T + params[1]
    second = first.relu() @ params[2].T + params[3]
    torch.testing.assert_close(pre_activations(network, params, {}, x), torch.cat([first.flatten(), second.flatten()]))


def test_a_race_finds_what_learns_soonest_and_is_repeatable():
    functions = {"ReLU": torch.relu, "none": torch.zeros_like, "sine": lambda z: 0.5 * torch.sin(25 * z)}
    functions |= {"lost": lambda z: torch.full_like(z, torch.nan)}
    said = []
    about = {"inner": ADAM, "batch": 64, "steps": 120, "seed": 1}
    found = race(sine_task(), functions, **about, report=said.append)
    assert [start.name for start in found][0] == "sine" and found[-1].name == "lost" and len(said) == 3
    assert [len(start.losses) for start in found] == [3, 1, 1, 1] and found[-1].losses == (float("inf"),)
    again = race(sine_task(), functions, **about)
    assert [start.losses for start in again] == [start.losses for start in found]
    torch.testing.assert_close(found[0].psi["hidden"], (0.5 * torch.sin(25 * grid(101, -3, 3))).float())


def test_a_race_goes_by_the_given_rows_where_the_task_brings_such():
    """On the training rows x and |x| are one; V has negative rows, with targets that tell them apart."""
    x = torch.linspace(0.05, 1, 200)[:, None]
    ambiguous = Task(Network(1, 1, width=16, activation=SPLINE), x, x, "mse")
    functions = {"identity": lambda z: z, "even": lambda z: z.square()}
    about = {"inner": ADAM, "batch": 64, "steps": 200, "seed": 0}
    best = {v: race(replace(ambiguous, given=(-x, v * x)), functions, **about)[0] for v in (1.0, -1.0)}
    assert (best[1.0].name, best[-1.0].name) == ("even", "identity")
    assert best[-1.0].losses[0] < 0.05 < best[1.0].losses[0]


def test_learning_from_a_given_psi_is_algorithm_1_from_there():
    task = sine_task()
    settings = Settings(init="relu", inner=ADAM, episodes=3, n_tr_start=5, batch=64)
    start = task.network.init_psi("relu")
    one = learn([task], settings, seed=2)
    two = learn([task], Settings(inner=ADAM, episodes=3, n_tr_start=5, batch=64), seed=2,
                state=at(start, task.network, settings))  # fmt: skip
    assert one.history == two.history and torch.equal(one.psi["hidden"], two.psi["hidden"])
    torch.testing.assert_close(start["hidden"], task.network.init_psi("relu")["hidden"])  # not changed in place


def test_settings_follow_the_scale_of_psi_and_the_length_of_training():
    psi = {"hidden": torch.tensor([-1.0, 0.0, 1.0])}
    small, large = (auto_settings(ADAM, 64, steps, {"hidden": c * psi["hidden"]}) for steps, c in ((50, 1), (5000, 10)))
    assert large.outer.lr == pytest.approx(10 * small.outer.lr) and small.outer.lr == pytest.approx(0.03)
    inputs = auto_settings(ADAM, 64, 50, {"input": psi["hidden"]})
    assert inputs.outer.lr == small.outer.lr  # input activations alone
    assert (small.unroll, large.unroll) == (5, 20) and (small.n_tr_start, large.n_tr_max) == (50, 5000)


def test_refusals():
    with pytest.raises(ValueError, match="scale must be positive, got 0"):
        family(0.0)
    about = {"inner": ADAM, "batch": 8, "seed": 0}
    with pytest.raises(ValueError, match="a race needs functions and at least 1 step, got 0 and 5"):
        race(sine_task(), {}, steps=5, **about)
    with pytest.raises(ValueError, match="with a learned hidden activation"):
        race(sine_task(Activation()), {"ReLU": torch.relu}, steps=5, **about)
    assert Start("a", {}, ()).losses == ()
