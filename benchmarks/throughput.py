"""The command `python -m benchmarks.throughput`: images a second of Saddle's loop and of a plain one, in turns.

Both train the article's networks with the article's optimizers and batch size on the same pixels. The plain loop is the
one of most example code: float32, a DataLoader, an optimizer a network, `.item()` at every step.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from models import architectures, data, pixels, presets, training
from models.spec import TrainingSpec


def saddle(spec: TrainingSpec, dataset: data.ImageData, *, steps: int) -> float:
    """Images a second between two ticks, the first steps left out."""
    images = steps * spec.batch_size
    changes = {"budget": {"images": 2 * images, "seconds": None}, "metrics": {"every_images": images}}
    measured = TrainingSpec.model_validate(spec.model_dump() | changes)
    events = training.train(measured, dataset=dataset, device=torch.device("cpu"))
    ticks = [event for event in events if isinstance(event, training.Tick)]
    return ticks[-1].values["images_per_second"]


def plain(spec: TrainingSpec, dataset: data.ImageData, *, steps: int) -> float:
    """Images a second, the first steps left out."""
    networks = architectures.build(spec)
    generator, discriminator = networks.generator, networks.discriminator
    adam = spec.generator_optimizer
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=adam.lr, betas=adam.betas)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=adam.lr, betas=adam.betas)
    judge = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(spec.batch_size), torch.zeros(spec.batch_size)
    images = TensorDataset(pixels.to_float(torch.tensor(dataset.images_NCHW)))
    loader = DataLoader(images, batch_size=spec.batch_size, shuffle=True, drop_last=True)
    start, done = 0.0, 0
    while True:
        for (real_NCHW,) in loader:
            if done == steps // 4:
                start = time.monotonic()
            if done == steps + steps // 4:
                return steps * spec.batch_size / (time.monotonic() - start)
            fake_NCHW = generator(torch.randn(spec.batch_size, spec.architecture.latent_dim))
            optimizer_d.zero_grad()
            real, fake = discriminator(real_NCHW), discriminator(fake_NCHW.detach())
            loss_d = judge(real, ones) + judge(fake, zeros)
            loss_d.backward()
            optimizer_d.step()
            optimizer_g.zero_grad()
            loss_g = judge(discriminator(fake_NCHW), ones)
            loss_g.backward()
            optimizer_g.step()
            loss_d.item()
            loss_g.item()
            done += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="steps a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--datasets", type=Path, default=Path(".saddle/datasets"), help="the datasets folder")
    arguments = parser.parse_args()
    spec = presets.resolve({"preset": "article", "evaluation": {"metrics": []}})
    dataset = data.load(spec.dataset, folder=arguments.datasets)
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(saddle(spec, dataset, steps=arguments.steps))
        theirs.append(plain(spec, dataset, steps=arguments.steps))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print(
        f"article networks, batch {spec.batch_size}, {torch.get_num_threads()} threads, medians of {len(ours)} rounds"
    )
    print(f"  Saddle      {statistics.median(ours):,.0f} images/s")
    print(f"  plain fp32  {statistics.median(theirs):,.0f} images/s")
    print(f"  ratio       {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
