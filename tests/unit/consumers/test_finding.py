"""Who is found and why, over a real table, index and tiny model: words fused with full text, filters, pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from consumers.errors import SearchQueryError
from consumers.indexer.people import PeopleTable
from consumers.indexer.schema import PEOPLE, PersonRecord
from consumers.search.described import Descriptions
from consumers.search.filters import EVERYONE, AnswerWanted, PeopleFilter
from consumers.search.finding import Finder
from consumers.search.query import By, SearchQuery
from consumers.search.towers import open_towers
from model.humanvlm import HumanVLM
from operations.databases import stamp
from tests.builders_model import tiny_humanvlm
from tests.builders_search import HAT, Searched, Seen, later
from tests.postgres import postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def searched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Searched]:
    with postgres_url(tmp_path, request.param == "postgresql") as url:
        searched = Searched(tmp_path, url)
        yield searched
        searched.table.close()


def test_nobody_is_found_where_nobody_is(searched: Searched) -> None:
    assert searched.captions("hard hat") == searched.captions() == []


def test_words_find_descriptions_by_their_stems_and_rare_words_count_for_more(searched: Searched) -> None:
    searched.enter(
        Seen("vest", "a worker with ladders"), Seen("vest", "a worker"), Seen("vest", "a worker, walking"), Seen("vest")
    )
    first, *others = searched.captions("worker with a ladder", by=By.DESCRIPTION)
    assert first == "a worker with ladders"
    assert sorted(others) == ["a worker", "a worker, walking"]
    (best, *_) = searched.finder.find(SearchQuery("Workers, LADDER", by=By.DESCRIPTION)).found
    assert best.why.matched_words == ("ladder", "workers")


@pytest.mark.parametrize("word", ["turquoise", "purse", "overalls"])
def test_a_word_whose_stem_has_a_stem_of_its_own_finds_whoever_has_it_and_nobody_else(
    searched: Searched, word: str
) -> None:
    captions = ["in a turquoise coat", "with a purse", "in blue overalls", "a jacket over a shirt"]
    searched.enter(*(Seen("vest", caption) for caption in captions))
    assert searched.captions(word, by=By.DESCRIPTION) == [caption for caption in captions if word in caption]


def test_a_word_that_nobody_has_hides_nobody_who_has_the_others(searched: Searched) -> None:
    searched.enter(Seen("vest", "on a red ladder"), Seen("vest", "on a ladder"), Seen("vest", "in red"))
    ranked = Descriptions(searched.table.text, searched.index).ranked
    found = ranked("red ladder giraffe", EVERYONE, nearest=[], horizon=3)
    assert [(one.key, set(one.matched_words)) for one in found] == [
        (1, {"red", "ladder"}),
        (3, {"red"}),
        (2, {"ladder"}),
    ]
    searched.enter(Seen("vest", "a giraffe"))
    found = ranked("red ladder giraffe", EVERYONE, nearest=[], horizon=4)
    assert {one.key: one.matched_words for one in found}[4] == ("giraffe",)


def test_answers_are_words_too_and_what_is_denied_is_not_what_is_there(searched: Searched) -> None:
    searched.enter(Seen("vest", "with", hat="yes", colour="yellow"), Seen("vest", "out", hat="no", colour="none"))
    assert searched.captions("hard hat", by=By.DESCRIPTION) == ["with"]
    assert searched.captions("a yellow hat", by=By.DESCRIPTION) == ["with"]
    assert searched.captions("somebody without a hard hat", by=By.DESCRIPTION) == ["out"]


def test_what_a_caption_denies_is_not_what_is_there(searched: Searched) -> None:
    searched.enter(
        Seen("vest", "person without a hard hat, in a safety vest"),
        Seen("vest", "worker in a hard hat, no safety vest"),
    )
    assert searched.captions("vest", by=By.DESCRIPTION) == ["person without a hard hat, in a safety vest"]
    assert searched.captions("hard hat", by=By.DESCRIPTION) == ["worker in a hard hat, no safety vest"]
    assert searched.captions("no vest, hard hat", by=By.DESCRIPTION) == ["worker in a hard hat, no safety vest"]


def test_fused_hits_say_both_how_alike_they_are_and_which_words_they_share(searched: Searched) -> None:
    searched.enter(Seen("a hard hat", "nothing said"), Seen("vest", "a hat"), Seen("a hard hat", "a hat"))
    answer = searched.finder.find(SearchQuery("hat", by=By.BOTH))
    people = searched.table.by_key([one.key for one in answer.found])
    assert people[answer.found[0].key].caption == "a hat"
    assert {len(one.why.matched_words) for one in answer.found} == {0, 1}
    assert all(one.why.similarity is not None for one in answer.found)
    assert [one.score for one in answer.found] == sorted((one.score for one in answer.found), reverse=True)


def test_words_never_learnt_are_flagged_and_full_text_finds_them_all_the_same(searched: Searched) -> None:
    searched.enter(Seen("vest", "a zebra"), Seen("a hard hat", "a hat"))
    answer = searched.finder.find(SearchQuery("zebra", by=By.BOTH))
    assert answer.unknown_words == ("zebra",)
    assert [one.key for one in answer.found if one.why.matched_words] == [1]


def test_a_filter_holds_inside_the_search(searched: Searched) -> None:
    searched.enter(*(Seen("a hard hat", f"near {n}") for n in range(30)))
    searched.enter(Seen("vest", "far hat", camera="yard", at=later(60), hat="no"))
    wanted = PeopleFilter(
        cameras=frozenset({"yard"}), since=later(30), answers=(AnswerWanted(HAT.question_id, "no", 0.8),)
    )
    assert searched.captions("hat", wanted, k=1) == ["far hat"]
    assert searched.captions("hat", wanted, by=By.PICTURE, k=1) == ["far hat"]
    assert searched.captions("hat", wanted, by=By.DESCRIPTION, k=1) == ["far hat"]
    assert searched.captions("", wanted, k=1) == ["far hat"]
    assert searched.captions("hat", PeopleFilter(cameras=frozenset({"yard"}), until=later(30))) == []


@pytest.mark.parametrize("query", [SearchQuery("hat", k=7), SearchQuery("hat", by=By.PICTURE, k=7), SearchQuery(k=7)])
def test_pages_hold_everybody_once_whoever_arrives_meanwhile(searched: Searched, query: SearchQuery) -> None:
    searched.enter(*(Seen("a hard hat", f"hat {n}") for n in range(20)))
    keys: list[int] = []
    after: str | None = None
    for _ in range(3):
        page = searched.finder.find(SearchQuery(query.words, by=query.by, k=query.k, after=after))
        keys += [one.key for one in page.found]
        after = page.next
        searched.enter(Seen("a hard hat", "hat hat hat"))
    assert after is None
    assert sorted(keys) == list(range(1, 21))


def test_people_of_two_models_are_found_each_by_its_own_and_merged_by_rank(tmp_path: Path) -> None:
    searched = Searched(tmp_path)
    other = tiny_humanvlm(tmp_path / "other", seed=1)
    towers = open_towers(str(other), [str(searched.model)])
    searched.enter(Seen("a hard hat", "old hat"), Seen("vest", "old vest"))
    searched.tower = HumanVLM.load_text(other)
    searched.enter(Seen("a hard hat", "new hat"), Seen("vest", "new vest"))
    finder = Finder(searched.index, towers, Descriptions(searched.table.text, searched.index), searched.table)
    found = finder.find(SearchQuery("a hard hat", by=By.PICTURE)).found
    people = searched.table.by_key([one.key for one in found])
    assert {people[one.key].caption for one in found[:2]} == {"old hat", "new hat"}
    assert {one.why.embedding_space for one in found[:2]} == set(searched.index.spaces())
    assert all(one.why.similarity == pytest.approx(1, abs=1e-2) for one in found[:2])
    searched.table.close()


def test_a_cursor_belongs_to_one_search(searched: Searched) -> None:
    searched.enter(*(Seen("vest", f"hat {n}") for n in range(3)))
    cursor = searched.finder.find(SearchQuery("hat", k=1)).next
    assert cursor is not None
    with pytest.raises(SearchQueryError, match="another search"):
        searched.finder.find(SearchQuery("vest", k=1, after=cursor))
    with pytest.raises(SearchQueryError, match="another search"):
        searched.finder.find(SearchQuery("hat", k=1, filter=PeopleFilter(cameras=frozenset({"x"})), after=cursor))


def test_elsewhere_are_other_chains_and_never_whoever_the_same_camera_saw_at_the_same_time(searched: Searched) -> None:
    asked, beside, again, yard = searched.enter(
        Seen("a hard hat", "asked"),
        Seen("a hard hat", "beside"),
        Seen("a hard hat", "again", at=later(600)),
        Seen("vest", "yard", camera="yard"),
    )
    found = searched.finder.elsewhere(asked, 10)
    people = searched.table.by_key([one.key for one in found])
    assert [people[one.key].person_id for one in found] == [again, yard]
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert beside not in [one.chain_id for one in found]


def test_elsewhere_of_somebody_long_in_view_looks_beyond_the_own_tracks_and_at_each_of_their_times(
    searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.search.elsewhere.LOOKED_AT", 3)
    monkeypatch.setattr("consumers.search.elsewhere.MOST_OF_CHAIN", 2)
    own = searched.enter(*(Seen("a hard hat", "asked", at=later(10 * n)) for n in range(8)))
    _, yard = searched.enter(Seen("a hard hat", "beside", at=later(70)), Seen("vest", "yard", camera="yard"))
    with searched.table.writing() as session:
        session.execute(update(PersonRecord).where(PersonRecord.person_id.in_(own)).values(chain_id=own[0]))
    assert [one.chain_id for one in searched.finder.elsewhere(own[0], 10)] == [yard]


def test_an_older_table_is_filled_with_text_at_the_start_and_the_erased_lose_theirs(searched: Searched) -> None:
    searched.enter(*(Seen("vest", f"ladder {n}") for n in range(5)))
    with searched.table._engine.begin() as connection:
        connection.execute(text("DELETE FROM people_text"))
    assert searched.captions("ladder", by=By.DESCRIPTION) == []
    assert searched.table.fill_text(chunk=2) == 5
    assert searched.table.fill_text() == 0
    assert len(searched.captions("ladder", by=By.DESCRIPTION)) == 5
    with searched.table._engine.begin() as connection:
        connection.execute(text("DELETE FROM people WHERE id = 2"))
    searched.table.leave_no_trace()
    assert searched.table.text.sharing(["ladder"], [1, 2, 3]) == {1: ("ladder",), 3: ("ladder",)}


def test_texts_from_before_captions_could_deny_are_made_anew(searched: Searched) -> None:
    searched.enter(Seen("vest", "a person, no ladder"), Seen("vest", "on a ladder"))
    with searched.table._engine.begin() as connection:
        connection.execute(text("DELETE FROM people_text"))
        searched.table.text.write(connection, {1: "a person, no ladder", 2: "on a ladder"})
        stamp(connection, PEOPLE, "0002")
    again = PeopleTable(searched.table.database_url)
    assert again.fill_text() == 2
    assert again.text.newest_with(again.text.stems(["ladder"]), 5, through_key=2) == [2]
    again.close()


def test_reading_alone_lays_the_text_out_too(tmp_path: Path) -> None:
    PeopleTable(f"sqlite:///{tmp_path / 'new.sqlite3'}").close()
    again = PeopleTable(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    assert again.text.newest_with(["hat"], 5, through_key=10) == []
    again.close()
