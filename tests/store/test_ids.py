import re
import time
from concurrent.futures import ThreadPoolExecutor

from store import ids


def test_ids_rise_in_the_order_in_which_they_are_made():
    made = [ids.new("job") for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_made_at_once_differ():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ids.new("ckpt"), range(2000)))
    assert len(set(made)) == len(made)


def test_an_id_matches_the_pattern_that_clients_are_held_to():
    assert re.fullmatch(f"job_{ids.PATTERN}", ids.new("job"))


def test_ids_go_on_rising_when_the_clock_is_set_back(monkeypatch):
    before = ids.new("job")
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert ids.new("job") > before
