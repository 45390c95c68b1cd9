"""Recipes as functions of a dataset's facts: what changes with its size, its resolution and its holdout."""

import pytest

from models import presets
from models.specs import DatasetFacts, figures


@pytest.mark.parametrize("preset", ["robust", "fast"])
@pytest.mark.parametrize(("resolution", "on_cpus", "on_gpus"), [(28, 128, 128), (32, 32, 64), (64, 16, 64)])
@pytest.mark.parametrize(
    ("images", "most", "kind"), [(300, 256, "adaptive"), (40, 32, "adaptive"), (50_000, 256, None)]
)
@pytest.mark.parametrize("hardware", ["cpu", "gpu"])
def test_little_data_is_changed_before_the_discriminator_sees_it(
    preset: str,
    resolution: int,
    on_cpus: int,
    on_gpus: int,
    images: int,
    most: int,
    kind: str | None,
    hardware: presets.Hardware,
) -> None:
    facts = DatasetFacts(resolution=resolution, channels=3, images=images, classes=0, flips_natural=True)
    recipe = presets.REGISTRY[preset].recipe(facts, hardware)
    assert recipe.get("augment") == (None if kind is None else {"kind": kind, "flip": True})
    assert recipe["batch_size"] == min(on_cpus if hardware == "cpu" else on_gpus, most)


@pytest.mark.parametrize(
    ("resolution", "hardware", "lr"), [(28, "cpu", 1e-3), (32, "cpu", 4e-4), (64, "cpu", 1e-3), (64, "gpu", 4e-4)]
)
def test_steps_are_larger_for_large_images_on_cpus(resolution: int, hardware: presets.Hardware, lr: float) -> None:
    facts = DatasetFacts(resolution=resolution, channels=3, images=30_000, classes=0, flips_natural=False)
    assert presets.REGISTRY["robust"].recipe(facts, hardware)["generator_optimizer"]["lr"] == lr


@pytest.mark.parametrize(("held", "measured"), [(100, True), (99, False), (0, False)])
def test_memorisation_is_measured_where_enough_is_held_out(held: int, measured: bool) -> None:
    facts = DatasetFacts(
        resolution=64,
        channels=3,
        images=900,
        holdout_images=held,
        classes=0,
        flips_natural=True,
        features="imagenet",
    )
    assert ("memorisation" in figures.usual(facts)) is measured
