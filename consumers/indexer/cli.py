"""The commands of whoever keeps the index: `erase …` and `index …`."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

import consumers.access.cli
from consumers.settings import IndexerSettings
from operations.options import Config

if TYPE_CHECKING:
    from consumers.indexer.erasures import Report, Wish
    from consumers.indexer.people import PeopleTable

erase = typer.Typer(help="Let people be forgotten, for good.", no_args_is_help=True)
index = typer.Typer(help="The vectors that people are found by.", no_args_is_help=True)
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask for the name to be typed.")]
Wait = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait until it is done.")]
LOOK_EVERY_S = 0.2
TYPED = 8  # letters of a person's id


@index.command()
def rebuild(config: Config = None) -> None:
    """Embed everyone anew, from their stored crops, with the model that the settings name; goes on where it stopped."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from consumers.indexer.embeddings import Embeddings
    from consumers.indexer.people import PeopleTable
    from consumers.indexer.rebuilding import rebuild as embed_anew
    from model.humanvlm import HumanVLM
    from streamer.bus.media_opening import open_media

    settings = IndexerSettings.read(config)
    table = PeopleTable(settings.database_url)
    vlm = HumanVLM.load(settings.vlm.tower_name, device=settings.vlm.device)
    missing = Embeddings(table).missing_count(vlm.embedding_space)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("Embedding anew", total=missing)
        store = open_media(settings)
        rebuilt = embed_anew(table, store, vlm, lambda so_far: progress.update(task, completed=so_far.done))
    typer.echo(f"{_counted(rebuilt.embedded, 'person', 'people')} embedded anew in {vlm.embedding_space}.")
    if rebuilt.gone:
        typer.echo(
            f"{_counted(rebuilt.gone, 'person has', 'people have')} no crop any more; "
            "they are still found by example, in the space that they were in."
        )


@index.command()
def spaces(config: Config = None) -> None:
    """Every embedding space and how many people have a vector in it."""
    from consumers.indexer.embeddings import Embeddings
    from consumers.indexer.people import PeopleReader

    embeddings = Embeddings(PeopleReader(IndexerSettings.read(config).database_url))
    spaces_there = embeddings.spaces()
    for space in spaces_there:
        typer.echo(f"{len(embeddings.keys(space)):>10}  {space}")
    if not spaces_there:
        typer.echo("Nobody has a vector yet: nobody was seen, or `crewsight indexer` has not run.")


@erase.command()
def person(
    person_id: Annotated[str, typer.Argument(metavar="PERSON_ID", help="Whom; ids stand beside people on the page.")],
    this_track_only: Annotated[
        bool, typer.Option("--this-track-only", help="Not their other tracks across the borders of segments.")
    ] = False,
    sure: Sure = False,
    wait_s: Wait = 60.0,
    config: Config = None,
) -> None:
    """Erase a person: vector, row, caption, crops, the entry in the manifest, and copies of alerts but held ones."""
    from consumers.errors import NotSeenError
    from consumers.indexer.erasures import Wish
    from consumers.indexer.people import PeopleTable

    settings = IndexerSettings.read(config)
    table = PeopleTable(settings.database_url)
    found = table.person(person_id)
    if found is None:
        raise NotSeenError(person_id)
    tracks = [found] if this_track_only else table.chain(found.chain_id)
    _ask(f"Erase {person_id}, seen in {_counted(len(tracks), 'track')}, for good?", person_id[:TYPED], sure)
    wish = Wish(person_ids=tuple(one.person_id for one in tracks))
    consumers.access.cli.note(settings, "erase person", person_id)
    _carried_out(table, wish, wait_s)


@erase.command()
def footage(
    camera: Annotated[str, typer.Option("--camera", help="Whose footage.")],
    since: Annotated[str, typer.Option("--since", help="From when, such as 2026-11-24T14:00.")],
    until: Annotated[str, typer.Option("--until", help="Until when.")],
    sure: Sure = False,
    wait_s: Wait = 60.0,
    config: Config = None,
) -> None:
    """Erase everything that a camera saw in a stretch of time: people, crops, whole clips, copies but held ones."""
    from consumers.alerts.moments import moment
    from consumers.errors import SearchQueryError
    from consumers.indexer.erasures import Wish
    from consumers.indexer.people import PeopleTable

    settings = IndexerSettings.read(config)
    now = datetime.now(UTC)
    begins, ends = moment(since, now=now), moment(until, now=now)
    if ends <= begins:
        raise SearchQueryError("the stretch of time ends before it begins")
    table = PeopleTable(settings.database_url)
    known = [seen.camera_id for seen in table.cameras()]
    if camera not in known:
        there = f"known are {', '.join(known)}" if known else "nobody was seen yet"
        said = f"Nothing is known of a camera {camera}; {there}. What it may still bring of that time is erased."
        typer.echo(said, err=True)
    stretch = f"{begins.astimezone():%Y-%m-%d %H:%M} to {ends.astimezone():%Y-%m-%d %H:%M}"
    _ask(f"Erase everything that {camera} saw from {stretch}, clips too, for good?", camera, sure)
    consumers.access.cli.note(settings, "erase footage", f"{camera} {begins.isoformat()} {ends.isoformat()}")
    _carried_out(table, Wish(camera_id=camera, since=begins, until=ends), wait_s)


def _ask(question: str, name: str, is_sure: bool) -> None:
    """Have the name of what goes for good typed: a yes is typed too easily."""
    if not is_sure and typer.prompt(f"{question} Type {name} to go on", default="", show_default=False) != name:
        raise typer.Abort


def _carried_out(table: "PeopleTable", wish: "Wish", wait_s: float) -> None:
    from consumers.indexer.erasures import Erasures

    erasures = Erasures(table)
    number = erasures.request(wish, at=datetime.now(UTC))
    deadline = time.monotonic() + wait_s
    while True:
        erasure = erasures.get(number)
        if erasure is not None and erasure.done_at is not None and erasure.report is not None:
            _say(erasure.report)
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(LOOK_EVERY_S)
    report = erasure.report if erasure is not None else None
    why = f"it waits: {report.waits_for}" if report and report.waits_for else "is `crewsight indexer` running?"
    typer.echo(f"Erasure {number} is written down and not done yet; {why} It is completed when the indexer runs.")


def _say(report: "Report") -> None:
    typer.echo(
        f"Erased: {_counted(report.people, 'row')}, {_counted(report.vectors, 'vector')}, "
        f"{_counted(report.crops, 'crop')}, entries in {_counted(report.manifests, 'manifest')}, "
        f"{_counted(len(report.clips), 'clip')}, {_counted(report.evidence, 'copy', 'copies')} of alerts."
    )
    if report.elsewhere:
        found = _counted(report.elsewhere, "track")
        typer.echo(f"{found} of other analyses in the same place and time: erased next, by the indexer.")
    for alert_id in report.held:
        typer.echo(f"Kept: the copies of alert {alert_id}, which are under legal hold.")
    for clip in report.shared_clips:
        typer.echo(f"Kept: {clip}, which shows others too; `crewsight erase footage` removes whole clips.")


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
