"""How likely a language model is to say each allowed answer. Pure.

An answer of one token is scored by that token's log-probability behind the question, a longer one by the sum over its
tokens, each read behind those before it. Where one answer begins another ("orange", "orange and yellow"), all answers
of the question are scored with the token that ends a text, or the longer one could never win.

Legend: B crops, T tokens of a text, D width, V vocabulary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AskedTokens:
    """A question in tokens: what is read behind the picture, and each answer as it would be said; () is never said."""

    text: Tokens
    answers: tuple[Tokens, ...]

    @property
    def has_distinct_answers(self) -> bool:
        """Whether no two answers are the same tokens."""
        said = [answer for answer in self.answers if answer]
        return len(set(said)) == len(said)


def ended_where_needed(answers: Sequence[Tokens], end_id: int) -> tuple[Tokens, ...]:
    """The answers, each with the token that ends a text if one of them begins another.

    >>> ended_where_needed([(5,), (6, 7)], end_id=2)
    ((5,), (6, 7))
    >>> ended_where_needed([(6,), (6, 7), ()], end_id=2)
    ((6, 2), (6, 7, 2), ())
    """
    said = [answer for answer in answers if answer]
    begins = any(a != b and b[: len(a)] == a for a in said for b in said)
    return tuple((*answer, end_id) if begins and answer else tuple(answer) for answer in answers)


def answer_scores(
    asked: Sequence[AskedTokens],
    read: Callable[[list[Tensor]], list[Tensor]],
    logits: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """Log-probabilities (B, answers) of the answers to each question, -inf for what is never said.

    Args:
        asked: The questions.
        read: Hidden states (B, T, D) of several texts (1, T), read in one pass behind the picture.
        logits: Logits (..., V) of the next token after hidden states (..., D).
    """
    blocks: dict[Tokens, int] = {}  # what is read; answers that begin alike share it
    for question in asked:
        for answer in question.answers:
            if answer:
                blocks.setdefault((*question.text, *answer[:-1]), len(blocks))
    hidden = read([torch.tensor([block]) for block in blocks])
    return [_scores(question, blocks, hidden, logits) for question in asked]


def _scores(
    question: AskedTokens, blocks: dict[Tokens, int], hidden: Sequence[Tensor], logits: Callable[[Tensor], Tensor]
) -> Tensor:
    following: dict[int, Tensor] = {}  # block -> log-probabilities (B, tokens of an answer, V) behind the question
    columns: list[Tensor | None] = []
    for answer in question.answers:
        if not answer:
            columns.append(None)
            continue
        block = blocks[(*question.text, *answer[:-1])]
        if block not in following:
            behind = hidden[block][:, len(question.text) - 1 :]
            following[block] = torch.log_softmax(logits(behind).float(), dim=-1)
        said = following[block][:, range(len(answer)), list(answer)]  # (B, tokens of the answer)
        columns.append(said.sum(dim=1))
    some = next(column for column in columns if column is not None)
    never = torch.full_like(some, -torch.inf)
    return torch.stack([never if column is None else column for column in columns], dim=1)
