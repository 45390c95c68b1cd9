"""The metrics by name, and the evaluation of a generator against real images."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models import specs
from models.data import pixels
from models.evaluators import clusters, frechet, kid, memorisation, neighbours
from models.evaluators.comparison import Comparison
from models.evaluators.extractors import REGISTRY as EXTRACTORS
from models.evaluators.extractors import Done, untold
from models.evaluators.measured import Measured, NotMeasurable
from models.evaluators.modes import modes
from models.evaluators.reference import References
from models.runtime import randomness

__all__ = [
    "EXTRACTORS",
    "METRICS",
    "Comparison",
    "Done",
    "Evaluation",
    "Measured",
    "NotMeasurable",
    "References",
    "evaluate",
    "measure",
]

CHUNK = 500

Metric = Callable[[Comparison], dict[str, Measured]]


@dataclass(frozen=True)
class Evaluation:
    """The figures by name. `unavailable` says of each metric that could not be measured why."""

    figures: dict[str, Measured]
    unavailable: dict[str, str]

    @property
    def values(self) -> dict[str, float]:
        """The figures without their intervals."""
        return {name: figure.value for name, figure in self.figures.items()}


@torch.no_grad()
def evaluate(
    generator: nn.Module, *, spec: specs.TrainingSpec, references: References, noise: int = 0, done: Done = untold
) -> Evaluation:
    """Return the figures of the spec's metrics for a generator, which runs in evaluation mode.

    Every evaluation of a run draws the same noise; another number `noise` draws fresh noise. Figures are measured over
    `spec.evaluation.samples` fakes and up to 10,000 real images, in the features that the dataset's facts name. Only
    figures of one extractor are comparable.
    """
    plan = spec.evaluation
    if not plan.metrics:
        return Evaluation({}, {})
    fake_NCHW = draw(generator, spec=spec, references=references, samples=plan.samples, seed=spec.seed, noise=noise)
    return measure(plan.metrics, dataset=spec.dataset, references=references, fake_NCHW=fake_NCHW, done=done)


def measure(
    metrics: Iterable[str],
    *,
    dataset: specs.Dataset,
    references: References,
    fake_NCHW: Tensor,
    extractor: str | None = None,
    done: Done = untold,
) -> Evaluation:
    """Return the figures of metrics for images in the stored format. `extractor`: None takes the dataset's own.

    `done` is called as the features of the fakes are measured, and with 0 as those of real images are.

    A metric is unavailable where there are too few images, or features are not finite.
    """
    name = extractor or dataset.facts.features
    comparison = Comparison(dataset, references, fake_NCHW, None if name is None else EXTRACTORS[name], done)
    figures: dict[str, Measured] = {}
    unavailable: dict[str, str] = {}
    for metric in metrics:
        try:
            figures |= METRICS[metric](comparison)
        except NotMeasurable as error:
            unavailable[metric] = str(error)
    return Evaluation(figures, unavailable)


def draw(
    generator: nn.Module,
    *,
    spec: specs.TrainingSpec,
    references: References,
    samples: int,
    seed: int,
    noise: int = 0,
) -> Tensor:
    """Return generated images_NCHW in the stored format: pixels are quantised, as viewers see them.

    A conditional generator gets labels with the frequencies of the real images' classes.
    """
    device = next(generator.parameters()).device
    rng = randomness.RandomSource.on(device, seed=seed).at("evaluation", noise)
    latents = torch.randn((samples, spec.architecture.latent_dim), device=device, generator=rng)
    labels = None
    if spec.labels:
        known = torch.tensor(references.train.images.labels, device=device)
        labels = known[torch.randint(len(known), (len(latents),), device=device, generator=rng)]
    chunks = [slice(start, start + CHUNK) for start in range(0, len(latents), CHUNK)]
    with _in_evaluation_mode(generator), torch.no_grad():
        images = (generator(latents[chunk], None if labels is None else labels[chunk]) for chunk in chunks)
        return torch.cat([pixels.to_stored(some, points=spec.dataset.facts.holds_points) for some in images])


@contextmanager
def _in_evaluation_mode(generator: nn.Module) -> Iterator[None]:
    was_training = [part for part in generator.modules() if part.training]
    generator.eval()
    try:
        yield
    finally:
        for part in was_training:
            part.training = True


def _fid(comparison: Comparison) -> dict[str, Measured]:
    """Return `fid` with the number of samples; below ten images a feature, its extrapolation to infinitely many."""
    assert comparison.extractor is not None
    dimensions, number = comparison.extractor.dimensions, comparison.least_images
    if number < (least := frechet.LEAST_A_FEATURE * dimensions):  # before a minute is spent on their features
        raise NotMeasurable(f"{number:,} images are too few: FID in {dimensions:,} features needs {least:,}")
    enough = number >= frechet.IMAGES_A_FEATURE * dimensions
    found = (frechet.fid if enough else frechet.fid_infinity)(*comparison.features())
    samples = len(comparison.fake_NCHW)
    note = f"{samples:,} samples" if enough else f"extrapolated from {samples:,} samples"
    return {"fid": replace(found, note=note)}


def _memorisation(comparison: Comparison) -> dict[str, Measured]:
    if not comparison.references.held_out:
        raise NotMeasurable("memorisation compares training images with a holdout of at least 100 images")
    real, fake = comparison.features()
    found = memorisation.memorisation(comparison.features_of_training_images(), real, fake)
    return {"memorised": found.share}


def _modes(comparison: Comparison) -> dict[str, Measured]:
    return {name: Measured(value, value, value) for name, value in modes(comparison).items()}


METRICS: dict[str, Metric] = {
    "kid": lambda comparison: {"kid": kid.kid(*comparison.features())},
    "fd64": lambda comparison: {"fd64": frechet.fd64(*comparison.features(), known=comparison.known)},
    "fid": _fid,
    "precision_recall": lambda comparison: neighbours.precision_recall(*comparison.features(), known=comparison.known),
    "density_coverage": lambda comparison: neighbours.density_coverage(*comparison.features(), known=comparison.known),
    "coverage": lambda comparison: clusters.coverage(*comparison.features(), known=comparison.known),
    "memorisation": _memorisation,
    "random_distance": lambda comparison: {"random_distance": frechet.distance_of(*comparison.random_features())},
    "modes": _modes,
}
