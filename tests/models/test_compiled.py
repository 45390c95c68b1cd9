"""Steps compiled whole are the steps that run without a compiler."""

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
from models.training.inputs import InputPipeline
from models.training.methods import compiled
from models.training.methods.alternating import Alternating
from models.training.methods.compiled import CompiledAlternating
from models.training.state import TrainingState
from tests.models.runs import SMOOTH

Make = Callable[..., TrainingSpec]
Keep = Callable[[training.Snapshot], checkpoint.Checkpoint]
Train = Callable[[TrainingSpec, type[Alternating], torch.dtype], TrainingState]

CPU = torch.device("cpu")
STEPS = 4
APART = {torch.float64: STEPS * 2 * 2**-24 / (1 - 0.99), torch.float32: 1 / 32}
"""How far apart the two ways may end, as a share of the way.

In float64, Adam's pace is still found in float32, where 1 - 0.99^t loses two digits. Logits are rounded to float32 too,
which counts for less. In float32 a ReLU whose input is 0 up to rounding may be active on one way and not on the other:
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
    """Trace and differentiate as torch.compile does, without its C++ compiler. The slow tests use the compiler too."""
    real = torch.compile

    def trace(function: Callable[..., Any], **how: Any) -> Any:
        return real(function, backend="aot_eager", fullgraph=how["fullgraph"], dynamic=how["dynamic"])

    monkeypatch.setattr(torch, "compile", trace)


@pytest.fixture
def train(digits: data.ImageData) -> Train:
    def run(spec: TrainingSpec, kind: type[Alternating], dtype: torch.dtype) -> TrainingState:
        state, method = start(spec), kind(spec, device=CPU)
        for network in state.networks.values():
            network.to(dtype)
        pipeline = InputPipeline(spec, digits, device=CPU)
        for step in range(STEPS):
            state.begin_step(images_seen=step * spec.batch_size, budget_fraction=0.0, guard_factor=1.0)
            (inputs,) = pipeline.step(step * spec.batch_size, salt=0)
            images, latents = inputs.real_NCHW.to(dtype), inputs.latents.to(dtype)
            method.step(state, [dataclasses.replace(inputs, real_NCHW=images, latents=latents)])
        return state

    return run


def start(spec: TrainingSpec) -> TrainingState:
    return TrainingState(spec, Alternating.players(spec), device=CPU)


def compare(spec: TrainingSpec, train: Train, *, dtype: torch.dtype) -> None:
    assert compiled.can_compile(spec, device=CPU, processes=1)
    first, plainly, whole = start(spec), train(spec, Alternating, dtype), train(spec, CompiledAlternating, dtype)
    share = APART[dtype]
    # Biases before a batch norm learn nothing: they move by what rounding leaves of their gradients. Nor does the last
    # one if logits are compared, and logits are float32 whatever the networks' format is.
    idle = torch.finfo(torch.float32).eps
    rounding = 100 * torch.finfo(dtype).eps * STEPS * SMOOTH["lr"] / SMOOTH["eps"]

    def allowed(size: Tensor) -> Tensor:
        return share * size + (max(rounding, idle) if size <= idle else rounding)

    weights = (state.all_parameters() for state in (first, plainly, whole))
    for before, one, other in zip(*weights, strict=True):
        assert (other - one).norm() <= allowed((one - before).norm()), "the ways end apart"
    assert whole.meter.means() == pytest.approx(plainly.meter.means(), rel=share, abs=1e-5)
    for state in (plainly, whole):
        state.meter.reset()
    for one, other in zip(plainly.tensors(), whole.tensors(), strict=True):
        assert (other - one).double().norm() <= allowed(one.double().norm())


@pytest.mark.parametrize("name", CHANGES)
def test_traced_steps_are_those_that_were_traced(name: str, tiny: Make, train: Train, traced: None) -> None:
    del traced
    compare(tiny(compile=True, precision="fp32", **CHANGES[name]), train, dtype=torch.float64)


def test_an_adam_that_is_one_step_ahead_is_seen(
    tiny: Make, train: Train, traced: None, monkeypatch: pytest.MonkeyPatch
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
            compare(tiny(compile=True, precision="fp32", **PLAIN), train, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", APART)
@pytest.mark.parametrize("name", ["plain", "classes", "decay and a norm"])
def test_steps_compiled_to_machine_code_are_those_that_were_compiled(
    name: str, dtype: torch.dtype, tiny: Make, train: Train
) -> None:
    compare(tiny(compile=True, precision="fp32", **CHANGES[name]), train, dtype=dtype)


def test_a_gradient_that_is_not_finite_changes_nothing(tiny: Make, digits: data.ImageData, traced: None) -> None:
    del traced
    spec = tiny(compile=True, precision="fp32", **CHANGES["plain"])
    state, pipeline = start(spec), InputPipeline(spec, digits, device=CPU)
    whole = CompiledAlternating(spec, device=CPU)
    for step in range(STEPS):
        before = [tensor.clone() for tensor in _trained(state)]
        (inputs,) = pipeline.step(step * spec.batch_size, salt=0)
        if spoilt := step % 2 == 0:
            inputs.latents[0, 0] = torch.nan
        whole.step(state, [inputs])
        assert all(map(torch.equal, _trained(state), before)) == spoilt
        assert [adam.counter("step").item() for adam in state.optimizers.values()] == [(step + 1) // 2] * 2


def _trained(state: TrainingState) -> list[Tensor]:
    means = (tensor for adam in state.optimizers.values() for tensor in adam.kept("exp_avg"))
    return [*state.all_parameters(), *means]


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
def test_other_steps_are_not_compiled_whole(tiny: Make, changes: dict[str, Any]) -> None:
    spec = tiny(**({"compile": True} | PLAIN | changes)) if "preset" not in changes else presets.resolve(changes)
    assert not compiled.can_compile(spec, device=CPU, processes=1)


def test_steps_shared_or_on_a_gpu_are_not_compiled_whole(tiny: Make) -> None:
    spec = tiny(compile=True)
    assert compiled.can_compile(spec, device=CPU, processes=1)
    assert not compiled.can_compile(spec, device=CPU, processes=2)
    assert not compiled.can_compile(spec, device=torch.device("cuda"), processes=1)


def test_compiling_is_told_of_after_the_step_that_it_was_part_of(
    tiny: Make, events: Callable[..., list[training.Event]], traced: None
) -> None:
    """The first of eight steps has a penalty's term, and runs without the compiler."""
    del traced
    run = events(tiny(compile=True, **LAZY, budget={"images": 256, "seconds": None}))
    (told,) = [event for event in run if isinstance(event, training.Compiled)]
    assert told.images_seen == 64


