"""The embedded Redis keeps to its folder, whatever the folder's name."""

import os

import pytest
from redis import Redis

from embedded import redis


@pytest.mark.parametrize("name", ["100%41 a?b#c:d", "\"quoted\" 'name'", "back\\slash \\n", "ä"])
def test_its_folder_may_have_any_name(tmp_path, name):
    folder = tmp_path / name / "redis"
    server = redis.start(folder, launcher_pid=os.getpid())
    try:
        with Redis.from_url(server.url, decode_responses=True) as client:
            assert client.config_get("dir") == {"dir": str(folder)}
    finally:
        server.stop()
