"""Small real LLaVAs and SigLIPs for tests, saved by transformers itself."""

import io
import json
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipTokenizer,
    SiglipVisionConfig,
)

from model.layouts.prompts import TEMPLATES
from model.layouts.settings import CAPTION_REQUEST

SENTENCES = (
    "Is this person wearing a hard hat? Yes or No only.",
    "Is this person wearing a safety vest?",
    "What colour is the hard hat? yellow, white, orange, light blue, dark blue",
    "How cluttered is the floor around this person? clear, some things lie about, blocked",
    "Answer with the letter of the option that fits best (A to B) only. Answer Yes or No only.",
    "USER: ASSISTANT: user assistant system",
    CAPTION_REQUEST,
)
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<pad>")


def tiny_llava(
    folder: Path,
    *,
    chat_template: str | None = TEMPLATES["llama-3"],
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    is_wide: bool = True,
) -> Path:
    """A LLaVA of random weights with a SigLIP tower, a Llama and its search tower in `search/`.

    Wide weights are as large as a trained network's, or every answer would be as probable as any other; narrow ones are
    those that training begins from.
    """
    torch.manual_seed(seed)
    tokenizer = llama_tokenizer()
    network = LlavaForConditionalGeneration(tiny_config(len(tokenizer)))
    if is_wide:
        _widen(network)
    network.save_pretrained(folder)
    LlavaProcessor(
        image_processor=SiglipImageProcessor(size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        patch_size=7,
        vision_feature_select_strategy="full",
        chat_template=chat_template,
    ).save_pretrained(folder)
    tiny_siglip(folder / "search", seed=seed)
    stated = {"search_tower": "search", "caption_tokens_at_most": 12, **(settings or {})}
    (folder / "humanvlm.json").write_text(json.dumps(stated))
    return folder


def tiny_config(vocabulary: int) -> LlavaConfig:
    """The published architecture, a few thousand times smaller."""
    return LlavaConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=24,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=28,
            patch_size=7,
        ),
        text_config=LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=5,
        ),
        image_token_index=vocabulary - 1,
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
    )


def published_config() -> LlavaConfig:
    """The sizes of the published checkpoint: SigLIP so400m-patch14-384 and Llama-3-8B."""
    return LlavaConfig(
        vision_config=SiglipVisionConfig(**SO400M, image_size=384, patch_size=14),
        text_config=LlamaConfig(
            vocab_size=128257,
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            max_position_embeddings=8192,
            rope_theta=500000.0,
        ),
        vision_feature_select_strategy="full",
        image_token_index=128256,
    )


def llama_tokenizer(vocabulary: int = 420) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with Llama 3's special tokens and at most this many others; `<image>` is its last."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*SENTENCES, *["Yes", "No", "yes", "no", "yellow", "white"] * 5], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[0]} $A", special_tokens=[(SPECIAL[0], 0)]
    )
    tokenizer.add_special_tokens([AddedToken("<image>", special=True, normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[1], pad_token=SPECIAL[5]
    )


def tiny_siglip(folder: Path, *, seed: int = 0) -> Path:
    """A SigLIP dual encoder of random weights with a real tokenizer of its kind."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([sentence.lower() for sentence in SENTENCES] * 3),
        model_writer=trained,
        vocab_size=120,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(trained.getvalue())
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=16)
    half = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config={
            **half,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 16,
            "projection_size": 24,
            "bos_token_id": 1,
            "eos_token_id": 1,
        },
        vision_config={**half, "image_size": 28, "patch_size": 7},
    )
    SiglipModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    SiglipImageProcessor(size={"height": 28, "width": 28}).save_pretrained(folder)
    return folder


def _widen(network: LlavaForConditionalGeneration) -> None:
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1 and "embed" not in name:
                weight.mul_(8.0)
