"""The metrics by name, and the evaluation of a generator against a dataset."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from models import specs
from models.data import ImageData, pixels
from models.evaluators import garments
from models.evaluators.comparison import REAL_IMAGES, Comparison
from models.evaluators.fid import fid
from models.evaluators.modes import modes
from models.evaluators.precision_recall import precision_recall
from models.runtime import randomness

__all__ = ["FEATURES", "METRICS", "REAL_IMAGES", "Comparison", "evaluate"]

CHUNK = 500

Metric = Callable[[Comparison], dict[str, float]]


@torch.no_grad()
def evaluate(generator: nn.Module, *, spec: specs.TrainingSpec, dataset: ImageData) -> dict[str, float]:
    """Return the figures of the spec's metrics for a generator, which runs in evaluation mode.

    Every evaluation of a run draws the same noise. `fid`, `precision` and `recall` are measured in the features of the
    dataset's own extractor, over `spec.evaluation.samples` fakes and 10,000 real images. They are not comparable with
    figures in Inception features. `evaluators.modes` describes `modes`, `high_quality` and `kl`.
    """
    if not spec.evaluation.metrics:
        return {}
    with _in_evaluation_mode(generator):
        fake_NCHW = _sample(generator, spec=spec, dataset=dataset)
    comparison = Comparison(spec.dataset, dataset, fake_NCHW)
    return {key: value for metric in spec.evaluation.metrics for key, value in METRICS[metric](comparison).items()}


@contextmanager
def _in_evaluation_mode(generator: nn.Module) -> Iterator[None]:
    was_training = [part for part in generator.modules() if part.training]
    generator.eval()
    try:
        yield
    finally:
        for part in was_training:
            part.training = True


def _sample(generator: nn.Module, *, spec: specs.TrainingSpec, dataset: ImageData) -> Tensor:
    """Return generated images_NCHW in the stored format: pixels are quantised, as viewers see them.

    A conditional generator gets labels with the class frequencies of the dataset.
    """
    device = next(generator.parameters()).device
    rng = randomness.RandomSource.on(device, seed=spec.seed).at("evaluation", 0)
    shape = spec.evaluation.samples, spec.architecture.latent_dim
    latents = torch.randn(shape, device=device, generator=rng)
    labels = None
    if spec.labels:
        chosen = torch.randint(len(dataset), (len(latents),), device=device, generator=rng)
        labels = torch.tensor(dataset.labels, device=device)[chosen]
    chunks = [slice(start, start + CHUNK) for start in range(0, len(latents), CHUNK)]
    images = (generator(latents[chunk], None if labels is None else labels[chunk]) for chunk in chunks)
    return torch.cat([pixels.to_stored(some, points=spec.dataset.facts.holds_points) for some in images])


def _in_features(figures: Callable[[Tensor, Tensor], dict[str, float]]) -> Metric:
    """Return the metric that applies `figures` to the features of the real and the generated images."""

    def measure(comparison: Comparison) -> dict[str, float]:
        name = comparison.spec.facts.features
        assert name is not None, "the spec refuses such metrics where there is no extractor"
        return figures(*comparison.both(FEATURES[name]))

    return measure


FEATURES: dict[str, Callable[[Tensor], Tensor]] = {"garments": garments.features}
METRICS: dict[str, Metric] = {
    "fid": _in_features(fid),
    "precision_recall": _in_features(precision_recall),
    "modes": modes,
}
