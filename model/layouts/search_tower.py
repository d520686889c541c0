"""The search space of a LLaVA: a SigLIP dual encoder beside it, as LLaVA has no text tower.

https://arxiv.org/abs/2303.15343. SigLIP reads any word, and nobody measured which of them it understands: unlike the
compact layout it cannot name the words that have no say.

Legend: B crops, E width of the search space.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import AutoImageProcessor, AutoTokenizer, SiglipModel, SiglipTextModel

from model.crops import Crop
from model.errors import ModelFolderError
from model.folders import CONFIG, model_folder, read_json
from model.layouts.fingerprint import fingerprint
from model.layouts.layout import TextEmbedding
from model.layouts.pretrained import pretrained, refused_in_one_line

_FILES = ("*.json", "*.model", "*.safetensors")


class _TextHalf(SiglipTextModel):  # type: ignore[misc]
    """Of a dual encoder's weights, those of the text half, without a report on all others."""

    _keys_to_ignore_on_load_unexpected = (r"vision_model\..*", r"logit_.*")


class SearchText:
    """The text half of a SigLIP."""

    def __init__(self, folder: Path, network: Any, tokenizer: Any) -> None:
        self._network = network.eval()
        self._tokenizer = tokenizer
        self.width = int(network.config.projection_size)
        self.embedding_space = f"siglip-{fingerprint(folder, CONFIG, '*.safetensors')}-{self.width}d"

    @classmethod
    def load(cls, name: str | Path, *, beside: Path | None = None) -> "SearchText":
        """The text half of the dual encoder of a name, on the CPU in float32.

        Raises:
            ModelFolderError: it is not there, or is no SigLIP.
        """
        folder = _siglip_folder(name, beside)
        network = pretrained(_TextHalf, folder, torch.float32)
        with refused_in_one_line(folder):
            return cls(folder, network, AutoTokenizer.from_pretrained(folder))

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies in the search space."""
        ids = self._tokenizer(
            [text],
            padding="max_length",  # as SigLIP was trained; it looks at the padding too
            max_length=self._network.config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )["input_ids"]
        pooled = self._network(input_ids=ids.to(self._network.device)).pooler_output
        return TextEmbedding(functional.normalize(pooled.float(), dim=-1)[0].cpu().numpy(), ())


class SearchTower(SearchText):
    """Both halves."""

    def __init__(self, folder: Path, network: Any, tokenizer: Any, vision: Any, pictures: Any) -> None:
        super().__init__(folder, network, tokenizer)
        self.vision = vision.eval()
        self._pictures = pictures

    @classmethod
    def open(
        cls, name: str | Path, device: torch.device, dtype: torch.dtype, *, beside: Path | None = None
    ) -> "SearchTower":
        """The dual encoder of a name.

        Raises:
            ModelFolderError: it is not there, or is no SigLIP.
        """
        folder = _siglip_folder(name, beside)
        both = pretrained(SiglipModel, folder, dtype).to(device)
        with refused_in_one_line(folder):
            tokenizer, pictures = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
        return cls(folder, both.text_model, tokenizer, both.vision_model, pictures)

    def embed_crops(self, crops: Sequence[Crop]) -> Tensor:
        """Unit vectors (B, E) of crops."""
        pictures = [Image.fromarray(crop.pixels) for crop in crops]
        pixels = self._pictures(images=pictures, return_tensors="pt")["pixel_values"]
        pooled = self.vision(pixel_values=pixels.to(self.vision.device, self.vision.dtype)).pooler_output
        return functional.normalize(pooled.float(), dim=-1)


def _siglip_folder(name: str | Path, beside: Path | None) -> Path:
    folder = model_folder(name, _FILES, beside=beside)
    if (kind := read_json(folder, CONFIG).get("model_type")) != "siglip":
        raise ModelFolderError(folder, f"a search tower is a SigLIP dual encoder, and {CONFIG} says {kind!r}")
    return folder
