"""The width of convolutional networks follows the images' size and the hardware."""

from typing import Any, get_args

import pytest

from models import presets
from models.presets import widths
from models.specs import DatasetFacts, TrainingSpec, UploadedDataset
from models.training import estimates


def spec(side: int, hardware: presets.Hardware = "cpu", **changes: Any) -> TrainingSpec:
    facts = DatasetFacts(resolution=side, channels=3, images=50_000, classes=9, flips_natural=False)
    dataset = UploadedDataset(id=f"ds_{'0' * 26}", name="photos", digest="0" * 64, facts=facts)
    wish = {"dataset": {"kind": "uploaded", "id": dataset.id}} | changes
    return presets.resolve(wish, find=lambda _: dataset, hardware=hardware)


def flops(side: int, channels: int) -> int:
    return estimates.estimate(spec(side, architecture={"channels": channels})).flops_per_image


@pytest.mark.parametrize("hardware", get_args(widths.Hardware))
@pytest.mark.parametrize("side", [32, 64, 128, 256, 512])
def test_the_width_is_the_widest_that_is_affordable(hardware: presets.Hardware, side: int) -> None:
    chosen = spec(side, hardware).architecture
    assert chosen.kind == "dcgan"
    most = widths.MOST_FLOPS[hardware]
    assert chosen.channels == min(widths.CHOICES) or flops(side, chosen.channels) <= most
    assert chosen.channels == max(widths.CHOICES) or flops(side, 2 * chosen.channels) > most


@pytest.mark.parametrize("preset", ["robust", "fast", "vae"])
def test_the_choice_is_told(preset: str) -> None:
    told = presets.remark(spec(64, preset=preset), "cpu")
    assert told == "architecture.channels is 32, because no worker has a GPU: presets use 32 on CPUs and 64 on GPUs"
    assert presets.remark(spec(64, "gpu", preset=preset), "gpu") is not None


@pytest.mark.parametrize(
    ("side", "changes"), [(32, {}), (64, {"preset": "dcgan"}), (64, {"architecture": {"channels": 48}}), (28, {})]
)
def test_nothing_is_told_where_nothing_was_chosen(side: int, changes: dict[str, Any]) -> None:
    assert presets.remark(spec(side, **changes), "cpu") is None
