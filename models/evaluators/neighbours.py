"""Precision, recall, density and coverage, by nearest neighbours.

Precision and recall: Kynkaanniemi et al. 2019, arXiv:1904.06991, with 3 neighbours. Density and coverage: Naeem et al.
2020, arXiv:2002.09797, with 5.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Known, Measured, computed

PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5
MOST = 10_000
ROWS = 100
"""Rows at a time: their distances to 5,000 images fit into a cache."""
ROUNDING = 1e-12
"""Squared distances come from a matrix product in float64. Within this share of the largest square they are equal."""


def precision_recall(real: Tensor, fake: Tensor, *, known: Known = computed) -> dict[str, Measured]:
    """Return `precision`, the share of fakes in the real region, and `recall`, the share of real images in the fakes'.

    The region of a set is the union of balls about its points, each of which reaches to the point's third neighbour.
    Equal sets give exactly 1 and 1, also if all points are the same. Raises NotMeasurable for fewer than 100 images.
    """
    real, fake = _prepared(real, fake)
    radii_real = _radii_of_real(real, PRECISION_NEIGHBOURS, known)
    radii_fake = _radii(fake, PRECISION_NEIGHBOURS)
    slack = _slack(real, fake)
    outside = torch.full((len(fake),), torch.inf, dtype=torch.float64, device=real.device)
    reached = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, lengths, squares in _squares(real, fake):
        # Each fake's distance beyond the nearest edge of a real ball, and whether a fake's ball holds the real image.
        outside = torch.minimum(outside, (squares + (lengths - radii_real[rows])[:, None]).amin(0))
        reached[rows] = (squares - radii_fake).amin(1) + lengths <= slack
    inside = outside <= slack
    return {
        "precision": measured.of_share(inside.double().mean().item(), len(fake)),
        "recall": measured.of_share(reached.double().mean().item(), len(real)),
    }


def density_coverage(real: Tensor, fake: Tensor, *, known: Known = computed) -> dict[str, Measured]:
    """Return `density`, how many real balls hold a fake, by what is expected, and `coverage`, the share that hold any.

    A ball reaches from a real image to its fifth neighbour. Density is 1 for equal distributions and may be larger.
    Raises NotMeasurable for fewer than 100 images.
    """
    real, fake = _prepared(real, fake)
    radii, slack = _radii_of_real(real, DENSITY_NEIGHBOURS, known), _slack(real, fake)
    held = torch.zeros(len(fake), dtype=torch.float64, device=real.device)
    covered = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    for rows, lengths, squares in _squares(real, fake):
        within = squares <= (radii[rows] - lengths + slack)[:, None]
        held += within.sum(0)
        covered[rows] = within.any(1)
    densities = held / DENSITY_NEIGHBOURS
    return {
        "density": measured.by_blocks(densities.mean().item(), [part.mean().item() for part in densities.chunk(20)]),
        "coverage": measured.of_share(covered.double().mean().item(), len(real)),
    }


def _prepared(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first 10,000 features of each side, float64, about the real mean, where rounding is least."""
    measured.require(real, least=100, of="real images")
    measured.require(fake, least=100, of="samples")
    centre = real.double().mean(0)
    return real[:MOST].double() - centre, fake[:MOST].double() - centre


def _squares(one: Tensor, other: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield rows of `one`, their squared lengths, and what must be added to these for the squared distances to `other`.

    The lengths are left to the caller, who adds them to what is left after a reduction.
    """
    lengths = other.square().sum(1)
    for start in range(0, len(one), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, one[rows].square().sum(1), torch.addmm(lengths, one[rows], other.T, alpha=-2)


def _radii_of_real(real: Tensor, neighbours: int, known: Known) -> Tensor:
    return known(f"radii to neighbour {neighbours}", lambda: _radii(real, neighbours))


def _radii(points: Tensor, neighbours: int) -> Tensor:
    """Return each point's squared distance to its k-th neighbour. The point itself is not counted."""
    nearest = []
    for _, lengths, squares in _squares(points, points):
        # `topk` is ten times as fast as `kthvalue`.
        found = squares.topk(neighbours + 1, dim=1, largest=False).values[:, -1]
        nearest.append((found + lengths).clamp_(min=0))
    return torch.cat(nearest)


def _slack(real: Tensor, fake: Tensor) -> float:
    return ROUNDING * float(torch.cat([real, fake]).square().sum(1).max())
