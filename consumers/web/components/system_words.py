"""How the system is said: what is wrong, processes, queues, disks, dead letters. Pure."""

from collections.abc import Iterable, Sequence

from consumers.web.components.markup import Markup, coded, icon, tag, together
from consumers.web.components.person_card import Now
from consumers.web.components.person_dialog import entries
from consumers.web.system.shapes import (
    DeadLetterShape,
    DiskShape,
    FindingShape,
    LagShape,
    LegShape,
    ProcessShape,
    SystemShape,
)
from consumers.web.wording import age, count

GOOD, BEHIND, DOWN = ("check_circle", "good"), ("schedule", "behind"), ("error", "down")
STATES = {"ready": (*GOOD, "Ready"), "waits": (*BEHIND, "Waits"), "silent": (*DOWN, "Silent")}
MODELS = {
    "detector": "Finds people",
    "answer": "Answers",
    "caption": "Describes",
    "embedding_space": "Makes searchable",
}


def finding_list(findings: Sequence[FindingShape]) -> Markup:
    """What is not as it should be, and what to do; or that all is well."""
    if not findings:
        return tag("p", icon("check_circle"), tag("span", "Nothing is to be done."), class_="all-well")
    lines = (
        tag(
            "li",
            icon(DOWN[0] if one.level == "down" else BEHIND[0]),
            tag("div", tag("b", one.about), tag("p", one.words), tag("p", coded(one.to_do), class_="to-do")),
            class_=f"finding {one.level}",
        )
        for one in findings
    )
    return tag("ul", *lines, class_="findings")


def process_table(processes: Sequence[ProcessShape]) -> Markup:
    """A row a process."""
    if not processes:
        words = "No process is noted in the state folder of this page; `page.processes` names those of other machines."
        return tag("p", coded(words), class_="sum")
    return table(
        ("Process", "State", "Messages/s", "In flight", "Dead letters", "Memory"),
        (
            (
                tag("span", tag("b", each.job), tag("small", each.address), class_="who-and-where"),
                _state(each),
                "–" if each.messages_per_s is None else f"{each.messages_per_s:g}",
                f"{each.in_flight:,}",
                f"{each.dead_letters:,}",
                f"{each.memory_bytes / 2**20:,.0f} MiB" if each.memory_bytes else "–",
            )
            for each in processes
        ),
    )


def _state(process: ProcessShape) -> Markup:
    drawing, level, word = STATES[process.state]
    return tag("span", icon(drawing), tag("span", word), class_=f"camera-state {level}", title=process.words or word)


def lag_table(lags: Sequence[LagShape]) -> Markup:
    """What waits, a row a consumer group and topic, a figure a partition."""
    if not lags:
        return tag("p", "No process tells of a queue.", class_="sum")
    rows: dict[tuple[str, str], list[LagShape]] = {}
    for lag in lags:
        rows.setdefault((lag.topic, lag.group), []).append(lag)
    return table(
        ("Topic", "For", "Waiting", "By partition"),
        (
            (
                topic,
                group,
                f"{sum(lag.messages for lag in own):,}",
                ", ".join(f"{g.partition}: {g.messages:,}" for g in own),
            )
            for (topic, group), own in rows.items()
        ),
    )


def leg_table(legs: Sequence[LegShape]) -> Markup:
    """How long a segment takes on each leg."""
    if not legs:
        return tag("p", "No segment has been looked at since the processes started.", class_="sum")
    return table(
        ("Leg", "Mean", "Segments"),
        ((leg.leg.replace("_", " "), f"{leg.mean_s:.3g} s", f"{leg.segments:,}") for leg in legs),
    )


def disk_lines(disks: Iterable[DiskShape]) -> Markup:
    """A bar a disk: how full it is."""
    lines = []
    for disk in disks:
        used = 1 - disk.free_bytes / disk.size_bytes if disk.size_bytes else 0.0
        words = f"{disk.free_bytes / 1e9:,.0f} GB of {disk.size_bytes / 1e9:,.0f} GB free"
        bar = tag(
            "div", tag("i", style=f"--p:{used:.3f}", class_="pick"), role="img", aria_label=words, class_="lengths"
        )
        lines.append(tag("li", tag("span", tag("b", disk.folder.capitalize()), tag("span", words)), bar))
    return tag("ul", *lines, class_="disks") if lines else tag("p", "No process tells of a disk.", class_="sum")


def about(system: SystemShape) -> Markup:
    """Version, where things are, how long they are kept, which models look."""
    kept = {
        "People are kept": _days(system.keep_people_days),
        "Evidence is kept": _days(system.keep_evidence_days),
    }
    models = {words: system.models[name] for name, words in MODELS.items() if name in system.models}
    where = {"Version": system.version, "Broker": system.broker, "Media": system.media}
    return entries({**where, **kept, **(models or {"Models": "nobody was seen yet"})})


def _days(days: float | None) -> str:
    return "for good" if days is None else f"for {days:g} days, unless held"


def letter_body(letter: DeadLetterShape, now: Now) -> Markup:
    """All of a dead letter."""
    about_it = [letter.place, *([f"camera {letter.camera_id}"] if letter.camera_id else [])]
    handled = f"{letter.handled} by {letter.handled_by}, " if letter.handled else ""
    original = Markup()
    if letter.original:
        original = tag("details", tag("summary", "What was refused"), tag("pre", letter.original, tabindex="0"))
    return together(
        tag("p", tag("b", letter.reason)),
        tag("p", f"{handled}{age(letter.noticed_at, now.instant)}; {'; '.join(about_it)}", class_="sum"),
        original,
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A plain table; on a narrow screen it scrolls by itself."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *body)),
        class_="table-scroll",
        tabindex="0",
        role="region",
        aria_label=headings[0],
    )


def summary(system: SystemShape) -> str:
    """How many processes are how."""
    ready = sum(each.state == "ready" for each in system.processes)
    return f"{ready} of {count(len(system.processes), 'process', 'processes')} ready, version {system.version}"
