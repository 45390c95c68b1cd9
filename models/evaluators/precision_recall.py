"""Precision and recall by nearest neighbours (Kynkaanniemi et al. 2019)."""

import torch
from torch import Tensor

NEIGHBOURS = 3
POINTS = 3_000


def precision_recall(real: Tensor, fake: Tensor) -> dict[str, float]:
    """`precision`: the share of fakes that lie among the real ones; `recall`: the share of real ones among the fakes.

    A cloud's region is the union of balls about its points that reach to the third neighbour. Of N x D features the
    first 3,000 on each side count.
    """
    # Doubles: distances come out of a product of matrices, which may be computed in TF32 for floats.
    real, fake = real[:POINTS].double(), fake[:POINTS].double()
    distances = torch.cdist(real, fake)
    precision = (distances <= _radii(real)[:, None]).any(0).float().mean()
    recall = (distances <= _radii(fake)[None]).any(1).float().mean()
    return {"precision": precision.item(), "recall": recall.item()}


def _radii(points: Tensor) -> Tensor:
    """Each point's distance to its third neighbour; the point itself is its own zeroth."""
    # The few smallest are found ten times as fast as a value by its rank.
    return torch.cdist(points, points).topk(NEIGHBOURS + 1, dim=1, largest=False).values[:, -1]
