"""What must be found in footage, from the streamer to the search, by the real processes."""

import itertools
import json
from typing import Any

import pytest

from consumers.indexer.people import PeopleReader
from streamer.bus.manifest import Manifest
from tests.installation import until
from tests.system.conftest import Finished


@pytest.fixture(params=["all_clips", "demo"])
def any_run(request: pytest.FixtureRequest) -> Finished:
    run: Finished = request.getfixturevalue(request.param)
    return run


def test_the_worker_has_hat_and_vest_and_the_caption_says_their_colours(all_clips: Finished) -> None:
    people = all_clips.people("zone")
    assert 1 <= len(people) <= 2
    for person in people:
        assert all_clips.answer(person, "hard hat") == "yes"
        assert all_clips.answer(person, "vest") == "yes"
        assert "yellow" in person["caption"]
        assert "orange" in person["caption"]


def test_no_shopper_has_a_hard_hat(all_clips: Finished) -> None:
    people = all_clips.people("aisle")
    assert 2 <= len(people) <= 5
    assert "yes" not in {all_clips.answer(person, "hard hat") for person in people}


def test_a_corridor_that_is_empty_yields_nobody_and_each_walk_through_is_one_chain(all_clips: Finished) -> None:
    seen_s = seconds_seen(all_clips, "corridor")
    empty = [later - earlier for earlier, later in itertools.pairwise(seen_s) if later - earlier > 2]
    reader = PeopleReader(f"sqlite:///{all_clips.installation.state / 'people.sqlite3'}")
    chains = {person.chain_id for person in reader.newest(1000, camera="corridor")}
    reader.close()
    assert len(empty) >= 4
    assert len(chains) == len(empty) + 1  # one walk before, between and behind the empty stretches


def test_the_demo_finds_people_where_there_are_some_and_nobody_in_the_empty_stretch(demo: Finished) -> None:
    from streamer.demo import EMPTY_STRETCH_S

    seen_s = seconds_seen(demo, "demo")
    start_s, end_s = EMPTY_STRETCH_S
    assert len(demo.people("demo")) >= 4
    assert not [at_s for at_s in seen_s if start_s + 0.5 < at_s < end_s - 0.5]


def test_every_person_has_looks_with_crops_that_are_there_and_an_answer_to_every_question(any_run: Finished) -> None:
    media = any_run.installation.state / "media"
    for manifest in any_run.manifests.values():
        asked = {question["question_id"] for question in manifest["questions"]}
        for person in manifest["people"]:
            assert 1 <= len(person["looks"]) <= 8
            assert set(person["answers"]) == asked
            for look in person["looks"]:
                assert (media / look["crop_uri"].removeprefix("media:///")).stat().st_size > 0


def test_rubbish_gives_one_dead_letter_each_with_reason_and_place_and_the_next_goes_through(any_run: Finished) -> None:
    refused = [line for line in any_run.output.splitlines() if line.startswith("refused: ")]
    for name in ("a-empty.mp4", "b-text.mp4", "c-frameless.mp4"):
        (line,) = [line for line in refused if name in line]
        assert line.split(f"{name}: ", 1)[1]
    assert any_run.people("inbox")


def test_a_truncated_upload_is_analysed_up_to_the_break(all_clips: Finished) -> None:
    whole = sum(manifest["duration_s"] for manifest in all_clips.of("site"))
    cut = sum(manifest["duration_s"] for manifest in all_clips.of("cut"))
    assert 0.9 * whole < cut < 1.05 * whole
    assert all_clips.people("cut")


def test_up_says_a_line_for_each_person_and_a_summary(any_run: Finished) -> None:
    everyone = [person for manifest in any_run.manifests.values() for person in manifest["people"]]
    lines = any_run.output.splitlines()
    for person in everyone:
        assert any(person["caption"] in line for line in lines), person["caption"]
    assert f"in {len(everyone)} tracks" in lines[-1]


def seconds_seen(run: Finished, camera: str) -> list[float]:
    """When anybody is seen, in seconds from the first frame, in order."""
    manifests = [Manifest.model_validate(manifest) for manifest in run.of(camera)]
    began_at = manifests[0].started_at
    return sorted(
        (manifest.started_at - began_at).total_seconds() + point.at_s
        for manifest in manifests
        for person in manifest.people
        for point in person.path
    )


def test_a_search_finds_the_worker_first_shows_a_table_and_names_a_word_never_learnt(all_clips: Finished) -> None:
    installation = all_clips.installation

    def search(*words: str) -> Any:
        run = installation.run("search", *words, "--config", str(installation.config))
        return run if run.returncode == 0 else None

    with installation.running("up", "--config", str(installation.config)):
        until(lambda: search("person", "--json"), 120, "an indexer that answers")
        hits = [json.loads(line) for line in search("worker in an orange safety vest", "--json").stdout.splitlines()]
        table = search("worker in an orange safety vest").stdout
        unknown = search("giraffe", "--json").stderr
    assert hits[0]["person"]["camera_id"] in ("zone", "inbox")  # the inbox holds a copy of the same clip
    for heading in ("time", "camera", "alike", "words", "caption", "crop"):
        assert heading in table
    assert "giraffe" in unknown
