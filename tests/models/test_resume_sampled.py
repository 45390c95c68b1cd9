"""All parts of the library combine, and a stopped run of any combination resumes to the bit."""

import functools
import itertools
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models import architectures, augment, data, losses, optimizers, penalties
from models.augment import policies
from models.data import catalog
from models.specs import TrainingSpec
from models.training import guard, lr_schedules, methods
from models.training.inputs import StepInputs
from models.training.methods import Method, Shown
from models.training.state import TrainingState
from tests.models.runs import Run, outcome, resumed

Make = Callable[..., TrainingSpec]
Part = dict[str, Any]
Fields = dict[str, st.SearchStrategy[Any]]

SIDES = ("generator", "discriminator")
IMAGES = 50
"""So few images that a run of a handful of steps goes through them more than once."""

bools = st.booleans()
widths = st.lists(st.integers(1, 8), min_size=2, max_size=3)
latents = st.integers(1, 6)
norms = st.sampled_from(["none", "batch"])
shares = st.sampled_from([0.0, 0.3, 1.0])
lazy: Fields = {"every_steps": st.integers(1, 4), "weight": st.sampled_from([0.01, 1.0, 1000.0])}
adam: Fields = {"betas": st.sampled_from([[0.0, 0.9], [0.9, 0.999]]), "eps": st.sampled_from([1e-8, 1e-4])}
fall: Fields = {"start": shares, "final": shares}
judged: Fields = {"policies": st.lists(st.sampled_from(sorted(policies.REGISTRY)), min_size=1, max_size=3)}

TINY: dict[str, Fields] = {
    "mlp": {"latent_dim": latents, "generator_widths": widths, "discriminator_widths": widths},
    "dcgan": {"latent_dim": latents, "channels": st.integers(4, 6)},
    "resnet": {"latent_dim": latents, "channels": st.integers(4, 6)},
    "r3gan": {"latent_dim": latents, "channels": st.sampled_from([4, 6]), "group_width": st.sampled_from([1, 2])},
}
"""The settings that make each architecture small. The vae is not here: it has the body of another."""
BACKBONES = {"mlp", "dcgan"}
POINTWISE = {"mlp", "vae"}
"""Architectures that draw points as well as images."""

# What may be drawn besides a kind, in each place of a spec; of a kind that is not here, or left out, the default.
ARCHITECTURES: dict[str, Fields] = {
    "mlp": {"generator_norm": norms, "activation": st.sampled_from(["relu", "leaky_relu"]), "share_channels": bools},
    "dcgan": {"generator_norm": norms, "discriminator_norm": st.sampled_from(["none", "batch", "spectral"])},
    "resnet": {"generator_norm": norms, "discriminator_norm": st.sampled_from(["none", "spectral"])},
    "r3gan": {"blocks": st.integers(1, 2), "expansion": st.integers(1, 2)},
}
PENALTIES: dict[str, Fields] = {
    "r1": lazy,
    "r2": lazy,
    "gradient_penalty": lazy,
    "dragan": lazy | {"reach": st.sampled_from([0.1, 1.0])},
    "weight_clip": {"limit": st.sampled_from([0.01, 0.1])},
    "lecam": lazy | {"decay": st.sampled_from([0.0, 0.9])},
    "consistency": lazy | {"shift_pixels": st.integers(1, 3), "flip": bools},
}
AUGMENTS: dict[str, Fields] = {
    "diffaugment": judged | {"flip": bools},
    "adaptive": judged | {"flip": bools, "target": st.sampled_from([0.1, 0.9]), "speed_images": st.just(1_000)},
}
OPTIMIZERS: dict[str, Fields] = {
    "adam": adam,
    "adamw": adam | {"weight_decay": st.sampled_from([0.0, 0.1])},
    "rmsprop": {"alpha": st.sampled_from([0.5, 0.9])},
    "sgd": {"momentum": st.sampled_from([-0.5, 0.9])},
    "optimistic_adam": adam,
    "extra_adam": adam,
}
SCHEDULES: dict[str, Fields] = {"linear": fall, "cosine": fall}
GUARDS: dict[str, Fields] = {"repair": {"max_repairs": st.sampled_from([1, 5, 50])}}

