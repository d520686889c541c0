"""The LLaVA that the accelerator bench times: of random weights, made where it runs, without a file of weights."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import (
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)
from transformers.decision import DecisionConfig

from model.crops import Crop
from model.decisions import DecisionSheet
from model.humanvlm import HumanVLM
from model.layouts.llava import LlavaLayout
from model.layouts.prompts import Prompts
from model.layouts.search_tower import SearchTower
from model.layouts.settings import CAPTION_REQUEST, LlavaSettings
from tests.builders_llava import SO400M, llama_tokenizer, published_config, tiny_config
from trainer.llava.speech import SpokenTo

WORDS_ARE_TOKENS = 4000  # merges enough that a word is one token, as it mostly is to Llama 3
ANSWER_WORDS = 150


@dataclass(frozen=True, slots=True)
class Rig:
    """A network and what speaks to it."""

    network: Any
    processor: Any
    tower: SearchTower
    device: torch.device

    @classmethod
    def build(cls, folder: Path, device: torch.device, *, is_tiny: bool) -> "Rig":
        """The published sizes in bfloat16, or tiny ones in float32; `folder` gets what is fingerprinted."""
        tokenizer = llama_tokenizer(WORDS_ARE_TOKENS)
        config = tiny_config(len(tokenizer)) if is_tiny else published_config()
        config.image_token_index = len(tokenizer) - 1
        side_px = config.vision_config.image_size
        half = {k: getattr(config.vision_config, k) for k in SO400M} if is_tiny else SO400M
        dual = SiglipConfig(
            text_config={**half, "vocab_size": 120 if is_tiny else 32000, "projection_size": half["hidden_size"]},
            vision_config={**half, "image_size": side_px, "patch_size": config.vision_config.patch_size},
        )
        dtype = torch.float32 if is_tiny else torch.bfloat16
        with torch.device(device):
            network = LlavaForConditionalGeneration._from_config(config, dtype=dtype)
            both = SiglipModel._from_config(dual, dtype=dtype)
        (folder / "config.json").write_text(json.dumps(dual.to_dict(), default=str))
        pictures = SiglipImageProcessor(size={"height": side_px, "width": side_px})
        processor = LlavaProcessor(
            image_processor=pictures,
            tokenizer=tokenizer,
            patch_size=config.vision_config.patch_size,
            vision_feature_select_strategy="full",
        )
        tower = SearchTower(folder, both.text_model, tokenizer, both.vision_model, pictures)
        return cls(network, processor, tower, device)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What multiplies by its weights, in the order in which a picture goes through; the search tower last."""
        inner = self.network.model
        return {
            "tower": inner.vision_tower,
            "connector": inner.multi_modal_projector,
            "language": inner.language_model,
            "head": self.network.lm_head,
            "search": self.tower.vision,
        }

    def spoken_to(self, caption_tokens: int) -> SpokenTo:
        """The published form, captions cut at this length."""
        settings = LlavaSettings(prompt="llama-3", caption_tokens_at_most=caption_tokens)
        return SpokenTo(settings, Prompts(self.processor, settings, DecisionConfig(), None))

    def humanvlm(self, batch: int, *, caption_tokens: int) -> HumanVLM:
        """HumanVLM around the network, for batches of this size and captions of exactly this length."""
        spoken = self.spoken_to(caption_tokens)
        layout = LlavaLayout(
            self.network,
            self.processor,
            spoken.prompts,
            self.tower,
            sheet=DecisionSheet(open_to_any_question=True),
            settings=spoken.settings,
            revisions=("random", "random"),
        )
        layout.crops_at_once = batch
        self.network.generation_config.min_new_tokens = caption_tokens
        return HumanVLM(layout)


class Meter:
    """Counts the tokens that each part of a network reads, and the passes it takes to."""

    def __init__(self, rig: Rig) -> None:
        self._parts = rig.parts
        self.tokens: Counter[str] = Counter()
        self.passes: Counter[str] = Counter()
        for name, part in self._parts.items():
            part.register_forward_hook(self._counting(name))

    def _counting(self, name: str) -> Callable[..., None]:
        def count(_part: Any, _given: Any, made: Any) -> None:
            hidden = made if isinstance(made, torch.Tensor) else made[0]
            self.tokens[name] += hidden.numel() // hidden.shape[-1]
            self.passes[name] += 1

        return count

    def reset(self) -> None:
        """Count from nothing."""
        self.tokens.clear()
        self.passes.clear()

    def flop(self, *, trains: bool) -> float:
        """Floating point operations since `reset`."""
        total, flows_back = 0.0, False
        for name, part in self._parts.items():
            matrices = [(n, p) for n, p in part.named_parameters() if p.ndim > 1 and "embed" not in n]
            weights = sum(p.numel() for _, p in matrices)
            learning = sum(p.numel() for _, p in matrices if p.requires_grad) if trains else 0
            flows_back = trains and (flows_back or learning > 0)
            total += self.tokens[name] * 2 * (weights + weights * flows_back + learning)
        return total


def noisy_crops(count: int) -> list[Crop]:
    """People as an analyzer cuts them, of noise: 320 x 128 px."""
    chance = np.random.default_rng(0)
    return [Crop(chance.integers(0, 256, (320, 128, 3), dtype=np.uint8), 300) for _ in range(count)]


def rows_to_learn(folder: Path, count: int) -> Path:
    """LLaVA JSON of captions of about 150 tokens, all about pictures of noise that lie beside it."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(0)
    words = CAPTION_REQUEST.split()
    rows = []
    for index in range(count):
        Image.fromarray(chance.integers(0, 256, (384, 384, 3), dtype=np.uint8)).save(folder / f"{index}.jpg")
        answer = " ".join(words[(index + place) % len(words)] for place in range(ANSWER_WORDS))
        said = [("human", "<image>\nDescribe this person."), ("gpt", answer)]
        rows.append({"image": f"{index}.jpg", "conversations": [{"from": w, "value": v} for w, v in said]})
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return path
