"""Sampling: images from a checkpoint's generator, by seed and index."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors import torch as safetensors
from torch import Tensor, nn

from models import architectures, checkpoint, pixels, placement, randomness
from models.spec import TrainingSpec

CHUNK = 64
"""Images are made so many at a time, however few are asked for: kernels round differently for other sizes."""
COMPRESSION = 1
"""zlib's level; 1 is its fastest."""


@dataclass(frozen=True, eq=False)
class LoadedGenerator:
    """A checkpoint's generator, float32, ready to be sampled from; may be shared between threads."""

    spec: TrainingSpec
    images_seen: int
    module: nn.Module
    device: torch.device


def load(folder: Path, *, device: torch.device) -> LoadedGenerator:
    """Raises checkpoint.CorruptCheckpoint unless the manifest and the generator are as they were written."""
    manifest = checkpoint.read_manifest(folder)
    content = checkpoint.read_file(folder, checkpoint.GENERATOR, manifest=manifest)
    module = placement.place(architectures.build(manifest.spec).generator, device=device)
    module.load_state_dict(safetensors.load(content))
    module.eval().requires_grad_(False)
    return LoadedGenerator(manifest.spec, manifest.images_seen, module, device)


@torch.inference_mode()
def images_NHWC(
    generator: LoadedGenerator, *, seed: int, count: int, start: int = 0, truncation: float = 1.0
) -> NDArray[np.uint8]:
    """The images start, ..., start + count - 1 of a seed's endless sequence, N x H x W x C.

    An image depends on the checkpoint, the seed and its index alone, to the bit, whatever else is asked for with it.
    `truncation` scales the latents: below 1 images vary less and are more typical.
    """
    first, end = start // CHUNK, -(-(start + count) // CHUNK)
    chunks = [_chunk_NHWC(generator, seed=seed, number=number, truncation=truncation) for number in range(first, end)]
    if not chunks:
        return np.empty((0, *_image_HWC(generator)), np.uint8)
    return np.concatenate(chunks)[start - first * CHUNK :][:count]


def _chunk_NHWC(generator: LoadedGenerator, *, seed: int, number: int, truncation: float) -> NDArray[np.uint8]:
    chance = torch.Generator().manual_seed(randomness.derive(seed, purpose="samples", at=number))
    latents = torch.randn(CHUNK, generator.spec.architecture.latent_dim, generator=chance).to(generator.device)
    images_NCHW: Tensor = pixels.to_uint8(generator.module(latents * truncation))
    array: NDArray[np.uint8] = images_NCHW.permute(0, 2, 3, 1).cpu().numpy()
    return array


def _image_HWC(generator: LoadedGenerator) -> tuple[int, int, int]:
    channels, height, width = architectures.image_CHW(generator.spec)
    return height, width, channels


def grid_HWC(
    images_NHWC: NDArray[np.uint8], *, columns: int, scale: int = 1, border_pixels: int = 0
) -> NDArray[np.uint8]:
    """The images in rows of so many, each pixel drawn as scale x scale; free cells and borders are black."""
    count, height, width, channels = images_NHWC.shape
    rows = -(-count // columns)
    cells = np.zeros((rows * columns, height, width, channels), np.uint8)
    cells[:count] = images_NHWC
    cells = cells.repeat(scale, axis=1).repeat(scale, axis=2)
    cells = np.pad(cells, ((0, 0), *((0, border_pixels),) * 2, (0, 0)))
    grid = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    grid = grid.reshape(rows * cells.shape[1], columns * cells.shape[2], channels)
    # The last row's and column's borders would only be a margin on two sides.
    return grid[: grid.shape[0] - border_pixels, : grid.shape[1] - border_pixels]


def png(image_HWC: NDArray[np.uint8], *, texts: Mapping[str, str] | None = None) -> bytes:
    """One grey or RGB image; equal input, equal bytes. `texts` become text chunks, e.g. Software."""
    chunks = PngInfo()
    for key, value in (texts or {}).items():
        chunks.add_text(key, value)
    grey = image_HWC.shape[2] == 1
    picture = Image.fromarray(np.ascontiguousarray(image_HWC[:, :, 0] if grey else image_HWC))
    file = io.BytesIO()
    picture.save(file, "png", compress_level=COMPRESSION, pnginfo=chunks)
    return file.getvalue()
