"""A TCP proxy on the loopback that cuts, refuses, stalls or delays what goes through it."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Proxy:
    """A proxy for a port of this machine. Its faults apply to open connections and to later ones."""

    def __init__(self, target_port: int) -> None:
        self.delay_seconds = 0.0
        """The delay of each chunk, in both directions."""
        self.refuses = False
        """Whether new connections are accepted and closed at once."""
        self._target_port = target_port
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refuses = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.flow()
        self.cut()

    def cut(self) -> int:
        """Reset every open connection; return how many sockets that were."""
        doomed = list(self._open)
        for end in doomed:
            _close(end)
        return len(doomed)

    def stall(self) -> None:
        """Pass nothing on, and close nothing."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refuses:
                _close(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
            except OSError:
                _close(client)
                continue
            server.settimeout(None)
            self._open |= {client, server}
            self._start(self._pump, client, server)
            self._start(self._pump, server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK_BYTES):
                time.sleep(self.delay_seconds)
                self._flows.wait()
                sink.sendall(chunk)
        for end in (source, sink):
            _close(end)
            self._open.discard(end)

    @staticmethod
    def _start(work: object, *arguments: socket.socket) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]


def _close(end: socket.socket) -> None:
    """Close a socket and wake whoever reads from it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
