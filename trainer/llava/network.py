"""A LLaVA to train: its weights, its processor, and adapters for them."""

import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipImageProcessor,
    SiglipVisionModel,
)

from trainer.errors import RecipeError
from trainer.llava.recipe import LoraRecipe

_LANGUAGE = r".*language_model\..*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_VISION = r".*vision_tower\..*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"


def load_network(name: str, dtype: torch.dtype = torch.float32) -> Any:
    """The network of a folder or hub id.

    Raises:
        RecipeError: there is none that transformers can load.
    """
    try:
        network = LlavaForConditionalGeneration.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError, RuntimeError) as error:
        raise _refused(name, error) from error
    network.config.use_cache = False
    return network


def load_processor(name: str) -> tuple[Any, Any]:
    """The processor and the configuration of a folder or hub id.

    Raises:
        RecipeError: one of them is missing or unreadable.
    """
    try:
        return LlavaProcessor.from_pretrained(name), LlavaConfig.from_pretrained(name)
    except (OSError, ValueError, TypeError) as error:
        raise _refused(name, error) from error


def skeleton(config: Any) -> Any:
    """The network of a configuration: every weight's shape and none of its memory."""
    with torch.device("meta"):
        return LlavaForConditionalGeneration(config)


def put_together(vision: str, language: str, out: Path) -> None:
    """Write a LLaVA of a SigLIP, a fresh connector and a Llama: what stage 1 of the 8B starts from.

    Args:
        vision: Folder or hub id of a SigLIP.
        language: Folder or hub id of a Llama with its tokenizer; `<image>` and, where it lacks one, `<pad>` are added.
        out: The folder to write.

    Raises:
        RecipeError: one of them cannot be loaded.
    """
    try:
        tower, model = SiglipVisionModel.from_pretrained(vision), LlamaForCausalLM.from_pretrained(language)
        tokenizer = AutoTokenizer.from_pretrained(language)
        pictures = SiglipImageProcessor.from_pretrained(vision)
    except (OSError, ValueError, RuntimeError) as error:
        raise _refused(f"{vision} + {language}", error) from error
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    if tokenizer.pad_token is None:
        tokenizer.add_special_tokens({"pad_token": "<pad>"})
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=model.config,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
    )
    llava = LlavaForConditionalGeneration(config)
    llava.model.vision_tower.load_state_dict(tower.state_dict())
    llava.model.language_model.load_state_dict(model.model.state_dict())
    llava.lm_head.load_state_dict(model.lm_head.state_dict())
    llava.resize_token_embeddings(len(tokenizer))
    llava.save_pretrained(out)
    LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=tower.config.patch_size,
        vision_feature_select_strategy="full",
    ).save_pretrained(out)


def image_tokens_of(config: Any) -> int:
    """How many tokens a picture takes: a patch one, less the class token where the strategy drops it.

    A tower without class token (SigLIP) gives as many features as patches, of which `default` drops the first.
    """
    vision = config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2
    has_class_token = vision.model_type == "clip_vision_model"
    return int(patches + has_class_token - (config.vision_feature_select_strategy == "default"))


def unread_modules(config: Any) -> str:
    """A pattern of what lies in the vision tower behind the layer that the connector reads: nothing is learnt there.

    >>> import re
    >>> from transformers import SiglipVisionConfig
    >>> pattern = unread_modules(LlavaConfig(vision_config=SiglipVisionConfig(num_hidden_layers=27)))
    >>> [bool(re.fullmatch(pattern, f"model.vision_tower.{name}.weight")) for name in (
    ...     "encoder.layers.25.mlp.fc1", "encoder.layers.26.mlp.fc1", "post_layernorm", "encoder.layers.2.mlp.fc1")]
    [False, True, True, False]
    """
    layers = config.vision_config.num_hidden_layers
    named = config.vision_feature_layer
    # Of the layers' outputs, counted from the embeddings' on: -1 is the last layer's.
    read = max(each if each >= 0 else layers + 1 + each for each in ([named] if isinstance(named, int) else named))
    behind = "".join(rf"layers\.{number}|" for number in range(read, layers))
    return rf".*vision_tower\.(.*\.)?({behind}post_layernorm|head)\..*"


def with_adapters(network: Any, lora: LoraRecipe) -> Any:
    """The network with low-rank adapters, its own weights frozen."""
    from peft import LoraConfig, get_peft_model

    targets = f"({_LANGUAGE}|{_VISION})" if lora.reaches_vision_tower else _LANGUAGE
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        exclude_modules=unread_modules(network.config),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by names that it has given up
        return get_peft_model(network, config, low_cpu_mem_usage=network.device.type == "meta")


def keep_fewer_activations(network: Any) -> None:
    """Compute activations twice instead of keeping them."""
    # transformers 5.24 calls it activation checkpointing; before, it was gradient checkpointing.
    enable = getattr(network, "activation_checkpointing_enable", None)
    if enable is not None:
        enable()
    else:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def _refused(name: str, error: Exception) -> RecipeError:
    return RecipeError(Path(name), f"no LLaVA that can be trained: {str(error).strip().splitlines()[0]}")
