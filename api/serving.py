"""Draws samples with torch: the only module of the API, beside the composition root, that imports it."""

import io
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch

from api.services import CorruptCheckpoint, Estimate, SampleRequest
from models.checkpoints import checkpoint
from models.data import Stored
from models.generation import pictures, sampling
from models.specs import TrainingSpec
from models.training import estimates

T = TypeVar("T")
GENERATORS = 8
GRIDS = 256


class Cache:
    """The most recently used results of a function of immutable things. Safe to share between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key])  # under this key `make` put it there
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return made


class TorchSampler:
    """Checkpoints are immutable, so what is drawn from one is cached by its id."""

    def __init__(self, *, device: torch.device) -> None:
        self._device = device
        self._generators = Cache(GENERATORS)
        self._grids = Cache(GRIDS)

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
        found = estimates.estimate(spec)
        return Estimate(
            generator_parameters=found.generator_parameters,
            discriminator_parameters=found.discriminator_parameters,
            flops_per_image=found.flops_per_image,
            memory_bytes=found.memory_bytes,
        )

    def _images(self, checkpoint_id: str, folder: Path, request: SampleRequest) -> Stored:
        return _draw(self._generator(checkpoint_id, folder), request, count=request.count)

    def _generator(self, checkpoint_id: str, folder: Path) -> sampling.LoadedGenerator:
        try:
            return self._generators.get(checkpoint_id, lambda: sampling.load(folder, device=self._device))
        except (checkpoint.CorruptCheckpoint, FileNotFoundError) as error:
            raise CorruptCheckpoint(str(error)) from error


def _draw(generator: sampling.LoadedGenerator, request: SampleRequest, *, count: int) -> Stored:
    return sampling.images_NHWC(
        generator, seed=request.seed, count=count, truncation=request.truncation, label=request.label
    )


def _texts(checkpoint_id: str) -> dict[str, str]:
    """What a PNG says of where it comes from."""
    return {"Software": "Saddle", "Source": f"generated; checkpoint {checkpoint_id}"}
