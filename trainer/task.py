"""The compact HumanVLM in training: one network, three losses, two stages, in Lightning's terms.

Legend: B looks, P image tokens, Q questions, T tokens, D width, V vocabulary.
"""

import json
import math
import re
from pathlib import Path

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from model.checkpoint import read_checkpoint
from model.network import HumanNetwork
from model.tokens import CANNOT_TELL_WORD, PAD, SUMMARY, WordTokens
from trainer.compact_export import write_compact
from trainer.errors import RecipeError, StartingWeightsError
from trainer.held_out_progress import HeldOutProgress
from trainer.looks import Looks
from trainer.losses import answer_loss, caption_loss, search_loss
from trainer.photos_data import PhotosData
from trainer.provenance import TRAINING
from trainer.ranks import mean_over_ranks
from trainer.recipe import SizesRecipe, StepsRecipe, WarmUpRecipe
from trainer.resumable import RunningMean
from trainer.schedule import cooled
from trainer.stages import Origin, Stage, StageData, StageTask
from trainer.starting_weights import DEPTH, WIDTH, imagenet_backbone
from trainer.texts import QUESTIONS, all_texts
from trainer.trainable import set_trainable
from trainer.warm_up import warm_up

_BACKBONE_LAYER = re.compile(r"network\.vision_tower\.backbone\.(\d+)\.")


