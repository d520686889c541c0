"""The command `search`: people by words, by example and by what was answered about them."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import consumers.access.cli
from consumers.errors import ExportError, SearchQueryError
from consumers.settings import PageSettings
from operations.listing import Listing
from operations.options import Config
from streamer.bus.faults import first_fault

if TYPE_CHECKING:
    from consumers.web.search.shapes import AnswerAsked, SearchAsked, SearchShape

Moment = Annotated[str | None, typer.Option(help="Such as 24h, 7d, 2026-11-24 or 2026-11-24T14:02.")]


class By(StrEnum):
    """What words are compared with; `consumers.search.query.By` without its imports."""

    PICTURE = "picture"
    DESCRIPTION = "description"
    BOTH = "both"


def search(
    text: Annotated[str, typer.Argument(help="Words that describe a person, such as “worker in an orange vest”.")] = "",
    count: Annotated[int, typer.Option("-k", "--count", min=1, max=200, help="People at most.")] = 10,
    camera: Annotated[list[str] | None, typer.Option("--camera", help="Only these cameras or camera groups.")] = None,
    since: Moment = None,
    until: Moment = None,
    answer: Annotated[
        list[str] | None, typer.Option("--answer", help="Only with this answer: hat=no, or hat=no@0.8 to be surer.")
    ] = None,
    described: Annotated[list[str] | None, typer.Option("--described", help="Only captions with this word.")] = None,
    like: Annotated[str | None, typer.Option("--like", metavar="ID", help="Who looks like this person.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", exists=True, dir_okay=False, help="Who looks like this JPEG or PNG.")
    ] = None,
    by: Annotated[By, typer.Option("--by", help="What words are compared with.")] = By.BOTH,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a person, for machines.")] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE.zip", help="Pack whoever is found: clips, crops, records, a report."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Ask the API of this page; default: the indexer of this machine.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--token", envvar="CREWSIGHT_TOKEN", help="Sign in at the API with this token.")
    ] = None,
    config: Config = None,
) -> None:
    """Find people by words, by example or by what was answered about them."""
    from pydantic import ValidationError

    from consumers.alerts.moments import moment
    from consumers.web.search.shapes import FilterAsked, SearchAsked

    now = datetime.now(UTC)
    shown = base64.b64encode(picture.read_bytes()).decode() if picture else None
    try:
        wanted = FilterAsked(
            cameras=tuple(camera or ()),
            since=moment(since, now) if since else None,
            until=moment(until, now) if until else None,
            answers=tuple(_answer(said) for said in answer or ()),
            described=tuple(described or ()),
        )
        asked = SearchAsked(words=text, like=like, picture=shown, by=by.value, filter=wanted, k=count)
    except ValidationError as error:
        at, reason = first_fault(error)
        raise SearchQueryError(": ".join(filter(None, [".".join(map(str, at)), reason]))) from error
    settings = PageSettings.read(config)
    place = (url or settings.page.reached_at) if url or token else None
    found = _of_this_machine(asked, settings) if place is None else _of_api(asked, place, token)
    if as_json:
        _print_json(found)
    else:
        _print_table(found, settings, place)
    if export is not None:
        _export(found, settings, export, place)


def _answer(said: str) -> "AnswerAsked":
    from consumers.web.search.shapes import AnswerAsked

    question, _, rest = said.partition("=")
    answer, at, certainty = rest.partition("@")
    try:
        return AnswerAsked(question=question.strip(), answer=answer.strip(), at_least=float(certainty) if at else 0.5)
    except ValueError as error:
        raise SearchQueryError(f"--answer {said}: write it as hat=no, or hat=no@0.8") from error


def _of_api(asked: "SearchAsked", url: str, token: str | None) -> "SearchShape":
    from consumers.api_client import ApiClient

    with ApiClient(url, token=token) as api:
        return api.search(asked)


def _of_this_machine(asked: "SearchAsked", settings: PageSettings) -> "SearchShape":
    """Past the API: whoever can read the person table here needs nobody's leave; the search is logged all the same."""
    from consumers.access.access import Access
    from consumers.alerts.desk_database import DeskDatabase
    from consumers.alerts.rules_file import RulesWatch
    from consumers.indexer.people import PeopleReader
    from consumers.search.client import SearchClient
    from consumers.web.alerts.frames import Frames
    from consumers.web.desk import Desk
    from consumers.web.search.asking import Asking
    from streamer.bus.media_opening import open_media

    people, media = PeopleReader(settings.database_url), open_media(settings)
    access = Access(DeskDatabase(settings.desk_url))
    desk = Desk(SearchClient(settings.search.url, token=settings.search.shown_token), people, media, access)
    groups = RulesWatch(settings.rules_path).look().book.camera_groups
    query = Asking(people, desk.asked_questions, lambda: groups, Frames(media)).query(asked)
    try:
        return desk.search(query, by=consumers.access.cli.operator())
    finally:
        access.close()


def _export(found: "SearchShape", settings: PageSettings, path: Path, url: str | None) -> None:
    from consumers.web.exports.direct import export_people

    if url is not None:
        raise ExportError(f"--export reads this machine's media store; at {url} ask the API: POST /api/v1/exports")
    person_ids = [hit.person.person_id for hit in found.hits]
    packed = export_people(settings, person_ids, path, who=consumers.access.cli.operator())
    missing = f", {packed.missing} missing" if packed.missing else ""
    typer.echo(f"{path}: {len(person_ids)} packed{missing}; sha256 of its SHA256SUMS: {packed.sums_sha256}", err=True)


def _print_json(found: "SearchShape") -> None:
    for hit in found.hits:
        typer.echo(hit.model_dump_json())
    if found.unknown_words:
        typer.echo(_unknown(found.unknown_words), err=True)


def _print_table(found: "SearchShape", settings: PageSettings, url: str | None) -> None:
    from consumers.web.shaping import media_uri
    from streamer.bus.media_opening import open_media

    store = None if url else open_media(settings)
    listing = Listing("time", "camera", "alike", "words", "caption", "crop")
    for hit in found.hits:
        person, why = hit.person, hit.why
        time = f"{person.first_seen_at.astimezone():%Y-%m-%d %H:%M:%S}"
        alike = "" if why.similarity is None else f"{why.similarity:.2f}"
        shown = media_uri(person.crop.url)
        crop = f"{url}{person.crop.url}" if store is None else str(store.local_path(shown) or shown)
        listing.add(time, person.camera_id, alike, ", ".join(why.matched_words), person.caption, crop)
    listing.show("Nobody found." if store is None else f"Nobody found. {_where_footage_is_from(settings)}")
    if found.unknown_words:
        typer.echo(_unknown(found.unknown_words))


def _where_footage_is_from(settings: PageSettings) -> str:
    """Which cameras there are: whoever mistypes one finds nobody."""
    from consumers.indexer.people import PeopleReader

    names = ", ".join(seen.camera_id for seen in PeopleReader(settings.database_url).cameras())
    return f"Cameras with footage: {names}." if names else "No camera has sent anything yet."


def _unknown(words: Sequence[str]) -> str:
    return f"Words that HumanVLM never learnt count in descriptions alone: {', '.join(words)}"