SMALL: Part = {
    "architecture": {"kind": "mlp", "latent_dim": 4, "generator_widths": [8, 8], "discriminator_widths": [8, 8]},
    "evaluation": {"metrics": []},
    "batch_size": 8,
    "budget": {"images": 60, "seconds": None},
    "checkpoint": {"every_images": 40},
    "metrics": {"every_images": 24},
}


def of_kind(
    kinds: Iterable[str], varied: dict[str, Fields], **always: st.SearchStrategy[Any]
) -> st.SearchStrategy[Part]:
    """Draw an object of one of the kinds, with some of the fields that may vary in it."""
    return st.sampled_from(sorted(kinds)).flatmap(
        lambda kind: st.fixed_dictionaries({"kind": st.just(kind), **always}, optional=varied.get(kind, {}))
    )


def networks(kind: str, *, points: bool = False) -> st.SearchStrategy[Part]:
    if kind != "vae":
        return of_kind([kind], ARCHITECTURES, **TINY[kind])
    backbones = BACKBONES & POINTWISE if points else BACKBONES
    backbone = st.sampled_from(sorted(backbones)).flatmap(networks)
    return st.fixed_dictionaries({"kind": st.just("vae"), "backbone": backbone})


def optimizer(kinds: Iterable[str]) -> st.SearchStrategy[Part]:
    schedule = of_kind(lr_schedules.REGISTRY, SCHEDULES, warmup_images=st.sampled_from([0, 20]))
    varied: Fields = {"schedule": schedule, "max_gradient_norm": st.sampled_from([1e-3, 1.0])}
    every = {kind: OPTIMIZERS.get(kind, {}) | varied for kind in kinds}
    return of_kind(kinds, every, lr=st.sampled_from([1e-4, 1e-3, 1.0]))  # the last makes some diverge


@st.composite
def parts(draw: st.DrawFn, architecture: str) -> Part:
    """Draw a part of a spec that decides all that matters here. Specs that the rules refuse are not drawn."""
    named = catalog.BUILTIN.values()
    fitting = [entry.name for entry in named if architecture in POINTWISE or not entry.facts.holds_points]
    entry = catalog.BUILTIN[draw(st.sampled_from(sorted(fitting)))]
    points, plays = entry.facts.holds_points, architecture != "vae"
    side = draw(optimizer(set(optimizers.REGISTRY) - (set() if plays else {"extra_adam"})))
    looks_ahead = side["kind"] == "extra_adam"
    others = {"extra_adam"} if looks_ahead else set(optimizers.REGISTRY) - {"extra_adam"}
    terms = set(penalties.REGISTRY) - ({"consistency"} if points else set())
    chosen = draw(st.lists(st.sampled_from(sorted(terms)), unique=True)) if plays else []
    augments = {"none"} if points else set(augment.REGISTRY) if plays else {"none", "flip"}
    turns = draw(st.integers(1, 3)) if plays and not looks_ahead else 1
    batch_size = draw(st.sampled_from([4, 8, 12]))
    budget = draw(st.integers(3, 9)) * turns * batch_size - draw(st.integers(0, batch_size - 1))
    spacing = st.integers(1, 2 * budget)
    return {
        "dataset": {"kind": "builtin", "name": entry.name},
        "labels": draw(bools),
        "architecture": draw(networks(architecture, points=points)),
        "loss": draw(of_kind(losses.REGISTRY if plays else ["elbo"], {})),
        "penalties": [draw(of_kind([kind], PENALTIES)) for kind in chosen],
        "generator_optimizer": side,
        "discriminator_optimizer": draw(optimizer(others)),
        "discriminator_steps": turns,
        "batch_size": batch_size,
        "accumulation_steps": draw(st.integers(1, 2)),
        "budget": {"images": budget, "seconds": None},
        "ema": {"half_life_images": draw(st.sampled_from([0, 10, 100])), "ramp_up": draw(st.sampled_from([0.05, 1.0]))},
        "augment": draw(of_kind(augments, AUGMENTS)),
        "precision": draw(st.sampled_from(["fp32", "bf16", "auto"])),
        "seed": draw(st.integers(0, 2**53 - 1)),
        "checkpoint": {"every_images": draw(spacing)},
        "evaluation": {
            "every_images": draw(spacing),
            "metrics": draw(st.sampled_from([[], ["modes"]])) if points else [],
            "samples": 1_000,
        },
        "metrics": {"every_images": draw(spacing)},
        "guard": draw(of_kind(guard.LADDERS, GUARDS)),
    }


