"""The device that a worker's heartbeat tells of."""

from pathlib import Path

import pytest

from worker import hardware


@pytest.mark.parametrize(
    ("file", "expected"), [(None, "cpu"), ("nvidiactl", "cpu"), ("nvidia0", "cuda"), ("dxg", "cuda")]
)
def test_auto_is_cuda_where_the_system_has_a_gpu(
    file: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if file is not None:
        (tmp_path / file).touch()
    assert hardware.device("auto", devices=tmp_path) == expected


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu_is_none(hidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    (tmp_path / "nvidia0").touch()
    assert hardware.device("auto", devices=tmp_path) == "cpu"


@pytest.mark.parametrize("wish", ["cpu", "cuda", "cuda:1"])
def test_a_setting_that_names_a_device_is_taken_at_its_word(wish: str, tmp_path: Path) -> None:
    assert hardware.device(wish, devices=tmp_path) == wish
