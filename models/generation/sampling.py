"""Sampling: images from a checkpoint's generator, by seed and index."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import torch as safetensors
from torch import Tensor, nn

from models import architectures
from models.checkpoints import checkpoint
from models.checkpoints.snapshot import Snapshot
from models.data import Stored, pixels
from models.generation import labels
from models.runtime import placement, randomness
from models.specs import TrainingSpec

CHUNK = 64
"""Images are always generated 64 at a time, because kernels round differently for other batch sizes."""


@dataclass(frozen=True, eq=False)
class LoadedGenerator:
    """A checkpoint's generator, float32, ready to sample from. It may be shared between threads."""

    spec: TrainingSpec
    images_seen: int
    module: nn.Module
    device: torch.device


def from_snapshot(snapshot: Snapshot, *, device: torch.device) -> LoadedGenerator:
    """Return the generator that a checkpoint of this snapshot would hold for sampling."""
    return _loaded(snapshot.spec, snapshot.sampled, images_seen=snapshot.progress.images_seen, device=device)


def load(folder: Path, *, device: torch.device) -> LoadedGenerator:
    """Load a checkpoint's generator.

    Raises checkpoint.CorruptCheckpoint if it or the manifest has changed since it was written.
    """
    manifest = checkpoint.read_manifest(folder)
    content = checkpoint.read_file(folder, checkpoint.GENERATOR, manifest=manifest)
    weights = safetensors.load(content)
    return _loaded(manifest.spec, weights, images_seen=manifest.images_seen, device=device)


def _loaded(
    spec: TrainingSpec, weights: Mapping[str, Tensor], *, images_seen: int, device: torch.device
) -> LoadedGenerator:
    module = placement.place(architectures.build(spec)["generator"], device=device)
    module.load_state_dict(weights)
    return LoadedGenerator(spec, images_seen, module.eval().requires_grad_(False), device)


@torch.inference_mode()
def images_NHWC(
    generator: LoadedGenerator,
    *,
    seed: int,
    count: int,
    start: int = 0,
    truncation: float = 1.0,
    label: int | None = None,
) -> Stored:
    """Return images start, ..., start + count - 1 of a seed's endless sequence, N x H x W x C; points N x 1 x 1 x 2.

    Each bit of an image depends on the checkpoint, the seed, its index, the truncation and the label alone, not on the
    other images of the call. `truncation` scales the latents: below 1 images vary less and are more typical. `label` is
    the class of all images. Without a label, a conditional generator cycles through the classes by index.

    Raises ValueError for a label that the generator does not know.
    """
    if (problem := labels.problem(label, spec=generator.spec)) is not None:
        raise ValueError(f"label: {problem}")
    first, end = start // CHUNK, -(-(start + count) // CHUNK)
    chunks = [
        _chunk_NHWC(generator, seed=seed, number=number, truncation=truncation, label=label)
        for number in range(first, end)
    ]
    if not chunks:
        return _none_NHWC(generator.spec)
    return np.concatenate(chunks)[start - first * CHUNK :][:count]


def _chunk_NHWC(generator: LoadedGenerator, *, seed: int, number: int, truncation: float, label: int | None) -> Stored:
    spec = generator.spec
    rng = torch.Generator().manual_seed(randomness.derive(seed, purpose="samples", at=number))
    latents = torch.randn(CHUNK, spec.architecture.latent_dim, generator=rng).to(generator.device)
    labels = _labels(spec, number=number, label=label).to(generator.device) if spec.labels else None
    images_NCHW = pixels.to_stored(
        generator.module(latents * truncation, labels), points=spec.dataset.facts.holds_points
    )
    array: Stored = images_NCHW.permute(0, 2, 3, 1).cpu().numpy()
    return array


def _labels(spec: TrainingSpec, *, number: int, label: int | None) -> Tensor:
    if label is not None:
        return torch.full((CHUNK,), label)
    return torch.arange(number * CHUNK, (number + 1) * CHUNK) % spec.dataset.facts.classes


def _none_NHWC(spec: TrainingSpec) -> Stored:
    channels, height, width = architectures.image_CHW(spec)
    shape = 0, height, width, channels
    return np.empty(shape, np.float32) if spec.dataset.facts.holds_points else np.empty(shape, np.uint8)
