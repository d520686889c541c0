"""What the streamer counts of its own work."""

import time
from datetime import timedelta

from operations.seeing.meters import DEAD_LETTERS, leg, reason_word
from operations.seeing.tracing import Headers, step
from streamer.bus.messages import Rejected, SegmentReady

# A segment that is published again for a new broker was not on its way all the while.
AT_MOST_S = 3600.0


def note_published(ready: SegmentReady) -> None:
    """Note how long the last frame of a live segment took to the broker's acknowledgement; of others, nothing."""
    ended_at = ready.started_at + timedelta(seconds=ready.duration_s)
    elapsed_s = time.time() - ended_at.timestamp()
    if ready.time_origin.is_live and elapsed_s <= AT_MOST_S:
        leg(ready.camera_id, "capture_to_publish", elapsed_s)


def note_refused(rejected: Rejected) -> None:
    """Count a file that cannot be read."""
    DEAD_LETTERS.labels(reason_word(rejected.reason, is_file=True)).inc()


def captured(ready: SegmentReady) -> Headers:
    """Begin the segment's trace, where somebody traces: from the first frame of a live one, else from now."""
    now_s = time.time()
    began_s = ready.started_at.timestamp() if ready.time_origin.is_live else now_s
    began_s = began_s if now_s - began_s <= AT_MOST_S else now_s
    facts = {"camera_id": ready.camera_id, "segment_id": ready.segment_id, "duration_s": ready.duration_s}
    return step("capture", None, began_s=began_s, ended_s=now_s, facts=facts)
