"""Coverage of clusters: which kinds of real images a generator leaves out, where nobody has labelled them.

The real features are cut into 40 clusters by k-means. A cluster is missing where fewer than a fifth of the expected
fakes fall into it.
"""

import numpy as np
import torch
from torch import Tensor

from models.evaluators import measured
from models.evaluators.measured import Known, Measured, computed

CLUSTERS = 40
IMAGES_A_CLUSTER = 25
MISSING_BELOW = 0.2
SEED = 0


def centres(real: Tensor) -> Tensor:
    """Return the centres of the clusters of N x D features: 40, or one for each 25 images if there are fewer."""
    # Imported here because it loads scipy, which a process that only trains does not need.
    from sklearn.cluster import KMeans  # noqa: PLC0415

    number = max(2, min(CLUSTERS, len(real) // IMAGES_A_CLUSTER))
    found = KMeans(number, n_init=3, random_state=SEED).fit(real.double().cpu().numpy())
    return torch.from_numpy(found.cluster_centers_).to(real.device)


def coverage(real: Tensor, fake: Tensor, *, known: Known = computed) -> dict[str, Measured]:
    """Return `missing_clusters`, and `least_cluster`: the share of the worst cluster's fakes in what is expected.

    Raises NotMeasurable for fewer than 100 images.
    """
    measured.require(real, least=100, of="real images")
    measured.require(fake, least=100, of="samples")
    found = known("centres", lambda: centres(real))
    shares = [_shares(features, found) for features in (real, fake)]
    relative = shares[1] / shares[0]
    worst = int(relative.argmin())
    own = measured.of_share(float(shares[1][worst]), len(fake))
    missing = float((relative < MISSING_BELOW).sum())
    return {
        "missing_clusters": Measured(missing, missing, missing),
        "least_cluster": Measured(
            float(relative[worst]), own.low / float(shares[0][worst]), own.high / float(shares[0][worst])
        ),
    }


def _shares(features: Tensor, found: Tensor) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    nearest = torch.cdist(features.double(), found).argmin(1)
    counts = torch.bincount(nearest, minlength=len(found)).double()
    shares: np.ndarray[tuple[int], np.dtype[np.float64]] = (counts / counts.sum()).cpu().numpy()
    return shares
