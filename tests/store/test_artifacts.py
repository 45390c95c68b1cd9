import errno
import os
import stat
from pathlib import Path

import pytest

from store.artifacts import Artifacts, write_private
from store.errors import StorageFull


def test_a_folder_appears_whole(tmp_path):
    artifacts = Artifacts(tmp_path)
    with artifacts.new_folder("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")
        assert not artifacts.path("jobs/a/1").exists()
    assert (artifacts.path("jobs/a/1") / "x").read_text() == "whole"
    assert [path.name for path in (tmp_path / "jobs/a").iterdir()] == ["1"]


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Else a power cut could leave the name with half of what it stands for."""
    done = []
    fsync, rename = os.fsync, Path.rename

    def note_sync(descriptor: int) -> None:
        done.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2].rpartition(".")[2]))
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        done.append(("rename", target.name))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    with Artifacts(tmp_path).new_folder("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")
    assert done == [("sync", "x"), ("sync", "partial"), ("rename", "1"), ("sync", "a")]


def test_a_failed_write_leaves_nothing(tmp_path):
    artifacts = Artifacts(tmp_path)
    with pytest.raises(OSError, match="disk"), artifacts.new_folder("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("half")
        raise OSError("disk")
    assert list((tmp_path / "jobs/a").iterdir()) == []


def test_too_little_space_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(StorageFull, match="MiB"), Artifacts(tmp_path).new_folder("jobs/a/1", min_free_bytes=2**62):
        pytest.fail("the block must not run")
    assert list((tmp_path / "jobs/a").iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing_and_says_so(tmp_path):
    with (
        pytest.raises(StorageFull, match="disk is full"),
        Artifacts(tmp_path).new_folder("jobs/a/1", min_free_bytes=0) as folder,
    ):
        (folder / "x").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list((tmp_path / "jobs/a").iterdir()) == []


@pytest.mark.parametrize("links", [True, False], ids=["shared", "copied"])
def test_a_shared_folder_outlives_its_source(tmp_path, monkeypatch, links):
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    artifacts = Artifacts(tmp_path)
    with artifacts.new_folder("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")
    artifacts.share("jobs/a/1", "jobs/b/1", min_free_bytes=0)
    same = artifacts.path("jobs/a/1/x").stat().st_ino == artifacts.path("jobs/b/1/x").stat().st_ino
    assert same == links
    artifacts.delete("jobs/a/1")
    assert artifacts.path("jobs/b/1/x").read_text() == "whole"


def test_what_is_gone_cannot_be_shared(tmp_path):
    with pytest.raises(FileNotFoundError):
        Artifacts(tmp_path).share("jobs/a/1", "jobs/b/1", min_free_bytes=0)
    assert list((tmp_path / "jobs/b").iterdir()) == []


def test_deleting_is_complete_and_may_be_repeated(tmp_path):
    artifacts = Artifacts(tmp_path)
    with artifacts.new_folder("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("x")
    artifacts.delete("jobs/a/1")
    artifacts.delete("jobs/a/1")
    assert list((tmp_path / "jobs/a").iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ".", ""])
def test_no_name_leaves_the_root(tmp_path, name):
    with pytest.raises(ValueError, match="leaves"):
        Artifacts(tmp_path / "root").path(name)


def test_a_private_file_is_readable_by_its_owner_only(tmp_path):
    write_private(tmp_path / "deep/key", "secret")
    assert stat.S_IMODE((tmp_path / "deep/key").stat().st_mode) == 0o600
    assert (tmp_path / "deep/key").read_text() == "secret"
