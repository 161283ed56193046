"""A server on loopback that speaks OpenAI's API and misbehaves as told."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = dict[str, Any] | tuple[int, dict[str, str], bytes] | str
"""JSON of a reply; or status, headers and body; or "hang", or "cut" (half a body, then silence)"""


def written(body: dict[str, Any], numbers: Any, *, most: int = 1 << 30) -> dict[str, Any]:
    """A reply whose texts name the prompt and are all different."""
    prompt = body.get("prompt", body.get("messages"))
    choices = [
        {"index": i, "text": f"{prompt}#{next(numbers)}", "finish_reason": "stop"}
        for i in range(min(body.get("n", 1), most))
    ]
    return {"object": "text_completion", "choices": choices}


class ModelServer:
    """Answers posts by `answer(body)`; by default with texts that are all different.

    `requests` are the bodies it was sent, `headers` the headers; `most_busy` is how many it was at
    together. `healthy=False` lets `/models` answer 503.
    """

    def __init__(
        self,
        answer: Callable[[dict[str, Any]], Answer] | None = None,
        *,
        models: tuple[dict[str, Any], ...] = ({"id": "tiny", "owned_by": "test"},),
        port: int = 0,
        numbers: Any = None,
    ) -> None:
        self.numbers = numbers or itertools.count()
        self.answer = answer or (lambda body: written(body, self.numbers))
        self.models = list(models)
        self.healthy = True
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", port), _handler(self))
        self.port = int(self._http.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops, cutting every connection."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.cut_all()
        self._thread.join()

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, *arguments: Any) -> None:
        self.open: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def cut_all(self) -> None:
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(2)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one segment: two would wait for each other 40 ms.
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            if not server.healthy:
                return self._send(503, {}, b'{"error": {"message": "loading"}}')
            self._send(200, {}, json.dumps({"object": "list", "data": server.models}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.requests.append(body | {"path": self.path})
                server.headers.append(dict(self.headers))
                server.busy += 1
                server.most_busy = max(server.most_busy, server.busy)
            try:
                answer = server.answer(body)
                if answer == "hang":
                    server.closing.wait(60)
                    self.close_connection = True
                elif isinstance(answer, dict):
                    self._send(200, {}, json.dumps(answer).encode())
                elif answer == "cut":
                    self._cut(json.dumps(written(body, server.numbers)).encode())
                else:
                    self._send(*answer)
            finally:
                with server.lock:
                    server.busy -= 1

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def _cut(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
