"""Frechet distances between two sets of features (Heusel et al. 2017, FID).

The distance of N images is biased upwards, for D features by about D / N: with 1,280 features and 2,000 images by tens
of points. So `fid` is refused for fewer than ten images a feature; `fid_infinity` extrapolates to infinitely many
(Chong & Forsyth 2020, arXiv:1911.07023); and `fd64` keeps the 64 directions in which the real images vary most.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Known, Measured, NotMeasurable, computed

IMAGES_A_FEATURE, LEAST_A_FEATURE = 10, 2
COMPONENTS = 64
BLOCKS = 5
SIZES = 5
"""Numbers of images that the distance is extrapolated from."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean and covariance of features, float64. `root` is the covariance's symmetric square root."""

    mean: Tensor
    covariance: Tensor
    root: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Gaussian":
        mean, covariance = moments(features)
        return cls(mean, covariance, _root(covariance))


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (D) and the covariance (D x D) of N x D features."""
    wide = features.double()
    return wide.mean(0), torch.cov(wide.T).reshape(wide.shape[1], wide.shape[1])


def distance(real: Gaussian, fake: Tensor) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2)) for the fakes' N x D features.

    The matrix under the root is symmetric, so that its eigenvalues are found exactly, also of singular covariances.
    """
    mean, covariance = moments(fake)
    inner = real.root @ covariance @ real.root
    eigenvalues = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0)
    traces = real.covariance.trace() + covariance.trace() - 2 * eigenvalues.sqrt().sum()
    found = float((real.mean - mean).square().sum() + traces)
    if not np.isfinite(found):
        raise NotMeasurable("the distance is not finite")
    return max(0.0, found)


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def fid(real: Tensor, fake: Tensor) -> Measured:
    """Return the distance of N x D features. Raises NotMeasurable for fewer than ten images a feature on a side."""
    least = IMAGES_A_FEATURE * real.shape[1]
    measured.require(real, least=least, of="real images")
    measured.require(fake, least=least, of="samples")
    return with_interval(Gaussian.of(real), fake)


def with_interval(real: Gaussian, fake: Tensor) -> Measured:
    """Return the distance of all fakes, with the interval by the distances of five disjoint parts."""
    return measured.by_blocks(distance(real, fake), [distance(real, part) for part in fake.chunk(BLOCKS)])


def fd64(real: Tensor, fake: Tensor, *, known: Known = computed) -> Measured:
    """Return the distance in the 64 principal components of the real features. Raises NotMeasurable.

    Source of the reduction: the bias falls from D / N to 64 / N; the directions are the real images' alone.
    """
    least = IMAGES_A_FEATURE * COMPONENTS
    measured.require(real, least=least, of="real images")
    measured.require(fake, least=least, of="samples")
    basis = known("principal", lambda: principal(real))
    return with_interval(Gaussian.of(real.double() @ basis), fake.double() @ basis)


def distance_of(real: Tensor, fake: Tensor) -> Measured:
    """Return the distance of few features, which need no more images than are there. Raises NotMeasurable."""
    for features, of in ((real, "real images"), (fake, "samples")):
        measured.require(features, least=LEAST_A_FEATURE * features.shape[1], of=of)
    return with_interval(Gaussian.of(real), fake)


def principal(real: Tensor) -> Tensor:
    """Return the D x 64 directions of largest variance, or all D if there are fewer."""
    _, covariance = moments(real)
    vectors: Tensor = torch.linalg.eigh(covariance).eigenvectors
    return vectors.flip(1)[:, :COMPONENTS]


def fid_infinity(real: Tensor, fake: Tensor) -> Measured:
    """Return the distance extrapolated to infinitely many fakes, from five numbers of them. Raises NotMeasurable.

    A line is fitted to the distance over 1 / N. Its interval is that of the line's value at 0.
    """
    least = LEAST_A_FEATURE * real.shape[1]
    measured.require(real, least=least, of="real images")
    measured.require(fake, least=least, of="samples")
    gaussian = Gaussian.of(real)
    sizes = np.linspace(len(fake) / 2, len(fake), SIZES).round().astype(int)
    rng = np.random.default_rng(0)
    distances = [distance(gaussian, fake[torch.from_numpy(rng.permutation(len(fake))[:size])]) for size in sizes]
    design = np.stack([np.ones(SIZES), 1 / sizes], axis=1)
    (at_zero, _), residuals, *_ = np.linalg.lstsq(design, np.array(distances), rcond=None)
    spread = np.sqrt(float(residuals[0]) / (SIZES - 2)) if len(residuals) else 0.0
    error = spread * np.sqrt(np.linalg.inv(design.T @ design)[0, 0])
    reach = float(measured.student(SIZES - 2) * error)
    return Measured(float(at_zero), float(at_zero) - reach, float(at_zero) + reach)
