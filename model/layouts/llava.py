"""LLaVA's layout, as transformers reads it: SigLIP, a two-layer connector and a Llama of any size.

`OpenFace-CQUPT/Human_LLaVA` is one (https://arxiv.org/abs/2411.03034). The picture's tokens go through the language
model once for all questions about it: they lie behind each other, and none of them sees another.

Legend: B crops, P image tokens, T tokens of a text, D width, V vocabulary, E width of the search space.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.decision import DecisionConfig

from model.crops import Crop
from model.decisions import DecisionSheet
from model.errors import ModelFolderError
from model.folders import CONFIG, DECISION_TEMPLATE, DECISIONS, SETTINGS, read_json
from model.layouts.fingerprint import fingerprint
from model.layouts.layout import ImageTokens, TextEmbedding
from model.layouts.pretrained import pretrained, refused_in_one_line
from model.layouts.prompts import AskedPrompt, Prompt, Prompts, tokens_tensor
from model.layouts.scoring import Block, answer_scores, tree_packing
from model.layouts.search_tower import SearchTower
from model.layouts.settings import LlavaSettings
from model.questions import Question

CROPS_AT_ONCE = 32  # bounds the memory of a pass; where there is less, HumanVLM takes fewer
UNREAD = r"model\.vision_tower\.(head|post_layernorm)\."  # patches are taken before either
SPOKEN = ("tokenizer*", "*.model", "*.jinja", "processor_config.json", "preprocessor_config.json", SETTINGS)


class LlavaLayout:
    """A LLaVA with the dual encoder of its search space."""

    crops_at_once = CROPS_AT_ONCE
    answers_open_questions = True

    def __init__(
        self,
        network: Any,
        processor: Any,
        prompts: Prompts,
        tower: SearchTower,
        *,
        sheet: DecisionSheet,
        settings: LlavaSettings,
        revisions: tuple[str, str],
    ) -> None:
        self._network, self._processor, self._prompts, self._tower = network.eval(), processor, prompts, tower
        self.sheet, self._settings = sheet, settings
        self.answer_revision, self.caption_revision = (f"humanvlm-llava-{revision}" for revision in revisions)
        self.embedding_space, self.embedding_width = tower.embedding_space, tower.width
        self._network.generation_config = _greedy(network.generation_config, prompts.end_id, settings)

    @classmethod
    def open(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> "LlavaLayout":
        """What a checkpoint folder holds.

        Raises:
            ModelFolderError: it cannot be loaded, or the search tower that it names cannot.
        """
        settings, sheet = LlavaSettings.read(folder), read_sheet(folder)
        tower = SearchTower.open(settings.search_tower, device, dtype, beside=folder)
        network, processor = load_llava(folder, dtype)
        with refused_in_one_line(folder):
            decision = DecisionConfig.from_pretrained(folder)
            prompts = Prompts(processor, settings, decision, sheet.cannot_tell)
            prompts.request(settings.caption_request)  # a template that cannot be used shows now
        if decision.adapter:
            raise ModelFolderError(folder, f"{DECISIONS} names an adapter; merge it into the weights")
        said = (CONFIG, "*.safetensors", *SPOKEN)
        revisions = fingerprint(folder, *said, DECISIONS, DECISION_TEMPLATE), fingerprint(folder, *said)
        return cls(network.to(device), processor, prompts, tower, sheet=sheet, settings=settings, revisions=revisions)

    def none_seen(self) -> ImageTokens:
        """The image tokens of no crops at all."""
        width = self._network.config.text_config.hidden_size
        tokens = torch.zeros((0, 0, width), device=self._device, dtype=self._network.dtype)
        return ImageTokens(tokens, (), torch.zeros((0, self.embedding_width), device=self._device))

    def see(self, crops: Sequence[Crop]) -> ImageTokens:
        """Vision tower and connector, and the search tower beside them."""
        pictures = [Image.fromarray(crop.pixels) for crop in crops]
        pixels = self._processor.image_processor(images=pictures, return_tensors="pt")["pixel_values"]
        features = self._network.get_image_features(pixel_values=pixels.to(self._device, self._network.dtype))
        tokens = torch.stack(tuple(features.pooler_output))  # (B, P, D)
        heights_px = tuple(crop.person_height_px for crop in crops)
        return ImageTokens(tokens, heights_px, self._tower.embed_crops(crops))

    def can_ask(self, question: Question) -> bool:
        """Whether it can be put into a prompt, its answers told apart."""
        try:
            return self._prompts.question(question).asked.has_distinct_answers
        except ValueError:
            return False

    def read(self, seen: ImageTokens, questions: Sequence[Question]) -> tuple[list[Tensor], Tensor]:
        """Scores of the answers, from one pass over the image tokens a way of beginning the prompt: as a rule one."""
        assert seen.vectors is not None
        prompts = [self._prompts.question(question) for question in questions]
        scores: dict[AskedPrompt, Tensor] = {}
        for before, alike in itertools.groupby(sorted(prompts, key=_before), key=_before):
            together = list(alike)
            prefix = torch.cat([self._embedded(before).expand(len(seen), -1, -1), seen.tokens], dim=1)
            read = answer_scores(
                [prompt.asked for prompt in together],
                functools.partial(self._read_behind, prefix),
                self._network.lm_head,
            )
            scores.update(zip(together, read, strict=True))
        return [scores[prompt] for prompt in prompts], seen.vectors

    def describe(self, seen: ImageTokens) -> list[str]:
        """A caption of each crop: head, body and surroundings, on one line."""
        return self.answer(seen, [self._settings.caption_request] * len(seen))

    def answer(self, seen: ImageTokens, questions: Sequence[str]) -> list[str]:
        """What the model says to a question about each crop, on one line."""
        return [" ".join(text.split()) for text in self.write(seen.tokens, questions)]

    def write(self, image_tokens: Tensor, requests: Sequence[str]) -> list[str]:
        """What the model answers to a request about each picture, always taking the most probable token.

        Args:
            image_tokens: (B, P, D).
            requests: One a picture; shorter ones are padded on the left, as a text goes on at its right end.
        """
        prompts = [self._prompts.request(request) for request in requests]
        rows = [self._prompted(prompt, tokens) for prompt, tokens in zip(prompts, image_tokens, strict=True)]
        mask = [torch.ones(len(row), dtype=torch.int64, device=self._device) for row in rows]
        written = self._network.generate(
            inputs_embeds=pad_sequence(rows, batch_first=True, padding_side="left"),
            attention_mask=pad_sequence(mask, batch_first=True, padding_side="left"),
        )
        said: list[str] = self._processor.tokenizer.batch_decode(written, skip_special_tokens=True)
        return [text.strip() for text in said]

    def embed_text(self, text: str) -> TextEmbedding:
        """Where a text lies in the search space."""
        return self._tower.embed_text(text)

    @property
    def _device(self) -> torch.device:
        return self._network.device  # type: ignore[no-any-return]

    def _embedded(self, ids: Sequence[int]) -> Tensor:
        """Embeddings (1, T, D) of some tokens."""
        return self._network.get_input_embeddings()(tokens_tensor(tuple(ids), self._device))  # type: ignore[no-any-return]

    def _prompted(self, prompt: Prompt, image_tokens: Tensor) -> Tensor:
        """A prompt (T, D) around one picture (P, D)."""
        before, behind = self._embedded(prompt.before)[0], self._embedded(prompt.behind)[0]
        return torch.cat([before, image_tokens, behind])

    def _read_behind(self, prefix: Tensor, blocks: Sequence[Block]) -> list[Tensor]:
        """Hidden states (B, T, D) of blocks, all read behind the same prefix (B, P', D)."""
        mask, positions = tree_packing(prefix.shape[1], blocks)
        closed = torch.zeros(mask.shape, dtype=prefix.dtype).masked_fill(~mask, torch.finfo(prefix.dtype).min)
        lengths = [len(block.tokens) for block in blocks]
        behind = self._embedded([token for block in blocks for token in block.tokens]).expand(len(prefix), -1, -1)
        hidden = self._network.model.language_model(
            inputs_embeds=torch.cat([prefix, behind], dim=1),
            attention_mask=closed.to(self._device)[None, None],
            position_ids=positions.to(self._device)[None],
            use_cache=False,
        ).last_hidden_state
        return list(hidden[:, prefix.shape[1] :].split(lengths, dim=1))


def skeleton(config: Mapping[str, Any]) -> Any:
    """The network of a `config.json`, every weight's shape and none of its memory."""
    with torch.device("meta"):
        return LlavaForConditionalGeneration(LlavaConfig.from_dict(dict(config)))


def load_llava(folder: Path, dtype: torch.dtype | str) -> tuple[Any, Any]:
    """The network of a folder on the CPU, and its processor.

    Args:
        folder: What transformers' `save_pretrained` writes.
        dtype: Of the weights; "auto" keeps that of the files.

    Raises:
        ModelFolderError: transformers cannot load it, or finds weights missing.
    """
    network = pretrained(LlavaForConditionalGeneration, folder, dtype, unread=UNREAD)
    with refused_in_one_line(folder):
        processor = LlavaProcessor.from_pretrained(folder)
    vision = network.config.vision_config
    if processor.patch_size is None:  # folders saved before processors knew it
        processor.patch_size = vision.patch_size
        processor.vision_feature_select_strategy = network.config.vision_feature_select_strategy
        processor.num_additional_image_tokens = int(vision.model_type == "clip_vision_model")
    return network, processor


def read_sheet(folder: Path) -> DecisionSheet:
    """The decision sheet of a LLaVA folder; one without it was measured on nothing and is open to any question.

    Raises:
        ModelFolderError: `decision.json` is there and is none.
    """
    if not (folder / DECISIONS).is_file():
        return DecisionSheet(open_to_any_question=True)
    try:
        return DecisionSheet.model_validate(read_json(folder, DECISIONS))
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelFolderError(folder, f"{DECISIONS}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _before(prompt: AskedPrompt) -> tuple[int, ...]:
    return prompt.before


def _greedy(given: Any, end_id: int, settings: LlavaSettings) -> GenerationConfig:
    """The most probable token each time; a text ends where the checkpoint or the prompt's form says so."""
    ends = given.eos_token_id if isinstance(given.eos_token_id, list) else [given.eos_token_id]
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        max_new_tokens=settings.caption_tokens_at_most,
        eos_token_id=sorted({end_id, *(end for end in ends if end is not None)}),
        pad_token_id=given.pad_token_id if given.pad_token_id is not None else end_id,
    )
