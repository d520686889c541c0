"""What is not as it should be, and what somebody should do about it. Pure."""

from collections.abc import Iterator, Sequence

from consumers.web.cameras.shapes import WatchedCamerasShape
from consumers.web.schemas import Level
from consumers.web.system.shapes import DiskShape, FindingShape, LagShape, ProcessShape
from consumers.web.wording import count
from operations.seeing.machine import is_short_of_room

LAG_AT_MOST = 100  # messages of one partition: some minutes of footage of a few cameras
ORDER: tuple[Level, ...] = ("down", "behind", "good")


def findings(
    processes: Sequence[ProcessShape],
    lags: Sequence[LagShape],
    disks: Sequence[DiskShape],
    cameras: WatchedCamerasShape | None,
    *,
    is_bus_there: bool,
    open_dead_letters: int,
) -> tuple[FindingShape, ...]:
    """Everything that somebody should know, the worst first; empty: nothing is to do."""
    found = [
        *_bus(is_bus_there=is_bus_there),
        *_processes(processes),
        *_disks(disks),
        *(_cameras(cameras) if cameras else ()),
        *_lags(lags),
        *_dead_letters(open_dead_letters),
    ]
    return tuple(sorted(found, key=lambda one: ORDER.index(one.level)))


def _bus(*, is_bus_there: bool) -> Iterator[FindingShape]:
    if not is_bus_there:
        do = "Start it; with `crewsight up` it comes back by itself. Nothing is lost: footage waits on disk."
        yield FindingShape(level="down", about="Broker", words="It does not answer, so nothing moves on.", to_do=do)


def _processes(processes: Sequence[ProcessShape]) -> Iterator[FindingShape]:
    for each in processes:
        if each.state == "silent":
            do = (
                f"Look into logs/{each.job}.log. `crewsight up` starts it again by itself; else `crewsight {each.job}`."
            )
            words = f"It does not answer at {each.address}: {each.words}."
            yield FindingShape(level="down", about=each.job.capitalize(), words=words, to_do=do)
        elif each.state == "waits":
            do = "Wait a moment: models take up to a minute. If it stays so, `crewsight doctor` says what is missing."
            yield FindingShape(level="behind", about=each.job.capitalize(), words=f"It waits: {each.words}.", to_do=do)


def _disks(disks: Sequence[DiskShape]) -> Iterator[FindingShape]:
    for disk in disks:
        if is_short_of_room(disk.free_bytes, disk.size_bytes):
            share = disk.free_bytes / disk.size_bytes if disk.size_bytes else 0.0
            words = f"The disk of the {disk.folder} folder has {disk.free_bytes / 1e9:.1f} GB left, {share:.0%} of it."
            do = "Set `search.keep_days` so that old days go, run `crewsight retention run`, or give it a larger disk."
            yield FindingShape(level="down", about="Disk", words=words, to_do=do)


def _cameras(cameras: WatchedCamerasShape) -> Iterator[FindingShape]:
    if cameras.fault:
        do = "Mend the file; until then the cameras stay as they are."
        yield FindingShape(level="down", about="Cameras file", words=cameras.fault, to_do=do)
    for camera in cameras.cameras:
        if camera.level in ("down", "behind"):
            yield FindingShape(
                level=camera.level,
                about=f"Camera {camera.camera_id}",
                words=camera.words,
                to_do=camera.to_do or "Nothing yet: it is taken care of by itself. Cameras says more.",
            )


def _lags(lags: Sequence[LagShape]) -> Iterator[FindingShape]:
    for topic in sorted({lag.topic for lag in lags}):
        behind = [lag for lag in lags if lag.topic == topic and lag.messages > LAG_AT_MOST]
        for group in sorted({lag.group for lag in behind}):
            total = sum(lag.messages for lag in behind if lag.group == group)
            words = f"{count(total, 'message')} of {topic} wait for the {group}."
            do = "If that grows, start another of it: as many work side by side as there are partitions."
            yield FindingShape(level="behind", about="Queue", words=words, to_do=do)


def _dead_letters(number: int) -> Iterator[FindingShape]:
    if number:
        words = f"{count(number, 'dead letter')} open: nobody could read what they hold."
        do = "Look at them below: replay them once what was in their way is mended, or drop them."
        yield FindingShape(level="behind", about="Dead letters", words=words, to_do=do)
