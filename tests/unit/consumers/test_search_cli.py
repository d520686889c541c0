"""`crewsight search` and the Python client, over a real API and a real search service on the loopback."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

import consumers.cli
from consumers.access.roles import Role
from consumers.alerts.desk_database import DeskDatabase
from consumers.api_client import ApiClient
from consumers.errors import ApiError, SearchQueryError
from consumers.indexer.service import served
from consumers.listening import listen
from consumers.web.search.shapes import SavedAsked, SearchAsked
from streamer.bus.media import MediaStore
from tests.builders_access import enter_users
from tests.builders_alerts import api_over
from tests.builders_search import Searched, Seen, later


@dataclass
class Site:
    url: str
    token: str
    config: Path
    searched: Searched

    def run(self, *words: str) -> str:
        result = CliRunner().invoke(consumers.cli.app, ["search", *words, "--config", str(self.config)])
        if result.exception is not None:
            raise result.exception
        return result.stdout


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Thirty people in hats at the gate, and one with a ladder in the yard; somebody has to sign in."""
    state = tmp_path / "state"
    state.mkdir()
    searched = Searched(tmp_path, f"sqlite:///{state / 'people.sqlite3'}")
    searched.enter(*(Seen("a hard hat", f"hat {n}", hat="yes", at=later(n)) for n in range(30)))
    searched.enter(Seen("vest", "with a ladder", camera="yard", hat="no"))
    desk = DeskDatabase(f"sqlite:///{state / 'desk.sqlite3'}")
    enter_users(desk)
    with searched.served() as (client, _):
        api = api_over(client, searched.table, MediaStore(str(tmp_path / "media")), desk, tmp_path)
        token = api.state.access.add_token("analyst", "test", Role.ANALYST, by="test")
        listening = listen("127.0.0.1", 0, setting="page")
        config = tmp_path / "crewsight.yaml"
        port = client.url.rpartition(":")[2]
        config.write_text(f"state: {{folder: {state}}}\nsearch: {{port: {port}}}\n")
        with served(api, listening):
            yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", token, config, searched)
        api.state.access.close()
    desk.close()
    searched.table.close()


def test_the_indexer_of_this_machine_is_asked_without_signing_in(site: Site) -> None:
    table = site.run("ladder")
    assert "with a ladder" in table
    hits = [json.loads(line) for line in site.run("--answer", "hat=no", "--camera", "yard", "--json").splitlines()]
    assert [hit["person"]["caption"] for hit in hits] == ["with a ladder"]


def test_the_api_is_asked_with_a_token_and_says_the_same(site: Site) -> None:
    asked = ("ladder", "--by", "description", "--json")
    assert site.run(*asked, "--url", site.url, "--token", site.token) == site.run(*asked)
    with pytest.raises(ApiError, match="401"):
        site.run(*asked, "--url", site.url)


@pytest.mark.parametrize("wrong", [("--answer", "hat"), ("--answer", "hat=no@much"), ("--answer", "shoes=no")])
def test_what_cannot_be_asked_is_one_line(site: Site, wrong: tuple[str, str]) -> None:
    with pytest.raises(SearchQueryError) as refused:
        site.run(*wrong)
    assert "\n" not in str(refused.value)


def test_the_client_pages_through_everybody_and_keeps_searches(site: Site) -> None:
    with ApiClient(site.url, token=site.token) as api:
        assert len({hit.person.person_id for hit in api.all(SearchAsked(words="hat", k=8))}) == 31
        saved = api.save("ladders", SavedAsked(words="ladder"))
        assert [one.id for one in api.searches()] == [saved.id]
        assert {question.label for question in api.questions()} == {"hard hat", "hard hat colour"}
        (best, *_) = api.search(SearchAsked(words="ladder", by="description")).hits
        assert api.person(best.person.person_id).caption == "with a ladder"
        assert api.elsewhere(best.person.person_id).person_id == best.person.person_id
        with pytest.raises(ApiError, match="404"):
            api.person("nobody")


def test_nobody_who_answers_is_one_line() -> None:
    with ApiClient("http://127.0.0.1:1") as api, pytest.raises(ApiError, match="does not answer"):
        api.questions()


def test_whoever_mistypes_a_camera_reads_which_there_are(site: Site) -> None:
    assert site.run("hat", "--camera", "gaet") == "Nobody found. Cameras with footage: gate, yard.\n"
