"""Small real media stores and person tables for tests of the page: real pictures, real clips, real rows."""

import base64
import importlib.util
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
from PIL import Image

from consumers.errors import NotSeenError, PeopleTableError, SearchUnavailableError
from consumers.indexer.people import Links, PeopleReader, PeopleTable
from consumers.search.client import IndexStatus
from consumers.search.hits import AlsoSeen, Found, FoundPeople, Why
from consumers.search.query import SearchQuery
from model.questions import CANNOT_TELL, TOO_SMALL, Question
from streamer.bus import identity
from streamer.bus.manifest import LookSeen, Manifest, PathPoint, PersonSeen, Revisions
from streamer.bus.media import MediaStore, crop_uri, manifest_uri, segment_uri
from streamer.bus.messages import AskedQuestion, TimeOrigin

HAT = Question("predicate", "Is this person wearing a hard hat?")
VEST = Question("predicate", "Is this person wearing a safety vest?")
MASK = Question("predicate", "Is this person wearing a face mask?")
COLOUR = Question("choice", "What colour is the hard hat?", ("yellow", "white", "orange", "none"))
QUESTIONS = (HAT, VEST, MASK, COLOUR)
REVISIONS = Revisions(
    detector="yolo11n-person-1f0c22ab",
    answer="humanvlm-compact-answers-5b1e90",
    caption="humanvlm-compact-captions-5b1e90",
    embedding_space="humanvlm-compact-space-5b1e90",
)
ANALYSIS = identity.revision_of(REVISIONS, 5.0)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Walk:
    """One person as a test wants them seen: where at which second, how they look, what is said of them."""

    path: Sequence[tuple[float, Box]]
    crop: np.ndarray
    caption: str
    answers: Mapping[str, Mapping[str, float]]
    best: int = 0  # position in `path`


def sure(question: Question, answer: str, probability: float = 0.94) -> dict[str, dict[str, float]]:
    """That answer with that probability, the rest shared by the others."""
    others = [other for other in (*question.answers, CANNOT_TELL) if other != answer]
    return {
        question.question_id: {
            **dict.fromkeys(others, (1 - probability) / len(others)),
            answer: probability,
        }
    }


def enter_segment(
    store: MediaStore,
    table: PeopleTable,
    video: Path,
    walks: Sequence[Walk],
    *,
    camera: str,
    started_at: datetime = NOON,
    follows: Manifest | None = None,
    links: Mapping[int, int] | None = None,
) -> Manifest:
    """Put a clip or a picture, its crops and its manifest into the store and its people into the table.

    Args:
        links: walk of this segment -> walk of `follows` that it continues.
    """
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        size_wh, duration_s = (stream.width, stream.height), float((container.duration or 0) / av.time_base)
    segment_id = identity.file_segment_id(camera, video.name, int(started_at.timestamp() * 1e6))
    uri = segment_uri(camera, f"{started_at:%Y-%m-%d}", segment_id, ending=video.suffix)
    store.write(uri, video.read_bytes())
    people = tuple(
        _person(store, walk, camera, segment_id, ordinal, started_at) for ordinal, walk in enumerate(walks, start=1)
    )
    manifest = Manifest(
        segment_id=segment_id,
        previous_segment_id=follows.segment_id if follows else None,
        camera_id=camera,
        segment_uri=uri,
        started_at=started_at,
        time_origin=TimeOrigin.CLOCK,
        duration_s=duration_s,
        width_px=size_wh[0],
        height_px=size_wh[1],
        analysis_revision=ANALYSIS,
        revisions=REVISIONS,
        sampling_fps=5.0,
        frame_count=int(duration_s * 5),
        question_set_revision="1",
        people=people,
        questions=tuple(
            AskedQuestion(question_id=q.question_id, kind=q.kind, text=q.text, answers=q.answers) for q in QUESTIONS
        ),
    )
    result = manifest_uri(camera, segment_id, ANALYSIS)
    store.write_once(result, manifest.model_dump_json().encode())
    back = (
        {people[later].person_id: follows.people[earlier].person_id for later, earlier in (links or {}).items()}
        if follows
        else {}
    )
    table.record(manifest, result, Links(back, {}), {p.person_id: base64.b64decode(p.embedding_base64) for p in people})
    return manifest


