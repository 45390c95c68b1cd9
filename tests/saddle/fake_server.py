"""A small Saddle: a real HTTP server in a thread that answers as the contract says and can be made to fail."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.saddle.fake_saddle import FakeSaddle, Request

KEY = "key-of-the-tests"
ORDERS = {
    "cancel": ({"queued", "running", "paused"}, "cancelling"),
    "pause": ({"queued", "running"}, "pausing"),
    "resume": ({"paused"}, "queued"),
    "retry": ({"failed", "diverged"}, "queued"),
}
"""The states that each order leads from, and to."""
FIGURES = [
    {"name": name, "title": title, "unit": "", "better": "lower", "about": "To be told.", "metric": metric}
    for name, title, metric in (
        ("loss_g", "generator loss", None),
        ("loss_d", "critic loss", None),
        ("fid", "FID", "fid"),
    )
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    fake: ClassVar[FakeSaddle]

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing to the standard error of the tests."""

    def _handle(self) -> None:
        url = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        is_form = self.headers.get("Content-Type", "").startswith("multipart/")
        body = content if is_form else json.loads(content) if content else None
        self.fake.requests.append(Request(self.command, url.path, query, dict(self.headers), body))
        if self.fake.instead:
            answer = self.fake.instead.popleft()
            if answer.status == 0:
                self.close_connection = True
            else:
                self._bytes(answer.status, answer.body, **answer.headers)
        elif url.path == "/healthz":
            self._json(200, {"status": "ok"})
        elif url.path == "/readyz":
            self._json(200, {"ready": True, "database": "ok", "redis": "ok", "workers": "ok"})
        elif self.headers.get("Authorization") != f"Bearer {KEY}":
            self._problem(401, "Unauthorized", "a valid API key is needed")
        else:
            self._route(self.command, url.path.split("/")[2:], query, body)

    def _route(self, method: str, path: list[str], query: dict[str, str], body: Any) -> None:
        match (method, *path):
            case ("POST", "jobs"):
                self._submit(query, body)
            case ("GET", "jobs"):
                self._page(list(self.fake.jobs.values())[::-1], query, status=query.get("status"))
            case ("GET", "presets"):
                preset = {"name": "robust", "purpose": "The default.", "spec": {"batch_size": 128}}
                self._json(200, {"data": [preset], "has_more": False, "next": None})
            case (_, "datasets" | "evaluations" | "comparisons", *_):
                self._told(self._beside_jobs(method, path, query, body), query)
            case ("GET", "figures"):
                self._json(200, {"data": FIGURES, "has_more": False, "next": None})
            case ("GET", "presets", name):
                self._json(200, {"name": name, "purpose": "The default.", "spec": {}})
            case (_, "jobs", job_id, *_) if job_id not in self.fake.jobs:
                self._problem(404, "Not Found", f"no job {job_id}")
            case (_, "jobs", job_id) | ("POST", "jobs", job_id, *_):
                self._job(method, path, body)
            case ("PUT" | "DELETE", "jobs", job_id, "checkpoints", checkpoint_id, "pin"):
                (self.fake.pinned.add if method == "PUT" else self.fake.pinned.discard)(checkpoint_id)
                self._json(200, self._checkpoint(checkpoint_id, 100))
            case ("GET", "jobs", job_id, *rest):
                self._what_a_job_left(job_id, rest, query)
            case _:
                self._problem(404, "Not Found", "no such path")

    def _beside_jobs(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int, Any]:
        part, *rest = path
        if part == "datasets":
            return self.fake.datasets.answer(method, rest)
        if part == "evaluations":
            return self.fake.evaluations.answer(method, rest, query, body)
        return 200, self.fake.evaluations.compare(query["jobs"].split(","))

    def _told(self, answer: tuple[int, Any], query: dict[str, str]) -> None:
        """Send another part's answer."""
        status, body = answer
        if status >= 400:
            self._problem(status, "Not Found", body)
        elif isinstance(body, list):
            self._page(body, query)
        elif body is None or isinstance(body, bytes):
            self._bytes(status, body or b"")
        else:
            self._json(status, body)

    def _job(self, method: str, path: list[str], body: Any) -> None:
        match (method, *path):
            case ("GET", "jobs", job_id):
                self._json(200, self.fake.jobs[job_id])
            case ("DELETE", "jobs", job_id):
                del self.fake.jobs[job_id]
                self._bytes(204, b"")
            case ("POST", "jobs", job_id, "fork"):
                origin = {"job": job_id, "checkpoint": self.fake.jobs[job_id]["latest_checkpoint"]}
                self._create(body, forked_from=origin)
            case ("POST", "jobs", job_id, verb):
                job = self.fake.jobs[job_id]
                origins, target = ORDERS[verb]
                if job["status"] not in origins:
                    self._problem(409, "Conflict", f"{job_id} is {job['status']}")
                else:
                    job["status"] = target
                    self._json(200, job)

    def _what_a_job_left(self, job_id: str, path: list[str], query: dict[str, str]) -> None:
        match path:
            case ["events"] if "text/event-stream" in self.headers.get("Accept", ""):
                self._stream(self.fake.events[job_id])
            case ["events"]:
                start, limit = int(query.get("after", 0)), int(query.get("limit", 100))
                events = [event for event in self.fake.events[job_id] if event["id"] > start]
                more = len(events) > limit
                last = events[limit - 1]["id"] if more else None
                self._json(200, {"data": events[:limit], "has_more": more, "next": last})
            case ["metrics"]:
                self._json(200, {"images_seen": [100, 200], "series": {"loss_g": [0.7, None]}})
            case ["timeline"]:
                url = f"/v1/jobs/{job_id}/timeline"
                places = [{"images_seen": seen, "url": f"{url}/{seen}.png"} for seen in (0, 100)]
                self._json(200, {"data": places})
            case ["timeline", name]:
                self._bytes(200, f"grid {name}".encode(), **{"Content-Type": "image/png"})
            case ["checkpoints"]:
                self._page([self._checkpoint(f"ckpt_{i}", 100 * i) for i in (3, 2, 1)], query)
            case ["checkpoints", _, "generator.safetensors"]:
                self._bytes(200, b"weights" * 1000)
            case ["samples.png"]:
                headers = {"Content-Type": "image/png", "Saddle-Checkpoint": "ckpt_1", "Saddle-Images-Seen": "400"}
                self._bytes(200, b"\x89PNG of " + json.dumps(query).encode(), **headers)
            case ["samples"]:
                self._bytes(200, f"{query['format']} of {query.get('count')}".encode())
            case _:
                self._problem(404, "Not Found", "no such path")

    def _checkpoint(self, checkpoint_id: str, images_seen: int) -> dict[str, Any]:
        return {"id": checkpoint_id, "images_seen": images_seen, "pinned": checkpoint_id in self.fake.pinned}

    def _submit(self, query: dict[str, str], body: Any) -> None:
        if body.get("batch_size") == 1:
            errors = [{"pointer": "/batch_size", "detail": "must be at least 2"}]
            return self._problem(422, "Unprocessable Content", "/batch_size: must be at least 2", errors=errors)
        if query.get("dry_run"):
            return self._json(200, {"spec": body, "parameters": {"generator": 7}, "warnings": ["slow"]})
        return self._create(body)

    def _create(self, body: Any, **changes: Any) -> None:
        key = self.headers["Idempotency-Key"]
        if key not in self.fake.first_answers:
            job_id = self.fake.add_job("queued", **changes)
            self.fake.first_answers[key] = (body, job_id)
        first_body, job_id = self.fake.first_answers[key]
        if first_body != body:
            return self._problem(422, "Unprocessable Content", "the idempotency key was used with another body")
        return self._json(202, self.fake.jobs[job_id], Location=f"/v1/jobs/{job_id}")

    def _page(self, items: list[dict[str, Any]], query: dict[str, str], *, status: str | None = None) -> None:
        items = [item for item in items if status is None or item["status"] == status]
        ids = [item["id"] for item in items]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        end = start + int(query.get("limit", 20))
        more = end < len(items)
        self._json(200, {"data": items[start:end], "has_more": more, "next": ids[end - 1] if more else None})

    def _stream(self, events: list[dict[str, Any]]) -> None:
        """Send the stream. It ends after the last event, or as `cut_after` and `close_after` say."""
        cut = self.fake.cut_after.popleft() if self.fake.cut_after else None
        close = self.fake.close_after.popleft() if self.fake.close_after else None
        last_id = int(self.headers.get("Last-Event-ID", 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b": ping\n\n")
        for sent, event in enumerate(event for event in events if event["id"] > last_id):
            data = json.dumps(event, ensure_ascii=False)
            frame = f"id: {event['id']}\r\nevent: {event['type']}\r\ndata: {data}\r\n\r\n".encode()
            if sent == cut:
                self._chunk(frame[: len(frame) // 2])
                self.close_connection = True
                return
            if sent == close:
                break
            self._chunk(frame)
        self._chunk(b"")

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def _problem(self, status: int, title: str, detail: str, **more: Any) -> None:
        body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail} | more)
        self._bytes(status, body.encode(), **{"Content-Type": "application/problem+json"})

    def _json(self, status: int, body: Any, **headers: str) -> None:
        self._bytes(status, json.dumps(body).encode(), **{"Content-Type": "application/json"} | headers)

    def _bytes(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" in headers:
            self.close_connection = True  # it promised more than it sends
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
