"""The Frechet distance between two clouds of features (Heusel et al. 2017, FID)."""

import torch
from torch import Tensor


def fid(real: Tensor, fake: Tensor) -> dict[str, float]:
    """`fid`: 0 for equal clouds, then rising; N x D features on each side. Comparable only within one extractor."""
    return {"fid": frechet_distance(real.double(), fake.double())}


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the Gaussians with the clouds' means and covariances.

    The trace of the root is the sum of the roots of the eigenvalues of C1 C2, which are real and not negative but for
    rounding, even where the covariances are singular.
    """
    means = (real.mean(0) - fake.mean(0)).square().sum()
    covariance_real, covariance_fake = torch.cov(real.T), torch.cov(fake.T)
    eigenvalues = torch.linalg.eigvals(covariance_real @ covariance_fake).real.clamp(min=0)
    traces = covariance_real.trace() + covariance_fake.trace() - 2 * eigenvalues.sqrt().sum()
    return max(0.0, float(means + traces))
