"""Precision and recall by nearest neighbours (Kynkaanniemi et al. 2019)."""

import torch
from torch import Tensor

NEIGHBOURS = 3
POINTS = 3_000


def precision_recall(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Return `precision`, the share of fakes in the real region, and `recall`, the share of real images in the fakes'.

    The region of a set is the union of balls about its points; each ball reaches to the point's third neighbour. The
    first 3,000 of the N x D features on each side are used.
    """
    # Doubles, because distances come from a matrix product, which may use TF32 for float32.
    real, fake = real[:POINTS].double(), fake[:POINTS].double()
    distances = torch.cdist(real, fake)
    precision = (distances <= _radii(real)[:, None]).any(0).float().mean()
    recall = (distances <= _radii(fake)[None]).any(1).float().mean()
    return {"precision": precision.item(), "recall": recall.item()}


def _radii(points: Tensor) -> Tensor:
    """Return each point's distance to its third neighbour. The point itself, at distance 0, is not counted."""
    # `topk` is ten times as fast as `kthvalue`.
    return torch.cdist(points, points).topk(NEIGHBOURS + 1, dim=1, largest=False).values[:, -1]
