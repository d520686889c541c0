"""`crewsight status`: every process and every camera at a glance, from what they export."""

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from operations.options import AsJson, Config
from operations.seeing.scraping import Scraped, scraped, targets

EVERY_S = 2.0
STEPS = ("", "waits", "thinned", "skipping")

Target = Annotated[
    list[str] | None, typer.Option("--target", metavar="JOB=HOST:PORT", help="Ask this process; may be repeated.")
]


def status(
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: AsJson = False,
    target: Target = None,
    config: Config = None,
) -> None:
    """Show processes and cameras live: who is ready, lag, rates, errors. Exit status 1 where one is not ready."""
    from streamer.bus.settings import ProcessSettings

    folder, named = ProcessSettings.read(config).state.folder, target or ()
    for each in named:
        if not re.fullmatch(r"[^=]+=[^=\s]+:[0-9]+", each):
            raise typer.BadParameter(f"{each} is not written as JOB=HOST:PORT", param_hint="--target")

    def look() -> list[Scraped]:
        return [scraped(job, address) for job, address in targets(folder, named)]

    seen = look()
    if as_json:
        typer.echo(json.dumps({"processes": [process_facts(each) for each in seen], "cameras": camera_facts(seen)}))
    elif once:
        Console().print(_shown(seen, (), 0.0))
    else:
        _watch(seen, look)
    raise SystemExit(0 if seen and all(not each.fault and not each.missing for each in seen) else 1)


def process_facts(process: Scraped, before: Scraped | None = None, elapsed_s: float = 0.0) -> dict[str, Any]:
    """One process; rates are since `before`, or since it started."""
    messages = process.total("crewsight_messages_total")
    since_s = elapsed_s or time.time() - process.total("process_start_time_seconds")
    done = messages - (before.total("crewsight_messages_total") if before else 0.0)
    return {
        "job": process.job,
        "address": process.address,
        "fault": process.fault,
        "missing": dict(process.missing),
        "messages": messages,
        "messages_per_s": round(max(0.0, done) / since_s, 2) if since_s > 0 else 0.0,
        "lag": process.total("crewsight_consumer_lag_messages"),
        "in_flight": process.total("crewsight_in_flight_messages"),
        "dead_letters": process.total("crewsight_dead_letters_total"),
        "memory_bytes": process.total("process_resident_memory_bytes"),
    }


def camera_facts(seen: Sequence[Scraped]) -> list[dict[str, Any]]:
    """Every live camera as the streamer tells of it."""
    facts = []
    for process in seen:
        for camera in sorted(process.by("crewsight_camera_up", "camera")):
            of = {"camera": camera}
            facts.append(
                {
                    "camera": camera,
                    "is_up": bool(process.total("crewsight_camera_up", **of)),
                    "is_refused": bool(process.total("crewsight_camera_refused", **of)),
                    "pressure_step": int(process.total("crewsight_camera_pressure_step", **of)),
                    "backlog_segments": process.total("crewsight_camera_backlog_segments", **of),
                    "backlog_age_s": process.total("crewsight_camera_backlog_age_seconds", **of),
                    "thinned": process.total("crewsight_camera_thinned_segments_total", **of),
                    "skipped": process.total("crewsight_camera_skipped_segments_total", **of),
                    "connects": process.total("crewsight_camera_connects_total", **of),
                    "failures": process.total("crewsight_camera_failures_total", **of),
                }
            )
    return facts


def _watch(seen: list[Scraped], look: Callable[[], list[Scraped]]) -> None:
    at_s = time.monotonic()
    with Live(_shown(seen, (), 0.0), refresh_per_second=2) as live:
        try:
            while True:
                time.sleep(EVERY_S)
                before, seen, before_s, at_s = seen, look(), at_s, time.monotonic()
                live.update(_shown(seen, before, at_s - before_s))
        except KeyboardInterrupt:
            return


def _shown(seen: Sequence[Scraped], before: Sequence[Scraped], elapsed_s: float) -> Group:
    known = {(each.job, each.address): each for each in before}
    processes = Table(title="Processes", expand=False)
    for heading in ("process", "state", "messages/s", "lag", "in flight", "dead letters", "memory"):
        processes.add_column(heading, justify="left" if heading in ("process", "state") else "right")
    for each in seen:
        facts = process_facts(each, known.get((each.job, each.address)), elapsed_s)
        numbers = [f"{facts[name]:g}" for name in ("messages_per_s", "lag", "in_flight", "dead_letters")]
        memory = f"{facts['memory_bytes'] / 2**20:.0f} MiB"
        processes.add_row(escape(each.job), _state(each), *([] if each.fault else [*numbers, memory]))
    if not seen:
        processes.caption = "No process is noted in the state folder: is `crewsight up` running? Else name --target."
    return Group(processes, _cameras(seen))


def _state(process: Scraped) -> str:
    if process.fault:
        return f"[red]does not answer at {escape(process.address)}[/red]"
    if process.missing:
        return f"[yellow]waits: {escape('; '.join(process.missing.values()))}[/yellow]"
    return "[green]ready[/green]"


def _cameras(seen: Sequence[Scraped]) -> Table:
    cameras = Table(title="Cameras", expand=False)
    for heading in ("camera", "state", "backlog", "oldest", "thinned", "skipped", "connects", "failures"):
        cameras.add_column(heading, justify="left" if heading in ("camera", "state") else "right")
    for facts in camera_facts(seen):
        state = "[green]live[/green]" if facts["is_up"] else "[red]down[/red]"
        if facts["is_refused"]:
            state = "[red]refused[/red]"
        if step := STEPS[facts["pressure_step"]]:
            state += f", [yellow]{step}[/yellow]"
        counts = (f"{facts[name]:g}" for name in ("thinned", "skipped", "connects", "failures"))
        backlog = f"{facts['backlog_segments']:g}", f"{facts['backlog_age_s']:.0f} s"
        cameras.add_row(facts["camera"], state, *backlog, *counts)
    return cameras
