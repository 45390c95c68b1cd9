"""`python -m models.evaluators.extractors.train_garments DATASETS`: writes garments.safetensors and garments.json."""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.data import fashion_mnist, pixels
from models.evaluators.extractors import garments
from models.runtime import placement

SEED = 20_261_123
EPOCHS = 10
BATCH = 256
PEAK_LEARNING_RATE = 6e-3
LEAST_ACCURACY = 0.91
SHIFT_PIXELS = 2


def train(folder: Path, *, epochs: int = EPOCHS) -> tuple[garments.Garments, float]:
    """Train a classifier on the training split; return it and its accuracy on the test split."""
    torch.manual_seed(SEED)
    train_data = fashion_mnist.load(folder=folder, split="train")
    images_NCHW, labels = torch.tensor(train_data.images_NCHW), torch.tensor(train_data.labels)
    network = placement.place(garments.Garments(), device=torch.device("cpu"))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.02, fused=True)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps)
    for epoch in range(epochs):
        order = torch.randperm(len(labels))
        for indices in order[: len(labels) // BATCH * BATCH].view(-1, BATCH):
            shifted = _shift(images_NCHW[indices])
            loss = nn.functional.cross_entropy(network(pixels.to_float(shifted)), labels[indices])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: last loss {loss.item():.3f}")
    return network.eval(), accuracy(network, folder)


def _shift(images_NCHW: Tensor) -> Tensor:
    """Shift the batch by up to two pixels each way, padded with black."""
    down, right = torch.randint(0, 2 * SHIFT_PIXELS + 1, (2,)).tolist()
    height, width = images_NCHW.shape[2:]
    padded = nn.functional.pad(images_NCHW, [SHIFT_PIXELS] * 4)
    return padded[:, :, down : down + height, right : right + width]


@torch.no_grad()
def accuracy(network: garments.Garments, folder: Path) -> float:
    """Return the share of the 10,000 test images that the network classifies correctly."""
    test_data = fashion_mnist.load(folder=folder, split="holdout")
    images_NCHW, labels = torch.tensor(test_data.images_NCHW), torch.tensor(test_data.labels)
    right = [
        (network(pixels.to_float(images_NCHW[start : start + 1000])).argmax(1) == labels[start : start + 1000]).sum()
        for start in range(0, len(labels), 1000)
    ]
    return int(torch.stack(right).sum()) / len(labels)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.evaluators.extractors.train_garments", description=__doc__)
    parser.add_argument("datasets", type=Path, help="the datasets folder, e.g. .saddle/datasets")
    start = time.monotonic()
    network, share = train(parser.parse_args().datasets)
    print(f"test accuracy {share:.4f} after {time.monotonic() - start:.0f} s")
    if share < LEAST_ACCURACY:
        print(f"less than {LEAST_ACCURACY}: nothing written", file=sys.stderr)
        return 1
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, garments.WEIGHTS)
    garments.WEIGHTS.chmod(0o644)
    report = {"test_accuracy": share, "epochs": EPOCHS, "seed": SEED, "torch": torch.__version__}
    garments.REPORT.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
