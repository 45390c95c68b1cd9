"""The quality figures: known distances, and the features that they are measured in."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models import data, evaluators
from models.data import pixels, points
from models.evaluators import comparison, garments, train_garments
from models.evaluators.fid import fid, frechet_distance
from models.evaluators.precision_recall import precision_recall
from models.specs import TrainingSpec


def test_distance_of_shifted_clouds_is_the_squared_shift() -> None:
    cloud = torch.randn(500, 8, dtype=torch.float64)
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(cloud, cloud + 2) == pytest.approx(8 * 4)


def test_distance_of_scaled_clouds_is_that_of_their_deviations() -> None:
    """For commuting covariances tr(C1 + C2 - 2 (C1 C2)^(1/2)) is the sum of (s1 - s2)^2."""
    cloud = torch.randn(500, 8, dtype=torch.float64)
    centred = cloud - cloud.mean(0)
    expected = torch.cov(centred.T).trace().item() * (3 - 1) ** 2
    assert frechet_distance(centred, 3 * centred) == pytest.approx(expected)


def test_distance_does_not_mind_dead_features() -> None:
    cloud = torch.randn(300, 8)
    cloud[:, 3:] = 0
    assert fid(cloud, cloud + 0.0)["fid"] == pytest.approx(0, abs=1e-5)


def test_precision_and_recall_tell_dropped_modes_from_invented_ones() -> None:
    torch.manual_seed(0)
    left, right = torch.randn(400, 4), torch.randn(400, 4) + 50
    both = torch.cat([left, right])[torch.randperm(800)]
    dropped = precision_recall(both, torch.randn(800, 4))
    assert dropped["precision"] > 0.8
    assert 0.3 < dropped["recall"] < 0.6
    invented = precision_recall(left, both)
    assert 0.3 < invented["precision"] < 0.6
    assert invented["recall"] > 0.7


class Copier(nn.Module):
    """A generator that knows the data by heart."""

    def __init__(self, dataset: data.ImageData, *, noise: float) -> None:
        super().__init__()
        self.images = nn.Parameter(pixels.to_float(torch.tensor(dataset.images_NCHW)), requires_grad=False)
        self.noise = noise
        self.position = 0

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        assert labels is None
        self.position += len(latents)
        images = self.images[self.position - len(latents) : self.position]
        return images + self.noise * latents.std() * torch.ones_like(images)


def test_a_perfect_copy_scores_nought_and_a_worse_one_more(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation={"samples": 10_000})
    scores = [
        evaluators.evaluate(Copier(noise_garments, noise=noise), spec=spec, dataset=noise_garments)
        for noise in (0.0, 0.5)
    ]
    assert scores[0]["fid"] < 1e-3
    assert scores[0]["precision"] == scores[0]["recall"] == 1
    assert scores[1]["fid"] > 1


def test_evaluation_leaves_the_generators_mode_alone(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation={"samples": 1000, "metrics": ["fid"]})
    generator = Copier(noise_garments, noise=0.0).train()
    assert set(evaluators.evaluate(generator, spec=spec, dataset=noise_garments)) == {"fid"}
    assert generator.training


class Painter(nn.Module):
    """Paints a function of the classes; records them, and whether it was in training mode."""

    def __init__(self, paint: Callable[[torch.Tensor | None, int], torch.Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.frozen = nn.Dropout().eval()
        self.paint = paint
        self.told: list[torch.Tensor | None] = []
        self.modes: set[bool] = set()

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        self.told.append(labels)
        self.modes.add(self.training)
        return self.paint(labels, len(latents))


def point_spec(tiny: Callable[..., TrainingSpec], name: str, **changes: Any) -> TrainingSpec:
    dataset = {"kind": "builtin", "name": name, "resolution": 1}
    plan = {"samples": 2000, "metrics": ["modes"]}
    return tiny(dataset=dataset, evaluation=plan, augment={"kind": "none"}, **changes)


def test_a_conditional_generator_is_told_classes_as_frequent_as_the_datasets_the_same_every_time(
    tiny: Callable[..., TrainingSpec],
) -> None:
    spec = point_spec(tiny, "ring", labels=True)
    centres = torch.tensor(points.RING.centres, dtype=torch.float32)
    lopsided = data.ImageData(
        images_NCHW=np.zeros((400, 2, 1, 1), np.float32), labels=np.repeat(np.array([3, 5]), [300, 100])
    )

    def at_its_centre(labels: torch.Tensor | None, count: int) -> torch.Tensor:
        assert labels is not None
        assert len(labels) == count
        return centres[labels][:, :, None, None]

    generators = [Painter(at_its_centre) for _ in range(2)]
    figures = [evaluators.evaluate(generator, spec=spec, dataset=lopsided) for generator in generators]
    told = [torch.cat([labels for labels in generator.told if labels is not None]) for generator in generators]
    assert torch.equal(told[0], told[1])
    assert told[0].dtype == torch.int64
    assert set(told[0].tolist()) == {3, 5}
    assert (told[0] == 3).float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert figures[0] == figures[1]
    assert (figures[0]["modes"], figures[0]["high_quality"]) == (2, 1)


def test_evaluation_is_done_in_evaluation_mode_and_gives_every_part_its_own_mode_back(
    tiny: Callable[..., TrainingSpec],
) -> None:
    spec = point_spec(tiny, "grid")
    dataset = data.load(spec.dataset, folder=Path("/nonexistent"))
    generator = Painter(lambda labels, count: torch.zeros(count, 2, 1, 1)).train()
    generator.frozen.eval()
    assert evaluators.evaluate(generator, spec=spec, dataset=dataset)["modes"] == 1
    assert generator.modes == {False}
    assert (generator.training, generator.frozen.training) == (True, False)
    assert generator.told == [None] * 4

    def fail(labels: torch.Tensor | None, count: int) -> torch.Tensor:
        raise RuntimeError

    generator.paint = fail
    with pytest.raises(RuntimeError):
        evaluators.evaluate(generator, spec=spec, dataset=dataset)
    assert generator.training


def test_without_metrics_nothing_is_drawn(tiny: Callable[..., TrainingSpec], digits: data.ImageData) -> None:
    generator = Painter(lambda labels, count: torch.zeros(count, 1, 8, 8))
    assert evaluators.evaluate(generator, spec=tiny(), dataset=digits) == {}
    assert generator.told == []


def test_each_channel_of_a_stack_is_classified_as_a_garment_alone() -> None:
    grey = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (301, 1, 28, 28), np.uint8))
    alone = garments.classes(grey)
    assert (alone.shape, alone.dtype) == ((301, 1), torch.int64)
    stacked = torch.stack([grey[:300, 0], grey[1:, 0], grey[:300, 0]], dim=1)
    found = garments.classes(stacked)
    assert torch.equal(found, torch.cat([alone[:300], alone[1:], alone[:300]], dim=1))


def test_stacked_garments_are_evaluated_and_the_real_ones_measured_once(
    tiny: Callable[..., TrainingSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(
        dataset={"kind": "builtin", "name": "stacked-fashion"}, evaluation={"samples": 1000, "metrics": ["modes"]}
    )
    images = np.random.default_rng(1).integers(0, 256, (600, 3, 28, 28), np.uint8)
    stacked = data.ImageData(images_NCHW=images, labels=np.zeros(600, np.int64))
    measured: list[int] = []

    def classes(images_NCHW: torch.Tensor) -> torch.Tensor:
        measured.append(len(images_NCHW))
        return images_NCHW[:, :, 0, 0].long() % 10

    monkeypatch.setattr(garments, "classes", classes)
    monkeypatch.setattr(comparison, "_of_real", {})
    for _ in range(2):
        generator = Painter(
            lambda labels, count: pixels.to_float(torch.full((count, 3, 28, 28), 23, dtype=torch.uint8))
        )
        figures = evaluators.evaluate(generator, spec=spec, dataset=stacked)
        assert figures["modes"] == 1
        assert math.isfinite(figures["kl"])
    assert sorted(measured) == [600, 1000, 1000]


def test_fid_and_precision_share_one_look_at_the_fakes(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def features(images_NCHW: torch.Tensor) -> torch.Tensor:
        looks.append(len(images_NCHW))
        return images_NCHW.flatten(1)[:, :4].float()

    monkeypatch.setitem(evaluators.FEATURES, "garments", features)
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation={"samples": 1000})
    figures = evaluators.evaluate(Copier(noise_garments, noise=0.0), spec=spec, dataset=noise_garments)
    assert set(figures) == {"fid", "precision", "recall"}
    assert sorted(looks) == [1000, 10_000]


def test_real_images_beyond_the_compared_ones_are_not_looked_at(
    tiny: Callable[..., TrainingSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_of_real", {})
    looks: list[int] = []

    def measure(images_NCHW: torch.Tensor) -> torch.Tensor:
        looks.append(len(images_NCHW))
        return images_NCHW.float()

    for last in (0, 255):
        images = np.zeros((10_001, 1, 1, 1), np.uint8)
        images[-1] = last
        dataset = data.ImageData(images_NCHW=images, labels=np.zeros(10_001, np.int64))
        comparison.Comparison(tiny().dataset, dataset, torch.zeros(7, 1, 1, 1)).both(measure)
    assert looks == [7, 10_000, 7]


def test_features_come_in_the_promised_shape_whatever_the_count() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (501, 1, 28, 28), np.uint8))
    features = garments.features(images)
    assert features.shape == (501, garments.FEATURES)
    torch.testing.assert_close(garments.features(images[:3]), features[:3], rtol=1e-4, atol=1e-4)


def test_the_shipped_classifier_is_small_and_was_good_enough() -> None:
    assert garments.WEIGHTS.stat().st_size < 2**20
    assert json.loads(garments.REPORT.read_text())["test_accuracy"] >= train_garments.LEAST_ACCURACY


def test_the_shipped_classifier_reaches_its_recorded_accuracy() -> None:
    folder = Path(".saddle/datasets")
    try:
        share = train_garments.accuracy(garments._network(torch.device("cpu")), folder)
    except data.DatasetMissing as missing:
        pytest.skip(str(missing))
    assert share == pytest.approx(json.loads(garments.REPORT.read_text())["test_accuracy"], abs=0.002)
