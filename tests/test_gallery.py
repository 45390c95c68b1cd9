"""The gallery: its page says what the rows say, and a run of some presets leaves the others' rows alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import gallery, gallery_page, recipes
from benchmarks.gallery_page import Row
from benchmarks.machine import Machine
from models import training

ROBUST = Row(
    preset="robust",
    dataset="fashion-mnist",
    purpose="The default | the best",
    convolutional=False,
    seed=0,
    seconds=60.2,
    images_seen=512_000,
    quality={"fid": 8.25, "precision": 0.851, "recall": 0.4},
    diverged=None,
    command="python -m benchmarks.gallery",
    machine=Machine("Abacus 9000", cores=2, threads=1),
)
DCGAN = replace(ROBUST, preset="dcgan", purpose="As published", convolutional=True, images_seen=9_984)
RING = replace(ROBUST, dataset="ring", quality={"modes": 8.0, "high_quality": 0.9712, "kl": 0.034})
PNG = b"a picture"


def page(*rows: Row) -> str:
    return gallery_page.page(rows, garments="fashion-mnist")


def line(text: str, start: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found


def test_page_shows_figures_and_picture_of_a_preset() -> None:
    assert line(page(ROBUST), "| `robust`") == (
        "| `robust` | The default \\| the best | 512,000 | 60 | 8.2 | 0.85 | 0.40 | ![samples of robust](robust.png) |"
    )


def test_page_shows_how_many_modes_the_points_reach_and_no_figure_that_was_not_measured() -> None:
    assert line(page(RING), "| `ring`") == (
        "| `ring` | `robust` | 512,000 | 60 | 8 | 0.971 | 0.03 | ![samples of ring](ring.png) |"
    )
    stacked = replace(RING, dataset="stacked-fashion", quality={"modes": 987.0, "kl": 0.5})
    assert "| 987 | – | 0.50 |" in page(stacked)


def test_page_does_not_hide_a_run_that_diverged() -> None:
    failed = replace(DCGAN, quality={}, diverged="a weight became NaN or infinite")
    assert line(page(failed), "| `dcgan`").endswith("| – | – | – | diverged: a weight became NaN or infinite |")
    assert "dcgan.png" not in page(failed)


def test_page_says_of_convolutional_presets_alone_that_their_time_was_short() -> None:
    assert "The networks of `dcgan` are convolutional" in page(ROBUST, DCGAN)
    assert "convolutional" not in page(ROBUST, RING)


def test_page_names_each_command_once_with_its_machine_and_its_rows() -> None:
    other = replace(DCGAN, command="python -m benchmarks.gallery --presets dcgan --seconds 600")
    lines = page(ROBUST, other, RING).splitlines()
    assert "- `python -m benchmarks.gallery`, 1 of 2 cores of Abacus 9000: `robust` and `ring`." in lines
    assert f"- `{other.command}`, 1 of 2 cores of Abacus 9000: `dcgan`." in lines


def test_run_of_one_preset_replaces_its_row_and_keeps_the_others_in_the_presets_order(tmp_path: Path) -> None:
    for row in (RING, DCGAN, ROBUST, replace(DCGAN, images_seen=99_999)):
        gallery.keep(row, PNG, folder=tmp_path)
    rows = gallery_page.ROWS.validate_json((tmp_path / gallery.ROWS).read_bytes())
    assert rows == [ROBUST, replace(DCGAN, images_seen=99_999), RING]
    assert (tmp_path / gallery.PAGE).read_text(encoding="utf-8") == page(*rows)
    assert {path.name for path in tmp_path.glob("*.png")} == {"robust.png", "dcgan.png", "ring.png"}


def test_run_that_diverges_becomes_a_row_without_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise training.Diverged("non_finite", images_seen=1_280, message="a weight became NaN or infinite")

    monkeypatch.setattr(recipes, "run", diverge)
    wish = gallery.Wish("dcgan", "fashion-mnist", seconds=60.0, seed=0)
    row, png = gallery.make(wish, datasets=tmp_path, command="python -m benchmarks.gallery")
    assert (row.images_seen, row.quality, row.diverged) == (1_280, {}, "a weight became NaN or infinite")
    assert row.convolutional
    assert png is None


def test_run_that_diverges_takes_the_old_picture_away(tmp_path: Path) -> None:
    gallery.keep(DCGAN, PNG, folder=tmp_path)
    gallery.keep(replace(DCGAN, diverged="a loss became NaN"), None, folder=tmp_path)
    assert not list(tmp_path.glob("*.png"))


def test_row_of_a_preset_that_is_no_more_leaves_the_page(tmp_path: Path) -> None:
    gallery.keep(replace(ROBUST, preset="forgotten"), PNG, folder=tmp_path)
    gallery.keep(ROBUST, PNG, folder=tmp_path)
    assert "forgotten" not in (tmp_path / gallery.PAGE).read_text(encoding="utf-8")
