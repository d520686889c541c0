"""What is learnt from by a LLaVA: JSON, shards, corrections; what is broken is skipped, counted and reported."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
import webdataset
from transformers import LlavaProcessor

from model.questions import CANNOT_TELL, Question
from model.tokens import WordTokens
from model.vision_tower import VisionSizes
from tests.builders_conversations import caption_shards, jpeg, llava_json
from tests.builders_llava import tiny_llava
from tests.builders_photos import photo_folder
from trainer.errors import RecipeError
from trainer.feedback import as_conversations, as_people, corrections
from trainer.llava.caption_shards import captioned, shards_in
from trainer.llava.conversation_data import ConversationData
from trainer.llava.conversation_tokens import NOT_LEARNT, ConversationTokens
from trainer.llava.conversations import Conversation, Turn
from trainer.llava.grouped_batches import GroupedBatches, Grouping
from trainer.llava.json_rows import llava_conversations
from trainer.llava.speech import SpokenTo
from trainer.photos_data import PhotosData
from trainer.rows import RowCount
from trainer.texts import HARD_HAT, HAT_COLOUR, all_texts


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return LlavaProcessor.from_pretrained(tiny_llava(tmp_path_factory.mktemp("llava")))


def test_rows_of_llava_json_become_turns_about_a_picture(tmp_path: Path) -> None:
    found, count = llava_conversations(llava_json(tmp_path), tmp_path / "images")
    assert (count.readable, count.rows) == (8, 8)
    assert found[1].turns == (Turn("What colour is the vest?", "blue. Bright."), Turn("And the hat?", "none."))


def test_a_mark_of_a_picture_is_no_part_of_what_is_said(tmp_path: Path) -> None:
    path = llava_json(tmp_path, rows=1)
    (row,) = json.loads(path.read_text())
    row["conversations"] += [{"from": "human", "value": "And?"}, {"from": "gpt", "value": "a <image> hat"}]
    emptied = {**row, "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "<image>"}]}
    path.write_text(json.dumps([row, emptied]))
    found, count = llava_conversations(path, tmp_path / "images")
    assert [turn.answer for turn in found[0].turns] == ["red.", "a  hat"]
    assert dict(count.skipped) == {"no turns of human and gpt": 1}
    with webdataset.TarWriter(str(tmp_path / "0.tar")) as writer:
        for key, caption in enumerate(("<image>\na person", "<image>")):
            writer.write({"__key__": str(key), "jpg": jpeg("red"), "txt": caption})
    captions = RowCount()
    (described,) = captioned([tmp_path / "0.tar"], count=captions)
    assert described.turns[0].answer == "a person"
    assert dict(captions.skipped) == {"no caption": 1}


def test_what_still_names_another_picture_teaches_nothing(processor: Any) -> None:
    tokens = ConversationTokens(processor, form="own", image_tokens=16, longest=500)
    for turn in (Turn("What colour?", "red <image>"), Turn("What <image> colour?", "red")):
        assert tokens.row(Conversation(b"", (turn,))) is None


@pytest.mark.parametrize("form", ["{}\n{}\n", "[{},{}]"])
def test_a_line_ends_where_json_says_so(tmp_path: Path, form: str) -> None:
    path = llava_json(tmp_path, rows=1)
    (row,) = json.loads(path.read_text())
    row["conversations"][1]["value"] = "red.\u2028\x85Bright."
    line = json.dumps(row, ensure_ascii=False)
    path.write_text(form.format(line, line), encoding="utf-8")
    found, count = llava_conversations(path, tmp_path / "images")
    assert [turn.answer for conversation in found for turn in conversation.turns] == ["red.\u2028\x85Bright."] * 2
    assert count.readable == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"image": "0.jpg"}, "no conversations"),
        ({"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "yes"}]}, "no image named"),
        ({"image": "0.jpg", "conversations": [{"from": "gpt", "value": "yes"}]}, "no turns of human and gpt"),
        ({"image": "0.jpg", "conversations": ["yes"]}, "no turns of human and gpt"),
        ("no row", "no conversations"),
    ],
)
def test_a_broken_row_is_skipped_and_counted(tmp_path: Path, row: object, reason: str) -> None:
    path = llava_json(tmp_path)
    path.write_text(json.dumps([*json.loads(path.read_text()), row]))
    found, count = llava_conversations(path, tmp_path / "images")
    assert len(found) == 8
    assert dict(count.skipped) == {reason: 1}


def test_shards_are_read_in_order_and_a_torn_one_as_far_as_it_goes(tmp_path: Path) -> None:
    shards = shards_in(caption_shards(tmp_path / "shards"))
    count = RowCount()
    found = list(captioned(shards, count=count))
    assert count.readable == 12
    assert [row.turns[0].answer for row in found[:2]] == ["a person in a red vest", "a person in a blue vest"]
    picture = found[0].open_picture()
    assert picture is not None
    assert picture.size == (32, 48)
    whole = shards[0].read_bytes()
    shards[0].write_bytes(whole[: len(whole) // 2])
    torn = RowCount()
    assert 6 < len(list(captioned(shards, count=torn))) < 12
    assert torn.skipped.total() >= 1


def test_a_run_refuses_to_start_when_more_than_a_tenth_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = llava_json(tmp_path, rows=20)
    (tmp_path / "images" / "3.jpg").write_bytes(b"no picture")
    data = ConversationData(llava_json=[path], images=tmp_path / "images")
    with caplog.at_level(logging.WARNING):
        data.setup()
    assert data.counts()["instruct.json: skipped, picture not readable"] == 1
    assert "1 of 20 rows skipped: picture not readable" in caplog.text
    for index in (4, 5):
        (tmp_path / "images" / f"{index}.jpg").unlink()
    with pytest.raises(RecipeError, match="only 17 of 20 rows"):
        ConversationData(llava_json=[path], images=tmp_path / "images").setup()


def test_sources_that_are_not_there_are_named(tmp_path: Path) -> None:
    for sources in (
        {"llava_json": [tmp_path / "nothing"]},
        {"corrections": tmp_path / "nothing"},
        {"caption_shards": tmp_path / "nothing"},
    ):
        with pytest.raises(RecipeError, match="nothing"):
            ConversationData(**sources).setup()  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="no source"):
        ConversationData().setup()


def correction(
    crop: str, answer: str, *, text: str = HARD_HAT.text, by: str = "officer", **question: object
) -> dict[str, object]:
    asked = {"kind": "predicate", "text": text, "answers": ["yes", "no"], **question}
    provenance = {
        "person_id": "p1",
        "camera_id": "gate",
        "segment_id": "s1",
        "at": "2026-11-24T12:00:00Z",
        "by": by,
        "kind": "false alarm",
        "answer_revision": "r1",
    }
    return {"crop": crop, "question": asked, "answer": answer, "provenance": provenance}


def test_corrections_teach_either_model_and_what_is_no_correction_is_counted(tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "a.jpg").write_bytes(jpeg("red"))
    lines = [
        correction("crops/a.jpg", "yes", by="a\u2028name"),
        correction("crops/a.jpg", CANNOT_TELL),
        correction("crops/a.jpg", "red", kind="choice", text=HAT_COLOUR.text, answers=list(HAT_COLOUR.answers)),
        correction("crops/a.jpg", CANNOT_TELL, kind="choice", text=HAT_COLOUR.text, answers=list(HAT_COLOUR.answers)),
        correction("crops/a.jpg", "yes", text="Is this person wearing gloves?"),
        correction("crops/a.jpg", "perhaps"),
        correction("crops/missing.jpg", "yes"),
        correction("../a.jpg", "yes"),
    ]
    path = tmp_path / "feedback.jsonl"
    written = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text(written + "\n{\n", encoding="utf-8")
    found, count = corrections(path)
    assert count.readable == 5
    assert dict(count.skipped) == {"not in the form of a correction": 3, "crop not readable": 1}
    answers = [row.turns[0].answer for row in as_conversations(found, tmp_path)]
    assert answers == ["yes", CANNOT_TELL, "red", CANNOT_TELL, "yes"]
    people = [person.attributes for person in as_people(found, tmp_path)]
    # Gloves are not known to the compact one, and a colour that cannot be told says nothing of the hat.
    assert [person.hard_hat for person in people] == ["yes", "hidden", "yes"]
    assert people[2].hat_colour == "red"


def test_the_compact_model_learns_from_corrections_beside_its_photos(tmp_path: Path) -> None:
    photo_folder(tmp_path / "train", count=2)
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "a.jpg").write_bytes(jpeg("red"))
    path = tmp_path / "feedback.jsonl"
    path.write_text(json.dumps(correction("crops/a.jpg", "yes")))
    plain, corrected = PhotosData(tmp_path), PhotosData(tmp_path, corrections=path, crops_a_batch=2, workers=0)
    for data in (plain, corrected):
        data.setup()
    assert len(corrected.learnt) == len(plain.learnt) + 1
    assert corrected.counts()["people_corrected"] == 1
    assert corrected.fingerprint() != plain.fingerprint()
    corrected.learnt = corrected.learnt[-1:] * 2  # only the correction: every view of it must be possible
    corrected.write_in(WordTokens.of(all_texts()), VisionSizes(64, 32, 0.2, 0.3))
    (looks,) = corrected.train_dataloader()
    assert (looks.answers[:, 0] != -100).all()


def test_only_answers_are_learnt_and_a_picture_takes_its_tokens(processor: Any) -> None:
    turns = (Turn("What colour?", "red."), Turn("Sure?", "yes."))
    row = ConversationTokens(processor, form="own", image_tokens=16, longest=500).row(Conversation(b"", turns))
    assert row is not None
    image_id = processor.tokenizer.convert_tokens_to_ids("<image>")
    assert row.ids.count(image_id) == 16
    learnt = processor.tokenizer.decode([label for label in row.labels if label != NOT_LEARNT])
    assert learnt == "red.<|eot_id|>yes.<|eot_id|>"
    said = processor.tokenizer.decode(row.ids)
    assert said == processor.tokenizer.decode(processor.tokenizer(said, add_special_tokens=False)["input_ids"])
    assert said.startswith("<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<image>")


def test_a_conversation_as_user_and_assistant_ends_with_the_text(tmp_path: Path) -> None:
    plain = LlavaProcessor.from_pretrained(tiny_llava(tmp_path, chat_template=None))
    turns = (Turn("What colour?", "red."), Turn("Sure?", "yes."))
    row = ConversationTokens(plain, form="user-assistant", image_tokens=2, longest=500).row(Conversation(b"", turns))
    assert row is not None
    said = plain.tokenizer.decode(row.ids)
    assert said == (
        "<|begin_of_text|>USER: <image><image>\nWhat colour?\nASSISTANT: red.<|end_of_text|>"
        "USER: Sure?\nASSISTANT: yes.<|end_of_text|>"
    )
    cut = ConversationTokens(plain, form="user-assistant", image_tokens=2, longest=12)
    assert cut.row(Conversation(b"", turns)) is None


@pytest.mark.parametrize("answers", ["labels", "words"])
def test_a_corrected_question_is_learnt_as_it_is_decided(tmp_path: Path, answers: str) -> None:
    folder = tiny_llava(tmp_path, settings={"answers": answers})
    (folder / "decision.json").write_text('{"open_to_any_question": true, "cannot_tell": "unclear"}')
    spoken, processor = SpokenTo.read(str(folder)), LlavaProcessor.from_pretrained(folder)
    form = spoken.prompts.form
    tokens = ConversationTokens(processor, form=form, image_tokens=16, longest=500, prompts=spoken.prompts)
    colour = Question("choice", HAT_COLOUR.text, ("red", "blue"))
    asked = spoken.prompts.question(colour)
    for answer, wanted in zip((*colour.answers, CANNOT_TELL), asked.asked.answers, strict=True):
        row = tokens.row(Conversation(b"", (Turn(colour.text, answer),), colour))
        assert row is not None
        picture = (processor.tokenizer.convert_tokens_to_ids("<image>"),) * 16
        assert row.ids == (*asked.before, *picture, *asked.asked.text, *wanted, spoken.prompts.end_id)
        assert tuple(label for label in row.labels if label != NOT_LEARNT) == (*wanted, spoken.prompts.end_id)


def test_cannot_tell_teaches_nothing_where_a_checkpoint_has_no_label_for_it(tmp_path: Path) -> None:
    folder = tiny_llava(tmp_path)
    spoken, processor = SpokenTo.read(str(folder)), LlavaProcessor.from_pretrained(folder)
    tokens = ConversationTokens(processor, form="own", image_tokens=16, longest=500, prompts=spoken.prompts)
    assert tokens.row(Conversation(b"", (Turn(HARD_HAT.text, CANNOT_TELL),), HARD_HAT)) is None


def test_rows_that_teach_nothing_are_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tiny_llava(tmp_path / "model")
    data = ConversationData(llava_json=[llava_json(tmp_path)], images=tmp_path / "images", rows_a_batch=2, longest=45)
    data.write_for(LlavaProcessor.from_pretrained(folder), SpokenTo.read(str(folder)), image_tokens=16)
    data.setup()
    assert len(list(data.batches(epoch=0, batches_a_step=1))) == 4
    assert caplog.text.count("teaches nothing") == 0
    short = ConversationData(llava_json=[tmp_path / "instruct.json"], images=tmp_path / "images", longest=20)
    short.write_for(LlavaProcessor.from_pretrained(folder), SpokenTo.read(str(folder)), image_tokens=16)
    with pytest.raises(RecipeError, match="none of its rows teaches anything within 20 tokens"):
        short.setup()
    assert caplog.text.count("teaches nothing") == 1


def test_batches_hold_rows_of_like_length_and_know_what_their_step_teaches(tmp_path: Path, processor: Any) -> None:
    found, _ = llava_conversations(llava_json(tmp_path, rows=16), tmp_path / "images")
    tokens = ConversationTokens(processor, form="own", image_tokens=16, longest=500)
    rows = [row for conversation in found if (row := tokens.row(conversation))]

    def batches(seed: int) -> GroupedBatches:
        return GroupedBatches(
            lambda: iter(rows), 8, Grouping(2, 4, pad_id=0), lambda _: torch.zeros(3, 28, 28), seed=[seed]
        )

    drawn = list(batches(1))
    assert len(drawn) == len(batches(1)) == 8
    padding = sum(int((batch.mask == 0).sum()) for batch in drawn)
    assert padding < 0.1 * sum(batch.mask.numel() for batch in drawn)
    for step in (drawn[:4], drawn[4:]):
        learnt = sum(int((batch.labels[:, 1:] != NOT_LEARNT).sum()) for batch in step)
        assert [int(batch.step_tokens) for batch in step] == [learnt] * 4
    again = list(batches(1).from_batch(3))
    assert all(torch.equal(one.ids, other.ids) for one, other in zip(drawn[3:], again, strict=True))
    assert any(one.ids.shape != other.ids.shape for one, other in zip(drawn, batches(2), strict=True))
