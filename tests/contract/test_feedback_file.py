"""The feedback file: what consumers write is what the trainer reads; neither knows the other."""

from datetime import timedelta
from pathlib import Path

from consumers.alerts.schema import FeedbackRecord
from consumers.feedback.export import FILE_NAME, FeedbackExport
from model.questions import CANNOT_TELL
from streamer.bus.media import MediaStore
from tests.builders_consumers import HAT, NOON
from tests.builders_notifying import a_desk
from tests.builders_web import jpeg, picture
from trainer.feedback import corrections


def test_the_trainer_reads_every_correction_that_officers_gave(tmp_path: Path) -> None:
    store, desk = MediaStore(str(tmp_path / "media")), a_desk(tmp_path)
    question = {"question_id": HAT.question_id, "kind": HAT.kind, "text": HAT.text, "answers": list(HAT.answers)}
    given = [("yes", "false alarm"), ("no", "missed"), (CANNOT_TELL, "false alarm")]
    for number, (answer, kind) in enumerate(given):
        uri = f"media:///crops/gate/s{number}.r1/001-002000.jpg"
        store.write(uri, jpeg(picture("zidane.jpg")[:200, :100]))
        with desk.writing() as session:
            session.add(
                FeedbackRecord(
                    kind=kind,
                    person_id=f"p{number}",
                    camera_id="gate",
                    segment_id=f"s{number}",
                    crop_uri=uri,
                    question=question,
                    answer=answer,
                    answer_revision="humanvlm-1",
                    seen_at=NOON,
                    given_at=NOON + timedelta(hours=1),
                    by="anna",
                )
            )
    FeedbackExport(desk, store).write(tmp_path / "out")
    desk.close()
    found, count = corrections(tmp_path / "out" / FILE_NAME)
    assert not count.skipped
    assert [(one.answer, one.provenance.kind) for one in found] == given
    first = found[0]
    assert (first.question.kind, first.question.text, first.question.answers) == (HAT.kind, HAT.text, HAT.answers)
    assert (first.provenance.person_id, first.provenance.segment_id, first.provenance.by) == ("p0", "s0", "anna")
    assert first.provenance.at == NOON
