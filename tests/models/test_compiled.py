"""Rounds compiled whole are the rounds that are played without a compiler."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models import data, presets, training
from models.checkpoints import checkpoint
from models.optimizers.fused_adam import FusedAdam
from models.specs import TrainingSpec
from models.training.inputs import Dealer
from models.training.methods import compiled, rounds
from models.training.objective import Rules
from models.training.state import Game
from tests.models.runs import SMOOTH

Make = Callable[..., TrainingSpec]
Keep = Callable[[training.State], checkpoint.Checkpoint]
Play = Callable[[TrainingSpec, rounds.Round, torch.dtype], Game]

CPU = torch.device("cpu")
ROUNDS = 4
APART = {torch.float64: ROUNDS * 2 * 2**-24 / (1 - 0.99), torch.float32: 1 / 32}
"""How far apart the two ways may end, as a share of the way.

In float64 Adam's pace is still found in float32, where 1 - 0.99^t loses two digits; logits are rounded to float32 too,
which counts for less. In float32 a ReLU whose input is 0 up to rounding may be open on one way and shut on the other:
for one of the 32 images a unit then learns or does not. Larger networks have more ReLUs so close to 0, and are compared
in float64 alone.
"""
PLAIN = {
    "loss": {"kind": "non_saturating"},
    "penalties": [],
    "generator_optimizer": SMOOTH,
    "discriminator_optimizer": SMOOTH,
}
LAZY = {"penalties": [{"kind": "r1", "weight": 1.0, "every_steps": 3}]}
ROBUST = {name: what for name, what in PLAIN.items() if name != "loss"} | LAZY
CHANGES: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "averages compared": PLAIN | {"loss": {"kind": "relativistic_average"}},
    "classes": ROBUST | {"labels": True},
    "decay and a norm": PLAIN
    | {
        "generator_optimizer": SMOOTH | {"kind": "adamw", "weight_decay": 0.1},
        "discriminator_optimizer": SMOOTH | {"max_gradient_norm": 0.01},
    },
    "dcgan": PLAIN | {"architecture": {"kind": "dcgan", "latent_dim": 8, "channels": 8}},
    "resnet, spectral norm": PLAIN
    | {"architecture": {"kind": "resnet", "latent_dim": 8, "channels": 8, "discriminator_norm": "spectral"}},
    "r3gan, classes": ROBUST | {"architecture": {"kind": "r3gan", "latent_dim": 8}, "labels": True},
}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated as torch.compile does it, without its C++ compiler; the slow tests have that too."""
    real = torch.compile

    def trace(function: Callable[..., Any], **how: Any) -> Any:
        return real(function, backend="aot_eager", fullgraph=how["fullgraph"], dynamic=how["dynamic"])

    monkeypatch.setattr(torch, "compile", trace)


@pytest.fixture
def play(digits: data.ImageData) -> Play:
    def run(spec: TrainingSpec, method: rounds.Round, dtype: torch.dtype) -> Game:
        game, rules, dealer = Game(spec, device=CPU), Rules.of(spec, device=CPU), Dealer(spec, digits, device=CPU)
        game.generator.to(dtype)
        game.discriminator.to(dtype)
        for turn in range(ROUNDS):
            game.begin_round(images_seen=turn * spec.batch_size, fraction=0.0, left=1.0)
            (deal,) = dealer.round(turn * spec.batch_size, salt=0)
            inputs = {"real_NCHW": deal.real_NCHW.to(dtype), "latents": deal.latents.to(dtype)}
            method(game, rules, [dataclasses.replace(deal, **inputs)])
        return game

    return run


def compare(spec: TrainingSpec, play: Play, *, dtype: torch.dtype) -> None:
    assert compiled.whole(spec, device=CPU, processes=1)
    start, plainly, whole = (
        Game(spec, device=CPU),
        play(spec, rounds.take_turns, dtype),
        play(spec, compiled.Rounds(), dtype),
    )
    share = APART[dtype]
    # Biases before a batch norm learn nothing: they move by what rounding leaves of their gradients.
    rounding = 100 * torch.finfo(dtype).eps * ROUNDS * SMOOTH["lr"] / SMOOTH["eps"]
    for before, one, other in zip(start.parameters(), plainly.parameters(), whole.parameters(), strict=True):
        assert (other - one).norm() <= share * (one - before).norm() + rounding, "the ways end apart"
    assert whole.meter.means() == pytest.approx(plainly.meter.means(), rel=share, abs=1e-5)
    for game in (plainly, whole):
        game.meter.reset()
    for one, other in zip(plainly.tensors(), whole.tensors(), strict=True):
        assert (other - one).double().norm() <= share * one.double().norm() + rounding


@pytest.mark.parametrize("name", CHANGES)
def test_traced_rounds_are_those_that_were_traced(name: str, tiny: Make, play: Play, traced: None) -> None:
    del traced
    compare(tiny(compile=True, precision="fp32", **CHANGES[name]), play, dtype=torch.float64)


