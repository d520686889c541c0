"""A conversation in tokens, and which of them the model is to say: the answers alone.

Legend: T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.layouts.prompts import TEMPLATES, Prompts
from model.layouts.settings import PromptForm
from model.questions import CANNOT_TELL, Question
from trainer.errors import RecipeError
from trainer.llava.conversations import IMAGE_MARK, Conversation, Turn

NOT_LEARNT = -100  # torch's cross entropy passes over it


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A conversation as the model reads it: `ids` (T,), and `labels` (T,), which are `NOT_LEARNT` outside answers."""

    conversation: Conversation
    ids: tuple[int, ...]
    labels: tuple[int, ...]

    @property
    def answer_tokens(self) -> int:
        """Tokens that are learnt: the first of a row is predicted by nothing."""
        return sum(label != NOT_LEARNT for label in self.labels[1:])


class ConversationTokens:
    """Writes conversations in the form of one checkpoint, which is the form that it will be spoken to in."""

    def __init__(
        self, processor: Any, *, form: PromptForm, image_tokens: int, longest: int, prompts: Prompts | None = None
    ) -> None:
        """The form of a checkpoint.

        Args:
            processor: transformers' processor of a LLaVA.
            form: Its own chat template, Llama 3's, or `USER: … ASSISTANT: …`.
            image_tokens: How many tokens a picture takes.
            longest: Tokens of a row at most; what is longer is cut at its end.
            prompts: How the checkpoint asks typed questions; None where there are none.

        Raises:
            RecipeError: the chat template says of a question something else once it is answered.
        """
        self._processor, self._tokenizer = processor, processor.tokenizer
        self._image_tokens, self._longest, self._prompts = image_tokens, longest, prompts
        self._image_id = self._tokenizer.convert_tokens_to_ids(IMAGE_MARK)
        self._is_plain = form == "user-assistant"  # ended by the end of a text, which its chat template leaves out
        self._template = processor.chat_template if form == "own" else TEMPLATES[form]
        if not self._is_plain:
            self._refuse_unfit_template()

    def row(self, conversation: Conversation) -> TokenRow | None:
        """The conversation in tokens.

        None where nothing is left to learn within the length, where the answer is none that the checkpoint can give, or
        where what is said names another picture: a mark without its picture would end the run.
        """
        if conversation.question is not None and self._prompts is not None:
            return self._typed(conversation, conversation.question, self._prompts)
        ids: list[int] = []
        labels: list[int] = []
        for is_answer, text in self._pieces(conversation.turns):
            tokens = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            ids.extend(tokens)
            labels.extend(tokens if is_answer else [NOT_LEARNT] * len(tokens))
        row = TokenRow(conversation, tuple(ids[: self._longest]), tuple(labels[: self._longest]))
        return row if row.answer_tokens and row.ids.count(self._image_id) == self._image_tokens else None

    def _typed(self, conversation: Conversation, question: Question, prompts: Prompts) -> TokenRow | None:
        """A typed question as decisions read it, and its answer as they score it."""
        try:
            prompt = prompts.question(question)
        except ValueError:
            return None
        said = dict(zip((*question.answers, CANNOT_TELL), prompt.asked.answers, strict=True))
        answer = said[conversation.turns[-1].answer]
        if not answer:  # a checkpoint without a label for *cannot tell*
            return None
        picture = (self._image_id,) * self._image_tokens
        asked = (*prompt.before, *picture, *prompt.asked.text)
        learnt = answer if answer[-1] == prompts.end_id else (*answer, prompts.end_id)
        if len(asked) + len(learnt) > self._longest:
            return None
        return TokenRow(conversation, (*asked, *learnt), (*(NOT_LEARNT,) * len(asked), *learnt))

    def _pieces(self, turns: Sequence[Turn]) -> list[tuple[bool, str]]:
        """What stands before each answer, and each answer with what ends it, in turn."""
        pictured = IMAGE_MARK * self._image_tokens
        if self._is_plain:
            return self._plain_pieces(turns, pictured)
        pieces = []
        said = ""
        for index in range(len(turns)):
            before = self._rendered(turns[: index + 1], is_answered=False)
            after = self._rendered(turns[: index + 1], is_answered=True)
            pieces.append((False, before[len(said) :].replace(IMAGE_MARK, pictured)))
            pieces.append((True, after[len(before) :]))
            said = after
        return pieces

    def _refuse_unfit_template(self) -> None:
        turns = (Turn("One?", "two"), Turn("Three?", "four"))
        asked, answered = self._rendered(turns, is_answered=False), self._rendered(turns, is_answered=True)
        first = self._rendered(turns[:1], is_answered=True)
        if not (answered.startswith(asked) and asked.startswith(first) and IMAGE_MARK in first):
            where = Path(str(getattr(self._tokenizer, "name_or_path", "")))
            raise RecipeError(where, "its chat template does not go on where a question ended: nothing can be learnt")

    def _rendered(self, turns: Sequence[Turn], *, is_answered: bool) -> str:
        messages = []
        for index, turn in enumerate(turns):
            picture = [{"type": "image"}] if index == 0 else []
            messages.append({"role": "user", "content": [*picture, {"type": "text", "text": turn.request}]})
            messages.append({"role": "assistant", "content": [{"type": "text", "text": turn.answer}]})
        shown = messages if is_answered else messages[:-1]
        text = self._processor.apply_chat_template(
            shown, chat_template=self._template, tokenize=False, add_generation_prompt=not is_answered
        )
        return str(text)

    def _plain_pieces(self, turns: Sequence[Turn], pictured: str) -> list[tuple[bool, str]]:
        pieces = []
        for index, turn in enumerate(turns):
            begin = f"{self._tokenizer.bos_token or ''}USER: {pictured}\n" if index == 0 else "USER: "
            pieces.append((False, f"{begin}{turn.request}\nASSISTANT:"))
            pieces.append((True, f" {turn.answer}{self._tokenizer.eos_token or ''}"))
        return pieces
