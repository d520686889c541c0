"""What a run has shown, in words and tables; pure, but for the machine's own description."""

import os
import platform
import statistics
from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.growth import judged_lives
from tests.chaos.run import RECOVERED_WITHIN_S, Outcome, Round

HEAD = """\
# Under faults

What this page says was written by `{command}`; it is made anew by every such run, and `make chaos` is a shorter one.

Eight real processes run as compose runs them (a broker, the streamer, two analyzers with the packaged models, indexer,
alerter, notifier and page), over a real PostgreSQL, on a disk of their own, with a receiver of webhooks; whoever ends
is started again as `restart: unless-stopped` does. Short clips of real footage keep coming in, of which one frame a
second is looked at. After an undisturbed pass over every clip, faults are drawn from a seed and made one after another;
after the last, footage keeps coming for as long as `--left-alone` says, so that memory can be judged:

| fault | what is done |
| --- | --- |
| kill -9 | one process, each in turn |
| SIGTERM | one process; it has to leave in order within 15 s, with status 0 |
| a process stands still | SIGSTOP for up to 12 s, longer than its membership of the group, then SIGCONT |
| kill -9 the broker | the embedded broker, which forgets everything with it |
| the broker stands still | SIGSTOP for up to 20 s, then SIGCONT |
| disk full | the disk of ledger, media store and index has no room |
| PostgreSQL down | stopped as a power cut would (`immediate`), for 3 to 30 s |
| clock jumps | the wall clock of one running process goes an hour ahead, later back |
| poison | a file that is no video; segments cut off, empty, text; a manifest that is none; bytes that are no message |
| rebalance | a third analyzer joins in the middle of work, and leaves |
| S3 answers 503 | the media store, where it is an S3, refuses everything |

Ids are derived, so the undisturbed pass tells by name who must be found in every later file. **Recovered** is a fault
once everything put in before its end is analysed, indexed, decided about by the rules and told to the receiver, and
search and page answer again. In the end everything is counted: `tests/chaos/checker.py` has the list of what is
looked for, `tests/unit/chaos` proves every line of it, and `tests/system/test_chaos.py` runs an analyzer that commits
its offsets before it writes: the checker must report the loss, and does.

Poison is sent again until it is refused, as a broker that is killed forgets it: some is refused twice.

Not among the faults: live cameras (their own tests stop servers, networks and clocks: `docs/cameras.md`), and a
machine's power.
"""


def verdict(outcome: Outcome) -> list[str]:
    """Everything that is wrong, but for how long recovery took: that depends on what else the machine does."""
    never = [f"never recovered from fault {each.fault.number}, {each.fault.words}" for each in outcome.never_recovered]
    grown = [life.wrong for life in judged_lives(outcome.usage) if life.wrong]
    return [*outcome.wrongs, *never, *outcome.notes, *grown]


def report(outcome: Outcome, *, command: str, asked_for: int) -> str:
    """The page, in Markdown."""
    return "\n".join(
        [HEAD.format(command=command), *_result(outcome, asked_for), *_recovery(outcome), *_usage(outcome)]
    )


def _result(outcome: Outcome, asked_for: int) -> Iterator[str]:
    wrong, found = verdict(outcome), outcome.found
    loads = [each.load for each in outcome.rounds]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield "## The run\n"
    load = f"{min(loads, default=0):.0f} to {max(loads, default=0):.0f} (median {statistics.median(loads or [0]):.0f})"
    yield (
        f"Seed {outcome.seed}, **{len(outcome.rounds)} of {asked_for} faults** in {outcome.lasted_s / 60:.0f} minutes, "
        f"on {os.cpu_count()} {platform.machine()} cores with {memory:.0f} GB, under a load of {load}, most of it "
        "other work on the same machine."
    )
    for kind, reason in outcome.left_out.items():
        yield f"\nLeft out: *{kind}*, because {reason}."
    yield "\n| put in | | found | |\n| --- | --- | --- | --- |"
    expected = outcome.expected
    yield f"| files | {len(expected.dropped)} | segments published | {len(found.published)} |"
    yield f"| segments | {len(expected.segments())} | analysed and indexed | {len(found.analysed)} |"
    yield f"| people | {len(expected.people())} | rows, vectors | {len(found.people)}, {found.vectors} |"
    yield f"| alerts | {len(expected.alerts())} | on the desk | {len(found.alerts)} |"
    told = f"{len(found.told)}, {outcome.repeated}"
    yield f"| tellings | {len(expected.alerts())} | told, of them again under the same key | {told} |"
    yield f"| poison | {len(expected.poison)} | dead letters | {len(found.refused)} |"
    yield ""
    if wrong:
        yield "**What is wrong:**\n"
        yield from (f"- {line}" for line in wrong)
    else:
        grew = "nothing grew" if judged_lives(outcome.usage) else "no life was long enough to judge its growth"
        yield f"**Nothing was lost, nothing doubled, {grew}, and every fault was recovered from.**"
    yield ""


def _recovery(outcome: Outcome) -> Iterator[str]:
    by_kind: dict[str, list[Round]] = defaultdict(list)
    for each in outcome.rounds:
        by_kind[each.fault.words].append(each)
    yield "## Recovery\n"
    slow = outcome.slow()
    yield (
        f"Seconds from the end of a fault until everything was through again; the aim is {RECOVERED_WITHIN_S:g}. "
        f"{len(outcome.rounds) - len(slow) - len(outcome.never_recovered)} of {len(outcome.rounds)} were within it."
    )
    yield "\n| fault | times | median | longest |\n| --- | --- | --- | --- |"
    for words, rounds in sorted(by_kind.items()):
        took = [each.recovered_s for each in rounds if each.recovered_s is not None]
        middle, most = (f"{statistics.median(took):.1f}", f"{max(took):.1f}") if took else ("never", "never")
        yield f"| {words} | {len(rounds)} | {middle} | {most} |"
    for each in slow:
        what = f"Fault {each.fault.number}, {each.fault.words}"
        yield f"\n{what}: {each.recovered_s:.0f} s, at a load of {each.load:.0f}."
    yield ""


def _usage(outcome: Outcome) -> Iterator[str]:
    yield "## Memory and open files\n"
    yield (
        "Of each life that lasted for two minutes after its first three, all after the undisturbed pass: the median of "
        "the last third beside that of the first. More than a tenth and 30 MB, or eight files, counts as growth.\n"
    )
    yield "| process | lives | minutes | MB, first and last third | files | of a core |"
    yield "| --- | --- | --- | --- | --- | --- |"
    judged = judged_lives(outcome.usage)
    for name in sorted({life.name for life in judged}):
        lives = [life for life in judged if life.name == name]
        one = max(lives, key=lambda life: life.lasted_s)
        held = f"{one.first_bytes / 1e6:.0f}, {one.last_bytes / 1e6:.0f} | {one.first_files:.0f}, {one.last_files:.0f}"
        yield f"| {name} | {len(lives)} | {one.lasted_s / 60:.0f} | {held} | {one.cores:.2f} |"
    yield f"\nThe longest life of each is shown; {len(judged)} lives were judged."
