"""The metrics by name, and the evaluation of a generator against real images."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models import specs
from models.data import pixels
from models.evaluators import classes, clusters, frechet, kid, memorisation, neighbours, paths
from models.evaluators.comparison import Comparison
from models.evaluators.extractors import REGISTRY as EXTRACTORS
from models.evaluators.extractors import Done, ExtractorMissing, untold
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
    "ExtractorMissing",
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
    nearest: memorisation.Pairs = ()
    """The samples that are nearest to a training image, where memorisation was measured."""

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
    path_NCHW = draw_path(generator, plan.metrics, spec=spec, references=references, seed=spec.seed, noise=noise)
    return measure(
        plan.metrics,
        dataset=spec.dataset,
        references=references,
        fake_NCHW=fake_NCHW,
        path_NCHW=path_NCHW,
        done=done,
    )


def measure(
    metrics: Iterable[str],
    *,
    dataset: specs.Dataset,
    references: References,
    fake_NCHW: Tensor,
    path_NCHW: Tensor | None = None,
    extractor: str | None = None,
    done: Done = untold,
) -> Evaluation:
    """Return the figures of metrics for images in the stored format. `extractor`: None takes the dataset's own.

    `path_NCHW` is what `draw_path` returns: the path length needs it.

    `done` is called as the features of the fakes are measured, and with 0 as those of real images are.

    A metric is unavailable where there are too few images, or features are not finite.
    """
    name = extractor or dataset.facts.features
    features = None if name is None else EXTRACTORS[name]
    comparison = Comparison(dataset, references, fake_NCHW, features, done=done, path_NCHW=path_NCHW)
    figures: dict[str, Measured] = {}
    unavailable: dict[str, str] = {}
    for metric in metrics:
        try:
            figures |= METRICS[metric](comparison)
        except NotMeasurable as error:
            unavailable[metric] = str(error)
    return Evaluation(figures, unavailable, tuple(comparison.nearest))


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
    labels = _labels(samples, spec=spec, references=references, rng=rng)
    return _images(generator, latents, labels, points=spec.dataset.facts.holds_points)


def draw_path(
    generator: nn.Module,
    metrics: Iterable[str],
    *,
    spec: specs.TrainingSpec,
    references: References,
    seed: int,
    noise: int = 0,
) -> Tensor | None:
    """Return the generated images that the path length is measured of; None if it is not among the metrics.

    A conditional generator keeps one label along a path.
    """
    if "path_length" not in metrics:
        return None
    device = next(generator.parameters()).device
    rng = randomness.RandomSource.on(device, seed=seed).at("path", noise)
    latents = paths.latents(paths.PATHS, spec.architecture.latent_dim, rng=rng)
    labels = _labels(paths.PATHS, spec=spec, references=references, rng=rng)
    return _images(
        generator, latents, None if labels is None else labels.repeat(4), points=spec.dataset.facts.holds_points
    )


def _labels(number: int, *, spec: specs.TrainingSpec, references: References, rng: torch.Generator) -> Tensor | None:
    """Draw labels with the frequencies of the real images' classes; None for a generator without labels."""
    if not spec.labels:
        return None
    known = torch.tensor(references.train.images.labels, device=rng.device)
    return known[torch.randint(len(known), (number,), device=rng.device, generator=rng)]


def _images(generator: nn.Module, latents: Tensor, labels: Tensor | None, *, points: bool) -> Tensor:
    """Return the images of latents, in the stored format, from the generator in evaluation mode."""
    chunks = [slice(start, start + CHUNK) for start in range(0, len(latents), CHUNK)]
    with _in_evaluation_mode(generator), torch.no_grad():
        images = (generator(latents[chunk], None if labels is None else labels[chunk]) for chunk in chunks)
        return torch.cat([pixels.to_stored(some, points=points) for some in images])


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


def _class_balance(comparison: Comparison) -> dict[str, Measured]:
    real, fake = comparison.features()
    return classes.balance(real, comparison.labels, fake, known=comparison.known)


def _memorisation(comparison: Comparison) -> dict[str, Measured]:
    if not comparison.references.held_out:
        raise NotMeasurable("memorisation compares training images with a holdout of at least 100 images")
    real, fake = comparison.features()
    found = memorisation.memorisation(comparison.features_of_training_images(), real, fake)
    comparison.nearest[:] = found.pairs
    return {
        "memorised": found.share,
        "distance_train": found.distance_train,
        "distance_holdout": found.distance_holdout,
    }


def _modes(comparison: Comparison) -> dict[str, Measured]:
    return {name: Measured(value, value, value) for name, value in modes(comparison).items()}


METRICS: dict[str, Metric] = {
    "kid": lambda comparison: {"kid": kid.kid(*comparison.features())},
    "fd64": lambda comparison: {"fd64": frechet.fd64(*comparison.features(), known=comparison.known)},
    "fid": _fid,
    "precision_recall": lambda comparison: neighbours.precision_recall(*comparison.features(), known=comparison.known),
    "density_coverage": lambda comparison: neighbours.density_coverage(*comparison.features(), known=comparison.known),
    "coverage": lambda comparison: clusters.coverage(*comparison.features(), known=comparison.known),
    "class_balance": _class_balance,
    "memorisation": _memorisation,
    "path_length": lambda comparison: {"path_length": paths.path_length(comparison.features_of_path())},
    "random_distance": lambda comparison: {"random_distance": frechet.distance_of(*comparison.random_features())},
    "modes": _modes,
}
