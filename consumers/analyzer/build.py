"""Puts the analyzer together from its settings."""

import os
from collections.abc import Callable

from consumers.analyzer.eyes import Eyes
from consumers.analyzer.manifests import SegmentAnalysis
from consumers.questions import QuestionsInForce
from consumers.runner import Runner
from consumers.served import served_model
from consumers.settings import AnalyzerSettings
from operations.seeing.health import Health
from streamer.bus.client import Bus
from streamer.bus.media_opening import open_media
from streamer.bus.messages import SegmentReady
from streamer.bus.topics import QUESTIONS, SEGMENTS

GROUP = "analyzer"


def open_eyes(settings: AnalyzerSettings, *, is_stopping: Callable[[], bool] = lambda: False) -> Eyes:
    """The models that the settings name; where HumanVLM is a server's, wait until it answers.

    Raises:
        ModelFolderError: A model folder holds no model.
        ModelCacheError: The cache folder cannot be written.
        ModelServerError: The model server cannot be used as the settings say.
        DecisionSheetError: The decision sheet cannot be read.
        SettingsError: The file with the server's key cannot be read.
        WorkAbandonedError: `is_stopping` said so while the model server was away.
    """
    os.environ.setdefault("YOLO_OFFLINE", "1")  # nothing of ours is fetched while it runs
    if settings.analyzer.threads is not None:
        import torch

        torch.set_num_threads(settings.analyzer.threads)
    eyes = Eyes.open(
        cache_dir=settings.cache_dir,
        detector=settings.detector.name,
        engine=settings.detector.engine,
        confidence=settings.detector.confidence,
        image_size=settings.detector.image_size,
        vlm=settings.vlm.name,
        device=settings.vlm.device,
        served=served_model(settings.vlm),
        sampling_fps=settings.sampling.target_fps,
        looks_at_most=settings.sampling.looks_at_most,
    )
    with eyes.heeding(is_stopping):
        eyes.check()
    return eyes


def build_analyzer(settings: AnalyzerSettings, bus: Bus, health: Health | None = None) -> Runner[SegmentReady]:
    """The analyzer, its models loaded and its store proven writable.

    Raises:
        MediaStoreError: The media store cannot be written.
        ModelFolderError: A model folder holds no model.
        ModelCacheError: The cache folder cannot be written.
        ModelServerError: The model server cannot be used as the settings say.
    """
    store = open_media(settings)
    store.check_writable()
    eyes = open_eyes(settings)
    eyes.warm_up()
    if health is not None:
        health.has("models")
    stage = SegmentAnalysis(eyes, store, QuestionsInForce(bus.latest(QUESTIONS)))
    batch_size = settings.analyzer.batch_segments
    return Runner(bus, [SEGMENTS], GROUP, stage, batch_size=batch_size, leg="analyze", health=health)
