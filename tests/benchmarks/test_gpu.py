"""The checks for a GPU, on a processor: they pass there, and they can fail."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import agreement, findings, runs, steps, streaming
from benchmarks.gpu.findings import Finding
from benchmarks.gpu.tasks import Bench
from models import presets
from models.checkpoints import checkpoint
from models.data.batches import Batch, Streamed

# The command, where nothing can be imported but what its docstring names, what that needs, and the standard library.
ALONE = """
import importlib.metadata, re, runpy, sys
normal = lambda name: re.sub("[-_.]+", "-", name).lower()
installed = {normal(one.name): one for one in importlib.metadata.distributions()}
named, needed = ["torch", "numpy", "pydantic", "safetensors", "pillow"], set()
while named:
    name = named.pop()
    if name in installed and name not in needed:
        needed.add(name)
        wanted = [one for one in installed[name].requires or [] if "extra ==" not in one]
        named += [normal(re.match("[A-Za-z0-9._-]+", one)[0]) for one in wanted]
for module, names in importlib.metadata.packages_distributions().items():
    if not needed & {normal(name) for name in names} and module not in {"benchmarks", "models"}:
        sys.modules.setdefault(module, None)
runpy.run_module("benchmarks.gpu", run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def bench() -> Iterator[Bench]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Bench(torch.device("cpu"), small=True, seconds=0.1)
    torch.set_num_threads(threads)


def run_main(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gpu", *options])
    return command.main()


def test_all_checks_pass_on_a_processor_with_nothing_but_the_wheels(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    words = [sys.executable, "-c", ALONE, "--device", "cpu", "--quick", "--json", str(out)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(words, capture_output=True, text=True, timeout=150, check=False, env=one_thread)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(out.read_text())
    titles = [one["title"] for one in told["findings"]]
    assert {one["state"] for one in told["findings"]} == {"ok", "-"}
    assert {
        preset for preset in presets.REGISTRY if f"{preset}: two steps in float64, against the CPU's" in titles
    } == {*presets.REGISTRY}
    for part in ("gradients in bf16", "streamed batches", "save, load, go on", "plain loop"):
        assert any(part in title for title in titles), part
    assert told["machine"]["torch"] == torch.__version__
    assert all(title in ran.stdout for title in titles)


def test_without_a_gpu_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run_main(monkeypatch, "--json", str(tmp_path / "gpu.json")) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert not list(tmp_path.iterdir())


def test_a_check_that_breaks_fails_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(_bench: Bench) -> Iterator[Finding]:
        yield Finding("half", 0.5, 1.0)
        raise RuntimeError("no\nkernel | image")

    def fine(_bench: Bench) -> Iterator[Finding]:
        yield Finding("whole", 1.0, None, "images/s")

    monkeypatch.setattr(command, "CHECKS", {"broken": (broken, 60.0), "fine": (fine, 60.0)})
    out = tmp_path / "gpu.json"
    assert run_main(monkeypatch, "--device", "cpu", "--json", str(out)) == 1
    found = {one["title"]: one for one in json.loads(out.read_text())["findings"]}
    assert [found[title]["state"] for title in ("half", "broken", "whole")] == ["ok", "FAILED", "-"]
    assert found["broken"]["remark"] == "RuntimeError: no kernel | image"
    assert found["broken"]["figure"] is None
    assert "| broken | nan | <= 0 | FAILED | RuntimeError: no kernel / image |" in capsys.readouterr().out


def test_a_check_that_takes_too_long_fails_with_what_it_found() -> None:
    def slow() -> Iterator[Finding]:
        yield Finding("soon", 0.0, 0.0)
        try:
            time.sleep(60)  # what is interrupted
        except findings.TooLong:
            time.sleep(60)  # by whoever catches everything, too
        yield Finding("late", 0.0, 0.0)

    soon, slow_itself = findings.run("slow", slow, seconds=0.2)
    assert (soon.title, soon.state) == ("soon", "ok")
    assert (slow_itself.state, slow_itself.remark) == ("FAILED", "TooLong: not done within 0 s")


@pytest.mark.parametrize("figure", [1.1, float("inf"), float("nan")])
def test_what_is_beyond_its_bound_or_no_number_has_failed(figure: float) -> None:
    assert Finding("x", figure, 1.0).state == "FAILED"


# The checks can fail


def test_a_device_that_computes_otherwise_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device is off by a thousandth of each gradient's length, in another direction each time."""
    grad = torch.autograd.grad

    def sloppy(*given: Any, **how: Any) -> Any:
        return tuple(
            one + 1e-3 * one.norm() * torch.randn_like(one) / one.numel() ** 0.5 for one in grad(*given, **how)
        )

    monkeypatch.setattr(torch.autograd, "grad", sloppy)
    monkeypatch.setattr(presets, "REGISTRY", {name: presets.REGISTRY[name] for name in ("article", "dcgan")})
    assert [one.state for one in agreement.check_presets(bench)] == ["FAILED", "FAILED"]


def test_fp32_that_is_secretly_tf32_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = torch.nn.functional.linear

    def short(tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensor rounded to eleven bits."""
        mantissa, exponent = torch.frexp(tensor)
        return torch.ldexp((mantissa * 2**11).round() / 2**11, exponent)

    def in_tf32(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        return (
            linear(short(inputs), short(weight), bias)
            if inputs.dtype == torch.float32
            else linear(inputs, weight, bias)
        )

    monkeypatch.setattr(torch.nn.functional, "linear", in_tf32)
    states = {one.title: one.state for one in agreement.check_formats(bench)}
    assert states["article 8x8: images in fp32, against float64"] == "FAILED"
    assert states["article 8x8: images in bf16, against float64"] == "ok"


def test_a_batch_from_memory_that_was_used_again_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    at: Callable[[Streamed, int], Batch] = Streamed.at

    def spoilt(streamed: Streamed, place: int) -> Batch:
        batch = at(streamed, place)
        return batch if place else dataclasses.replace(batch, labels=batch.labels.roll(1))

    monkeypatch.setattr(Streamed, "at", spoilt)
    (found,) = streaming.check_streaming(bench)
    assert found.state == "FAILED"


def test_a_checkpoint_that_lost_a_tensor_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    read = checkpoint.read

    def forgetful(folder: Path) -> checkpoint.Checkpoint:
        found = read(folder)
        optimizers = {**found.snapshot.optimizers, "discriminator": {}}
        return dataclasses.replace(found, snapshot=dataclasses.replace(found.snapshot, optimizers=optimizers))

    monkeypatch.setattr(checkpoint, "read", forgetful)
    again, resumed = runs.check_resume(bench)
    assert (again.state, resumed.state) == ("ok", "FAILED")


def test_random_numbers_are_those_of_the_cpu_wherever_they_are_drawn() -> None:
    """The other device is meta, which is always there and holds no numbers."""
    with steps._DrawnOnTheCpu():
        drawn = torch.rand(3, device="cpu", generator=torch.Generator().manual_seed(1))
        moved = torch.randn(3, device="meta", dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(1)))
    assert (moved.device.type, moved.dtype) == ("meta", torch.float64)
