"""The sampler: draws from checkpoints with torch, which the rest of the API does without."""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch

from api.services import SampleRequest
from api.serving.cache import Cache
from models.data import Stored
from models.generation import pictures, sampling
from models.specs import TrainingSpec
from models.training import estimates
from models.training.estimates import Estimate

GENERATORS = 8
GRIDS = 256


class TorchSampler:
    """Draws on one device. Checkpoints are immutable, so what is drawn from one is cached by its id."""

    def __init__(self, *, device: torch.device) -> None:
        self._device = device
        self._generators = Cache(GENERATORS)
        self._grids = Cache(GRIDS)

    def check(self, checkpoint_id: str, folder: Path) -> None:
        self._generator(checkpoint_id, folder)

    def grid_png(self, checkpoint_id: str, folder: Path, request: SampleRequest, *, columns: int) -> bytes:
        def draw() -> bytes:
            generator = self._generator(checkpoint_id, folder)
            points = generator.spec.dataset.facts.holds_points
            count = max(request.count, pictures.SCATTER_POINTS) if points else request.count
            images = _draw(generator, request, count=count)
            return pictures.png(pictures.picture_HWC(images, columns=columns), texts=_texts(checkpoint_id))

        return self._grids.get((checkpoint_id, request, columns), draw)

    def images_npz(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        file = io.BytesIO()
        np.savez_compressed(file, images=self._images(checkpoint_id, folder, request))
        return file.getvalue()

    def images_zip(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # a PNG is compressed already
            for place, image in enumerate(self._images(checkpoint_id, folder, request)):
                assert image.dtype == np.uint8, "points have no pictures"
                # A fixed time: the same samples give the same bytes.
                entry = zipfile.ZipInfo(f"{place:05d}.png", date_time=(1980, 1, 1, 0, 0, 0))
                archive.writestr(entry, pictures.png(image, texts=_texts(checkpoint_id)))
        return file.getvalue()

    def estimate(self, spec: TrainingSpec) -> Estimate:
        return estimates.estimate(spec)

    def _images(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> Stored:
        return _draw(self._generator(checkpoint_id, folder), request, count=request.count)

    def _generator(self, checkpoint_id: str, folder: Path) -> sampling.LoadedGenerator:
        return self._generators.get(checkpoint_id, lambda: sampling.load(folder, device=self._device))


def _draw(generator: sampling.LoadedGenerator, request: SampleRequest, *, count: int) -> Stored:
    return sampling.images_NHWC(
        generator, seed=request.seed, count=count, truncation=request.truncation, label=request.label
    )


def _texts(checkpoint_id: str) -> dict[str, str]:
    """Return the text chunks that say where a PNG comes from."""
    return {"Software": "Saddle", "Source": f"generated; checkpoint {checkpoint_id}"}
