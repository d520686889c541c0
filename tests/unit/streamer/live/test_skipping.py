"""Footage that is given up unseen: its video goes, whoever dies in between."""

from datetime import timedelta
from pathlib import Path

from streamer.bus.cameras import open_database
from streamer.bus.media import MediaStore
from streamer.bus.messages import SegmentReady, TimeOrigin
from streamer.live.ledger import LiveLedger
from streamer.live.spool import Spool
from streamer.live.storing import Storer
from tests.builders_bus import wait_until
from tests.builders_cameras import NOW


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