@st.composite
def stopped(draw: st.DrawFn, architecture: str) -> tuple[Part, list[int]]:
    """Draw a part of a spec, and the numbers of steps after which its attempts are stopped."""
    part = draw(parts(architecture))
    steps = -(-part["budget"]["images"] // (part["discriminator_steps"] * part["batch_size"]))
    places = sorted(draw(st.sets(st.integers(1, steps - 1), min_size=1, max_size=3)))
    return part, [after - before for before, after in itertools.pairwise([0, *places])]


@functools.cache
def noise(name: str) -> data.ImageData:
    """Return a few images in the dataset's shape, which need no download."""
    facts = catalog.BUILTIN[name].facts
    chance = np.random.default_rng(0)
    shape = IMAGES, facts.channels, facts.resolution, facts.resolution
    pixels = chance.integers(0, 256, shape, np.uint8)
    images_NCHW = (pixels / 127.5 - 1).astype(np.float32) if facts.holds_points else pixels
    return data.ImageData(images_NCHW=images_NCHW, labels=chance.integers(0, facts.classes, IMAGES))


def check(tiny: Make, events: Run, part: Part, attempts: Sequence[int], *, fails: bool) -> None:
    spec = tiny(**part)
    run = functools.partial(events, dataset=noise(spec.dataset.name))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        if fails:
            patch.setattr(methods, "prepare", functools.partial(fragile, methods.prepare))
        whole = outcome(lambda: run(spec))
        pieces = outcome(lambda: resumed(run, spec, attempts=attempts, folder=Path(folder)))
    assert pieces == whole


def fragile(
    prepare: Callable[..., tuple[TrainingState, Method]], spec: TrainingSpec, **where: Any
) -> tuple[TrainingState, Method]:
    """Make some steps end in NaN, chosen by the bits of the weights and nothing but the run's state."""
    state, method = prepare(spec, **where)
    step = method.step

    def spoilt(state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        shown = step(state, inputs)
        bits = b"".join(weight.detach().numpy().tobytes() for weight in state.all_parameters())
        if zlib.crc32(bits) % 4 == 0:
            with torch.no_grad():
                state.parameters["generator"][0].fill_(torch.nan)
        return shown

    setattr(method, "step", spoilt)  # noqa: B010 - a method of one object, which mypy lets nobody assign
    return state, method


every_architecture = pytest.mark.parametrize("architecture", sorted(architectures.REGISTRY))
# A failure is told as it was found: to shrink it would take hundreds of runs, longer than a test may.
same_every_time = settings(derandomize=True, deadline=None, phases=[Phase.generate])


@every_architecture
@settings(same_every_time, max_examples=5)
@given(drawn=st.data())
def test_a_resumed_run_of_whatever_spec_is_the_uninterrupted_one(
    tiny: Make, events: Run, architecture: str, drawn: st.DataObject
) -> None:
    check(tiny, events, *drawn.draw(stopped(architecture)), fails=drawn.draw(bools))


@pytest.mark.slow
@every_architecture
@settings(same_every_time, max_examples=100)
@given(drawn=st.data())
def test_resumed_runs_of_many_more_specs_are_the_uninterrupted_ones(
    tiny: Make, events: Run, architecture: str, drawn: st.DataObject
) -> None:
    check(tiny, events, *drawn.draw(stopped(architecture)), fails=drawn.draw(bools))


@pytest.mark.parametrize(
    "part",
    [
        *({"dataset": {"kind": "builtin", "name": name}} for name in catalog.BUILTIN),
        *({"loss": {"kind": kind}} for kind in losses.REGISTRY),
        *({"penalties": [{"kind": kind}]} for kind in penalties.REGISTRY),
        *({"augment": {"kind": kind}} for kind in augment.REGISTRY),
        *({f"{side}_optimizer": {"kind": kind} for side in SIDES} for kind in optimizers.REGISTRY),
        *({f"{side}_optimizer": {"schedule": {"kind": kind}} for side in SIDES} for kind in lr_schedules.REGISTRY),
        *({"guard": {"kind": kind}} for kind in guard.LADDERS),
    ],
    ids=str,
)
def test_no_kind_is_left_to_chance(tiny: Make, events: Run, part: Part) -> None:
    """Every kind of architecture, and with the vae its loss, is in the sampled specs."""
    check(tiny, events, SMALL | part, attempts=[1, 2, 3], fails=False)
