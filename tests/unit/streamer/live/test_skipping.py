"""Footage that is given up unseen: for waiting and not for a clock; its video goes, whoever dies in between."""

import queue
from datetime import timedelta
from pathlib import Path

from streamer.bus.camera_file import CameraFile
from streamer.bus.cameras import open_database
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.live.backlog import Limits
from streamer.live.gaps import LiveState
from streamer.live.ledger import LiveLedger
from streamer.live.publishing import LivePublisher
from streamer.live.results import ResultsFollower
from streamer.live.roster import Roster
from streamer.live.spool import Spool
from streamer.live.state import Told
from streamer.live.storing import Storer
from streamer.live.watch import LiveWatch
from tests.builders_bus import wait_until
from tests.builders_cameras import NOW, QUICK, a_live_ready


def test_footage_that_waits_grows_no_older_by_a_clock_that_is_set(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "ledger.sqlite3")
    ledger, spool, outbox = LiveLedger(engine), Spool(tmp_path / "spool"), queue.SimpleQueue[Told]()
    storer, bus = Storer(ledger, spool, MediaStore(str(tmp_path / "media"))), Bus("127.0.0.1:1", partitions=1)
    now = NOW
    watch = LiveWatch(
        Roster(
            CameraFile(tmp_path / "cameras.yaml"),
            QUICK,
            spool=spool,
            work_folder=tmp_path / "watching",
            outbox=outbox,
            last_end=ledger.last_end,
        ),
        outbox,
        ledger=ledger,
        spool=spool,
        storer=storer,
        publisher=LivePublisher(
            ledger, storer, bus.publisher(), Limits(8, 30, 1800, 10**9), thinned_fps=2, free_bytes=spool.free_bytes
        ),
        reporter=bus.publisher(),
        results=ResultsFollower(bus, ledger),
        partition_of=lambda _: 0,
        utc_now=lambda: now,
    )
    for number in range(3):
        ledger.enter(a_live_ready(number), partition=0, size_bytes=1, gap_since=None, now=NOW)
    now_s = 0.0
    for hours_set, passed_s, oldest_s in ((0, 10, 10), (1, 10, 20), (-2, 10, 30), (0, 1700, 1730)):
        now, now_s = now + timedelta(hours=hours_set, seconds=passed_s), now_s + passed_s
        watch.advance(now_s, None)
        assert ledger.backlogs(now)["gate"].oldest_s == oldest_s
    now, now_s = now + timedelta(seconds=100), now_s + 100
    watch.advance(now_s, None)
    assert ledger.states() == {LiveState.SKIPPED: 3}, "this time it has waited for long"
    watch.close()
    engine.dispose()


def test_the_video_of_what_a_dead_streamer_had_just_given_up_is_taken_away_by_the_next_one(tmp_path: Path) -> None:
    media, engine = MediaStore(str(tmp_path / "media")), open_database(tmp_path / "ledger.sqlite3")
    ledger = LiveLedger(engine)
    uris = [f"media:///media/gate/2026-11-27/gate-{number}.mp4" for number in range(2)]
    for number, uri in enumerate(uris):
        media.write(uri, b"two seconds of footage")
        ready = SegmentReady(
            segment_id=f"gate-{number}",
            camera_id="gate",
            uri=uri,
            started_at=NOW + timedelta(hours=number),
            time_origin=TimeOrigin.RTCP,
            duration_s=2,
            fps=25,
            width_px=64,
            height_px=48,
        )
        ledger.enter(ready, partition=0, size_bytes=22, gap_since=None, now=ready.started_at)
        ledger.mark_stored(ready.segment_id)
    ledger.skip_older(NOW + timedelta(minutes=30))  # and then the lights go out
    assert [media.exists(uri) for uri in uris] == [True, True]
    storer = Storer(LiveLedger(engine), Spool(tmp_path / "spool"), media)
    storer.start()
    wait_until(lambda: [media.exists(uri) for uri in uris] == [False, True])
    storer.close()
    engine.dispose()
