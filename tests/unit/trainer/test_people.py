"""From labelled photos to people, views of them and what is said of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.tokens import WordTokens
from tests.builders_photos import photo_folder
from trainer.augment import Donors, barely_hidden_view, changed_view, hidden_view, plain_view
from trainer.cameras import filmed, shrunk
from trainer.colours import clothing_colour, equipment_colour, is_colourless
from trainer.errors import PhotosError
from trainer.faces import has_mask_to_give, with_mask
from trainer.heads import has_head, with_head_of, with_other_head, with_soft_hat
from trainer.people import Attributes, Person, labelled_answer, people_in
from trainer.photos import HARD_HAT, NO_HARD_HAT, LabelledBox, fingerprint, labelled_photos
from trainer.rows import RowCount
from trainer.sampling import draw_weights
from trainer.texts import QUESTIONS, agrees, all_texts, answers_of, caption_of, search_text_of, statements_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("photos") / "train", count=2)


@pytest.fixture(scope="module")
def people(folder: Path) -> list[Person]:
    return [person for photo in labelled_photos(folder) for person in people_in(photo, smallest_px=64)]


def test_labels_and_pixels_say_who_wears_what(people: list[Person]) -> None:
    worker, visitor = people[0].attributes, people[1].attributes
    assert worker == Attributes("yes", "yellow", "yes", "orange", "yes", trousers_colour="black")
    assert visitor == Attributes("no", None, "no", None, "yes", top_colour="blue", trousers_colour="black")


def test_people_smaller_than_asked_for_are_left_out(folder: Path) -> None:
    photo = next(iter(labelled_photos(folder)))
    assert len(people_in(photo, smallest_px=160)) == 2
    assert people_in(photo, smallest_px=161) == []


def test_a_photos_source_is_the_original_that_it_was_made_from(folder: Path) -> None:
    assert [photo.source for photo in labelled_photos(folder)] == ["photo0_jpg", "photo1_jpg"]


def test_photos_and_labels_that_are_broken_are_skipped_and_counted(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "train", count=20)
    photos = sorted((folder / "images").glob("*.jpg"))
    photos[0].write_bytes(b"no photo")
    (folder / "labels" / f"{photos[1].stem}.txt").write_text("5 0.5 0.5 none\n")
    count = RowCount()
    assert len(list(labelled_photos(folder, count))) == 18
    assert dict(count.skipped) == {"photo not readable": 1, "labels not in YOLO's form": 1}
    photos[2].write_bytes(b"no photo")
    with pytest.raises(PhotosError, match="only 17 of 20 rows can be read, 90% are needed"):
        list(labelled_photos(folder))


@pytest.mark.parametrize(
    "box", ["320 240 100 200", "1.4 1.4 0.2 0.6", "0.5 1.6 0.2 0.6", "0.5 0.5 -0.2 0.6", "nan 0.5 1 1"]
)
def test_a_box_beside_its_photo_is_skipped_with_it(tmp_path: Path, box: str) -> None:
    folder = photo_folder(tmp_path / "train", count=20)
    label = next((folder / "labels").iterdir())
    label.write_text(f"{label.read_text()}\n5 {box}\n")
    count = RowCount()
    assert len([people_in(photo, smallest_px=64) for photo in labelled_photos(folder, count)]) == 19
    assert dict(count.skipped) == {"labels not in YOLO's form": 1}


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match=str(tmp_path)):
        next(labelled_photos(tmp_path))


def test_a_changed_label_is_another_data_set(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "train", count=1)
    before = fingerprint(folder)
    label = next((folder / "labels").iterdir())
    label.write_text(label.read_text().replace("5 ", "6 ", 1))
    assert fingerprint(folder) != before


@pytest.mark.parametrize(("inside", "answer"), [([], None), ([0], "yes"), ([2], "no"), ([0, 2], None)])
def test_labels_answer_when_they_agree(inside: list[int], answer: str | None) -> None:
    boxes = [LabelledBox(label, np.float32([2, 2, 4, 4])) for label in inside]
    boxes.append(LabelledBox(HARD_HAT, np.float32([50, 50, 60, 60])))
    assert labelled_answer(np.float32([0, 0, 10, 20]), boxes, HARD_HAT, NO_HARD_HAT) == answer


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((255, 220, 0), "yellow"), ((200, 255, 40), "yellow"), ((255, 110, 20), "orange"), ((240, 75, 40), "orange"),
        ((210, 10, 10), "red"), ((30, 60, 220), "blue"), ((245, 245, 245), "white"), ((10, 10, 10), "black"),
    ],
)  # fmt: skip
def test_equipment_is_called_by_its_colour(rgb: tuple[int, int, int], name: str) -> None:
    cloth = np.full((20, 20, 3), rgb, dtype=np.uint8)
    cloth[::4] = 128  # reflective stripes
    assert equipment_colour(cloth) == name


def test_a_close_vote_gives_no_colour() -> None:
    halves = np.zeros((20, 20, 3), dtype=np.uint8)
    halves[:10], halves[10:] = (255, 220, 0), (30, 60, 220)
    assert equipment_colour(halves) is None
    assert clothing_colour(halves) is None


def test_a_black_and_white_picture_has_no_colours() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (20, 20, 1), dtype=np.uint8), 3, axis=2)
    assert is_colourless(grey)


def test_a_half_that_hides_the_head_says_so(people: list[Person]) -> None:
    view = hidden_view(people[0], "head")
    assert view is not None
    assert (view.attributes.hard_hat, view.attributes.mask, view.attributes.vest) == ("hidden", "hidden", "yes")
    assert view.attributes.hat_colour is None


def test_a_half_that_hides_the_torso_says_so(people: list[Person]) -> None:
    view = hidden_view(people[0], "torso")
    assert view is not None
    assert (view.attributes.hard_hat, view.attributes.vest) == ("yes", "hidden")
    assert view.attributes.vest_colour is None
    assert view.attributes.trousers_colour is None


def test_a_face_is_left_below_a_hat_that_is_cut_off(people: list[Person]) -> None:
    face, below = barely_hidden_view(people[0], "head"), barely_hidden_view(people[0], "face")
    assert face is not None
    assert below is not None
    assert (face.attributes.hard_hat, face.attributes.mask) == ("hidden", None)  # half of the face's label is seen
    assert (below.attributes.hard_hat, below.attributes.mask) == ("hidden", "hidden")
    assert face.pixels.shape[0] > below.pixels.shape[0]
    assert barely_hidden_view(replace(people[0], head_xyxy=None), "head") is None
    assert barely_hidden_view(replace(people[0], face_xyxy=None), "face") is None


def test_a_person_is_cut_off_at_each_edge_of_the_picture(people: list[Person]) -> None:
    chance, person = np.random.default_rng(0), replace(people[0], attributes=Attributes(hard_hat="yes", vest="yes"))
    shapes = np.array([changed_view(person, chance).pixels.shape[:2] for _ in range(300)])
    narrow, short = shapes[:, 0] > 3.5 * shapes[:, 1], shapes[:, 0] < 1.2 * shapes[:, 1]
    assert narrow.any()
    assert short.any()


def test_what_is_cut_off_at_random_is_hidden_however_little_is_left(people: list[Person]) -> None:
    chance = np.random.default_rng(0)
    cuts = [hidden_view(people[0], "torso", chance) for _ in range(60)]
    seen = {(view.attributes.hard_hat, view.attributes.vest) for view in cuts if view is not None}
    assert seen == {("yes", "hidden"), ("hidden", "hidden")}  # only a head, and only legs
    unlabelled = replace(people[1], attributes=Attributes(vest="no"), head_xyxy=None, face_xyxy=None)
    below = hidden_view(unlabelled, "head")
    assert below is not None
    assert below.attributes.hard_hat == "hidden"  # whatever it was, it is not in the picture


def test_nothing_is_hidden_of_a_person_whose_parts_nobody_labelled(people: list[Person]) -> None:
    plain = replace(people[0], attributes=Attributes(), head_xyxy=None, face_xyxy=None, torso_xyxy=None)
    assert hidden_view(plain, "head") is None
    assert hidden_view(plain, "torso", np.random.default_rng(0)) is None


def test_a_bare_face_gets_a_mask_and_a_masked_one_keeps_its_own(people: list[Person]) -> None:
    masked, chance = people[0], np.random.default_rng(0)
    bare = replace(people[1], attributes=replace(people[1].attributes, mask="no"))
    assert has_mask_to_give(masked)
    for donors in ([masked], []):
        worn = with_mask(bare, donors, chance)
        assert worn.attributes.mask == "yes"
        x0, y0, x1, y1 = np.round(np.asarray(bare.face_xyxy)).astype(int)
        assert np.abs(worn.pixels[y0:y1, x0:x1].astype(int) - bare.pixels[y0:y1, x0:x1]).mean() > 5
    assert with_mask(masked, [masked], chance) is masked
    assert Donors([masked, bare]).masks == [masked]


def test_views_never_contradict_the_labels(people: list[Person]) -> None:
    chance = np.random.default_rng(0)
    views = [changed_view(people[0], chance) for _ in range(200)]
    # Without donors of heads nobody loses a hat.
    assert {view.attributes.hard_hat for view in views} <= {"yes", "hidden", None}
    assert "hidden" in {view.attributes.hard_hat for view in views}
    assert "hidden" in {view.attributes.vest for view in views}
    assert {view.attributes.vest for view in views} <= {"yes", "hidden", None}
    assert all(min(view.pixels.shape[:2]) >= 4 for view in views)


def test_a_recoloured_vest_is_called_by_its_new_colour(people: list[Person]) -> None:
    chance = np.random.default_rng(1)
    recoloured = [
        v
        for v in (changed_view(people[0], chance) for _ in range(200))
        if v.attributes.vest_colour == "yellow" and v.attributes.hard_hat == "yes" and v.attributes.trousers_colour
    ]
    assert recoloured
    named = []
    for view in recoloured:
        height, width = view.pixels.shape[:2]
        named.append(
            equipment_colour(view.pixels[int(0.3 * height) : int(0.5 * height), width // 3 : 2 * width // 3].copy())
        )
    assert named.count("yellow") >= 0.7 * len(named)


def test_an_exchanged_head_brings_its_hat_along(people: list[Person]) -> None:
    hatted, bare = people[0], people[1]
    assert has_head(hatted)
    bared = with_head_of(hatted, bare)
    # The box of a head ends above the nose: a mask stays.
    assert (bared.attributes.hard_hat, bared.attributes.hat_colour, bared.attributes.mask) == ("no", None, "yes")
    assert (bared.attributes.vest, bared.attributes.vest_colour) == ("yes", "orange")
    x0, y0, x1, y1 = np.round(np.asarray(hatted.head_xyxy)).astype(int)
    assert equipment_colour(hatted.pixels[y0:y1, x0:x1].copy()) == "yellow"
    assert equipment_colour(bared.pixels[y0:y1, x0:x1].copy()) != "yellow"
    assert with_head_of(bare, hatted).attributes.hat_colour == "yellow"


def test_a_soft_hat_is_no_hard_hat(people: list[Person]) -> None:
    hatted = with_soft_hat(people[0], np.random.default_rng(0))
    assert hatted.attributes.hard_hat == "no"
    assert not np.array_equal(hatted.pixels, people[0].pixels)


def test_a_person_without_a_known_head_keeps_it(people: list[Person]) -> None:
    headless = replace(people[0], head_xyxy=None)
    assert with_other_head(headless, people, np.random.default_rng(0)) is headless
    assert with_other_head(people[0], [], np.random.default_rng(0)) is people[0]


def test_a_filmed_crop_that_lost_its_colours_says_so() -> None:
    chance = np.random.default_rng(0)
    crop = np.full((180, 60, 3), (250, 120, 20), dtype=np.uint8)
    shots = [filmed(crop, chance) for _ in range(150)]
    assert 2 <= sum(shot.is_colourless for shot in shots) <= 30
    assert all(is_colourless(shot.pixels) <= shot.is_colourless for shot in shots)
    assert min(shot.pixels.shape[0] for shot in shots) < 80
    assert sum(shot.pixels.shape[0] == 180 for shot in shots) >= 40
    assert shrunk(crop, 90).shape == (90, 30, 3)


def test_rare_answers_are_drawn_more_often(people: list[Person]) -> None:
    hatted = [person for person in people if person.attributes.hard_hat == "yes"][:1]
    bare = [person for person in people if person.attributes.hard_hat == "no"][:1]
    weights = draw_weights([*hatted * 9, *bare])
    assert weights.sum() == pytest.approx(1)
    alone = draw_weights([*hatted, *bare])
    assert weights[-1] / weights[0] > 1.5 * alone[-1] / alone[0]


def test_the_plain_view_is_the_box_with_a_margin(people: list[Person]) -> None:
    height, width = plain_view(people[0]).pixels.shape[:2]
    assert 160 <= height <= 185
    assert 60 <= width <= 72


def test_captions_leave_out_what_is_not_known() -> None:
    assert caption_of(Attributes()) == "person."
    assert "trousers" not in caption_of(Attributes(hard_hat="yes"))


def test_a_search_text_is_true_of_the_person_it_was_made_for(people: list[Person]) -> None:
    chance = np.random.default_rng(0)
    for person in people:
        for _ in range(50):
            text = search_text_of(person.attributes, chance)
            assert text is not None
            assert agrees(text.stated, person.attributes) is True


def test_what_is_known_refutes_a_text_and_what_is_unknown_does_not() -> None:
    orange = {"vest colour": "orange"}
    assert agrees(orange, Attributes(vest="yes", vest_colour="yellow")) is False
    assert agrees(orange, Attributes(vest="no")) is False
    assert agrees(orange, Attributes(vest="yes")) is None
    assert agrees(orange, Attributes()) is None
    assert agrees({"hat": "yes"}, Attributes(hard_hat="hidden")) is False


def test_the_vocabulary_holds_every_word_that_is_said(people: list[Person]) -> None:
    words, chance = WordTokens.of(all_texts()), np.random.default_rng(0)
    said = [caption_of(person.attributes, chance) for person in people for _ in range(50)]
    said += [text.text for p in people for _ in range(100) if (text := search_text_of(p.attributes, chance))]
    assert [word for text in said for word in words.unknown(text)] == []


def test_nothing_known_is_nothing_asked_and_nothing_searched() -> None:
    assert answers_of(Attributes()) == [None] * len(QUESTIONS)
    assert statements_of(Attributes()) == {}
    assert search_text_of(Attributes(), np.random.default_rng(0)) is None


def test_a_person_without_a_hat_has_a_hat_of_no_colour() -> None:
    assert answers_of(Attributes(hard_hat="no"))[3] == "none"
    assert answers_of(Attributes(hard_hat="hidden"))[3] == "hidden"
    assert answers_of(Attributes(hard_hat="yes", hat_colour="grey"))[3] is None
