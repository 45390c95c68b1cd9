import re

import pytest

from tests.api.conftest import make_key


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(
    "headers", [{}, bearer("sk_wrong"), bearer(""), {"Authorization": "Basic eDp5"}, {"Authorization": "sk_x"}]
)
def test_without_a_valid_key_every_answer_is_the_same_401(anonymous, headers):
    answer = anonymous.get("/v1/jobs", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == anonymous.get("/v1/jobs").json()


def test_no_route_but_health_and_telemetry_answers_without_a_key(anonymous):
    document = anonymous.get("/openapi.json").json()
    ids = {
        "dataset_id": f"ds_{'0' * 26}",
        "number": "0",
        "job_id": f"job_{'0' * 26}",
        "checkpoint_id": f"ckpt_{'0' * 26}",
        "key_id": f"key_{'0' * 26}",
        "evaluation_id": f"eval_{'0' * 26}",
    }
    open_to_all = {"/healthz", "/readyz", "/metrics"}
    asked = 0
    for path, operations in document["paths"].items():
        names = set(re.findall(r"{(\w+)}", path))
        address = path.format(**(dict.fromkeys(names, "robust") | ids))
        for method in operations:
            answer = anonymous.request(method, address)
            assert (answer.status_code == 401) == (path not in open_to_all), f"{method} {path}: {answer.status_code}"
            asked += 1
    assert asked > 25


def test_a_key_in_the_query_string_is_no_key(anonymous, services):
    secret = make_key(services)
    assert anonymous.get(f"/v1/jobs?api_key={secret}&key={secret}").status_code == 401


def test_the_query_string_is_never_logged(client, capfd):
    client.get("/v1/jobs?key=sk_hidden")
    printed = capfd.readouterr()
    assert "/v1/jobs" in printed.out + printed.err
    assert "sk_hidden" not in printed.out + printed.err


def test_roles_bound_what_a_key_may_do(anonymous, services):
    read, write = bearer(make_key(services, role="read")), bearer(make_key(services, role="write"))
    assert anonymous.get("/v1/jobs", headers=read).status_code == 200
    refused = anonymous.post("/v1/jobs", json={}, headers=read)
    assert refused.status_code == 403
    assert "write" in refused.json()["detail"]
    assert anonymous.post("/v1/jobs", json={}, headers=write).status_code == 202
    assert anonymous.get("/v1/keys", headers=write).status_code == 403


def test_a_key_lives_from_creation_to_revocation(client):
    made = client.post("/v1/keys", json={"name": "ci", "role": "read", "tenant": "vision"})
    assert made.status_code == 201
    secret, key_id = made.json()["key"], made.json()["id"]
    assert client.get("/v1/jobs", headers=bearer(secret)).status_code == 200
    assert all("key" not in row for row in client.get("/v1/keys").json()["data"])
    assert client.delete(f"/v1/keys/{key_id}").status_code == 204
    assert client.get("/v1/jobs", headers=bearer(secret)).status_code == 401


def test_a_key_with_a_bad_name_or_role_is_refused(client):
    answer = client.post("/v1/keys", json={"name": "", "role": "root", "tenant": "../x"})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/name", "/role", "/tenant"}


def test_many_bad_keys_lock_the_address_out_for_a_while(client):
    for number in range(30):
        assert client.get("/v1/jobs", headers=bearer(f"sk_{number}")).status_code == 401
    answer = client.get("/v1/jobs", headers=bearer("sk_once_more"))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_no_cross_origin_header_is_ever_sent(client):
    answer = client.get("/v1/jobs", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_unknown_places_and_methods_answer_with_a_problem(client):
    for answer, status in ((client.get("/v1/nothing"), 404), (client.put("/v1/jobs"), 405)):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in client.put("/v1/jobs").headers["allow"]
