import stat

from store import disk


def test_a_private_file_is_readable_by_its_owner_only(tmp_path):
    disk.write_private(tmp_path / "deep/key", "secret")
    assert stat.S_IMODE((tmp_path / "deep/key").stat().st_mode) == 0o600
    assert (tmp_path / "deep/key").read_text() == "secret"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["key"]
