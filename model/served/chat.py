"""`POST /v1/chat/completions`: what a served model writes about a picture, or without one. Pure.

https://platform.openai.com/docs/api-reference/chat; vLLM, SGLang, llama.cpp and transformers serve it.
"""

from pydantic import BaseModel, Field

from model.served.answers import Refusal
from model.served.picture import Picture
from model.served.server import Ask

PATH = "/v1/chat/completions"


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Reply(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


def chat_ask(model: str, prompt: str, picture: Picture | None = None, *, tokens_at_most: int) -> Ask[str | Refusal]:
    """The request for one greedy reply to `prompt`, which follows the picture where there is one."""

    def body() -> dict[str, object]:
        shown = [{"type": "image_url", "image_url": {"url": picture.data_url}}] if picture else []
        return {
            "model": model,
            "messages": [{"role": "user", "content": [*shown, {"type": "text", "text": prompt}]}],
            "temperature": 0,
            "max_tokens": tokens_at_most,
        }

    return Ask(PATH, body, _written)


def _written(reply: bytes) -> str | Refusal:
    choice = _Reply.model_validate_json(reply).choices[0]
    if choice.message.refusal is not None or choice.finish_reason == "content_filter":
        return Refusal(" ".join((choice.message.refusal or "its content filter").split()))
    text = " ".join((choice.message.content or "").split())
    return text or Refusal("it wrote nothing")
