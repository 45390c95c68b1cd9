"""The quality figures: known distances, and the features that they are measured in."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models import data, evaluators, pixels
from models.evaluators import garments, train_garments
from models.evaluators.fid import fid, frechet_distance
from models.evaluators.precision_recall import precision_recall
from models.spec import TrainingSpec


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

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
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
