"""A compact HumanVLM that has learnt, calibrated and written as a checkpoint folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from model.checkpoint import Checkpoint, write_checkpoint
from model.decisions import DecisionSheet, MeasuredQuestion
from model.network import HumanNetwork, NetworkSizes
from model.questions import Question
from model.tokens import WordTokens
from trainer.calibration import Answered, answered, held_out_views
from trainer.people import Person
from trainer.provenance import write_origin
from trainer.stages import Origin
from trainer.texts import QUESTIONS


def write_compact(
    out: Path,
    network: HumanNetwork,
    words: WordTokens,
    held_out: Sequence[Person],
    origin: Origin,
    search: Mapping[str, float],
) -> None:
    """Write the folder that `HumanVLM.load` reads, its temperatures found on the held-out people.

    Args:
        out: The folder; it is made, files of the same names are replaced.
        network: What has learnt.
        words: Its vocabulary.
        held_out: People that it did not learn from; where there are none, nothing is calibrated.
        origin: Where the weights come from.
        search: What the search loss multiplied cosines with and added to them: a later stage goes on from it.
    """
    network.eval()
    answers = answered(network, words, QUESTIONS, held_out_views(held_out)) if held_out else []
    write_checkpoint(out, Checkpoint(network_sizes(network), words, _sheet(answers), network.state_dict()))
    write_origin(out, origin, search=dict(search))


def network_sizes(network: HumanNetwork) -> NetworkSizes:
    """The sizes that a network was built with."""
    return NetworkSizes(network.vision_tower.sizes, network.language_model.sizes, network.text_head.out_features)


def _sheet(answers: Sequence[Answered]) -> DecisionSheet:
    """The trained questions with their temperatures; figures measured on held-out people where there are any."""
    found = {answer.question.question_id: answer for answer in answers}
    return DecisionSheet(
        questions=tuple(_measured(question, found.get(question.question_id)) for question in QUESTIONS)
    )


def _measured(question: Question, found: Answered | None) -> MeasuredQuestion:
    stated = MeasuredQuestion(kind=question.kind, text=question.text, answers=question.answers)
    if found is None:
        return stated
    figures = {"held_out_balanced_accuracy": round(found.balanced_accuracy(), 4)}
    temperature, leaning = found.calibration()
    return stated.model_copy(update={"temperature": temperature, "leaning": leaning, "figures": figures})