def test_many_runs_in_one_process_are_compiled(tiny: Make, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of runs exceeds the compiler's limit of programs for one function."""
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager", options=None))
    with torch._dynamo.config.patch(recompile_limit=2):
        for _ in range(4):
            train(tiny(compile=True, **PLAIN), CompiledAlternating, torch.float32)


def test_a_run_stopped_and_resumed_is_the_run_that_was_not(
    tiny: Make, events: Callable[..., list[training.Event]], kept: Keep, traced: None
) -> None:
    del traced
    spec = tiny(compile=True, **LAZY, budget={"images": 256, "seconds": None}, metrics={"every_images": 64})
    asked = iter(range(100))
    stopped = events(spec, stop=lambda: next(asked) == 4)
    (halfway,) = [event.snapshot for event in stopped if isinstance(event, training.CheckpointDue)]
    resumed = events(spec, resume=kept(halfway))
    assert 0 < halfway.progress.images_seen < 256
    whole = events(spec)
    assert _ticks(stopped) + _ticks(resumed) == _ticks(whole)


def _ticks(run: list[training.Event]) -> list[tuple[int, dict[str, float]]]:
    return [
        (event.images_seen, {name: value for name, value in event.values.items() if name != "images_per_second"})
        for event in run
        if isinstance(event, training.Tick)
    ]
