"""One model server: requests side by side, failures waited for, refusals told.

What comes of a request is one of three things:

* an answer;
* a `Refusal`: the server says no to this request (a 4xx), and would say so again;
* a failure: it is away, slow, overloaded (429, 5xx) or answers what is no answer. The request is sent again, after
  pauses that double and vary, for as long as it takes: a failure never becomes an answer.

A server that is set up otherwise than it is asked (wrong key, no such route) is an error, since it stays so.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

from model.errors import ModelServerError, WaitAbandonedError
from model.served.address import ServerAddress
from model.served.answers import Refusal, refusal_in

logger = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LOOK_EVERY_S = 0.2  # between two looks at whether to stop
LONGEST_ASKED_PAUSE_S = 60.0  # a server may ask for a pause of its own, within reason
OVERLOADED = frozenset({408, 425, 429})
SET_UP_OTHERWISE = frozenset({401, 404, 405, 407})

IsStopping = Callable[[], bool]


def never() -> bool:
    """Do not stop."""
    return False


@dataclass(frozen=True, slots=True)
class Ask(Generic[T_co]):
    """One request.

    Attributes:
        path: Where it goes, from the server's root.
        body: Makes its JSON when it is sent, so that few bodies are in memory at once.
        read: Its answer from the reply's bytes; a ValueError says that they are none.
    """

    path: str
    body: Callable[[], Mapping[str, object]]
    read: Callable[[bytes], T_co]


class _FailedError(Exception):
    """One try that failed."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason, retry_after_s)
        self.reason, self.retry_after_s = reason, retry_after_s


class ModelServer:
    """Asks one model on one server; belongs to one thread at a time."""

    def __init__(self, address: ServerAddress) -> None:
        """Ask at `address`; nothing is sent yet.

        Raises:
            ModelServerError: The address is no http:// or https:// URL.
        """
        if not address.url.startswith(("http://", "https://")):
            raise ModelServerError(address.url, "its address does not begin with http:// or https://")
        self.address = address
        self._certificates = httpx.create_ssl_context()
        pause = wait_exponential(multiplier=address.first_pause_s, max=address.longest_pause_s)
        self._pause = pause + wait_random(0, address.first_pause_s)
        self._is_away = False

    def ask(self, asks: Sequence[Ask[T]], *, is_stopping: IsStopping = never) -> list[T | Refusal]:
        """What comes of each request, in order; returns when all are answered or refused.

        Raises:
            ModelServerError: The server is set up otherwise than it is asked.
            WaitAbandonedError: `is_stopping` said so first.
        """
        if not asks:
            return []
        is_left = threading.Event()
        with ThreadPoolExecutor(1) as beside:  # a loop of its own, so that it may be called where one runs already
            try:
                answers = self._ask_all(asks, lambda: is_left.is_set() or is_stopping())
                return beside.submit(asyncio.run, answers).result()
            finally:
                is_left.set()  # on Ctrl-C: the executor is left only once its loop has ended

    async def _ask_all(self, asks: Sequence[Ask[T]], is_stopping: IsStopping) -> list[T | Refusal]:
        async with self._client() as http:
            turns = asyncio.Semaphore(self.address.concurrency)
            tasks = [asyncio.create_task(self._ask(http, turns, ask)) for ask in asks]
            try:
                await self._settled(tasks, is_stopping)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            return [task.result() for task in tasks]

    async def _settled(self, tasks: Sequence["asyncio.Task[T | Refusal]"], is_stopping: IsStopping) -> None:
        """Return when all tasks are done, or one has failed for good."""
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if pending and is_stopping():
                raise WaitAbandonedError(self.address.url)

    async def _ask(self, http: httpx.AsyncClient, turns: asyncio.Semaphore, ask: Ask[T]) -> T | Refusal:
        trying = AsyncRetrying(
            retry=retry_if_exception_type(_FailedError), wait=self._pause_after, before_sleep=self._say_away
        )
        said: T | Refusal = await trying(self._ask_once, http, turns, ask)
        self._say_back()
        return said

    async def _ask_once(self, http: httpx.AsyncClient, turns: asyncio.Semaphore, ask: Ask[T]) -> T | Refusal:
        async with turns:
            try:
                reply = await http.post(ask.path, json=ask.body())
            except httpx.RequestError as error:
                raise _FailedError(f"{type(error).__name__} {error}".strip()) from error
        return self._said(reply, ask)

    def _said(self, reply: httpx.Response, ask: Ask[T]) -> T | Refusal:
        status = reply.status_code
        if status >= 500 or status in OVERLOADED:
            raise _FailedError(f"it answers {status}", _retry_after_s(reply))
        if status in SET_UP_OTHERWISE or not (reply.is_success or reply.is_client_error):
            said = refusal_in(status, reply.content).reason
            raise ModelServerError(self.address.url, f"POST {ask.path} for model {self.address.model!r} gives {said}")
        if reply.is_client_error:
            return refusal_in(status, reply.content)
        try:
            return ask.read(reply.content)
        except ValueError as error:
            raise _FailedError(f"its answer is none: {' '.join(str(error).split())[:200]}") from error

    def _client(self) -> httpx.AsyncClient:
        key = self.address.api_key
        limits = httpx.Limits(max_connections=self.address.concurrency)
        return httpx.AsyncClient(
            base_url=self.address.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self.address.timeout_s,
            limits=limits,
            verify=self._certificates,
            trust_env=False,  # pictures of people go through no proxy that nobody named
        )

    def _pause_after(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked_s = failure.retry_after_s if isinstance(failure, _FailedError) else 0.0
        return max(self._pause(state), asked_s)

    def _say_away(self, state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        if not self._is_away and isinstance(failure, _FailedError):
            self._is_away = True
            logger.warning(
                "the model server does not answer, waiting for it",
                extra={"url": self.address.url, "reason": failure.reason},
            )

    def _say_back(self) -> None:
        if self._is_away:
            self._is_away = False
            logger.warning("the model server answers again", extra={"url": self.address.url})


def _retry_after_s(reply: httpx.Response) -> float:
    try:
        return min(max(float(reply.headers.get("Retry-After", 0)), 0.0), LONGEST_ASKED_PAUSE_S)
    except ValueError:  # a date: our own pauses do
        return 0.0
