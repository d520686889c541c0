"""A HumanVLM in LLaVA's layout in training: SigLIP, connector and Llama, as transformers saves them.

Legend: B rows, T tokens, N tokens that are learnt, D width, V vocabulary.
"""

import re
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional

from trainer.errors import RecipeError
from trainer.llava.conversation_data import ConversationData
from trainer.llava.conversation_tokens import NOT_LEARNT
from trainer.llava.export import write_llava
from trainer.llava.grouped_batches import Spoken
from trainer.llava.network import (
    image_tokens_of,
    keep_fewer_activations,
    load_network,
    load_processor,
    unread_modules,
    with_adapters,
)
from trainer.llava.recipe import LlavaSteps, LoraRecipe
from trainer.llava.sharding import spread
from trainer.llava.speech import SpokenTo
from trainer.ranks import mean_over_ranks
from trainer.resumable import LAST
from trainer.schedule import cooled
from trainer.stages import Origin, Stage, StageData, StageTask
from trainer.trainable import set_trainable

CONNECTOR, TOWER, ADAPTER = "multi_modal_projector.", "vision_tower.", "lora_"


class LlavaTask(StageTask):
    """Teaches a LLaVA to answer as it is shown."""

    def __init__(
        self,
        base: str,
        steps: LlavaSteps = LlavaSteps(),  # noqa: B008 (frozen)
        lora: LoraRecipe | None = None,
    ) -> None:
        """Nothing is loaded before `begin`.

        Args:
            base: Folder or hub id of the LLaVA whose weights stage 1 starts from.
            steps: How the weights are moved.
            lora: Adapters for stage 2; None moves the language model's own weights.
        """
        super().__init__()
        self._base, self._steps, self._lora = base, steps, lora
        self._folder: str = base
        self.network: Any = None
        self._unread = ""

    def begin(self, stage: Stage, start: Path | None, data: StageData) -> None:
        """Take note of the stage, and tell the data how the model reads.

        Raises:
            RecipeError: there is no LLaVA to start from.
        """
        assert isinstance(data, ConversationData)
        self.stage = stage
        self._folder = self._base if start is None else str(start)
        processor, config = load_processor(self._folder)
        data.write_for(processor, SpokenTo.read(self._folder), image_tokens=image_tokens_of(config))

    def configure_model(self) -> None:
        """Load the network and, where there are several devices for it, leave this one its share; once.

        Raises:
            RecipeError: the weights cannot be loaded.
        """
        if self.network is None:
            self.take(load_network(self._folder))
            if self.device_mesh is not None:
                in_bfloat16 = str(self.trainer.precision).startswith("bf16")
                spread(self.network, self.device_mesh["data_parallel"], in_bfloat16=in_bfloat16)

    def take(self, network: Any) -> None:
        """Train this network: adapters where the recipe has them, and what the stage moves let learn."""
        self._unread = unread_modules(network.config)
        if self.stage == "instruct" and self._lora is not None:
            network = with_adapters(network, self._lora)
        if self._steps.checkpoints_gradients:
            keep_fewer_activations(network)
        self.network = network.train()  # transformers loads networks for use: without dropout, keeping all activations
        set_trainable(self)

    def learns(self, name: str) -> bool:
        """Stage 1 moves the connector; stage 2 the language model or its adapters too, and the tower if asked to.

        Of the tower never what lies behind the layer that the connector reads.
        """
        if CONNECTOR in name:
            return ADAPTER not in name
        if self.stage == "align":
            return False
        if re.fullmatch(self._unread, name):
            return False
        if TOWER in name:
            return self._steps.unfreezes_vision_tower if ADAPTER not in name else True
        return ADAPTER in name if self._lora is not None else True

    def training_step(self, spoken: Spoken, _index: int) -> Tensor:
        """The mean loss of an answer's token in the optimizer step that the batch is a part of, this batch's share."""
        total = self.answer_loss(spoken)
        # Lightning divides by the batches of a step, as if each held as many tokens as any other.
        batches = self.trainer.accumulate_grad_batches
        loss = mean_over_ranks(total, spoken.step_tokens, self.trainer.strategy) * batches
        learnt = (spoken.labels[:, 1:] != NOT_LEARNT).sum().clamp(min=1)
        self.log("train/answer_loss_nats", total.detach() / learnt, prog_bar=True)
        return loss

    def answer_loss(self, spoken: Spoken) -> Tensor:
        """The loss of all answers' tokens in nats, summed."""
        llava = self.network.get_base_model() if hasattr(self.network, "get_base_model") else self.network
        pixels = spoken.pixels.to(next(llava.parameters()).dtype)
        hidden = llava.model(
            input_ids=spoken.ids, attention_mask=spoken.mask, pixel_values=pixels, use_cache=False
        ).last_hidden_state  # (B, T, D)
        is_learnt = spoken.labels[:, 1:] != NOT_LEARNT
        # Only where something is learnt: a vocabulary of 128 000 over every token would be most of the memory.
        logits = llava.lm_head(hidden[:, :-1][is_learnt])  # (N, V)
        wanted = spoken.labels[:, 1:][is_learnt]
        return functional.cross_entropy(logits.float(), wanted, reduction="sum")

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW over what the stage moves."""
        steps = self._steps
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            learning, lr=steps.learning_rate, betas=steps.betas, weight_decay=steps.weight_decay
        )
        return cooled(optimizer, total_steps=self.total_steps, warmup_share=steps.warmup_share)

    def export(self, out: Path, data: StageData, origin: Origin) -> None:
        """Write the folder in transformers' form, adapters merged.

        The weights come out of the run's last checkpoint: when a run has ended, sharded ones are no longer at hand.
        """
        assert isinstance(data, ConversationData)
        last = Path(self.trainer.default_root_dir) / LAST
        if not last.is_file():
            raise RecipeError(
                last, "is no file: let the strategy write whole states (save_distributed_checkpoint: false)"
            )
        saved = torch.load(last, map_location="cpu", weights_only=True, mmap=True)["state_dict"]
        network = load_network(self._folder)
        if self.stage == "instruct" and self._lora is not None:
            network = with_adapters(network, self._lora)
        network.load_state_dict({name.removeprefix("network."): tensor for name, tensor in saved.items()})
        write_llava(out, network, source=self._folder, origin=origin)
