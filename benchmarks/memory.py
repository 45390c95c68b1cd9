"""The peak of the host's memory in the article's job, measured in a process of its own."""

import resource
import subprocess
import sys

import torch

from benchmarks import figures
from models import data, presets, training
from store.settings import Settings

IMAGES = 50_000
MIB_PER_KIB = 1 / 1024


def measure() -> list[figures.Row]:
    before, peak = (float(word) for word in _in_a_process().split())
    remark = f"{IMAGES:,} images; reference: the same process before it trains, torch and the data loaded"
    return [figures.row("peak memory of the article's job, MiB", [peak], reference=before, remark=remark)]


def _in_a_process() -> str:
    command = [sys.executable, "-m", "benchmarks.memory"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MIB_PER_KIB


def main() -> int:
    spec = presets.resolve({"preset": "article", "budget": {"images": IMAGES, "seconds": None}})
    dataset = data.load(spec.dataset, folder=Settings().datasets_dir)
    before = _peak_mib()
    *_, finished = training.train(spec, dataset=dataset, device=torch.device("cpu"))
    assert isinstance(finished, training.Finished)
    print(before, _peak_mib())
    return 0


if __name__ == "__main__":
    sys.exit(main())
