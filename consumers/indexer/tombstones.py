"""Who may not come in any more: by their id, by a camera's stretch of time, and by where they were in the picture.

An id is one analysis's. Another model finds the same person in the same footage under another id, so what is kept of
whoever is erased is also their path: boxes and times, and nothing that they look like.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from consumers.indexer.erased_paths import Path, are_one, path_of
from consumers.indexer.people import PeopleTable
from consumers.indexer.rows import SegmentSeen
from consumers.indexer.schema import ErasedFootage, ErasedPath, SegmentRecord, Tombstone
from streamer.bus.manifest import Manifest
from streamer.bus.messages import SegmentReady


class Tombstones:
    """Those of the people database; safe to share between threads.

    Raises (every method): `PeopleTableError`.
    """

    def __init__(self, table: PeopleTable) -> None:
        """Those of the database of `table`."""
        self._table = table

    def erased_by_id(self, manifest: Manifest) -> set[str]:
        """The person ids of a segment that were erased."""
        ids = [person.person_id for person in manifest.people]
        with self._table.reading() as session:
            return set(session.scalars(select(Tombstone.person_id).where(Tombstone.person_id.in_(ids))))

    def erased_by_place(self, manifest: Manifest) -> set[str]:
        """The person ids of a segment whose path is that of somebody who was erased."""
        with self._table.reading() as session:
            erased = [_path(row) for row in session.scalars(select(ErasedPath).where(_is_during(manifest)))]
        return who_goes_there(manifest, erased)

    def is_anybody_erased(self, segment: SegmentSeen) -> bool:
        """Whether somebody was erased whom that camera saw during a segment."""
        with self._table.reading() as session:
            return session.scalar(select(ErasedPath.person_id).where(_is_during(segment)).limit(1)) is not None

    def is_erased_footage(self, segment: Manifest | SegmentReady | SegmentSeen) -> bool:
        """Whether a segment touches a stretch of time that was erased."""
        chosen = select(ErasedFootage.id).where(
            ErasedFootage.camera_id == segment.camera_id,
            ErasedFootage.since < segment.started_at + timedelta(seconds=segment.duration_s),
            ErasedFootage.until > segment.started_at,
        )
        with self._table.reading() as session:
            return session.scalar(chosen.limit(1)) is not None

    def remember(self, paths: Mapping[str, Path]) -> None:
        """Keep the whole paths of whoever is erased, by person id."""
        if paths:
            with self._table.writing() as session:
                keep_paths(session, paths, are_whole=True)

    def paths_of(self, person_ids: Collection[str]) -> list[Path]:
        """What is kept of where these people were."""
        with self._table.reading() as session:
            return [
                _path(row) for row in session.scalars(select(ErasedPath).where(ErasedPath.person_id.in_(person_ids)))
            ]

    def results_about(self, paths: Iterable[Path]) -> list[str]:
        """URIs of the manifests of all segments in which these paths may be."""
        found: dict[str, None] = {}
        with self._table.reading() as session:
            for path in paths:
                chosen = select(SegmentRecord).where(
                    SegmentRecord.camera_id == path.camera_id, SegmentRecord.started_at < path.until
                )
                # As no statement of both databases adds seconds to an instant; nothing is cut into segments of a day.
                recent = chosen.where(SegmentRecord.started_at > path.since - timedelta(days=1))
                for row in session.scalars(recent):
                    if row.started_at + timedelta(seconds=row.duration_s) > path.since:
                        found[row.manifest_uri] = None
        return list(found)


def who_goes_there(manifest: Manifest, erased: Collection[Path]) -> set[str]:
    """The person ids of a manifest whose path is one of those."""
    if not erased:
        return set()
    paths = {person.person_id: path_of(manifest, person) for person in manifest.people if person.path or person.looks}
    return {person_id for person_id, path in paths.items() if any(are_one(one, path) for one in erased)}


def set_tombstones(session: Session, person_ids: Iterable[str], at: datetime) -> None:
    """Let nobody of these ids come in any more, in the caller's transaction."""
    for person_id in person_ids:
        session.merge(Tombstone(person_id=person_id, erased_at=at))


def keep_paths(session: Session, paths: Mapping[str, Path], *, are_whole: bool) -> None:
    """Keep where these people were, in the caller's transaction; a whole path is never replaced by less."""
    for person_id, path in paths.items():
        known = session.get(ErasedPath, person_id)
        if known is not None and known.is_whole:
            continue
        session.merge(
            ErasedPath(
                person_id=person_id,
                camera_id=path.camera_id,
                segment_id=path.result[0],
                analysis_revision=path.result[1],
                since=path.since,
                until=path.until,
                path=[[round(number, 5) for number in point] for point in path.points],
                is_whole=are_whole,
            )
        )


def _is_during(segment: Manifest | SegmentSeen) -> ColumnElement[bool]:
    ends = segment.started_at + timedelta(seconds=segment.duration_s)
    return and_(
        ErasedPath.camera_id == segment.camera_id, ErasedPath.since <= ends, ErasedPath.until >= segment.started_at
    )


def _path(row: ErasedPath) -> Path:
    result = row.segment_id, row.analysis_revision
    return Path(row.camera_id, result, row.since, row.until, tuple(tuple(point) for point in row.path))
