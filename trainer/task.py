"""The training task: one network, three losses, in Lightning's terms.

Legend: B looks, Q questions, T tokens, N search texts, D width, V vocabulary.
"""

import math
from collections.abc import Sequence

import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional

from model.network import HumanNetwork
from model.questions import Question
from model.tokens import CANNOT_TELL_WORD, PAD, SUMMARY, WordTokens
from trainer.looks import NO_ANSWER, Looks
from trainer.recipe import StepsRecipe


class HumanVLMTask(lightning.LightningModule):
    """Teaches a `HumanNetwork` to answer, describe and be found."""

    def __init__(
        self,
        network: HumanNetwork,
        words: WordTokens,
        questions: Sequence[Question],
        steps: StepsRecipe,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.temperature = nn.Parameter(torch.tensor(math.log(10.0)))  # SigLIP's starting values
        self.bias = nn.Parameter(torch.tensor(-5.0))
        self._words, self._steps, self._total_steps = words, steps, total_steps
        self._questions = [torch.tensor([words.ids(question.text)]) for question in questions]
        allowed = [[words.id_of(w) for w in (*q.answers, CANNOT_TELL_WORD)] for q in questions]
        self._allowed = [torch.tensor(ids) for ids in allowed]
        # Twice as fast here: torch's fused attention on a CPU is slow to differentiate.
        network.language_model.llama.set_attn_implementation("eager")
        for layer in list(network.vision_tower.backbone)[: steps.frozen_backbone_layers]:
            layer.requires_grad_(False)

    def training_step(self, looks: Looks, _index: int) -> Tensor:
        """The weighted sum of the three losses of one batch."""
        losses = self.losses(looks)
        self.log_dict({f"train/{name}_loss_nats": loss.detach() for name, loss in losses.items()})
        weights = {"answer": 1.0, "caption": self._steps.caption_weight, "search": self._steps.search_weight}
        return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()

    def losses(self, looks: Looks) -> dict[str, Tensor]:
        """Each loss of a batch, in nats."""
        tokens = self._dropped(self.network.see(looks.pixels))
        summary_id = torch.tensor([[self._words.id_of(SUMMARY)]])
        asked = [*self._questions, summary_id, looks.captions[:, :-1]]
        *answered, summary, captioned = self.network.language_model.read_about(
            tokens, [ids.to(tokens.device) for ids in asked]
        )
        return {
            "answer": self._answer_loss([hidden[:, -1] for hidden in answered], looks.answers),
            "caption": self._caption_loss(captioned, looks.captions[:, 1:]),
            "search": self._search_loss(self.network.embed_summary(summary[:, -1]), looks),
        }

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW, slower for the backbone, warmed up and then cooled along a cosine."""
        backbone = [p for p in self.network.vision_tower.parameters() if p.requires_grad]
        known = {id(p) for p in self.network.vision_tower.parameters()}
        others = [p for p in self.parameters() if id(p) not in known]
        groups = [
            {"params": backbone, "lr": self._steps.backbone_learning_rate},
            {"params": others, "lr": self._steps.learning_rate},
        ]
        optimizer = torch.optim.AdamW(groups, weight_decay=self._steps.weight_decay, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._speed)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _speed(self, step: int) -> float:
        warmup = max(1, round(self._steps.warmup_share * self._total_steps))
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, self._total_steps - warmup)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    def _dropped(self, tokens: Tensor) -> Tensor:
        if not self.training or not self._steps.tokens_dropped:
            return tokens
        kept = torch.rand(tokens.shape[:2], device=tokens.device) >= self._steps.tokens_dropped
        return tokens * kept[..., None]

    def _answer_loss(self, hidden: Sequence[Tensor], answers: Tensor) -> Tensor:
        """Cross entropy among the allowed answers of each question, over everything that was asked."""
        total, asked = hidden[0].sum() * 0, 0
        for column, (states, allowed) in enumerate(zip(hidden, self._allowed, strict=True)):
            known = answers[:, column] != NO_ANSWER
            if not known.any():
                continue
            ids = allowed.to(states.device)
            logits = self.network.language_model.logits(states[known])[:, ids]
            wanted = (answers[known, column, None] == ids).int().argmax(dim=1)
            total = total + functional.cross_entropy(
                logits, wanted, reduction="sum", label_smoothing=self._steps.label_smoothing
            )
            asked += int(known.sum())
        return total / max(asked, 1)

    def _caption_loss(self, hidden: Tensor, captions: Tensor) -> Tensor:
        logits = self.network.language_model.logits(hidden)  # (B, T, V)
        return functional.cross_entropy(logits.flatten(0, 1), captions.flatten(), ignore_index=self._words.id_of(PAD))

    def _search_loss(self, images: Tensor, looks: Looks) -> Tensor:
        """SigLIP's pairwise loss (https://arxiv.org/abs/2303.15343) over the pairs of which the truth is known.

        True and false pairs weigh the same, since false ones are many.
        """
        texts = self.network.embed_texts(looks.texts, looks.text_ends)
        logits = images @ texts.T * self.temperature.exp() + self.bias  # (B, N)
        is_true, is_false = looks.agreement == 1, looks.agreement == 0
        attract = -functional.logsigmoid(logits[is_true]).sum() / is_true.sum().clamp(min=1)
        repel = -functional.logsigmoid(-logits[is_false]).sum() / is_false.sum().clamp(min=1)
        return attract + repel
