"""`python -m tests.models.pair FOLDER`: one of two processes that train together, as torchrun would start it.

It makes the runs that `FOLDER/runs.json` lists, one after another. It writes the ticks of each, and a checkpoint of the
last state, below `FOLDER/<name>/<rank>`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from models import data, training
from models.checkpoints import checkpoint
from models.runtime import parallel
from models.runtime.parallel import Group
from models.specs import TrainingSpec

CPU = torch.device("cpu")


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with parallel.join(device=parallel.own(CPU)) as group:
        runs: dict[str, dict[str, Any]] = json.loads((folder / "runs.json").read_text())
        for name, how in runs.items():
            out = folder / name / str(group.rank)
            out.mkdir(parents=True)
            train(TrainingSpec.model_validate(how["spec"]), how, folder=folder, out=out, group=group)
            group.agree(0.0)  # the first process's checkpoint is whole: the next run may resume from it
        collect(folder, group=group)
    (folder / f"threads-{group.rank}.json").write_text(json.dumps(threads()))


def train(spec: TrainingSpec, how: dict[str, Any], *, folder: Path, out: Path, group: Group) -> None:
    """Train one run and write it down. Only the first process asks for a stop after `stop_at_step`."""
    dataset = data.load(spec.dataset, folder=Path("/nonexistent"))
    resume = checkpoint.read(folder / how["resume"] / "0") if "resume" in how else None
    asked = iter(range(1, 10**6))

    def stop() -> bool:
        return group.rank == 0 and next(asked) >= how.get("stop_at_step", 10**6)

    seen: list[list[Any]] = []
    state = None
    for event in training.train(spec, dataset=dataset, device=CPU, resume=resume, stop=stop, group=group):
        match event:
            case training.Tick() | training.Evaluated():
                seen.append([type(event).__name__, event.images_seen, event.values])
            case training.CheckpointDue():
                state = event.snapshot
            case training.Repaired():
                seen.append(["Repaired", event.images_seen, event.details])
            case training.Finished():
                seen.append(["Finished", event.images_seen, {}])
    assert state is not None
    checkpoint.write(out, state)
    (out / "events.json").write_text(json.dumps(seen))


def collect(folder: Path, *, group: Group) -> None:
    """Call every method of the group. Process r brings r + 1, and one number that is not finite."""
    mine = group.rank + 1.0
    upright = torch.full((2, 3, 4, 5), mine).to(memory_format=torch.channels_last)
    upright[0, 1, 2, 3] = 10 * mine
    tensors = [torch.tensor(mine), upright, torch.tensor([mine, 0.0], dtype=torch.float64)]
    tensors.append(torch.tensor([float("nan") if group.rank else 1.0, mine]))
    means = group.mean(tensors)
    found = {
        "means": [mean.tolist() for mean in means],
        "strides": [mean.stride() == tensor.stride() for mean, tensor in zip(means, tensors, strict=True)],
        "gathered": group.gather(torch.full((1, 2), mine)).tolist(),
        "agreed": group.agree(mine),
        "once": group.once(lambda: {"made by": group.rank}),
    }
    (folder / f"collected-{group.rank}.json").write_text(json.dumps(found))


def threads() -> list[str]:
    """Return the names of this process's threads, as the kernel has them."""
    return [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
