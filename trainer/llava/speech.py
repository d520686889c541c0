"""How a LLaVA checkpoint is spoken to, read from beside its weights, so that it learns in the form it is asked in."""

from dataclasses import dataclass
from pathlib import Path

from transformers import LlavaProcessor
from transformers.decision import DecisionConfig

from model.errors import ModelFolderError
from model.folders import DECISION_TEMPLATE, DECISIONS, SETTINGS, model_folder
from model.layouts.llava import read_sheet
from model.layouts.prompts import Prompts
from model.layouts.settings import LlavaSettings
from trainer.errors import RecipeError


@dataclass(frozen=True, slots=True)
class SpokenTo:
    """A checkpoint's settings, and the prompts that follow from them."""

    settings: LlavaSettings
    prompts: Prompts

    @classmethod
    def read(cls, name: str) -> "SpokenTo":
        """That of a folder or hub id whose processor can be loaded.

        Raises:
            RecipeError: `humanvlm.json` or `decision.json` is none.
        """
        try:
            folder = model_folder(name, (SETTINGS, DECISIONS, DECISION_TEMPLATE))
            settings, sheet = LlavaSettings.read(folder), read_sheet(folder)
        except ModelFolderError as error:
            raise RecipeError(Path(name), error.reason) from error
        # A processor of their own: they give it the chat template of the form, and what is written stays as it was.
        processor, decision = LlavaProcessor.from_pretrained(name), DecisionConfig.from_pretrained(folder)
        return cls(settings, Prompts(processor, settings, decision, sheet.cannot_tell))
