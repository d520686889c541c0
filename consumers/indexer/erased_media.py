"""What the media store holds of whoever is erased: crops, entries in manifests, clips of nobody else."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from consumers.indexer.erased_paths import Path, path_of
from consumers.indexer.rows import SegmentSeen
from consumers.indexer.schema import SegmentRecord
from streamer.bus.errors import MediaStoreError
from streamer.bus.manifest import Manifest
from streamer.bus.media import MediaStore, crops_folder, crops_of_track


@dataclass(frozen=True, slots=True)
class Erased:
    """What was taken away of one manifest's people, and who is still in it."""

    crops: int
    is_rewritten: bool
    others: int


def nothing_remembered(paths: Mapping[str, Path]) -> None:
    """Keep no place: a tombstone of another kind does."""
    del paths


def read_manifest(store: MediaStore, uri: str) -> Manifest:
    """The manifest at `uri`.

    Raises:
        MediaStoreError: It cannot be read, or is none.
    """
    try:
        return Manifest.model_validate_json(store.read(uri))
    except ValidationError as error:
        raise MediaStoreError(uri, f"not a manifest: {error.errors(include_url=False)[0]['msg']}") from error


def erase_from_manifest(
    store: MediaStore,
    uri: str,
    person_ids: Collection[str] | None,
    *,
    remember: Callable[[Mapping[str, Path]], None] = nothing_remembered,
) -> Erased:
    """Remove people's crops, then their entries; none: everyone's. A manifest that is gone holds nobody.

    An emptied manifest stays: whoever asks for the segment again finds that it was analysed and that nobody is in it.

    Args:
        store: Where manifest and crops lie.
        uri: The manifest's.
        person_ids: Whose.
        remember: Told where they were, by person id, before anything goes.

    Raises:
        MediaStoreError: The store cannot be read or written, or what lies there is no manifest.
    """
    if not store.exists(uri):
        return Erased(0, is_rewritten=False, others=0)
    manifest = read_manifest(store, uri)
    gone = [person for person in manifest.people if person_ids is None or person.person_id in person_ids]
    others = tuple(person for person in manifest.people if person not in gone)
    remember({person.person_id: path_of(manifest, person) for person in gone if person.path or person.looks})
    crops = [look.crop_uri for person in gone for look in person.looks]
    for crop in crops:
        store.remove(crop)
    if gone:
        store.write(uri, manifest.model_copy(update={"people": others}).model_dump_json().encode())
    return Erased(len(crops), is_rewritten=bool(gone), others=len(others))


def erase_crops(store: MediaStore, crop_uris: Collection[str]) -> int:
    """Remove every crop of the tracks that these are crops of, as a manifest that named them may be lost; how many.

    Raises:
        MediaStoreError: The store cannot be read or written.
    """
    tracks = tuple({crops_of_track(uri) for uri in crop_uris})
    folders = sorted({track.rpartition("/")[0] for track in tracks})
    there = [uri for folder in folders for uri in store.list(folder) if uri.startswith(tracks)]
    for uri in there:
        store.remove(uri)
    return len(there)


def erase_crops_and_clip(store: MediaStore, result: SegmentSeen | SegmentRecord) -> int:
    """Remove a result's crops, those that no manifest names too, then its clip; returns how many crops there were.

    Raises:
        MediaStoreError: The store cannot be read or written.
    """
    crops = store.list(crops_folder(result.camera_id, result.segment_id, result.analysis_revision))
    for uri in (*crops, result.uri):
        store.remove(uri)
    return len(crops)
