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


@dataclass(frozen=True, slots=True)
class Block:
    """Tokens that are read behind the picture or, with a `parent`, behind the block at that position too."""

    tokens: Tokens
    parent: int | None = None


def answer_scores(
    asked: Sequence[AskedTokens],
    read: Callable[[Sequence[Block]], Sequence[Tensor]],
    logits: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """Log-probabilities (B, answers) of the answers to each question, -inf for what is never said.

    Args:
        asked: The questions, each with an answer that can be said.
        read: Hidden states (B, T, D) of each block, all read in one pass; a parent stands before its children.
        logits: Logits (..., V) of the next token after hidden states (..., D).
    """
    blocks: list[Block] = []
    places: list[dict[Tokens, int]] = []  # of each question: how an answer begins -> the block that reads it
    for question in asked:
        text = len(blocks)
        begun = dict.fromkeys(answer[:-1] for answer in question.answers if len(answer) > 1)
        blocks += [Block(question.text), *(Block(beginning, parent=text) for beginning in begun)]
        places.append({(): text, **{beginning: text + 1 + place for place, beginning in enumerate(begun)}})
    hidden = read(blocks)
    return [_scores(question, place, hidden, logits) for question, place in zip(asked, places, strict=True)]


def _scores(
    question: AskedTokens, places: dict[Tokens, int], hidden: Sequence[Tensor], logits: Callable[[Tensor], Tensor]
) -> Tensor:
    ends = hidden[places[()]][:, -1:]  # (B, 1, D)
    following = {
        beginning: torch.log_softmax(
            logits(torch.cat([ends, hidden[place]], dim=1) if beginning else ends).float(), dim=-1
        )
        for beginning, place in places.items()
    }  # how an answer begins -> log-probabilities (B, tokens of the answer, V)
    never = torch.full((len(ends),), -torch.inf, device=ends.device)
    columns = [
        following[answer[:-1]][:, range(len(answer)), list(answer)].sum(dim=1) if answer else never
        for answer in question.answers
    ]
    return torch.stack(columns, dim=1)


def tree_packing(prefix: int, blocks: Sequence[Block]) -> tuple[Tensor, Tensor]:
    """Who may look at whom, and who stands where, when blocks share a prefix and some of them a parent.

    Returns:
        A mask (tokens, tokens), true where the row may look at the column; positions (tokens,).

    >>> mask, positions = tree_packing(1, [Block((7,)), Block((8,), parent=0), Block((9,))])
    >>> mask.int().tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    >>> positions.tolist()
    [0, 1, 2, 1]
    """
    lengths = [len(block.tokens) for block in blocks]
    is_seen = torch.eye(len(blocks) + 1, dtype=torch.bool)  # block looks at block; the prefix is the first
    is_seen[:, 0] = True
    starts = []
    for place, block in enumerate(blocks):
        starts.append(prefix)
        if block.parent is not None:
            is_seen[place + 1] |= is_seen[block.parent + 1]
            starts[place] = starts[block.parent] + lengths[block.parent]
    owner = torch.repeat_interleave(torch.arange(len(blocks) + 1), torch.tensor([prefix, *lengths]))
    positions = torch.cat(
        [torch.arange(prefix), *(start + torch.arange(n) for start, n in zip(starts, lengths, strict=True))]
    )
    earlier = torch.ones(len(owner), len(owner), dtype=torch.bool).tril()
    return earlier & is_seen[owner][:, owner], positions
