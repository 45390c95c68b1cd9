"""HEAD: a request for what GET would answer, without the body."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Answers HEAD of every path with the status and the headers of GET, without a body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        # Copied: the server must still see HEAD, or it waits for a body of Content-Length bytes.
        get = {**scope, "method": "GET"}

        def note_route() -> None:
            scope["route"] = get.get("route")  # for the log line and the metrics

        with anyio.CancelScope() as answering:

            async def send_start(message: Message) -> None:
                if message["type"] == "http.response.start":
                    note_route()
                    await send(message)
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    # A stream may send nothing for hours, and a download's content would be read and discarded.
                    answering.cancel()

            try:
                await self.app(get, receive, send_start)
            finally:
                note_route()
