"""Corrections to a feedback file: one JSON object a line, the crops beside it.

A line is `{crop, question: {kind, text, answers}, answer, provenance}`; `crop` is relative to the file's folder. The
trainer reads it on another machine, without a database or a media store.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from sqlalchemy import select

from consumers.alerts.desk_database import DeskDatabase
from consumers.alerts.schema import AlertRecord, EvidenceRecord, FeedbackRecord
from consumers.errors import FeedbackError
from consumers.evidence.copier import CROP
from model.questions import CANNOT_TELL
from streamer.bus.media import SCHEME, MediaStore

FILE_NAME, CROPS = "feedback.jsonl", "crops"


class Line(BaseModel):
    """A piece of the feedback file."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CorrectedQuestion(Line):
    """What was asked; `answers` leaves out *cannot tell*."""

    kind: Literal["predicate", "choice"]
    text: str
    answers: tuple[str, ...]


class Provenance(Line):
    """Who said so, of whom, and which model had said otherwise."""

    person_id: str
    camera_id: str
    segment_id: str
    at: AwareDatetime
    by: str
    kind: Literal["false alarm", "missed"]
    answer_revision: str


class Correction(Line):
    """One line of the feedback file."""

    crop: str
    question: CorrectedQuestion
    answer: str
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Exported:
    """How many corrections were written, and why others were not."""

    path: Path
    written: int
    left_out: tuple[str, ...]


class FeedbackExport:
    """Writes what officers corrected.

    Raises (from `write`): `DeskError`, `MediaStoreError` when the store cannot be read, `FeedbackError` when the folder
    cannot be written.
    """

    def __init__(self, desk: DeskDatabase, store: MediaStore) -> None:
        """Read corrections from `desk` and crops from `store`."""
        self._desk, self._store = desk, store

    def write(self, folder: Path) -> Exported:
        """Write the feedback file into `folder`; the whole of it takes the place of one that is there.

        Of several corrections of one crop and question the last one counts. A crop that the footage's retention took is
        read from the alert's evidence.
        """
        lines: list[str] = []
        left_out: list[str] = []
        try:
            (folder / CROPS).mkdir(parents=True, exist_ok=True)
            for row in self._rows():
                made = self._line(row, folder)
                if isinstance(made, str):
                    left_out.append(f"correction {row.id}: {made}")
                else:
                    lines.append(made.model_dump_json())
            path = _put(folder / FILE_NAME, "".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            raise FeedbackError(folder, error.strerror or str(error)) from error
        return Exported(path, len(lines), tuple(left_out))

    def _rows(self) -> Iterator[FeedbackRecord]:
        """Corrections in the order in which they were given, without those that a later one takes back."""
        with self._desk.reading() as session:
            rows = list(session.scalars(select(FeedbackRecord).order_by(FeedbackRecord.id)))
        last = {(row.crop_uri, str(row.question.get("text"))): row.id for row in rows}
        return (row for row in rows if last[row.crop_uri, str(row.question.get("text"))] == row.id)

    def _line(self, row: FeedbackRecord, folder: Path) -> Correction | str:
        """One correction with its crop in place, or why it cannot be used."""
        try:
            correction = _correction(row)
        except ValidationError as error:
            return f"it does not fit: {error.errors(include_url=False)[0]['msg']}"
        if correction.answer not in (*correction.question.answers, CANNOT_TELL):
            return f"{correction.answer!r} is none of the answers to {correction.question.text!r}"
        uri = self._crop(row)
        if uri is None:
            return "its crop is neither in the media store nor among the evidence"
        _put(folder / correction.crop, self._store.read(uri))
        return correction

    def _crop(self, row: FeedbackRecord) -> str | None:
        if self._store.exists(row.crop_uri):
            return row.crop_uri
        chosen = (
            select(EvidenceRecord.uri)
            .join(AlertRecord, AlertRecord.alert_id == EvidenceRecord.alert_id)
            .where(AlertRecord.alert_id == row.alert_id, AlertRecord.crop_uri == row.crop_uri)
            .where(EvidenceRecord.kind == CROP)
        )
        with self._desk.reading() as session:
            copied = session.scalar(chosen)
        return copied if copied is not None and self._store.exists(copied) else None


def _correction(row: FeedbackRecord) -> Correction:
    return Correction(
        crop=f"{CROPS}/{row.crop_uri.removeprefix(SCHEME).replace('/', '_')}",
        question=CorrectedQuestion.model_validate(row.question),
        answer=row.answer,
        provenance=Provenance.model_validate(
            {
                "person_id": row.person_id,
                "camera_id": row.camera_id,
                "segment_id": row.segment_id,
                "at": row.seen_at,
                "by": row.by,
                "kind": row.kind,
                "answer_revision": row.answer_revision,
            }
        ),
    )


def _put(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
    return path
