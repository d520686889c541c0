"""Derived ids: the same footage, cut and analysed the same way, is always called the same. Pure."""

import hashlib
import uuid

NAMESPACE = uuid.UUID("7c9e5d0e-5f1b-5a43-9a3c-3d1a0a6b7f52")  # ours, fixed for good: changing it renames everyone


def file_segment_id(camera_id: str, content_sha256: str, start_pts_us: int) -> str:
    """Name a segment of a file by its camera, the file's content and where in it the segment starts (microseconds)."""
    return _short(f"{camera_id}\n{content_sha256}\n{start_pts_us}")


def live_segment_id(camera_id: str, started_at_us: int, start_pts_us: int) -> str:
    """Name a segment of a live stream by its camera, when it began (microseconds since 1970) and its stream time."""
    return _short(f"{camera_id}\nlive\n{started_at_us}\n{start_pts_us}")


def track_id(segment_id: str, ordinal: int) -> str:
    """Name the `ordinal`-th track (from 1, in order of appearance) of a segment.

    >>> track_id("ab12", 3)
    'ab12/3'
    """
    return f"{segment_id}/{ordinal}"


def person_id(track: str, analysis_revision: str) -> str:
    """Name what one analysis says of one track."""
    return str(uuid.uuid5(NAMESPACE, f"{track}\n{analysis_revision}"))


def rejected_id(*place: object) -> str:
    """Name a refusal by its place (topic, partition, offset and incarnation, or camera and file content)."""
    return str(uuid.uuid5(NAMESPACE, "\n".join(["rejected", *map(str, place)])))


def alert_id(rule_id: str, rule_revision: str, chain_id: str, episode: int) -> str:
    """Name the `episode`-th time (from 1) that one person broke one rule as it was then."""
    return str(uuid.uuid5(NAMESPACE, "\n".join(["alert", rule_id, rule_revision, chain_id, str(episode)])))


def revision_of(*facts: object) -> str:
    """Name whatever the facts decide together: twelve hexadecimal digits.

    >>> revision_of("detector-1", 5.0) == revision_of("detector-1", 5.0)
    True
    """
    return _short("\n".join(map(str, facts)), digits=12)


def _short(text: str, digits: int = 24) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
