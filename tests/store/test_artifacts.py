import stat

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
