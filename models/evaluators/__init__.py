"""Quality figures by name, and the evaluation of a generator against a dataset."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models import pixels, randomness
from models import spec as specs
from models.data import ImageData
from models.evaluators import garments
from models.evaluators.fid import fid
from models.evaluators.precision_recall import precision_recall

REAL_IMAGES = 10_000
"""Fakes are compared with so many of the dataset's images, its first."""
CHUNK = 500

_real_features: dict[tuple[str, str, torch.device], Tensor] = {}


@torch.no_grad()
def evaluate(generator: nn.Module, *, spec: specs.TrainingSpec, dataset: ImageData) -> dict[str, float]:
    """The spec's metrics of a generator, which is used in evaluation mode. The same noise is drawn every time.

    `fid`, `precision` and `recall` are measured in the features of the dataset's own extractor, over
    `spec.evaluation.samples` fakes and 10,000 real images. Not comparable with figures in Inception features.
    """
    name = spec.dataset.facts.features
    assert name is not None, "the spec refuses metrics where there is no extractor"
    device = next(generator.parameters()).device
    real = _real(name, dataset, device)
    was_training = generator.training
    fake = FEATURES[name](_sample(generator.eval(), spec, device))
    generator.train(was_training)
    return {key: value for metric in spec.evaluation.metrics for key, value in METRICS[metric](real, fake).items()}


def _real(name: str, dataset: ImageData, device: torch.device) -> Tensor:
    key = name, dataset.digest, device
    if key not in _real_features:
        _real_features[key] = FEATURES[name](torch.tensor(dataset.images_NCHW[:REAL_IMAGES], device=device))
    return _real_features[key]


def _sample(generator: nn.Module, spec: specs.TrainingSpec, device: torch.device) -> Tensor:
    """uint8 images_NCHW, quantised as a viewer would see them."""
    chance = randomness.Chance.on(device, seed=spec.seed).at("evaluation", 0)
    shape = spec.evaluation.samples, spec.architecture.latent_dim
    latents = torch.randn(shape, device=device, generator=chance)
    return torch.cat(
        [pixels.to_uint8(generator(latents[start : start + CHUNK])) for start in range(0, len(latents), CHUNK)]
    )


FEATURES: dict[str, Callable[[Tensor], Tensor]] = {"garments": garments.features}
METRICS: dict[str, Callable[[Tensor, Tensor], dict[str, float]]] = {"fid": fid, "precision_recall": precision_recall}
