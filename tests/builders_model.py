"""Small real models for tests."""

from pathlib import Path

import torch

from model.checkpoint import Checkpoint, write_checkpoint
from model.decisions import DecisionSheet, MeasuredQuestion
from model.language_model import LanguageSizes
from model.network import HumanNetwork, NetworkSizes
from model.tokens import WordTokens
from model.vision_tower import VisionSizes

QUESTIONS = (
    MeasuredQuestion(kind="predicate", text="Is this person wearing a hard hat?", answers=("yes", "no")),
    MeasuredQuestion(
        kind="predicate", text="Is this person wearing a safety vest?", answers=("yes", "no"), temperature=1.5
    ),
    MeasuredQuestion(
        kind="choice", text="What colour is the hard hat?", answers=("yellow", "white", "orange"), temperature=0.8
    ),
)
_TEXTS = (
    "worker in a yellow hard hat and an orange safety vest, dark trousers.",
    "person without a hard hat, in a blue top.",
    "yes no yellow white orange",
    *(question.text for question in QUESTIONS),
)


def tiny_humanvlm(folder: Path, *, seed: int = 0) -> Path:
    """A checkpoint folder with a real, tiny HumanVLM of random weights."""
    torch.manual_seed(seed)
    words = WordTokens.of(_TEXTS)
    sizes = NetworkSizes(
        VisionSizes(height_px=64, width_px=32, backbone_width=0.2, backbone_depth=0.3),
        LanguageSizes(vocabulary=len(words), width=24, layers=2, heads=2, feed_forward=48),
        embedding_width=16,
    )
    network = HumanNetwork(sizes)
    write_checkpoint(folder, Checkpoint(sizes, words, DecisionSheet(questions=QUESTIONS), network.state_dict()))
    return folder
