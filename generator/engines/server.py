"""The engine `server`: OpenAI-compatible servers (vLLM, SGLang, llama.cpp, …), many at once.

A piece of work is some samples of one prompt. Every server takes pieces off one queue, as many as
it may have in flight; what fails goes back, so that a dead server's work is done by the others, and
a sample is handed on when its reply is whole: none is lost, none comes twice. A server that fails
rests (exponential back-off with jitter, or what Retry-After says), must then list its models, and
gets one request at a time until one succeeds.

What a server refuses it is not asked for again: many samples at once (halved down to one),
the likeliest tokens' log-probabilities, then those of the drawn ones, prompts as token ids (text
from then on).

    engine = ServerEngine(ServerConfig(urls=["http://127.0.0.1:8000/v1"]), tokenizer)
    texts = [c.text for c in engine.sample([Request(ids, count=64, key="p/cot")], SamplingParams())]
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

import httpx2

from assay.generator.engines.background import iterate
from assay.generator.engines.confidence import TOP
from assay.generator.engines.config import EngineConfig, SamplingParams, ServerConfig
from assay.generator.engines.connection import Connection, Node, PassingError, check
from assay.generator.engines.continuing import Continuing, Draft, seed_of
from assay.generator.engines.interface import Completion, Request
from assay.generator.engines.openai_api import (
    WITHHELD,
    Choice,
    choices_of,
    fields,
    is_filtered,
    message_of,
)
from assay.generator.models import ModelConfig, load_tokenizer
from assay.settings.errors import UserError
from assay.storage.jsonl import parse_json

__all__ = ["ServerEngine"]

_log = logging.getLogger(__name__)


class _Work(NamedTuple):
    """`size` samples from index `first` of a request; `failures`: tries that came to nothing.

    With a `draft` that holds tokens it is the rest of one sample. The order is the queue's: a
    prompt's samples stay together, for the sake of prompt caches.
    """

    request: int
    first: int
    size: int
    failures: int = 0
    draft: Draft = Draft()


class ServerEngine:
    """Samples from servers of one model, whose tokenizer is `tokenizer`."""

    def __init__(self, config: ServerConfig, tokenizer: Any) -> None:
        """Asks the servers what they serve.

        Raises `UserError` for a setting out of range, and where no server answers, one serves
        another model than the others, or refuses the key.
        """
        self._connection = Connection(config)
        self.model = self._connection.model
        self.tokenizer = tokenizer
        self._config = config
        self._continuing = Continuing(tokenizer)

    @classmethod
    def load(cls, config: EngineConfig, model: ModelConfig) -> ServerEngine:
        """`model` names the tokenizer; its weights are not loaded."""
        check(config.server)
        return cls(config.server, load_tokenizer(model))

    def sample(self, requests: Sequence[Request], params: SamplingParams) -> Iterator[Completion]:
        """Yields every completion of every request once, as replies come in.

        Raises `UserError` for parameters out of range, a prompt that leaves no room to answer, a
        request that the server refuses for good, and where all servers stay down.
        """
        params.check()
        for request in requests:
            if not request.prompt_ids:
                raise UserError(f"{request.key}: the prompt is empty")
            if request.calculator and self._config.api == "chat":
                raise UserError(
                    "sampling.calculator: an answer in a chat cannot be gone on with; "
                    "use engine.server.api=completions"
                )

        async def produce(emit: Callable[[Completion], None]) -> None:
            async with self._connection.client() as client:
                await _Job(self, client, requests, params, emit).run()

        yield from iterate(produce)

    def _body(
        self, request: Request, work: _Work, node: Node, params: SamplingParams
    ) -> dict[str, Any]:
        """The JSON of a request. Raises `UserError` where the prompt leaves no room to answer."""
        prompt = [*request.prompt_ids, *work.draft.token_ids]
        left = self._limit(request, node, params) - len(work.draft.token_ids)
        if left < 1:
            raise UserError(
                f"{request.key}: the prompt has {len(prompt)} tokens, and the server's "
                f"{node.positions} positions leave no room for an answer"
            )
        seed = seed_of(params.seed, request.key, work.first, work.draft.rounds)
        top = params.confidence and node.logprobs and node.top_logprobs
        body = {"model": self.model, **fields(node.kind, params, work.size, seed, left)}
        if self._config.api == "chat":
            body["messages"] = request.messages or [
                {"role": "user", "content": self._text(request.prompt_ids)}
            ]
            body |= {"logprobs": True} if node.logprobs else {}
            body |= {"top_logprobs": TOP} if top else {}
        else:
            body["prompt"] = prompt if node.ids else self._text(prompt)
            body |= {"logprobs": TOP if top else 1} if node.logprobs else {}
            # Else two tokens of one text, such as parts of a character, are one entry.
            body |= {"return_tokens_as_token_ids": True} if top and node.kind == "vllm" else {}
        body |= self._config.extra
        return {name: value for name, value in body.items() if value is not None}

    def _limit(self, request: Request, node: Node, params: SamplingParams) -> int:
        """How many tokens a sample may have."""
        room = node.positions - len(request.prompt_ids) if node.positions else math.inf
        return int(min(params.max_new_tokens, room))

    def _text(self, ids: Sequence[int]) -> str:
        """A prompt as text, without the start token: the server will put its own in front."""
        if ids and ids[0] == self.tokenizer.bos_token_id:
            ids = ids[1:]
        return self._continuing.decode(ids, special=True)

    def _same_tokenizer(self, node: Node, choices: Sequence[Choice]) -> None:
        """Raises `UserError` where a server's token ids mean other texts to our tokenizer."""
        whole = [c for c in choices if c.token_ids and c.ended in ("eos", "length") and c.text]
        if node.checked or not whole or self._config.api == "chat":
            return
        # White space and broken characters are decoded differently here and there, and an end token
        # may follow that is not a special one to our tokenizer.
        node.checked = any(
            _bare(self._continuing.decode(c.token_ids or [])).startswith(_bare(c.text))
            for c in whole
        )
        if not node.checked:
            raise UserError(
                f"engine server: {node.url} writes tokens that are not those of the tokenizer "
                "given: name the folder or hub id of the model that it serves (generator=…)"
            )


