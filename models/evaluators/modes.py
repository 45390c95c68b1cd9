"""Coverage of a dataset's modes, where the modes are known: how many a generator reaches, and how evenly.

`modes` is the number of covered modes. `kl` is the Kullback-Leibler divergence, in nats, of the fakes' histogram over
the modes from the real one, sum p log(p / q). For N fakes of a perfect generator and M modes it is about (M - 1) / 2N,
not 0.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from models.data import points
from models.data.points import Gaussians
from models.evaluators.comparison import Comparison
from models.evaluators.extractors import REGISTRY as EXTRACTORS

REACH_DEVIATIONS = 3.0
"""A point is of high quality if it is within this many standard deviations of a mode (Lin et al. 2018, section 4.1)."""
CLASSES = 10


def modes(comparison: Comparison) -> dict[str, float]:
    """Return the figures of a dataset whose facts include its number of modes."""
    return REGISTRY[comparison.dataset.name](comparison)


def of_points(points_NCHW: Tensor, gaussians: Gaussians) -> dict[str, float]:
    """Return `modes`, `high_quality` and `kl` as in PacGAN (Lin et al. 2018, section 4.1).

    A point belongs to the nearest mode. A mode is covered if it has a point of high quality. `high_quality` is the
    share of such points: 1 - exp(-9/2) = 0.989 for the Gaussians themselves. `kl` is the divergence of their histogram
    from the uniform distribution. Without any such point it is log M, as for a single mode.
    """
    centres = torch.tensor(gaussians.centres, device=points_NCHW.device)
    # Float64 and no matrix product: differences of squares would lose distances as short as a deviation in rounding.
    distances = torch.cdist(points_NCHW.flatten(1).double(), centres, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = distances.min(1)
    good = nearest.values <= REACH_DEVIATIONS * gaussians.deviation
    counts = torch.bincount(nearest.indices[good], minlength=len(centres))
    share = good.double().mean()
    if not counts.any():
        return {"modes": 0.0, "high_quality": 0.0, "kl": math.log(len(centres))}
    uniform = torch.full_like(share, 1 / len(centres)).expand(len(centres))
    return {"modes": float((counts > 0).sum()), "high_quality": float(share), "kl": _kl(counts, uniform)}


def of_stacked_classes(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Return `modes`, of 1,000, and `kl` as for Stacked MNIST.

    Sources: Metz et al. 2017, section 3.3.1; Lin et al. 2018, section 4.2. Both arguments are N x 3 classes, one for
    each channel, given by the same classifier. The data's channels are independent by construction, so the real
    histogram is the product of the channels' histograms. This is less noisy than 1,000 counts. It is nowhere 0, because
    each class's count is raised by one.
    """
    fake_numbers = (fake[:, 0] * CLASSES + fake[:, 1]) * CLASSES + fake[:, 2]
    counts = torch.bincount(fake_numbers, minlength=CLASSES**3)
    red, green, blue = (_shares(channel) for channel in real.unbind(1))
    return {
        "modes": float((counts > 0).sum()),
        "kl": _kl(counts, torch.einsum("a,b,c->abc", red, green, blue).flatten()),
    }


def _shares(classes: Tensor) -> Tensor:
    counts = torch.bincount(classes, minlength=CLASSES).double() + 1
    return counts / counts.sum()


def _kl(counts: Tensor, shares: Tensor) -> float:
    """Return the divergence of the counts' distribution from `shares`, in nats; 0 log 0 is 0."""
    own = counts.double() / counts.sum()
    return max(0.0, float((torch.xlogy(own, own) - torch.xlogy(own, shares)).sum()))


def _garments(comparison: Comparison) -> dict[str, float]:
    real, fake = comparison.features(EXTRACTORS["garment_classes"])
    return of_stacked_classes(real.long(), fake.long())


REGISTRY: dict[str, Callable[[Comparison], dict[str, float]]] = {
    "ring": lambda comparison: of_points(comparison.fake_NCHW, points.RING),
    "grid": lambda comparison: of_points(comparison.fake_NCHW, points.GRID),
    "stacked-fashion": _garments,
}
