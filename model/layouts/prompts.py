"""What is said to a LLaVA, in tokens: before the picture and behind it.

Typed questions are put into words by transformers itself (`transformers.decision`), so that a checkpoint is asked here
exactly as `pipeline("decision")` and `transformers serve` ask it, its own `decision_template.jinja` included.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from PIL import Image
from transformers.decision import DecisionConfig

from model.decisions import KIND_NAMES
from model.layouts.scoring import AskedTokens, Tokens, ended_where_needed
from model.layouts.settings import LlavaSettings, PromptForm
from model.questions import CANNOT_TELL, Question

# Chat templates in the form transformers reads. What is trimmed there, a question's words before it, is white space. A
# line break behind a block is written as an expression: transformers has Jinja swallow bare ones.
_PARTS = (
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}"
    "{% for part in message['content'] %}"
    "{{ '<image>\n' if part['type'] == 'image' else part['text'] | trim }}"
    "{% endfor %}{% endif %}"
)
TEMPLATES: dict[PromptForm, str] = {
    "llama-3": (
        "{{ bos_token }}{% for message in messages %}"
        "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n" + _PARTS + "<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    ),
    "user-assistant": (
        "{{ bos_token }}{% for message in messages %}{{ message['role'] | upper }}: "
        + _PARTS
        + "{{ '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
}
END_OF_TURN = "<|eot_id|>"
_PICTURE = "[[the-picture]]"  # what transformers replaces by the picture; nobody asks about it by this name
_QUESTIONS_AT_HAND = 256
_CHOICES_AT_MOST = 255  # of the field's form for decisions


@dataclass(frozen=True, slots=True)
class Prompt:
    """Tokens before the picture and behind it."""

    before: Tokens
    behind: Tokens


@dataclass(frozen=True, slots=True)
class AskedPrompt:
    """A question as a prompt: what stands before the picture, and what is read and scored behind it."""

    before: Tokens
    asked: AskedTokens


class Prompts:
    """Writes the prompts of one checkpoint.

    Args:
        processor: transformers' `LlavaProcessor` of the checkpoint; its chat template becomes that of the chosen form.
        settings: What `humanvlm.json` says.
        decision: What transformers reads of `decision.json`.
        cannot_tell: The label by which the checkpoint says *cannot tell*, if it has one.
    """

    def __init__(
        self, processor: Any, settings: LlavaSettings, decision: DecisionConfig, cannot_tell: str | None
    ) -> None:
        self._processor, self._settings, self._decision = processor, settings, decision
        self._cannot_tell = cannot_tell
        self.form = chosen_form(processor, settings)
        if self.form != "own":
            processor.chat_template = TEMPLATES[self.form]
        self.question = lru_cache(_QUESTIONS_AT_HAND)(self._question)
        self.request = lru_cache(_QUESTIONS_AT_HAND)(self._request)

    @property
    def end_id(self) -> int:
        """The token that ends what the model says."""
        tokenizer = self._processor.tokenizer
        is_known = END_OF_TURN in tokenizer.get_vocab()
        return int(tokenizer.convert_tokens_to_ids(END_OF_TURN) if is_known else tokenizer.eos_token_id)

    def _request(self, text: str) -> Prompt:
        """The prompt that asks for a text about the picture."""
        content = [{"type": "image", "image": _a_picture()}, {"type": "text", "text": text}]
        ids = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            sanitize_control_tokens=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )["input_ids"]
        return self._split(ids[0].tolist())

    def _question(self, question: Question) -> AskedPrompt:
        """The prompt of a typed question.

        Raises:
            ValueError: transformers finds no way to ask it.
        """
        if self._settings.answers == "words":
            prompt = self._request(question.text)
            said = [*question.answers, self._cannot_tell or CANNOT_TELL]
            return self._asked(prompt, [f" {words}" if self.form == "user-assistant" else words for words in said])
        request = {"state": _PICTURE, "questions": {"q": _stated(question)}, "assets": {_PICTURE: _a_picture()}}
        ((inputs, (stated,)),) = self._decision_for(question).prepare_inputs(request, self._processor)
        prompt = self._split(inputs["input_ids"][0, : int(inputs["marks"][-1])].tolist())
        labels = dict(zip(stated.options, stated.labels, strict=True))
        return self._asked(prompt, [*(labels[option] for option in _options(question)), self._cannot_tell or ""])

    def _asked(self, prompt: Prompt, said: Sequence[str]) -> AskedPrompt:
        tokenizer = self._processor.tokenizer
        answers = [tuple(tokenizer(words, add_special_tokens=False)["input_ids"]) if words else () for words in said]
        return AskedPrompt(prompt.before, AskedTokens(prompt.behind, ended_where_needed(answers, self.end_id)))

    def _split(self, ids: list[int]) -> Prompt:
        picture = self._processor.image_token_id
        places = [place for place, token in enumerate(ids) if token == picture]
        if not places or places[-1] - places[0] != len(places) - 1:
            raise ValueError("the chat template does not put the picture in one place")
        return Prompt(tuple(ids[: places[0]]), tuple(ids[places[-1] + 1 :]))

    def _decision_for(self, question: Question) -> DecisionConfig:
        """The checkpoint's own, with further labels where a question has more answers than the alphabet letters."""
        kind = KIND_NAMES[question.kind]
        if kind in self._decision.labels or len(question.answers) <= 26:
            return self._decision
        return DecisionConfig(
            labels={**self._decision.labels, kind: _many_labels()},
            chat_template=self._decision.chat_template,
            sanitize_control_tokens=self._decision.sanitize_control_tokens,
        )


def chosen_form(processor: Any, settings: LlavaSettings) -> PromptForm:
    """The form that the settings name; else the checkpoint's own chat template, else `USER: … ASSISTANT:`."""
    return settings.prompt or ("own" if processor.chat_template else "user-assistant")


def _stated(question: Question) -> dict[str, Any]:
    """A question in the form that transformers reads."""
    stated: dict[str, Any] = {"type": KIND_NAMES[question.kind], "instructions": question.text}
    if question.kind == "choice":
        stated["criteria"] = dict.fromkeys(question.answers)
    if question.kind == "score":
        stated["criteria"] = list(question.answers)
    return stated


def _options(question: Question) -> Sequence[str]:
    """What transformers calls the answers of a question, in their order."""
    if question.kind == "predicate":
        return ("true", "false")
    return question.answers if question.kind == "choice" else [str(level) for level in range(len(question.answers))]


def _many_labels() -> list[str]:
    letters = [chr(ord("A") + index) for index in range(26)]
    return [*letters, *(first + second for first, second in itertools.product(letters, letters))][:_CHOICES_AT_MOST]


def _a_picture() -> Image.Image:
    """Any picture: only how many tokens it takes matters, which is the same for all."""
    return Image.new("RGB", (32, 32))


def tokens_tensor(ids: Tokens, device: torch.device) -> torch.Tensor:
    """Tokens as a batch of one text, (1, T)."""
    return torch.tensor([ids], dtype=torch.int64, device=device)
