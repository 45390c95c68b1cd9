import errno
import os
import time
from pathlib import Path

import pytest

from store.artifacts import Artifacts, LocalArtifacts
from store.errors import StorageFull


def test_a_folder_appears_whole(tmp_path):
    artifacts = LocalArtifacts(tmp_path)
    with artifacts.put("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")
        with pytest.raises(FileNotFoundError):
            artifacts.local_copy("jobs/a/1")
    assert (artifacts.local_copy("jobs/a/1") / "x").read_text() == "whole"
    assert [path.name for path in (tmp_path / "jobs/a").iterdir()] == ["1"]


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Without the sync, a power cut could leave the name with half of the files."""
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
    with LocalArtifacts(tmp_path).put("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")
    assert done == [("sync", "x"), ("sync", "partial"), ("rename", "1"), ("sync", "a")]


def test_a_failed_write_leaves_nothing(tmp_path):
    artifacts = LocalArtifacts(tmp_path)
    with pytest.raises(OSError, match="disk"), artifacts.put("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("half")
        raise OSError("disk")
    assert list((tmp_path / "jobs/a").iterdir()) == []


def test_too_little_space_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(StorageFull, match="MiB"), LocalArtifacts(tmp_path).put("jobs/a/1", min_free_bytes=2**62):
        pytest.fail("the block must not run")
    assert list((tmp_path / "jobs/a").iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing_and_says_so(tmp_path):
    with (
        pytest.raises(StorageFull, match="disk is full"),
        LocalArtifacts(tmp_path).put("jobs/a/1", min_free_bytes=0) as folder,
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
    artifacts = LocalArtifacts(tmp_path)
    with artifacts.put("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")
    artifacts.share("jobs/a/1", "jobs/b/1", min_free_bytes=0)
    inodes = {(artifacts.local_copy(key) / "x").stat().st_ino for key in ("jobs/a/1", "jobs/b/1")}
    assert len(inodes) == (1 if links else 2)
    artifacts.delete("jobs/a/1")
    with artifacts.open("jobs/b/1", "x") as file:
        assert file.read() == b"whole"


def test_what_is_gone_cannot_be_shared(tmp_path):
    with pytest.raises(FileNotFoundError):
        LocalArtifacts(tmp_path).share("jobs/a/1", "jobs/b/1", min_free_bytes=0)
    assert list((tmp_path / "jobs/b").iterdir()) == []


def test_deleting_is_complete_and_may_be_repeated(tmp_path):
    artifacts = LocalArtifacts(tmp_path)
    with artifacts.put("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "x").write_text("x")
    artifacts.delete("jobs/a/1")
    artifacts.delete("jobs/a/1")
    assert list((tmp_path / "jobs/a").iterdir()) == []


@pytest.fixture
def artifacts(tmp_path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "root")


def put(artifacts: Artifacts, key: str) -> None:
    with artifacts.put(key, min_free_bytes=0) as folder:
        (folder / "x").write_text("whole")


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a/../../x", ".", ""])
def test_no_key_leaves_the_root(artifacts, key):
    operations = [
        lambda: artifacts.put(key, min_free_bytes=0).__enter__(),
        lambda: artifacts.open(key, "x"),
        lambda: artifacts.local_copy(key),
        lambda: artifacts.share("jobs/a/1", key, min_free_bytes=0),
        lambda: artifacts.list(key),
        lambda: artifacts.delete(key),
    ]
    put(artifacts, "jobs/a/1")
    for operation in operations:
        with pytest.raises(ValueError, match="leaves"):
            operation()
    with pytest.raises(ValueError, match="leaves"):
        artifacts.share(key, "jobs/b/1", min_free_bytes=0)


@pytest.mark.parametrize("name", ["../1/x", "/etc/passwd", "..", ".", ""])
def test_no_name_of_a_file_leaves_its_key(artifacts, name):
    put(artifacts, "jobs/a/1")
    with pytest.raises(ValueError, match="no file's name"):
        artifacts.open("jobs/a/1", name)


def test_a_key_that_has_vanished_is_not_found(artifacts):
    put(artifacts, "jobs/a/1")
    with artifacts.open("jobs/a/1", "x") as file:
        artifacts.delete("jobs/a/1")
        assert file.read() == b"whole", "what is open can be read to its end"
    with pytest.raises(FileNotFoundError):
        artifacts.open("jobs/a/1", "x")
    with pytest.raises(FileNotFoundError):
        artifacts.local_copy("jobs/a/1")


def test_an_artifact_holds_no_folders(artifacts):
    """The files of inner folders would not be on the disk when the artifact has its key."""
    with pytest.raises(ValueError, match="a folder"), artifacts.put("jobs/a/1", min_free_bytes=0) as folder:
        (folder / "deep").mkdir()
    assert list(artifacts.list("jobs")) == []


def test_keys_are_listed_below_a_prefix_with_their_age(artifacts):
    for key in ("jobs/b/checkpoints/1", "jobs/a/checkpoints/2", "jobs/a/checkpoints/1", "other/1"):
        put(artifacts, key)
    then = time.time() - 1000
    os.utime(artifacts.local_copy("jobs/b/checkpoints/1"), (then, then))
    listed = list(artifacts.list("jobs"))
    assert [one.key for one in listed] == ["jobs/a/checkpoints/1", "jobs/a/checkpoints/2", "jobs/b/checkpoints/1"]
    assert [one.age_seconds > 900 for one in listed] == [False, False, True]
    assert all(one.whole for one in listed)
    assert [one.key for one in artifacts.list("jobs/b")] == ["jobs/b/checkpoints/1"]
    assert list(artifacts.list("nothing")) == []


def test_what_a_killed_put_or_delete_has_left_is_listed_and_deleted(artifacts):
    """Folders above artifacts are not listed, nor are empty ones: their deletion would remove artifacts too."""
    put(artifacts, "jobs/a/checkpoints/1")
    for left in ("jobs/a/checkpoints/.2.abc.partial", "jobs/.b.abc.doomed/checkpoints/1", "jobs/c/checkpoints"):
        (artifacts.root / left).mkdir(parents=True)
    listed = {one.key: one.whole for one in artifacts.list("jobs")}
    assert listed == {
        "jobs/.b.abc.doomed": False,
        "jobs/a/checkpoints/.2.abc.partial": False,
        "jobs/a/checkpoints/1": True,
    }
    for key, whole in listed.items():
        if not whole:
            artifacts.delete(key)
    assert [one.key for one in artifacts.list("jobs")] == ["jobs/a/checkpoints/1"]
