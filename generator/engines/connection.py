"""The servers of the engine `server`: whether they are well, what they serve, what they grant.

A failure that another try may better is a `PassingError`, whatever it was: a cut connection, a
reply that does not come, 429, 5xx. Everything else that a server says is a `UserError` with its own
words. The key comes from the environment and stands in no message.

    connection = Connection(ServerConfig(urls=["http://127.0.0.1:8000/v1"]))
    print(connection.model, [node.kind for node in connection.nodes])
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from assay.generator.engines.background import iterate
from assay.generator.engines.config import ServerConfig
from assay.generator.engines.openai_api import message_of, served
from assay.settings.errors import UserError
from assay.storage.jsonl import parse_json

__all__ = ["Connection", "Node", "PassingError", "check", "model_name", "retry_after"]

_PATHS = {"completions": "/completions", "chat": "/chat/completions"}
_PROBE_SECONDS = 10.0
# Pauses after failures, in seconds: doubled each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LONGEST_WAIT = 3600.0
# Answers that another try may better; every other 4xx stays what it is.
_PASSING = (408, 409, 425, 429)


@dataclass
class Node:
    """A server, and what it has been found to grant."""

    url: str
    most: int
    kind: str = ""
    positions: int = 0
    ids: bool = True
    logprobs: bool = True
    top_logprobs: bool = True
    checked: bool = False
    """its token ids are those of our tokenizer"""
    failures: int = 0
    """in a row"""
    pause: float = 0.0
    """seconds to rest before it is tried again; 0 = it is well"""

    def fail(self, wait: float) -> None:
        """Lets it rest for longer each time, at least for the `wait` seconds that it asks for."""
        self.failures += 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (self.failures - 1))
        # Jitter is about when things are asked, never about what is sampled: no seed.
        self.pause = max(wait, pause * random.uniform(0.5, 1.0))


class PassingError(Exception):
    """A failure that may pass: what happened, and for how many seconds the server asks to wait.

    `charged`: it may lie with the request, not only with the server.
    """

    def __init__(self, why: str, wait: float = 0.0, *, charged: bool = True) -> None:
        super().__init__(why)
        self.wait, self.charged = wait, charged


class Connection:
    """The servers, what is known of them, and the key."""

    def __init__(self, config: ServerConfig) -> None:
        check(config)
        self.config = config
        self._key = _key(config.key_variable)
        self.nodes = [Node(_base(url), config.samples_per_request) for url in config.urls]
        self.model = config.model
        for _ in iterate(self._meet):
            pass

    def client(self) -> httpx2.AsyncClient:
        """Within one event loop only."""
        return httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx2.Timeout(None, connect=_PROBE_SECONDS),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        )

    async def _meet(self, _: Callable[[None], None]) -> None:
        async with self.client() as client:
            first = await asyncio.gather(*(self._first(client, node) for node in self.nodes))
        if all(first):
            raise UserError(f"engine server: {first[0]}; is it running?")

    async def _first(self, client: httpx2.AsyncClient, node: Node) -> str:
        """What ails a server at the first contact; empty where nothing does."""
        try:
            await self.probe(client, node)
        except PassingError as trouble:
            node.fail(trouble.wait)
            return str(trouble)
        return ""

    async def probe(self, client: httpx2.AsyncClient, node: Node) -> None:
        """Asks a server for its models. Raises `PassingError` where it is not well."""
        with self._passing(node, _PROBE_SECONDS):
            response = await asyncio.wait_for(client.get(node.url + "/models"), _PROBE_SECONDS)
        models = []
        if response.status_code == 200:
            with contextlib.suppress(ValueError):
                models = served(parse_json(response.content))
        elif response.status_code not in (404, 405):
            self.refused(node, response)
        names = [row.model for row in models]
        if not self.model:
            if len(names) != 1:
                listed = f"serves {', '.join(names)}" if names else "does not tell what it serves"
                raise UserError(f"engine server: {node.url} {listed}: give engine.server.model")
            self.model = names[0]
        elif not self.config.model and names and self.model not in names:
            raise UserError(
                f"engine server: {node.url} serves {', '.join(names)}, others {self.model}: "
                "expected one model on all servers"
            )
        for row in models:
            if row.model == self.model or len(models) == 1:
                node.kind, node.positions = row.kind, row.positions

    @contextlib.contextmanager
    def _passing(self, node: Node, seconds: float) -> Iterator[None]:
        """Turns what the network does into `PassingError`."""
        try:
            yield
        except asyncio.TimeoutError as error:
            raise PassingError(f"{node.url}: no reply within {seconds:g} s") from error
        except httpx2.RequestError as error:
            why = self.hide(" ".join(str(error).split())) or type(error).__name__
            raise PassingError(f"{node.url}: {why}", charged=False) from error

    async def post(
        self, client: httpx2.AsyncClient, node: Node, body: dict[str, Any]
    ) -> httpx2.Response:
        """Raises `PassingError` where no whole reply comes."""
        seconds = self.config.timeout_seconds
        with self._passing(node, seconds):
            request = client.post(node.url + _PATHS[self.config.api], json=body)
            return await asyncio.wait_for(request, seconds)

    def refused(self, node: Node, response: httpx2.Response) -> None:
        """Raises `PassingError` for an answer that may pass, else `UserError`."""
        status = response.status_code
        why = f"{node.url}: {status} {self.hide(message_of(response.content))}".rstrip()
        if status >= 500 or status in _PASSING:
            # These speak of the server, not of what was asked of it.
            of_server = status in (429, 502, 503, 504)
            raise PassingError(why, retry_after(response), charged=not of_server)
        if status in (401, 403) and not self._key:
            why += f" (no key is set in {self.config.key_variable or 'engine.server.key_variable'})"
        raise UserError(f"engine server: {why}")

    def hide(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key, "***") if self._key else text


def model_name(config: ServerConfig) -> str:
    """The name of the model that the servers serve; asks them where it is not configured.

    Raises `UserError` where they do not tell.
    """
    return config.model or Connection(config).model


def retry_after(response: httpx2.Response) -> float:
    """Seconds that Retry-After asks for, by number or date, at most an hour; 0 without."""
    value = response.headers.get("retry-after", "")
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return min(_LONGEST_WAIT, wait) if wait > 0 else 0.0


def _base(url: str) -> str:
    """The base URL that paths are appended to: without a path of its own, OpenAI's /v1."""
    return url.rstrip("/") if urlsplit(url).path.strip("/") else url.rstrip("/") + "/v1"


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip() if variable else ""
    if not (key.isascii() and (key.isprintable() or not key)):
        raise UserError(f"{variable}: expected a key of printable ASCII characters")
    return key


def check(config: ServerConfig) -> None:
    """Raises `UserError` naming the setting that is out of range."""
    if not config.urls:
        raise UserError("engine.server.urls: expected base URLs, for example [http://HOST:8000/v1]")
    for url in config.urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise UserError(f"engine.server.urls: {url}: expected http://HOST:PORT/v1")
        if parts.username is not None or parts.password is not None:
            raise UserError(
                "engine.server.urls: expected no user or password in a URL; "
                "a key goes into the environment variable that engine.server.key_variable names"
            )
    if config.api not in _PATHS:
        raise UserError(f"engine.server.api={config.api}: expected {' or '.join(_PATHS)}")
    for name in ("samples_per_request", "in_flight"):
        if getattr(config, name) < 1:
            raise UserError(f"engine.server.{name}={getattr(config, name)}: expected 1 or more")
    if config.timeout_seconds <= 0:
        raise UserError(
            f"engine.server.timeout_seconds={config.timeout_seconds}: expected more than 0"
        )
    if config.retries < 0:
        raise UserError(f"engine.server.retries={config.retries}: expected 0 or more")
