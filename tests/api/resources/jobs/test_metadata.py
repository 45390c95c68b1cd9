"""Jobs found by their metadata, whatever characters its keys and values have."""

from tests.api.conftest import post

KEYS = [
    "clé",
    "ключ",
    "鍵",
    "😀",
    'a"b',
    "a'b",
    '"',
    "a.b",
    "$",
    "$.team",
    "a[0]",
    "[0]",
    "a]=b",
    "a\\b",
    "\\u00e9",
    "\\",
    "a b",
    "a/b",
    "%",
    "_",
    "{}",
    "0",
    "-1",
    ":key",
    "?",
]


def found(client, **labels):
    filters = {f"metadata[{key}]": value for key, value in labels.items()}
    answer = client.get("/v1/jobs", params={"limit": 100, **filters})
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["data"]]


def test_a_job_is_found_by_any_key(client):
    made = {key: post(client, metadata={key: f"of {key}", "team": "vision"})["id"] for key in KEYS}
    for key, job_id in made.items():
        assert found(client, **{key: f"of {key}"}) == [job_id], key
        assert found(client, **{key: "of another"}) == [], key
        assert found(client, **{key: f"of {key}", "team": "vision"}) == [job_id], key
        assert found(client, **{key: f"of {key}", "team": "speech"}) == [], key
    assert found(client, team="vision") == sorted(made.values(), reverse=True)


def test_a_job_is_found_by_any_value(client):
    values = ["é", "😀", '"', "\\", "null", "1", "true", "", "%", "[1]", '{"a": 1}']
    made = {value: post(client, metadata={"k": value})["id"] for value in values}
    for value, job_id in made.items():
        assert found(client, k=value) == [job_id], value


def test_a_key_is_no_path_into_the_metadata(client):
    post(client, metadata={"a": "x"})
    for key in ('a"', "$.a", '"a"', "A", "a.", "a[0]"):
        assert found(client, **{key: "x"}) == []
