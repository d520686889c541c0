"""The language model: a small Llama that reads image tokens and words, and writes words. Pure.

Several texts about one crop are read in one pass: they lie behind each other, each sees the crop and itself but none
of the others, and each is numbered as if it stood alone behind the crop. No text depends on the others.

Legend: B crops, P image tokens, T tokens of a text, D width, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import transformers
from torch import Tensor, nn
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

from model.errors import LibraryTooOldError

BEGIN_ID = 1  # `tokens.SPECIAL_WORDS` fixes it
LEAST_SCORE = torch.finfo(torch.float32).min  # closes a way of attention


@dataclass(frozen=True, slots=True)
class LanguageSizes:
    """How large the language model is.

    Raises:
        ValueError: the width cannot be shared among the heads.
    """

    vocabulary: int
    width: int = 192
    layers: int = 4
    heads: int = 6
    feed_forward: int = 512
    positions: int = 128

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is no even multiple of {self.heads} heads")


class Packed(NamedTuple):
    """Texts behind one crop's image tokens: what attention may not look at, where each token stands, and their lengths.

    With S tokens in all: `mask` (1, 1, S, S) float32, 0 where the row may look at the column; `positions` (1, S).
    """

    mask: Tensor
    positions: Tensor
    lengths: list[int]


class LanguageModel(nn.Module):
    """A Llama, with the two ways in which it is read here and the one in which it writes."""

    def __init__(self, sizes: LanguageSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.llama = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=sizes.vocabulary,
                hidden_size=sizes.width,
                intermediate_size=sizes.feed_forward,
                num_hidden_layers=sizes.layers,
                num_attention_heads=sizes.heads,
                max_position_embeddings=sizes.positions,
                tie_word_embeddings=True,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
            )
        )

    def embedded(self, ids: Tensor) -> Tensor:
        """Word embeddings (B, T, D) of tokens (B, T)."""
        return self.llama.get_input_embeddings()(ids)  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits (..., V) of the next word after hidden states (..., D)."""
        return self.llama.lm_head(hidden)  # type: ignore[no-any-return]

    def read_about(self, image_tokens: Tensor, texts: Sequence[Tensor]) -> list[Tensor]:
        """Read several texts about each crop in one pass over its image tokens.

        Args:
            image_tokens: (B, P, D).
            texts: Tokens of each text: (1, T) when it is the same for every crop, else (B, T).

        Returns:
            Hidden states of each text, (B, T, D).
        """
        packed = self.packed(image_tokens.shape[1], [ids.shape[1] for ids in texts])
        mask, positions = packed.mask.to(image_tokens), packed.positions.to(image_tokens.device)
        ids = torch.cat([ids.expand(image_tokens.shape[0], -1) for ids in texts], dim=1)
        hidden = self.read_packed(image_tokens, ids, mask, positions)
        return list(torch.split(hidden, packed.lengths, dim=1))

    def packed(self, patches: int, lengths: Sequence[int]) -> Packed:
        """How texts of some lengths lie behind the image tokens of one crop."""
        is_seen, positions = packing(1 + patches, lengths)
        closed = torch.zeros(is_seen.shape).masked_fill(~is_seen, LEAST_SCORE)
        return Packed(closed[None, None], positions[None], list(lengths))

    def read_packed(self, image_tokens: Tensor, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """Hidden states (B, T, D) of tokens (B, T) behind image tokens (B, P, D).

        Args:
            image_tokens: (B, P, D).
            ids: (B, T), or (1, T) when they are the same for every crop.
            mask: (1, 1, 1 + P + T, 1 + P + T), added to the scores of attention; in the type of the weights.
            positions: (1, 1 + P + T).
        """
        texts = self.embedded(ids).expand(image_tokens.shape[0], -1, -1)
        hidden = self.llama.model(
            inputs_embeds=torch.cat([self._prefix(image_tokens), texts], dim=1),
            attention_mask=mask,
            position_ids=positions,
            use_cache=False,
        ).last_hidden_state
        return hidden[:, 1 + image_tokens.shape[1] :]  # type: ignore[no-any-return]

    def read_alone(self, ids: Tensor) -> Tensor:
        """Hidden states (B, T, D) of texts (B, T) without a picture, padded on the right where they differ in length.

        Causal attention never looks ahead, so padding on the right needs no mask.
        """
        return self.llama.model(inputs_embeds=self.embedded(ids), use_cache=False).last_hidden_state  # type: ignore[no-any-return]

    def write_about(
        self, image_tokens: Tensor, *, first_id: int, end_id: int, never: Tensor, at_most: int
    ) -> list[list[int]]:
        """Write a text about each crop, always taking the most probable word.

        Args:
            image_tokens: (B, P, D).
            first_id: The token behind the picture that asks for the text.
            end_id: The token that ends a text.
            never: Tokens that no text may hold, (n,) int64.
            at_most: Words of one text.

        Raises:
            LibraryTooOldError: transformers lets the cache go unused: every word would be chosen blind.
        """
        batch, device = image_tokens.shape[0], image_tokens.device
        first = self.embedded(torch.full((batch, 1), first_id, device=device))
        fed = torch.cat([self._prefix(image_tokens), first], dim=1)
        cache = DynamicCache(config=self.llama.config)
        written = torch.empty((batch, 0), dtype=torch.int64, device=device)
        ended = torch.zeros(batch, dtype=torch.bool, device=device)
        for _ in range(at_most):
            hidden = self.llama.model(inputs_embeds=fed, cache=cache, use_cache=True).last_hidden_state
            if not cache.get_seq_length():  # an older one calls it otherwise, and says nothing
                raise LibraryTooOldError("transformers", transformers.__version__, "keeps nothing of what was read")
            logits = self.logits(hidden[:, -1])
            logits[:, never] = -torch.inf
            word = logits.argmax(dim=-1)
            written = torch.cat([written, word[:, None]], dim=1)
            ended |= word == end_id
            if bool(ended.all()):
                break
            fed = self.embedded(word[:, None])
        return [row[: row.index(end_id)] if end_id in row else row for row in written.tolist()]

    def _prefix(self, image_tokens: Tensor) -> Tensor:
        begin = self.embedded(torch.tensor([[BEGIN_ID]], device=image_tokens.device))
        return torch.cat([begin.expand(image_tokens.shape[0], -1, -1), image_tokens], dim=1)  # (B, 1 + P, D)


def packing(prefix: int, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Who may look at whom, and who stands where, when texts share a prefix.

    Returns:
        A mask (tokens, tokens), true where the row may look at the column; positions (tokens,), which begin anew behind
        the prefix for every text.

    >>> mask, positions = packing(1, [1, 2])
    >>> mask.int().tolist()
    [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 1]]
    >>> positions.tolist()
    [0, 1, 1, 2]
    """
    block = torch.cat([torch.zeros(prefix), *[torch.full((n,), i + 1.0) for i, n in enumerate(lengths)]])
    positions = torch.cat([torch.arange(prefix), *[prefix + torch.arange(n) for n in lengths]])
    earlier = torch.ones(len(block), len(block)).tril().bool()
    return earlier & ((block[:, None] == block[None, :]) | (block[None, :] == 0)), positions
