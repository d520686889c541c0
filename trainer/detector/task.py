"""How a person detector learns from labels without forgetting what its starting weights know.

Labels of a data set made for something else leave people out, and a detector trained on them alone unlearns everybody
who is not labelled. So the starting weights stay beside the student as its teacher: everywhere but around the people
whom only the labels know, the student is held to the teacher's scores and boxes (as in Learning without Forgetting,
https://arxiv.org/abs/1606.09282); around those people the labels teach.
"""

import math
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from trainer.detector.losses import MissedPersonsLoss, RawOutputs, known_persons, missed_persons, teacher_loss
from trainer.detector.photos import PersonBatch

BACKBONE_LAYERS = 11  # of yolo11.yaml


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How far the student may go from its teacher.

    `label_weight` pulls towards the labels, `teacher_weight` holds back. A label is a person whom the teacher missed
    where it overlaps none of the teacher's boxes (found at `teacher_confidence`) by `same_person_iou`. The first
    `frozen_layers` stay the teacher's own, and are run once for both.
    """

    learning_rate: float = 2e-4
    warmup_steps: int = 50
    steps: int = 1500
    weight_decay: float = 1e-4
    label_weight: float = 1.0
    teacher_weight: float = 1.0
    teacher_confidence: float = 0.25
    same_person_iou: float = 0.3
    frozen_layers: int = BACKBONE_LAYERS


class DetectorTask(pl.LightningModule):
    """Trains `network`, which begins as a copy of `teacher`."""

    def __init__(self, network: nn.Module, teacher: nn.Module, adaptation: Adaptation) -> None:
        super().__init__()
        self.network, self.adaptation = network.requires_grad_(True), adaptation
        self.teacher = teacher.requires_grad_(False)
        for layer in _layers(network)[: adaptation.frozen_layers]:
            layer.requires_grad_(False)
        self._missed_persons_loss = MissedPersonsLoss(network)

    def train(self, mode: bool = True) -> "DetectorTask":
        """Both networks stay in evaluation mode: batch norms keep the statistics that the teacher's have."""
        super().train(mode)
        self.network.eval()
        self.teacher.eval()
        return self

    def training_step(self, batch: PersonBatch, _position: int) -> Tensor:
        """The loss of one batch."""
        labels, teacher = self.losses(batch)
        self.log_dict({"train/label_loss": labels, "train/teacher_loss": teacher})
        return self.adaptation.label_weight * labels + self.adaptation.teacher_weight * teacher

    def losses(self, batch: PersonBatch) -> tuple[Tensor, Tensor]:
        """What the labels ask for and what the teacher holds to, unweighted."""
        settings = self.adaptation
        pixels = batch.pixels.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            shared = _run(self.teacher, [pixels], settings.frozen_layers)
            rows, taught_outputs = _run(self.teacher, shared)[-1]
        learnt_outputs = _run(self.network, shared)[-1][1]
        head = _layers(self.network)[-1]
        learnt, taught = RawOutputs.of(learnt_outputs, head), RawOutputs.of(taught_outputs, head)
        known = known_persons(rows.float(), settings.teacher_confidence)
        missed = missed_persons(batch.boxes_xyxy, known, settings.same_person_iou)
        # Where a missed person stands behind a known one, the teacher's sure anchors stay the teacher's.
        from_labels = learnt.inside(missed) & (taught.scores.sigmoid() < settings.teacher_confidence)
        of_labels = self._missed_persons_loss(learnt, known, missed, from_labels)
        return of_labels, teacher_loss(learnt, taught, ~from_labels)

    def configure_optimizers(self) -> Any:
        """AdamW, warmed up, then along a cosine to a hundredth."""
        settings = self.adaptation
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=settings.learning_rate, weight_decay=settings.weight_decay)

        def share(step: int) -> float:
            if step < settings.warmup_steps:
                return (step + 1) / settings.warmup_steps
            done = (step - settings.warmup_steps) / max(settings.steps - settings.warmup_steps, 1)
            return 0.01 + 0.99 * (1 + math.cos(math.pi * min(done, 1.0))) / 2

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _layers(network: Any) -> Any:
    return network.model


def _run(network: Any, outputs: list[Any], until: int | None = None) -> list[Any]:
    """Run the layers that follow `outputs` (the pixels, then one output for each layer already run)."""
    outputs = list(outputs)
    for layer in _layers(network)[len(outputs) - 1 : until]:
        come_from = [layer.f] if isinstance(layer.f, int) else layer.f
        inputs = [outputs[-1] if i == -1 else outputs[i + 1] for i in come_from]
        outputs.append(layer(inputs if len(inputs) > 1 else inputs[0]))
    return outputs
