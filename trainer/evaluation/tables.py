"""Reports as Markdown tables. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from trainer.evaluation.comparing import Verdict
from trainer.evaluation.dialogue import DialogueScore, WrittenScore
from trainer.evaluation.estimates import Estimate
from trainer.evaluation.report import PhotoScores, Report
from trainer.evaluation.scores import QuestionScore

_QUESTION_COLUMNS = (
    "question",
    "people",
    "accuracy",
    "balanced accuracy",
    "the same, *cannot tell* counted wrong",
    "coverage",
    "calibration error",
    "precision / recall by answer",
)


def as_markdown(reports: Sequence[Report]) -> str:
    """The tasks of all models side by side, then each model's figures. Intervals are 95% bootstrap."""
    return "\n\n".join([_tasks(reports), *[_model(report) for report in reports]]) + "\n"


def verdict_as_markdown(verdict: Verdict) -> str:
    """The questions that two models were compared on, and which to promote."""
    columns = ["question", f"{verdict.in_force} (in force)", verdict.candidate, "difference"]
    rows = [
        [c.question, _figure(c.in_force), _figure(c.candidate), "-" if c.difference is None else str(c.difference)]
        for c in verdict.contests
    ]
    return f"{_table(columns, rows)}\n\n{verdict}\n"


def _figure(value: float | None) -> str:
    return "not answered" if value is None else f"{value:.3f}"


def _tasks(reports: Sequence[Report]) -> str:
    tasks = [report.tasks() for report in reports]
    names = dict.fromkeys(name for found in tasks for name in found)
    rows = [[name, *[f"{found[name]:.3f}" if name in found else "-" for found in tasks]] for name in names]
    return _table(["task", *[report.model for report in reports]], rows)


def _model(report: Report) -> str:
    parts = [f"## {report.model}"]
    if report.photos is not None:
        parts += [_questions(report.photos), _photo_figures(report.photos)]
    if report.dialogue is not None:
        parts.append(_dialogue(report.dialogue))
    return "\n\n".join(parts)


def _questions(photos: PhotoScores) -> str:
    rows = [_question(text, score) for text, score in photos.answering.scores.items()]
    blanks = ["-"] * (len(_QUESTION_COLUMNS) - 2)
    rows += [[text, "not answered", *blanks] for text in photos.answering.unanswered]
    return _table(_QUESTION_COLUMNS, rows)


def _question(text: str, score: QuestionScore) -> list[str]:
    by_answer = [
        f"{answer} {score.precision[answer].value:.2f} / {recall.value:.2f}" for answer, recall in score.recall.items()
    ]
    estimates = (
        score.accuracy,
        score.balanced_accuracy,
        score.strict_balanced_accuracy,
        score.coverage,
        score.calibration_error,
    )
    return [text, str(score.people), *map(str, estimates), ", ".join(by_answer)]


def _photo_figures(photos: PhotoScores) -> str:
    answering, captions, retrieval = photos.answering, photos.captions, photos.retrieval
    figures: dict[str, object] = {
        "people": photos.people,
        "calibration error, pooled over questions": answering.calibration_error,
        "*cannot tell* of cuts that hide the part": answering.told_when_hidden,
        "*cannot tell* where the part is labelled": answering.told_when_labelled,
        **_named("*cannot tell* of such cuts: {}", answering.told_when_hidden_by_question),
        **_named("*cannot tell* of lower halves: {}", answering.told_of_lower_halves),
        "caption F1, mean over attributes": captions.mean_f1,
        **_named("caption F1: {}", captions.f1),
        **_named("captions read as an answer, balanced accuracy: {}", captions.balanced_accuracy),
        **_named("captions that say the measured colour: {}", captions.colour_right),
        **{f"search recall at {k}, {retrieval.queries} queries": found for k, found in retrieval.recall_at.items()},
        "looks a second": f"{photos.speed.looks_per_s:.0f}",
        "captions a second": f"{photos.speed.captions_per_s:.0f}",
    }
    return _table(["figure", "value"], [[name, str(value)] for name, value in figures.items()])


def _named(wording: str, estimates: Mapping[str, Estimate]) -> dict[str, object]:
    return {wording.format(name): found for name, found in estimates.items()}


def _dialogue(dialogue: DialogueScore) -> str:
    kinds = {"open questions": dialogue.questions, "written captions": dialogue.captions}
    rows = [_written(kind, score) for kind, score in kinds.items() if score is not None]
    columns = ["kind", "examples", "matched", "word F1", "called right by the judge", "how answered"]
    skipped = f"\n\n{dialogue.unreadable_rows} rows could not be read." if dialogue.unreadable_rows else ""
    return _table(columns, rows) + skipped


def _written(kind: str, score: WrittenScore) -> list[str]:
    ways = ", ".join(f"{way} {count}" for way, count in score.ways.items())
    return [kind, str(score.examples), str(score.matched), str(score.word_f1), str(score.judged), ways]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
