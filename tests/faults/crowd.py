"""A crowd that watches one job: most viewers read and note how late each event comes, some never read."""

import asyncio
import contextlib
import json
import resource
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

ARRIVING_TOGETHER = 50
RECEIVE_BYTES = 4_096
"""The kernel holds as little as it can for viewers that never read."""


@dataclass
class Seen:
    """Events that the readers have seen."""

    latencies_seconds: list[float] = field(default_factory=list)
    """The seconds from the event's own time, which lies before its commit, to its arrival."""
    faults: list[str] = field(default_factory=list)


@dataclass
class Crowd:
    """Viewers of one job. `path` is the stream's, `headers` carry the key. To be entered within asyncio."""

    port: int
    path: str
    headers: dict[str, str]
    seen: Seen = field(default_factory=Seen)
    leaving: bool = False
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ARRIVING_TOGETHER))

    @contextlib.asynccontextmanager
    async def readers(self, number: int, *, after: int) -> AsyncIterator[None]:
        """Connect readers within the block. They see what comes after the event `after`."""
        arrived = [asyncio.Event() for _ in range(number)]
        tasks = [asyncio.create_task(self._read(event, after=after)) for event in arrived]
        await asyncio.gather(*(event.wait() for event in arrived))
        try:
            yield
        finally:
            self.leaving = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.contextmanager
    def mutes(self, number: int, *, after: int):
        """Connect viewers that ask and never read the answer."""
        with contextlib.ExitStack() as ends:
            for _ in range(number):
                mute = ends.enter_context(socket.socket())
                mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
                mute.connect(("127.0.0.1", self.port))
                mute.sendall(self._request(after))
            yield

    async def _read(self, arrived: asyncio.Event, *, after: int) -> None:
        try:
            async with self._places:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(self._request(after))
                status = await reader.readline()
                if b" 200 " not in status:
                    self.seen.faults.append(f"a reader was refused: {status!r}")
                await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await self._follow(reader, last=after)
            if not self.leaving:
                self.seen.faults.append("a reader was cut off")
            writer.close()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.seen.faults.append(f"a reader was cut off: {error!r}")
        finally:
            arrived.set()

    async def _follow(self, reader: asyncio.StreamReader, *, last: int) -> None:
        while line := await reader.readline():
            if line.startswith(b"data:"):
                arrived_at = time.time()
                event = json.loads(line[5:])
                if event["id"] != last + 1:
                    self.seen.faults.append(f"a reader got event {event['id']} after {last}")
                last = event["id"]
                self.seen.latencies_seconds.append(arrived_at - datetime.fromisoformat(event["at"]).timestamp())

    def _request(self, after: int) -> bytes:
        headers = self.headers | {"Host": "127.0.0.1", "Accept": "text/event-stream", "Last-Event-ID": str(after)}
        lines = [f"GET {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextlib.contextmanager
def many_files():
    """Allow this process as many open files as its hard limit. Its children begin with the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