def _person(
    store: MediaStore, walk: Walk, camera: str, segment_id: str, ordinal: int, started_at: datetime
) -> PersonSeen:
    best_s, best_box = walk.path[walk.best]
    crop = crop_uri(camera, segment_id, ANALYSIS, ordinal, int(best_s * 1000))
    store.write(crop, jpeg(walk.crop))
    track = identity.track_id(segment_id, ordinal)
    height, width = walk.crop.shape[:2]
    reasons = {
        question: TOO_SMALL
        for question, told in walk.answers.items()
        if max(told, key=lambda a: told[a]) == CANNOT_TELL
    }
    look = LookSeen(
        at=started_at + timedelta(seconds=best_s),
        at_s=best_s,
        box_xyxy=best_box,
        sharpness=1.0,
        crop_uri=crop,
        crop_size_wh=(width, height),
        answers={q: dict(a) for q, a in walk.answers.items()},
        reasons=reasons,
    )
    vector = np.eye(1, 64, hash(walk.caption) % 64, dtype="<f2")
    return PersonSeen(
        person_id=identity.person_id(track, ANALYSIS),
        track_id=track,
        looks=(look,),
        caption=walk.caption,
        first_seen_at=started_at + timedelta(seconds=walk.path[0][0]),
        reasons=reasons,
        last_seen_at=started_at + timedelta(seconds=walk.path[-1][0]),
        path=tuple(PathPoint(at_s=s, x=0.5, y=0.5, box_xyxy=box) for s, box in walk.path),
        answers={q: dict(a) for q, a in walk.answers.items()},
        combination="mean",
        embedding_base64=base64.b64encode(vector.tobytes()).decode(),
        detection_score=0.87,
    )


def picture(name: str) -> np.ndarray:
    """A picture that ultralytics brings, (h, w, 3) uint8 RGB: `bus.jpg`, `zidane.jpg`."""
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return np.asarray(Image.open(Path(spec.submodule_search_locations[0]) / "assets" / name).convert("RGB"))


def jpeg(pixels: np.ndarray) -> bytes:
    """A JPEG file of (h, w, 3) uint8 RGB."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def panned_clip(
    picture: np.ndarray,
    path: Path,
    *,
    seconds: float = 4.0,
    fps: int = 12,
    size_wh: tuple[int, int] = (640, 480),
    codec: str = "libx264",
) -> Path:
    """A clip, of H.264 unless told otherwise, that looks over a picture from left to right."""
    width, height = size_wh
    scaled = np.asarray(
        Image.fromarray(picture).resize((width + 120, round((width + 120) * picture.shape[0] / picture.shape[1])))
    )
    top = max(0, (scaled.shape[0] - height) // 2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"crf": "26", "g": str(fps)})
        stream.width, stream.height, stream.pix_fmt = width, min(height, scaled.shape[0] // 2 * 2), "yuv420p"
        for left in _lefts(int(seconds * fps)):
            view = np.ascontiguousarray(scaled[top : top + stream.height, left : left + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _lefts(frames: int) -> Iterator[int]:
    return (round(120 * frame / max(1, frames - 1)) for frame in range(frames))


class CaptionSearch:
    """A search whose scores can be worked out by hand: the share of the query's words that the caption has."""

    def __init__(self, people: PeopleReader) -> None:
        self._people = people

    def find(self, query: SearchQuery) -> FoundPeople:
        people = self._people.newest(1000)
        asked = set(query.words.lower().split())
        known = {word for person in people for word in person.caption.lower().split()}
        cameras = query.filter.cameras
        found = [
            Found(person.id, similarity, Why(similarity, (), person.revisions["embedding_space"]))
            for person in people
            if not cameras or person.camera_id in cameras
            for similarity in [len(asked & set(person.caption.lower().split())) / max(len(asked), 1)]
        ]
        found.sort(key=lambda one: -one.score)
        return FoundPeople(tuple(found[: query.k]), tuple(sorted(asked - known)))

    def elsewhere(self, person_id: str, k: int) -> tuple[AlsoSeen, ...]:
        own = self._people.person(person_id)
        if own is None:
            raise NotSeenError(person_id)
        others = [one for one in self._people.newest(1000) if one.chain_id != own.chain_id]
        return tuple(AlsoSeen(one.id, one.chain_id, 1, 0.95) for one in others[:k])

    def status(self) -> IndexStatus:
        try:
            counts = self._people.counts()
        except PeopleTableError as error:  # the indexer answers 500, and its client says that nobody searches
            raise SearchUnavailableError("the captions", str(error)) from error
        return IndexStatus(counts.people, counts.segments, counts.rejections, counts.chains, keys=counts.people)
