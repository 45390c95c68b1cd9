"""Stored specs: an accepted spec stays readable and can be trained and amended. Only its changes are checked."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from models import presets
from models.checkpoints import versions
from models.data import catalog
from models.specs import TrainingSpec, rules, stored

CASES = [(preset, dataset) for preset in presets.REGISTRY for dataset in catalog.BUILTIN]
Make = Callable[..., TrainingSpec]


def as_stored(spec: TrainingSpec, **changes: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = json.loads(spec.model_dump_json())
    return dumped | changes


@pytest.mark.parametrize(("preset", "dataset"), CASES)
def test_a_spec_that_was_stored_is_read_as_it_was(preset: str, dataset: str) -> None:
    part = {"preset": preset, "dataset": {"name": dataset}, "metadata": {"team": "vision"}}
    spec = presets.resolve(part | {"generator_optimizer": {"schedule": {"kind": "cosine", "start": 0.5}}})
    assert stored.read(as_stored(spec)) == spec
    assert as_stored(stored.read(as_stored(spec))) == as_stored(spec)


def test_neither_bounds_nor_rules_are_applied_to_what_was_stored(tiny: Make) -> None:
    spec = tiny()
    beyond = as_stored(spec, batch_size=10**9, seed=-1, accumulation_steps=7)
    beyond["generator_optimizer"]["lr"] = 5
    read = stored.read(beyond)
    assert (read.batch_size, read.seed, read.accumulation_steps, read.generator_optimizer.lr) == (10**9, -1, 7, 5.0)
    assert isinstance(read.generator_optimizer.lr, float)
    assert rules.first_problem(read) is not None


def test_younger_fields_take_their_defaults_and_older_ones_are_left_out(tiny: Make) -> None:
    spec = tiny()
    then = as_stored(spec, was_once_a_field=1)
    for field in ("labels", "compile", "accumulation_steps", "cuda_graphs", "max_attempts"):
        del then[field]
    assert stored.read(then) == spec


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "spec",
        {},
        {"name": None},
        {"loss": {"kind": "os.system"}},
        {"loss": "hinge"},
        {"penalties": 3},
        {"generator_optimizer": {"kind": "adam", "betas": [0.5]}},
    ],
    ids=str,
)
def test_what_is_no_stored_spec_is_a_value_error(tiny: Make, broken: Any) -> None:
    whole = as_stored(tiny()) | broken if isinstance(broken, dict) and broken and "name" not in broken else broken
    with pytest.raises(ValueError, match=r"stored|kind|argument"):
        stored.read(whole)


def test_a_spec_of_format_1_gets_the_facts_that_it_had(tiny: Make) -> None:
    spec = tiny()
    then = as_stored(spec, dataset={"kind": "builtin", "name": "digits", "resolution": 8})
    assert stored.read(versions.spec_from_1(then)) == spec


# Amending


def refused_by_today(tiny: Make) -> TrainingSpec:
    """More images a batch than the dataset has, a rate beyond its bound, and parts that do not divide."""
    spec = as_stored(tiny(), batch_size=4000, accumulation_steps=7, budget={"images": 10**6, "seconds": None})
    spec["discriminator_optimizer"]["lr"] = 2.0
    return stored.read(spec)


def test_what_was_stored_stays_when_something_else_is_amended(tiny: Make) -> None:
    before = refused_by_today(tiny)
    assert presets.amend(before, {}) == before
    after = presets.amend(before, {"name": "gentler", "generator_optimizer": {"lr": 1e-4}})
    assert (after.name, after.generator_optimizer.lr) == ("gentler", 1e-4)
    assert (after.batch_size, after.accumulation_steps, after.discriminator_optimizer.lr) == (4000, 7, 2.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 5000}, "batch_size 5000 is larger than digits: use at most 1497"),
        ({"generator_optimizer": {"lr": 2.0}}, "less than or equal to 1"),
        ({"discriminator_optimizer": {"lr": 3.0}}, "less than or equal to 1"),
        ({"labels": True, "cuda_graphs": True}, "cuda_graphs replays compiled networks"),
        ({"nonesuch": 1}, "Extra inputs are not permitted"),
        ({"name": "a\0b"}, "control character"),
        ({"preset": "vae"}, "a preset fills in a new job's spec"),
    ],
    ids=str,
)
def test_what_an_amendment_breaks_is_refused(tiny: Make, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        presets.amend(refused_by_today(tiny), changes)
    assert [message in error["msg"] for error in caught.value.errors()] == [True]


def test_another_dataset_brings_its_own_facts(tiny: Make) -> None:
    after = presets.amend(tiny(), {"dataset": {"name": "fashion-mnist"}})
    assert after.dataset == catalog.FASHION_MNIST.spec


def test_a_spec_can_be_posted_again_as_it_was_answered(tiny: Make) -> None:
    spec = tiny()
    assert presets.resolve(as_stored(spec)) == spec
    assert presets.amend(spec, as_stored(spec)) == spec
