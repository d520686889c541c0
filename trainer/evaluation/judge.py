"""A judge: another model, behind an OpenAI-form server, that says whether a written answer is right."""

import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from trainer.errors import JudgeError

logger = logging.getLogger(__name__)

_ROUTE = "/v1/chat/completions"
_INSTRUCTION = (
    "You mark answers about a picture that you cannot see. You are given a question, the reference answer and a "
    "candidate answer. Say RIGHT if the candidate gives the same answer as the reference, whatever its wording, and "
    "WRONG if it does not, or if it gives no answer. Reply with that one word."
)
_VERDICT = re.compile(r"\b(right|wrong)\b", re.IGNORECASE)
_ATTEMPTS = 4
_ANSWERS_AT_ONCE = 8


class Marked(NamedTuple):
    """What is to be judged."""

    question: str
    reference: str
    answer: str


class Judge:
    """A judge model at a server.

    Args:
        url: The server, such as `http://127.0.0.1:8000`, with or without `/v1`.
        model: The name that the server knows the model by.
        key: Sent as a bearer token where the server wants one.
        timeout_s: For one verdict.
    """

    def __init__(self, url: str, model: str, *, key: str = "", timeout_s: float = 60.0) -> None:
        self._url = url.rstrip("/").removesuffix("/v1") + _ROUTE
        self.model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s = timeout_s

    def verdicts(self, marked: Sequence[Marked]) -> list[bool | None]:
        """Whether each answer is right, in order; None where the judge does not say.

        Raises:
            JudgeError: the server cannot be reached, refuses, or answers in another form. Nothing is guessed then.
        """
        with (
            httpx.Client(headers=self._headers, timeout=self._timeout_s) as client,
            ThreadPoolExecutor(_ANSWERS_AT_ONCE) as threads,
        ):
            verdicts = list(threads.map(lambda one: self._verdict(client, one), marked))
        unsaid = verdicts.count(None)
        if unsaid:
            logger.warning("the judge said neither right nor wrong", extra={"answers": unsaid, "judge": self.model})
        return verdicts

    def _verdict(self, client: httpx.Client, marked: Marked) -> bool | None:
        asked = f"Question: {marked.question}\nReference answer: {marked.reference}\nCandidate answer: {marked.answer}"
        request = {
            "model": self.model,
            "temperature": 0,
            "max_tokens": 8,
            "messages": [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": asked}],
        }
        retrying = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=10),
            reraise=True,
        )
        try:
            replied: httpx.Response = retrying(self._post, client, request)
            said = replied.json()["choices"][0]["message"]["content"]
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise JudgeError(self._url, str(error) or type(error).__name__) from error
        found = _VERDICT.search(str(said))
        return found[1].lower() == "right" if found else None

    def _post(self, client: httpx.Client, request: dict[str, object]) -> httpx.Response:
        return client.post(self._url, json=request).raise_for_status()


def _may_pass(error: BaseException) -> bool:
    """Whether asking again may help: the server is away, busy or failing."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == httpx.codes.TOO_MANY_REQUESTS or error.response.is_server_error
    return isinstance(error, httpx.TransportError)
