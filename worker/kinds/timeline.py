"""Timeline: a small grid of the same latents, drawn before the first step and with every checkpoint."""

import torch

from models.checkpoints.snapshot import Snapshot
from models.generation import pictures, sampling
from store import timeline
from worker.attempt import Attempt

COLUMNS = 6
IMAGES = COLUMNS**2


def draw(attempt: Attempt, snapshot: Snapshot, *, images_seen: int, device: torch.device) -> None:
    """Draw the images that the spec's seed gives, or a scatter of points, and record the grid.

    Raises LeaseLost, StorageFull.
    """
    generator = sampling.from_snapshot(snapshot, device=device)
    count = pictures.SCATTER_POINTS if snapshot.spec.dataset.facts.holds_points else IMAGES
    images = sampling.images_NHWC(generator, seed=snapshot.spec.seed, count=count)
    png = pictures.png(pictures.picture_HWC(images, columns=COLUMNS))
    key = attempt.key(f"timeline/{images_seen:015d}")
    attempt.put(key, lambda folder: (folder / timeline.GRID).write_bytes(png))
    attempt.add_grid(key, images_seen=images_seen)
