"""Takes videos through every stage in this process: what `crewsight analyze` does."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from consumers.errors import ConsumerError
from streamer.errors import StreamerError

if TYPE_CHECKING:
    from consumers.analyzer.eyes import Eyes
    from operations.terminal import Terminal
    from streamer.bus.manifest import Manifest, PersonSeen


def annotated_paths(videos: Sequence[Path], out: Path) -> list[Path]:
    """Where the annotated video of each goes: called like it, and numbered where several are called the same.

    >>> [path.name for path in annotated_paths([Path("gate/1.mp4"), Path("yard/1.mp4")], Path("out"))]
    ['1.annotated.mp4', '1-2.annotated.mp4']
    """
    paths: list[Path] = []
    for video in videos:
        names = chain([video.stem], (f"{video.stem}-{number}" for number in count(2)))
        paths.append(next(path for name in names if (path := out / f"{name}.annotated.mp4") not in paths))
    return paths


def analyze_video(video: Path, camera: str, eyes: "Eyes", out: Path, annotated: Path, terminal: "Terminal") -> bool:
    """Take one video through every stage; false, after one line that says why, where it cannot be read.

    Args:
        video: The file.
        camera: Whose footage it is.
        eyes: Who looks.
        out: The folder for crops and manifests.
        annotated: The file that the annotated video is written to.
        terminal: Told how far it is.
    """
    from consumers.analyzer.annotate import annotate_video
    from operations.terminal import SourceProgress

    manifests = []
    try:
        for manifest, through_s, duration_s in _manifests(video, camera, eyes, out):
            manifests.append(manifest)
            terminal.show_progress([SourceProgress(video.name, through_s, duration_s)])
            for person in manifest.people:
                typer.echo(json.dumps(_person_line(video, manifest, person), ensure_ascii=False))
        annotate_video(video, manifests, annotated)
    except (ConsumerError, StreamerError) as error:
        typer.echo(f"crewsight: {error}", err=True)
        return False
    return True


def _manifests(video: Path, camera: str, eyes: "Eyes", out: Path) -> "Iterator[tuple[Manifest, float, float]]":
    """The manifest of each segment of a video as soon as it is written, the second it ends at, and the video's length.

    Raises:
        VideoReadError: The video, or a segment of it, cannot be read.
    """
    from consumers.analyzer.analyze import Segment, analyze_batch
    from consumers.analyzer.manifests import write_result
    from consumers.errors import VideoReadError
    from streamer.beginning import file_began
    from streamer.bus.media import MediaStore
    from streamer.bus.messages import Rejected
    from streamer.pictures import is_picture
    from streamer.segmenting import content_sha256, cut, plan_cuts

    if is_picture(video):
        raise VideoReadError(video, "it is a picture; name it, or its folder, among the `sources` of `crewsight up`")
    store = MediaStore(str(out))
    store.check_writable()
    plan = plan_cuts(video, sha256=content_sha256(video))
    began_at, origin = file_began(plan.scan, modified_s=video.stat().st_mtime, now=datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="crewsight-") as scratch:
        for piece in cut(plan, camera_id=camera, folder=Path(scratch)):
            ready = piece.ready(camera, began_at, origin)
            (result,) = analyze_batch([Segment(ready, piece.path)], eyes)
            store.adopt(ready.uri, piece.path)
            if isinstance(result, Rejected):
                raise VideoReadError(video, f"at {piece.start_s:.1f} s: {result.reason}")
            yield write_result(result, store), piece.start_s + piece.duration_s, plan.scan.duration_s


def _person_line(video: Path, manifest: "Manifest", person: "PersonSeen") -> dict[str, object]:
    """One person as `analyze` prints it."""
    from streamer.bus.media import SCHEME
    from streamer.sources.found import shown_path

    labels = {question.question_id: question.label for question in manifest.questions}
    return {
        "video": shown_path(video),
        "camera": manifest.camera_id,
        "person_id": person.person_id,
        "track_id": person.track_id,
        "first_seen_at": person.first_seen_at.isoformat(),
        "last_seen_at": person.last_seen_at.isoformat(),
        "caption": person.caption,
        "answers": {labels[asked]: probabilities for asked, probabilities in person.answers.items()},
        "reasons": {labels[asked]: reason for asked, reason in person.reasons.items()},
        "unmeasured": [labels[asked] for asked in person.unmeasured],
        "crops": [look.crop_uri.removeprefix(SCHEME) for look in person.looks],
    }