class CompactTask(StageTask):
    """Teaches a `HumanNetwork` to answer, describe and be found."""

    def __init__(
        self,
        sizes: SizesRecipe = SizesRecipe(),  # noqa: B008 (frozen)
        steps: StepsRecipe = StepsRecipe(),  # noqa: B008
        warm_up: WarmUpRecipe | None = None,
        from_imagenet: bool = False,
    ) -> None:
        """Nothing is built before `begin`.

        Args:
            sizes: How large the network is.
            steps: How its weights are moved.
            warm_up: What the language model reads before stage 1; None trusts the weights that the stage starts from.
            from_imagenet: Whether the vision tower starts from ImageNet's weights; it starts from noise otherwise.
        """
        super().__init__()
        self.words = WordTokens.of(all_texts())
        self.network = HumanNetwork(sizes.network(self.words))
        self.temperature = nn.Parameter(torch.tensor(math.log(10.0)))  # SigLIP's starting values
        self.bias = nn.Parameter(torch.tensor(-5.0))
        self._sizes, self._steps, self._warm_up, self._from_imagenet = sizes, steps, warm_up, from_imagenet
        self._started_from: dict[str, Tensor] = {}
        self._questions = [torch.tensor([self.words.ids(question.text)]) for question in QUESTIONS]
        allowed = [[self.words.id_of(w) for w in (*q.answers, CANNOT_TELL_WORD)] for q in QUESTIONS]
        self._allowed = [torch.tensor(ids) for ids in allowed]
        # Twice as fast here: torch's fused attention on a CPU is slow to differentiate.
        self.network.language_model.llama.set_attn_implementation("eager")

    def begin(self, stage: Stage, start: Path | None, data: StageData) -> None:
        """Load the weights to start from, and let learn what the stage moves.

        Raises:
            ModelFolderError: `start` holds no checkpoint.
            RecipeError: `start` has other sizes or words.
            StartingWeightsError: ImageNet's weights are not installed, or of another backbone than the recipe's.
        """
        assert isinstance(data, PhotosData)
        data.write_in(self.words, self.network.vision_tower.sizes)
        self.stage = stage
        if self._from_imagenet:
            vision = self.network.vision_tower.sizes
            if (vision.backbone_width, vision.backbone_depth) != (WIDTH, DEPTH):
                raise StartingWeightsError(f"they are of a backbone of width {WIDTH} and depth {DEPTH}")
            self.network.vision_tower.backbone.load_state_dict(imagenet_backbone().state_dict())
        if start is not None:
            self._start_from(start)
        self.network.to(memory_format=torch.channels_last)
        set_trainable(self)

    def learns(self, name: str) -> bool:
        """Stage 1 moves the connector; stage 2 everything but the first layers of the backbone."""
        if self.stage == "align":
            return name.startswith("network.connector.")
        layer = _BACKBONE_LAYER.match(name)
        return layer is None or int(layer[1]) >= self._steps.frozen_backbone_layers

    def rehearse(self, data: StageData, trainer: lightning.Trainer, *, resume: bool) -> None:
        """Teach the language model to read, where the recipe says so."""
        assert isinstance(data, PhotosData)
        if self._warm_up is not None:
            warm_up(self, self._warm_up, data, trainer, resume=resume)
            set_trainable(self)

    def configure_callbacks(self) -> list[Callback]:
        """Held-out people are asked after every epoch; the weights' running mean is kept where the recipe says so."""
        callbacks: list[Callback] = [HeldOutProgress(self.network, self.words)]
        if decay := self._steps.averaging_decay:
            callbacks.append(RunningMean(decay))
        return callbacks

    def training_step(self, looks: Looks, _index: int) -> Tensor:
        """The weighted sum of the three losses of one batch."""
        losses = self.losses(looks)
        self.log_dict({f"train/{name}_loss_nats": loss.detach() for name, loss in losses.items()})
        return self.weighted(losses)

    def weighted(self, losses: dict[str, Tensor]) -> Tensor:
        """The one number that is made small."""
        steps = self._steps
        weights = {"answer": steps.answer_weight, "caption": steps.caption_weight, "search": steps.search_weight}
        return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()

    def losses(self, looks: Looks) -> dict[str, Tensor]:
        """Each loss of a batch, in nats."""
        return self.losses_about(self._dropped(self.network.see(looks.pixels)), looks)

    def losses_about(self, tokens: Tensor, looks: Looks) -> dict[str, Tensor]:
        """Each loss, in nats, of what is said about people who are shown by these tokens (B, P, D)."""
        device, language_model = tokens.device, self.network.language_model
        summary_id = torch.tensor([[self.words.id_of(SUMMARY)]])
        asked = [*self._questions, summary_id, looks.captions[:, :-1]]
        *answered, summary, captioned = language_model.read_about(tokens, [ids.to(device) for ids in asked])
        answer = answer_loss(
            [language_model.logits(hidden[:, -1]) for hidden in answered],
            looks.answers,
            [ids.to(device) for ids in self._allowed],
            label_smoothing=self._steps.label_smoothing,
        )
        caption = caption_loss(language_model.logits(captioned), looks.captions[:, 1:], pad_id=self.words.id_of(PAD))
        strategy = self._trainer.strategy if self._trainer is not None else None
        return {
            "answer": mean_over_ranks(*answer, strategy),
            "caption": mean_over_ranks(*caption, strategy),
            "search": search_loss(
                self.network.embed_summary(summary[:, -1]),
                self.network.embed_texts(looks.texts, looks.text_ends),
                looks.agreement,
                temperature=self.temperature,
                bias=self.bias,
            ),
        }

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, slower for the backbone, warmed up and then cooled along a cosine."""
        steps = self._steps
        of_tower = {id(parameter) for parameter in self.network.vision_tower.parameters()}
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in learning if id(p) in of_tower], "lr": steps.backbone_learning_rate},
            {"params": [p for p in learning if id(p) not in of_tower], "lr": steps.learning_rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=steps.weight_decay, betas=(0.9, 0.98))
        return cooled(optimizer, total_steps=self.total_steps, warmup_share=steps.warmup_share)

    def export(self, out: Path, data: StageData, origin: Origin) -> None:
        """Calibrate on the held-out people and write the checkpoint folder."""
        assert isinstance(data, PhotosData)
        self._keep_of_start()
        search = {"temperature": float(self.temperature.detach()), "bias": float(self.bias.detach())}
        write_compact(out, self.network, self.words, data.held_out, origin, search)

    def _start_from(self, start: Path) -> None:
        checkpoint = read_checkpoint(start)
        if checkpoint.sizes != self._sizes.network(self.words):
            raise RecipeError(start, "its sizes are not those of the recipe, or it knows other words")
        if checkpoint.words != self.words:
            raise RecipeError(start, "it knows other words than today's texts hold: train stage 1 again")
        self.network.load_state_dict(dict(checkpoint.weights))
        self._started_from = dict(checkpoint.weights)
        origin = start / TRAINING
        search = json.loads(origin.read_text(encoding="utf-8")).get("search", {}) if origin.is_file() else {}
        with torch.no_grad():
            self.temperature.fill_(search.get("temperature", self.temperature.item()))
            self.bias.fill_(search.get("bias", self.bias.item()))

    def _keep_of_start(self) -> None:
        """Average the weights with those of the start, so that what it did well is not forgotten.

        After WiSE-FT (https://arxiv.org/abs/2109.01903).
        """
        share = self._steps.kept_of_start
        if share and self._started_from:
            learnt = {name: tensor.cpu() for name, tensor in self.network.state_dict().items()}
            mixed = {name: torch.lerp(learnt[name], self._started_from[name], share) for name in learnt}
            self.network.load_state_dict(mixed)

    def _dropped(self, tokens: Tensor) -> Tensor:
        if not self.training or not self._steps.tokens_dropped:
            return tokens
        kept = torch.rand(tokens.shape[:2], device=tokens.device) >= self._steps.tokens_dropped
        return tokens * kept[..., None]
