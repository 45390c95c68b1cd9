"""The part of a spec that `saddle submit` sends: from a file and from flags."""

from pathlib import Path
from typing import Any

import pytest

from saddle import partial
from saddle.partial import PartialSpecError


def spec_of(tmp_path: Path, text: str, name: str = "spec.yaml") -> dict[str, Any]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return partial.read(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("2e-4", 2e-4),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-3", -3),
        ("2_000_000", 2_000_000),
        ("010", "010"),
        ("12:30", "12:30"),
        ("2026-11-23", "2026-11-23"),
        ("null", None),
        ("", None),
        ("[0.0, 0.95]", [0.0, 0.95]),
        ('"128"', "128"),
    ],
)
def test_yaml_scalars_are_those_of_json(tmp_path: Path, text: str, value: object) -> None:
    read = spec_of(tmp_path, f"key: {text}\n")["key"]
    assert read == value
    assert type(read) is type(value)


def test_json_file_is_read_as_json(tmp_path: Path) -> None:
    assert spec_of(tmp_path, '{"seed":\t1}', "spec.json") == {"seed": 1}


def test_yaml_anchors_are_merged(tmp_path: Path) -> None:
    text = "generator_optimizer: &adam {kind: adam, lr: 1e-3}\ndiscriminator_optimizer:\n  <<: *adam\n  lr: 2e-3\n"
    assert spec_of(tmp_path, text)["discriminator_optimizer"] == {"kind": "adam", "lr": 2e-3}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("spec.yaml", "a: [", "cannot read the spec"),
        ("spec.yaml", "- 1", "must hold an object"),
        ("spec.yaml", "", "must hold an object"),
        ("spec.yaml", "a: !!timestamp 2026-11-23", "not JSON serializable"),
        ("spec.yaml", "a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("spec.yaml", "a: 1e999", "not JSON compliant"),
        ("spec.json", '{"a": NaN}', "NaN is not a finite number"),
        ("spec.json", '{"a": 1e999}', "too large"),
        ("spec.json", '{"a"', "Expecting"),
        ("spec.json", "[" * 100_000, "cannot read the spec"),
    ],
)
def test_unusable_file_is_refused_with_its_name(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(PartialSpecError, match=message) as caught:
        spec_of(tmp_path, text, name)
    assert name in str(caught.value)


def test_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(PartialSpecError, match=r"absent\.yaml"):
        partial.read(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("batch_size=64", {"batch_size": 64}),
        ("loss.kind=hinge", {"loss": {"kind": "hinge"}}),
        ("generator_optimizer.betas=[0, 0.9]", {"generator_optimizer": {"betas": [0, 0.9]}}),
        ('name="7"', {"name": "7"}),
        ("name=a=b", {"name": "a=b"}),
        ("budget.seconds=null", {"budget": {"seconds": None}}),
        ("name=", {"name": ""}),
    ],
)
def test_setting_puts_json_or_a_string(setting: str, expected: dict[str, Any]) -> None:
    spec: dict[str, Any] = {}
    partial.put(spec, setting)
    assert spec == expected


def test_setting_steps_into_what_the_file_holds() -> None:
    spec: dict[str, Any] = {"penalties": [{"kind": "r1"}, {"kind": "r2"}], "loss": {"kind": "hinge"}}
    partial.put(spec, "penalties.1.weight=2")
    partial.put(spec, "loss.kind=minimax")
    assert spec == {"penalties": [{"kind": "r1"}, {"kind": "r2", "weight": 2}], "loss": {"kind": "minimax"}}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("batch_size", "key.path=value"),
        ("=1", "key.path=value"),
        ("a..b=1", "key.path=value"),
        ("seed.x=1", "seed is not an object"),
        ("penalties.1.weight=2", "list of 1"),
        ("penalties.r1.weight=2", "list of 1"),
        ("penalties.-1.weight=2", "list of 1"),
        ("seed=NaN", "NaN is not a finite number"),
        ("seed=1e999", "too large"),
    ],
)
def test_setting_that_fits_nowhere_is_refused(setting: str, message: str) -> None:
    with pytest.raises(PartialSpecError, match=message):
        partial.put({"seed": 1, "penalties": [{"kind": "r1"}]}, setting)


def test_flags_change_only_what_they_name() -> None:
    spec: dict[str, Any] = {"budget": {"images": 10}, "seed": 1}
    partial.merge(spec, {"budget": {"images": None, "seconds": 5.0}, "seed": None, "dataset": {"name": None}})
    assert spec == {"budget": {"images": 10, "seconds": 5.0}, "seed": 1}


def test_metadata_pairs_stay_strings() -> None:
    spec: dict[str, Any] = {"metadata": {"team": "vision"}}
    partial.put_pairs(spec, "metadata", ["run=7", "note=a=b"])
    assert spec["metadata"] == {"team": "vision", "run": "7", "note": "a=b"}
    with pytest.raises(PartialSpecError, match="key=value"):
        partial.put_pairs(spec, "metadata", ["run"])
