"""`humanvlm.json`: how a LLaVA checkpoint wants to be spoken to. It lies beside the weights and may be left out."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from model.errors import ModelFolderError
from model.folders import SETTINGS, read_json

PromptForm = Literal["own", "llama-3", "user-assistant"]

# Three grains, as the captions of HumanCaptionHQ have them (https://arxiv.org/abs/2411.03034).
CAPTION_REQUEST = (
    "Describe this person in three short sentences, so that somebody else can find them: first the head (headwear, "
    "glasses, mask), then the body (clothes and their colours, gloves, what they carry and do), then the surroundings. "
    "Say only what can be seen, and nothing of age, sex, origin or mood."
)

CAPTION_TOKENS_AT_MOST = 160


class LlavaSettings(BaseModel):
    """The contents of `humanvlm.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: PromptForm | None = Field(
        None,
        description="`own`: the checkpoint's chat template; `llama-3`: Llama 3's; `user-assistant`: USER: … "
        "ASSISTANT:. None: its own if it has one, else user-assistant.",
    )
    answers: Literal["labels", "words"] = Field(
        "labels",
        description="`labels`: answers are listed in the question and told by letter, as transformers asks; `words`: "
        "the bare question is asked and the answers' own words are scored, as a model trained on such pairs learns it.",
    )
    search_tower: str = Field(
        "google/siglip-so400m-patch14-384", description="SigLIP dual encoder of the search space: a folder or a hub id."
    )
    caption_request: str = Field(CAPTION_REQUEST, min_length=1)
    caption_tokens_at_most: PositiveInt = CAPTION_TOKENS_AT_MOST

    @classmethod
    def read(cls, folder: Path) -> "LlavaSettings":
        """The settings beside a checkpoint's weights; the defaults where there are none.

        Raises:
            ModelFolderError: the file is there and holds something else.
        """
        if not (folder / SETTINGS).is_file():
            return cls()
        try:
            return cls.model_validate(read_json(folder, SETTINGS))
        except ValidationError as error:
            first = error.errors()[0]
            raise ModelFolderError(folder, f"{SETTINGS}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
