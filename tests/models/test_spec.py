"""The spec: what presets resolve to, what is refused, and the messages."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models import presets
from models.data import catalog
from models.specs import AdamOptimizer, TrainingSpec

GOLDEN = Path(__file__).with_name("golden")
DIGITS = {"dataset": {"kind": "builtin", "name": "digits"}}
RING = {"dataset": {"kind": "builtin", "name": "ring"}}
VAE = {"kind": "vae", "backbone": {"kind": "mlp"}}
CASES = [(preset, dataset) for preset in presets.REGISTRY for dataset in catalog.BUILTIN]


def digits_with(**facts: Any) -> catalog.Builtin:
    return replace(catalog.DIGITS, facts=catalog.DIGITS.facts.model_copy(update=facts))


def refusal(part: dict[str, Any]) -> str:
    """Return the messages and places of the errors in a part."""
    with pytest.raises(ValidationError) as caught:
        presets.resolve(part)
    return "\n".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in caught.value.errors())


@pytest.mark.parametrize(("preset", "dataset"), CASES)
def test_presets_resolve_to_the_golden_specs(preset: str, dataset: str) -> None:
    """A change of a recipe must be meant: change the file with it."""
    spec = presets.resolve({"preset": preset, "dataset": {"kind": "builtin", "name": dataset}})
    golden = json.loads((GOLDEN / f"{preset}-{dataset}.json").read_text())
    assert spec.model_dump(mode="json") == golden
    assert TrainingSpec.model_validate_json(json.dumps(golden), strict=True) == spec


def test_there_is_a_golden_spec_for_every_preset_and_dataset_and_no_other() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {f"{preset}-{dataset}" for preset, dataset in CASES}


def test_an_empty_part_is_the_default_preset_on_the_default_dataset() -> None:
    spec = presets.resolve({})
    assert (spec.preset, spec.dataset.name) == ("robust", "fashion-mnist")


def test_the_article_preset_is_the_article() -> None:
    spec = presets.resolve({"preset": "article"})
    assert spec.architecture.kind == "mlp"
    assert spec.architecture.generator_widths == (128, 256, 512, 1024)
    assert spec.architecture.discriminator_widths == (512, 256)
    assert spec.architecture.latent_dim == 100
    assert spec.generator_optimizer == spec.discriminator_optimizer
    assert isinstance(spec.generator_optimizer, AdamOptimizer)
    assert (spec.generator_optimizer.lr, spec.generator_optimizer.betas) == (2e-4, (0.5, 0.999))
    assert (spec.batch_size, spec.discriminator_steps) == (128, 1)
    assert spec.budget.images == 1000 * 60_000


def test_an_object_of_the_same_kind_is_laid_over_the_presets() -> None:
    spec = presets.resolve({"architecture": {"latent_dim": 5}, "generator_optimizer": {"lr": 0.5}})
    base = presets.resolve({})
    assert spec.architecture == base.architecture.model_copy(update={"latent_dim": 5})
    assert spec.generator_optimizer == base.generator_optimizer.model_copy(update={"lr": 0.5})
    assert spec.discriminator_optimizer == base.discriminator_optimizer


def test_an_object_of_another_kind_replaces_the_presets() -> None:
    spec = presets.resolve({"architecture": {"kind": "dcgan"}})
    assert spec.architecture.kind == "dcgan"
    assert spec.architecture.latent_dim == 100


def test_a_list_replaces_the_presets() -> None:
    spec = presets.resolve({"penalties": [{"kind": "r1"}]})
    assert [penalty.kind for penalty in spec.penalties] == ["r1"]
    assert spec.penalties[0].every_steps == 1


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"dataset": {"kind": "builtin", "name": "digits", "resolution": 28}},
            "digits is 8x8: set dataset.resolution to 8 or leave it out",
        ),
        (
            DIGITS | {"batch_size": 1498},
            "batch_size 1498 is larger than digits: use at most 1497, the number of its images",
        ),
        (
            {"budget": {"images": 100}},
            "budget.images 100 is less than one batch of 128: raise the budget or lower batch_size",
        ),
        ({"budget": {"images": None}}, "give at least one of budget.images and budget.seconds"),
        (
            {"penalties": [{"kind": "r1"}, {"kind": "r1"}]},
            "penalty r1 is listed 2 times: list each kind once",
        ),
        ({"evaluation": {"metrics": ["fid", "fid"]}}, "name each metric once"),
        (
            RING | {"evaluation": {"metrics": ["fid"]}},
            "ring has no feature extractor for fid: leave it out of evaluation.metrics",
        ),
        ({"evaluation": {"metrics": ["modes"]}}, "fashion-mnist has no known modes for modes: leave it out"),
        (
            {"accumulation_steps": 3},
            "accumulation_steps 3 does not cut batch_size 128 into equal parts of two images or more: choose a divisor",
        ),
        ({"accumulation_steps": 128}, "into equal parts of two images or more"),
        (
            {"architecture": {"kind": "r3gan", "channels": 50}},
            "architecture.group_width 16 does not divide the 100 feature maps inside a block",
        ),
        (
            {"architecture": {"kind": "mlp", "discriminator_widths": [64], "share_channels": True}},
            "architecture.share_channels needs two hidden layers or more, one for all channels and one for each, and "
            "discriminator_widths has 1: add one, or set share_channels to false",
        ),
        (
            RING | {"architecture": {"kind": "resnet"}},
            "architecture resnet needs a resolution that halves down to 3..7 pixels at least once, not 1: use "
            "architecture mlp for ring",
        ),
        (RING | {"architecture": VAE | {"backbone": {"kind": "dcgan"}}, "loss": {"kind": "elbo"}}, "dcgan needs"),
        ({"loss": {"kind": "elbo"}}, "loss elbo trains an autoencoder: set architecture.kind to vae"),
        (
            {"architecture": VAE},
            "architecture vae is not adversarial: set loss.kind to elbo, not relativistic_paired",
        ),
        (
            {"preset": "vae", "penalties": [{"kind": "r1"}]},
            "architecture vae has no discriminator for penalty r1: set penalties to []",
        ),
        ({"preset": "vae", "discriminator_steps": 2}, "has no discriminator: set discriminator_steps to 1"),
        ({"preset": "vae", "augment": {"kind": "diffaugment"}}, "would learn to draw what augment diffaugment does"),
        (
            {"generator_optimizer": {"kind": "extra_adam"}},
            "extra_adam looks ahead with both networks: set both generator_optimizer and discriminator_optimizer to it",
        ),
        (
            {
                "generator_optimizer": {"kind": "extra_adam"},
                "discriminator_optimizer": {"kind": "extra_adam"},
                "discriminator_steps": 2,
            },
            "extra_adam moves a generator and a discriminator once each: set discriminator_steps to 1",
        ),
        ({"cuda_graphs": True}, "cuda_graphs replays compiled networks: set compile to true, or cuda_graphs to false"),
        (
            RING | {"augment": {"kind": "flip"}},
            "ring holds points, not images, for augment flip: set it to none",
        ),
        (
            RING | {"penalties": [{"kind": "consistency"}]},
            "ring holds points, not images, that penalty consistency could shift: leave it out",
        ),
        ({"name": "a\u202eb"}, "must not contain the control character U+202E"),
        ({"name": "a\0b"}, "must not contain the control character U+0000"),
        (
            {"dataset": {"name": "cifar"}},
            "dataset.name: must be one of fashion-mnist, digits, ring, grid, stacked-fashion",
        ),
        ({"dataset": {"name": ["digits"]}}, "dataset.name: must be one of fashion-mnist, digits"),
        ({"dataset": {"kind": "url"}}, "dataset.kind: must be builtin or uploaded"),
        ({"dataset": "digits"}, "dataset: must be an object such as"),
        ({"dataset": {"kind": "uploaded", "id": "ds_1"}}, "dataset.id: there is no uploaded dataset 'ds_1'"),
        (
            {"dataset": {"name": "digits", "facts": {"images": 5}}},
            "dataset.facts: digits has its own: leave facts out",
        ),
        ({"preset": "nonesuch"}, "must be one of robust, fast, article"),
        ({"preset": ["robust"]}, "must be one of robust, fast, article"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_work_is_refused_with_what_to_do(part: dict[str, Any], message: str) -> None:
    assert message in refusal(part)


def test_labels_need_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalog.BUILTIN, "digits", digits_with(classes=0))
    assert "digits has no classes: set labels to false" in refusal(DIGITS | {"labels": True})


def test_a_spec_from_before_labels_compilation_and_accumulation_means_what_it_meant() -> None:
    now = presets.resolve({}).model_dump(mode="json")
    then = {key: value for key, value in now.items() if key not in {"labels", "compile", "accumulation_steps"}}
    for side in ("generator_optimizer", "discriminator_optimizer"):
        then[side] = {key: value for key, value in now[side].items() if key not in {"schedule", "max_gradient_norm"}}
    assert TrainingSpec.model_validate_json(json.dumps(then), strict=True) == presets.resolve({})


def test_dcgan_on_a_resolution_that_does_not_halve_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        catalog.BUILTIN,
        "digits",
        replace(catalog.DIGITS, facts=catalog.DIGITS.facts.model_copy(update={"resolution": 27})),
    )
    part = DIGITS | {"architecture": {"kind": "dcgan"}}
    assert "use architecture mlp for digits" in refusal(part)


@pytest.mark.parametrize(
    "part",
    [
        {"batch_size": 10**9},
        {"batch_size": "128"},
        {"batch_size": True},
        {"batch_size": 1},
        {"discriminator_steps": -1},
        {"architecture": {"generator_widths": [8] * 10_000}},
        {"architecture": {"generator_widths": []}},
        {"architecture": {"kind": "os.system"}},
        {"generator_optimizer": {"lr": float("nan")}},
        {"generator_optimizer": {"lr": float("inf")}},
        {"generator_optimizer": {"betas": [0.5, 1.0]}},
        {"ema": {"half_life_images": -1}},
        {"seed": -1},
        {"seed": 2**53},
        {"tenant": "other"},
        {"dataset": {"kind": "builtin", "name": "../../etc/passwd"}},
        {"dataset": {"kind": "builtin", "name": "fashion-mnist", "url": "http://example.com"}},
        {"dataset": 7},
        {"loss": "hinge"},
        {"metadata": {"k": "v" * 501}},
        {"budget": {"seconds": 0}},
    ],
    ids=str,
)
def test_hostile_values_are_refused(part: dict[str, Any]) -> None:
    assert refusal(part)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        presets.resolve({}).batch_size = 2  # type: ignore[misc]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(sorted(TrainingSpec.model_fields)), value=JSON)
def test_any_value_anywhere_is_taken_or_refused_and_never_breaks_anything(field: str, value: Any) -> None:
    try:
        spec = presets.resolve({field: value})
    except ValidationError:
        return
    assert TrainingSpec.model_validate_json(spec.model_dump_json(), strict=True) == spec


def test_spec_and_presets_import_without_torch() -> None:
    code = "from models import presets; from models.specs import advice; presets.resolve({})"
    code += "; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_data_imports_without_torch() -> None:
    code = "import sys; from models import data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
