"""Small conversations about drawn pictures, in every form that they come in, and a tiny LLaVA to train on them."""

import io
import json
from pathlib import Path
from typing import Any

import torch
import webdataset
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessor,
    SiglipVisionConfig,
)

COLOURS = {"red": (220, 30, 30), "blue": (30, 60, 220), "yellow": (240, 210, 30), "white": (245, 245, 245)}
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start|>{{ message['role'] }}\n\n"
    "{% for part in message['content'] %}{{ '<image>\n' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "<|turn|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n\n{% endif %}"
)
SPECIAL = ("<pad>", "<s>", "</s>", "<|start|>", "<|turn|>")


def jpeg(colour: str) -> bytes:
    """A small picture of one colour."""
    written = io.BytesIO()
    Image.new("RGB", (32, 48), COLOURS[colour]).save(written, "jpeg")
    return written.getvalue()


def llava_json(folder: Path, *, rows: int = 8) -> Path:
    """`instruct.json` and its pictures: a question about the vest, longer or shorter, one row with two turns."""
    (folder / "images").mkdir(parents=True)
    written: list[dict[str, Any]] = []
    for index in range(rows):
        colour = list(COLOURS)[index % len(COLOURS)]
        (folder / "images" / f"{index}.jpg").write_bytes(jpeg(colour))
        said = [("human", "<image>\nWhat colour is the vest?"), ("gpt", f"{colour}." + " Bright." * (index % 3))]
        if index == 1:
            said += [("human", "And the hat?"), ("gpt", "none.")]
        conversations = [{"from": who, "value": value} for who, value in said]
        written.append({"id": str(index), "image": f"{index}.jpg", "conversations": conversations})
    path = folder / "instruct.json"
    path.write_text(json.dumps(written))
    return path


def caption_shards(folder: Path, *, shards: int = 2, rows: int = 6) -> Path:
    """Shards as img2dataset writes them: `00000.tar` holding a jpg, a txt and a json a row."""
    folder.mkdir(parents=True)
    for shard in range(shards):
        with webdataset.TarWriter(str(folder / f"{shard:05d}.tar")) as writer:
            for index in range(rows):
                colour = list(COLOURS)[index % len(COLOURS)]
                key = f"{shard:05d}{index:04d}"
                caption = f"a person in a {colour} vest"
                writer.write({"__key__": key, "jpg": jpeg(colour), "txt": caption, "json": {"key": key}})
    return folder


def llava_to_train(folder: Path, *, chat_template: str | None = CHAT_TEMPLATE) -> Path:
    """A LLaVA of random weights, SigLIP and Llama, saved by transformers."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    vision = SiglipVisionConfig(
        hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=7
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=len(tokenizer) - 1,
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        image_processor=SiglipImageProcessor(size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        patch_size=7,
        vision_feature_select_strategy="full",
        chat_template=chat_template,
    ).save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    alphabet = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={piece: index for index, piece in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in (*SPECIAL, "<image>")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
