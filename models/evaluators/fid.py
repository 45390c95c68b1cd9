"""The Frechet distance between two sets of features (Heusel et al. 2017, FID)."""

import torch
from torch import Tensor


def fid(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Return `fid` for N x D features on each side: 0 if their means and covariances are equal, else larger.

    Only figures of the same extractor are comparable.
    """
    return {"fid": frechet_distance(real.double(), fake.double())}


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) for the means m and the covariances C of both sets.

    The trace of the root is the sum of the square roots of the eigenvalues of C1 C2. Up to rounding, these are real and
    not negative, even if the covariances are singular.
    """
    means = (real.mean(0) - fake.mean(0)).square().sum()
    covariance_real, covariance_fake = torch.cov(real.T), torch.cov(fake.T)
    eigenvalues = torch.linalg.eigvals(covariance_real @ covariance_fake).real.clamp(min=0)
    traces = covariance_real.trace() + covariance_fake.trace() - 2 * eigenvalues.sqrt().sum()
    return max(0.0, float(means + traces))