class _Job:
    """One call of `sample`."""

    def __init__(
        self,
        engine: ServerEngine,
        client: httpx2.AsyncClient,
        requests: Sequence[Request],
        params: SamplingParams,
        emit: Callable[[Completion], None],
    ) -> None:
        self._engine, self._client, self._emit = engine, client, emit
        self._requests, self._params = requests, params
        self._connection = engine._connection
        self._withheld = 0
        self._left = sum(max(0, request.count) for request in requests)
        self._queue: asyncio.PriorityQueue[_Work] = asyncio.PriorityQueue()
        for name, request in enumerate(requests):
            if request.count > 0:
                self._queue.put_nowait(_Work(name, request.first, request.count))
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until every sample is handed on, or nothing more can be done."""
        if not self._left:
            return
        for node in self._connection.nodes:
            self._start(self._serve(node))
        try:
            await self._over
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._withheld:
            _log.warning(
                "engine server: %d replies were withheld by the server (content_filter); these "
                "candidates have no text and no answer",
                self._withheld,
            )

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs beside; an exception there ends the whole call."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._over.done():
            self._over.set_exception(error)

    async def _serve(self, node: Node) -> None:
        """Gives a server work for as long as there is any."""
        busy: set[asyncio.Task[None]] = set()
        while True:
            while node.pause:
                await self._rest(node)
            busy = {task for task in busy if not task.done()}
            if len(busy) >= (1 if node.failures else self._connection.config.in_flight):
                await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                continue
            work = await self._queue.get()
            # What goes back because the server has failed meanwhile is taken by another.
            most = 1 if self._params.temperature == 0 else node.most
            taken = 0 if node.pause else min(most, work.size)
            if taken < work.size:
                rest = work._replace(first=work.first + taken, size=work.size - taken)
                self._queue.put_nowait(rest)
            if taken:
                busy.add(self._start(self._ask(node, work._replace(size=taken))))

    async def _rest(self, node: Node) -> None:
        await asyncio.sleep(node.pause)
        node.pause = 0.0
        try:
            await self._connection.probe(self._client, node)
        except PassingError as trouble:
            self._failed(node, trouble)

    async def _ask(self, node: Node, work: _Work) -> None:
        """Sends one request. What it does not bring is put back."""
        body = self._engine._body(self._requests[work.request], work, node, self._params)
        try:
            response = await self._connection.post(self._client, node, body)
            if response.status_code == 400 and is_filtered(response.content):
                choices = [WITHHELD] * work.size
            elif response.status_code != 200:
                if not _concede(node, work, body, response):
                    self._connection.refused(node, response)
                self._queue.put_nowait(work)
                return
            else:
                tops = bool(self._params.confidence and node.top_logprobs)
                choices = choices_of(_json(response), tops=tops)[: work.size]
            if not choices:
                raise PassingError(f"{node.url}: a reply without one whole completion")
        except PassingError as trouble:
            self._again(work, node, trouble)
            return
        node.failures = 0
        self._engine._same_tokenizer(node, choices)
        for sample, choice in enumerate(choices, start=work.first):
            self._take(node, work, sample, choice)
        if len(choices) < work.size:
            if len(choices) == 1:
                node.most = 1
            first, size = work.first + len(choices), work.size - len(choices)
            self._queue.put_nowait(_Work(work.request, first, size))

    def _take(self, node: Node, work: _Work, sample: int, choice: Choice) -> None:
        """Hands a sample on, or asks for the rest of it."""
        request = self._requests[work.request]
        self._withheld += choice.ended == "content_filter"
        result = self._engine._continuing.add(
            work.draft,
            choice,
            calculator=request.calculator,
            stop=self._params.stop,
            limit=self._engine._limit(request, node, self._params),
            confidence=bool(self._params.confidence),
        )
        if isinstance(result, Draft):
            self._queue.put_nowait(_Work(work.request, sample, 1, draft=result))
            return
        self._emit(Completion(work.request, sample, *result))
        self._left -= 1
        if not self._left and not self._over.done():
            self._over.set_result(None)

    def _again(self, work: _Work, node: Node, trouble: PassingError) -> None:
        failures = work.failures + trouble.charged
        if failures > self._connection.config.retries:
            key = self._requests[work.request].key
            raise UserError(f"engine server: {key}: given up after {failures} tries: {trouble}")
        self._queue.put_nowait(work._replace(failures=failures))
        self._failed(node, trouble)

    def _failed(self, node: Node, trouble: PassingError) -> None:
        # What was in flight when a server died fails together: that is one failure.
        if node.pause:
            return
        node.fail(trouble.wait)
        retries = self._connection.config.retries
        if all(other.failures > retries for other in self._connection.nodes):
            raise UserError(
                f"engine server: no server answers, after {node.failures} tries: {trouble}"
            )
        _log.warning("engine server: %s; next try in %.1f s", trouble, node.pause)


def _concede(node: Node, work: _Work, body: dict[str, Any], response: httpx2.Response) -> bool:
    """Whether a refusal may be met by asking for less, which is then what `node` is asked for."""
    refused = response.status_code in (400, 422)
    if refused and work.size > 1:
        # Powers of two: many servers write as many at once.
        node.most = min(node.most, 1 << (work.size - 1).bit_length() - 1)
    elif "logprobs" in body and "logprob" in message_of(response.content).lower():
        if node.top_logprobs and _asks_for_top(body):
            node.top_logprobs = False
            told = message_of(response.content)
            _log.warning("engine server: %s: no token confidence: %s", node.url, told)
        else:
            node.logprobs = False
    elif refused and isinstance(body.get("prompt"), list):
        node.ids = False
    else:
        return False
    return True


def _asks_for_top(body: dict[str, Any]) -> bool:
    """Whether more than the log-probabilities of the drawn tokens are asked for."""
    return "top_logprobs" in body or (body["logprobs"] is not True and body["logprobs"] > 1)


def _json(response: httpx2.Response) -> Any:
    try:
        return parse_json(response.content)
    except ValueError:
        return None


def _bare(text: str) -> str:
    return "".join(text.replace("�", "").split())
