"""Random sources. Each is a function of the run's seed, a purpose and the images seen, so a run can stop anywhere."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import torch

Purpose = Literal[
    "weights",
    "order",
    "latents",
    "augment",
    "augment_real",
    "augment_fake",
    "augment_generator",
    "penalty",
    "posterior",
    "evaluation",
    "path",
    "samples",
]


def derive(seed: int, *, purpose: Purpose, at: int, salt: int = 0) -> int:
    """Return a 63-bit seed. `at` is a position: images seen, an epoch or an index. Another salt gives another seed."""
    text = f"{seed}/{purpose}/{at}/{salt}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True)
class RandomSource:
    """A random generator on a device, seeded again for every use."""

    seed: int
    generator: torch.Generator

    @classmethod
    def on(cls, device: torch.device, *, seed: int) -> "RandomSource":
        return cls(seed, torch.Generator(device))

    def at(self, purpose: Purpose, place: int, *, salt: int = 0) -> torch.Generator:
        return self.generator.manual_seed(derive(self.seed, purpose=purpose, at=place, salt=salt))
