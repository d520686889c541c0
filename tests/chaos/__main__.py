"""`make chaos`: break Crewsight again and again, and count whether anything was lost or doubled."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.report import report, verdict
from tests.chaos.run import run


def main(arguments: Sequence[str]) -> int:
    """Run, tell, write the report; exit status 1 when something was lost, doubled or never recovered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="short outages only, as in the tests")
    parser.add_argument("--kind", action="append", help="only faults of this kind; may be given several times")
    parser.add_argument("--s3", action="store_true", help="media on an S3 server, whose absence is one more fault")
    parser.add_argument("--minutes", type=float, help="stop breaking things after so long")
    parser.add_argument("--left-alone", type=float, default=0.0, help="minutes with nothing broken, to judge memory")
    parser.add_argument("--report", type=Path, help="write what was seen to this file")
    chosen = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # databases and disks are taken down on the way out
    until_s = time.monotonic() + 60 * chosen.minutes if chosen.minutes else float("inf")
    outcome = run(
        seed=chosen.seed,
        faults=chosen.faults,
        is_short=chosen.short,
        on_s3=chosen.s3,
        kinds=chosen.kind,
        say=say,
        until_s=until_s,
        left_alone_s=60 * chosen.left_alone,
    )
    for line in outcome.notes:
        say(f"note: {line}")
    if chosen.report:
        command = f"python -m tests.chaos {' '.join(arguments)}"
        chosen.report.parent.mkdir(parents=True, exist_ok=True)
        chosen.report.write_text(report(outcome, command=command, asked_for=chosen.faults))
    wrong = verdict(outcome)
    say("\n".join(f"FAILED: {line}" for line in wrong) if wrong else "holds")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
