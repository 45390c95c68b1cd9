"""Formats of numbers, names and specs on the pages."""

import html
import json
import re

import pytest

from api.dashboard import formats, highlighting


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.percent(0.0), "0.0 %"),
        (formats.percent(0.9999), "99.9 %"),
        (formats.percent(1.0), "100.0 %"),
        (formats.duration(None), "–"),
        (formats.duration(59.4), "59 s"),
        (formats.duration(59.6), "1 min 00 s"),
        (formats.duration(3 * 3600 + 300), "3 h 05 min"),
        (formats.duration(90_000), "1 d 1 h"),
        (formats.rate(9812.6), "9,813"),
        (formats.rate(9.81), "9.8"),
        (formats.significant(None), "–"),
        (formats.significant(0.00421), "0.00421"),
        (formats.significant(12.345), "12.3"),
        (formats.significant(1234.5), "1,234"),
        (formats.size(999), "999 B"),
        (formats.size(7_654_321), "7.7 MB"),
        (formats.size(2_500_000_000), "2.5 GB"),
    ],
)
def test_numbers_are_written_as_people_read_them(written, expected):
    assert written == expected


def test_highlighted_json_keeps_its_text():
    value = {"a": [1, -2.5e-07, True], "<b>": 'quo"te: [\n 1 ]\\', "c": {"d": None}, "e": [{"f": []}]}
    shown = html.unescape(re.sub(r"</?span[^>]*>", "", str(highlighting.json_html(value))))
    assert json.loads(shown) == value
    assert "[1, -2.5e-07, true]" in shown


def test_figures_are_called_as_people_call_them() -> None:
    names = ("fid", "kl", "high_quality", "precision")
    assert [formats.figure(name) for name in names] == ["FID", "KL", "high quality", "precision"]
