"""The three losses of a compact HumanVLM: answers, captions, searches. Pure.

Answers and captions come as a sum and what it is a sum over, so that every answer and every word weighs the same on
however many devices a batch is spread.

Legend: B looks, Q questions, T tokens, N search texts, E width of the search space, V vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from trainer.looks import NO_ANSWER


class Summed(NamedTuple):
    """A loss in nats, summed over so many answers or words."""

    total: Tensor
    terms: Tensor


def answer_loss(
    logits: Sequence[Tensor], answers: Tensor, allowed: Sequence[Tensor], *, label_smoothing: float
) -> Summed:
    """Cross entropy among the allowed answers of each question, over everything that was asked.

    Args:
        logits: Of the word behind each question, Q times (B, V).
        answers: (B, Q) the right answer's token, or `NO_ANSWER`.
        allowed: The tokens of each question's answers.
        label_smoothing: The share of certainty that is spread over all answers.
    """
    total = logits[0].sum() * 0
    for column, (words, ids) in enumerate(zip(logits, allowed, strict=True)):
        known = answers[:, column] != NO_ANSWER
        if not known.any():
            continue
        wanted = (answers[known, column, None] == ids).int().argmax(dim=1)
        total = total + functional.cross_entropy(
            words[known][:, ids], wanted, reduction="sum", label_smoothing=label_smoothing
        )
    return Summed(total, (answers != NO_ANSWER).sum())


def caption_loss(logits: Tensor, words: Tensor, *, pad_id: int) -> Summed:
    """Cross entropy of each word (B, T) of the captions, given logits (B, T, V)."""
    total = functional.cross_entropy(logits.flatten(0, 1), words.flatten(), ignore_index=pad_id, reduction="sum")
    return Summed(total, (words != pad_id).sum())


def search_loss(images: Tensor, texts: Tensor, agreement: Tensor, *, temperature: Tensor, bias: Tensor) -> Tensor:
    """SigLIP's pairwise loss (https://arxiv.org/abs/2303.15343) over the pairs of which the truth is known.

    True and false pairs weigh the same, since false ones are many.

    Args:
        images: Unit vectors (B, E).
        texts: Unit vectors (N, E).
        agreement: (B, N) 1 where a text is true of a look, 0 where it is false, -1 where nobody knows.
        temperature: The logarithm of what cosines are multiplied with.
        bias: Added to them.
    """
    logits = images @ texts.T * temperature.exp() + bias  # (B, N)
    is_true, is_false = agreement == 1, agreement == 0
    attract = -functional.logsigmoid(logits[is_true]).sum() / is_true.sum().clamp(min=1)
    repel = -functional.logsigmoid(-logits[is_false]).sum() / is_false.sum().clamp(min=1)
    return torch.add(attract, repel)