def test_an_adam_that_is_one_step_ahead_is_seen(
    tiny: Make, play: Play, traced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del traced
    pace = FusedAdam.pace

    def ahead(adam: FusedAdam) -> tuple[Tensor, Tensor]:
        steps = adam.counter("step")
        steps.add_(1)
        found = pace(adam)
        steps.sub_(1)
        return found

    monkeypatch.setattr(FusedAdam, "pace", ahead)
    for dtype in APART:
        with pytest.raises(AssertionError, match="apart"):
            compare(tiny(compile=True, precision="fp32", **PLAIN), play, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", APART)
@pytest.mark.parametrize("name", ["plain", "classes", "decay and a norm"])
def test_rounds_compiled_to_machine_code_are_those_that_were_compiled(
    name: str, dtype: torch.dtype, tiny: Make, play: Play
) -> None:
    compare(tiny(compile=True, precision="fp32", **CHANGES[name]), play, dtype=dtype)


def test_a_gradient_that_is_not_finite_changes_nothing(tiny: Make, digits: data.ImageData, traced: None) -> None:
    del traced
    spec = tiny(compile=True, precision="fp32", **CHANGES["plain"])
    game, rules, dealer = Game(spec, device=CPU), Rules.of(spec, device=CPU), Dealer(spec, digits, device=CPU)
    whole = compiled.Rounds()
    for turn in range(ROUNDS):
        before = [tensor.clone() for tensor in _trained(game)]
        (deal,) = dealer.round(turn * spec.batch_size, salt=0)
        if spoilt := turn % 2 == 0:
            deal.latents[0, 0] = torch.nan
        whole(game, rules, [deal])
        assert all(map(torch.equal, _trained(game), before)) == spoilt
        assert [adam.counter("step").item() for adam in _adams(game)] == [(turn + 1) // 2] * 2


def _trained(game: Game) -> list[Tensor]:
    return [*game.parameters(), *(tensor for adam in _adams(game) for tensor in adam.kept("exp_avg"))]


def _adams(game: Game) -> tuple[Any, Any]:
    return game.discriminator_optimizer, game.generator_optimizer


@pytest.mark.parametrize(
    "changes",
    [
        {"compile": False},
        {"preset": "vae", "compile": True},
        {"discriminator_steps": 2},
        {"accumulation_steps": 2},
        {"generator_optimizer": {"kind": "sgd"}},
        {"penalties": [{"kind": "r1", "every_steps": 1}]},
        {"penalties": [{"kind": "weight_clip"}]},
        {"augment": {"kind": "diffaugment"}},
        {"augment": {"kind": "adaptive"}},
    ],
)
def test_other_rounds_are_not_compiled_whole(tiny: Make, changes: dict[str, Any]) -> None:
    spec = tiny(**({"compile": True} | PLAIN | changes)) if "preset" not in changes else presets.resolve(changes)
    assert not compiled.whole(spec, device=CPU, processes=1)


def test_rounds_shared_or_on_a_gpu_are_not_compiled_whole(tiny: Make) -> None:
    spec = tiny(compile=True)
    assert compiled.whole(spec, device=CPU, processes=1)
    assert not compiled.whole(spec, device=CPU, processes=2)
    assert not compiled.whole(spec, device=torch.device("cuda"), processes=1)


def test_compiling_is_told_of_after_the_round_that_it_was_part_of(
    tiny: Make, events: Callable[..., list[training.Event]], traced: None
) -> None:
    """Of eight rounds the first has a penalty due, and is played without."""
    del traced
    run = events(tiny(compile=True, **LAZY, budget={"images": 256, "seconds": None}))
    (told,) = [event for event in run if isinstance(event, training.Compiled)]
    assert told.images_seen == 64


def test_many_games_in_one_process_are_compiled(tiny: Make, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the compiler's limit of programs for one function."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager", options=None))
    with torch._dynamo.config.patch(recompile_limit=2):
        for _ in range(4):
            play(tiny(compile=True, **PLAIN), compiled.Rounds(), torch.float32)


def test_a_run_stopped_and_resumed_is_the_run_that_was_not(
    tiny: Make, events: Callable[..., list[training.Event]], kept: Keep, traced: None
) -> None:
    del traced
    spec = tiny(compile=True, **LAZY, budget={"images": 256, "seconds": None}, metrics={"every_images": 64})
    asked = iter(range(100))
    stopped = events(spec, stop=lambda: next(asked) == 4)
    (halfway,) = [event.state for event in stopped if isinstance(event, training.CheckpointDue)]
    resumed = events(spec, resume=kept(halfway))
    assert 0 < halfway.position.images_seen < 256
    whole = events(spec)
    assert _ticks(stopped) + _ticks(resumed) == _ticks(whole)


def _ticks(run: list[training.Event]) -> list[tuple[int, dict[str, float]]]:
    return [
        (event.images_seen, {name: value for name, value in event.values.items() if name != "images_per_second"})
        for event in run
        if isinstance(event, training.Tick)
    ]
