"""The compact HumanVLM as one network: vision tower, connector, language model, heads of the search space. Pure.

Legend: B crops, H rows, W columns, P image tokens, T tokens of a text, D width, E width of the search space.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.connector import Connector
from model.language_model import LanguageModel, LanguageSizes
from model.vision_tower import VisionSizes, VisionTower


@dataclass(frozen=True, slots=True)
class NetworkSizes:
    """The sizes of all parts, as `config.json` holds them."""

    vision: VisionSizes
    language: LanguageSizes
    embedding_width: int = 128

    def as_config(self) -> dict[str, Any]:
        """What `of_config` reads."""
        return asdict(self)

    @classmethod
    def of_config(cls, config: dict[str, Any]) -> "NetworkSizes":
        """Sizes from a configuration.

        Raises:
            KeyError, TypeError, ValueError: the configuration names no sizes, unknown ones or impossible ones.
        """
        return cls(VisionSizes(**config["vision"]), LanguageSizes(**config["language"]), int(config["embedding_width"]))


class TextReader(nn.Module):
    """The language model and the head that places a text in the search space: all that a search needs."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.language_model = LanguageModel(sizes.language)
        self.text_head = nn.Linear(sizes.language.width, sizes.embedding_width, bias=False)

    def embed_texts(self, ids: Tensor, last: Tensor) -> Tensor:
        """Unit vectors (B, E) of texts (B, T); `last` (B,) is the position of each text's summary token."""
        hidden = self.language_model.read_alone(ids)
        summary = hidden[torch.arange(len(ids), device=ids.device), last]  # (B, D)
        return functional.normalize(self.text_head(summary), dim=-1)


class HumanNetwork(TextReader):
    """A `TextReader` that also has eyes."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__(sizes)
        self.vision_tower = VisionTower(sizes.vision)
        self.connector = Connector(sizes.vision.patches, sizes.vision.patch_features, sizes.language.width)
        self.image_head = nn.Linear(sizes.language.width, sizes.embedding_width, bias=False)

    def see(self, pixels: Tensor) -> Tensor:
        """Image tokens (B, P, D) of crops (B, H, W, 3) uint8 RGB."""
        return self.connector(self.vision_tower(pixels))  # type: ignore[no-any-return]

    def embed_summary(self, summary: Tensor) -> Tensor:
        """Unit vectors (B, E) of the hidden states (B, D) of the summary token behind a crop."""
        return functional.normalize(self.image_head(summary), dim=-1)
