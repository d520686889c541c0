"""Who goes on over a segment's border, from as little of its manifest as that takes. Pure."""

import base64
import binascii
import itertools

import numpy as np

from consumers.linking import VELOCITY_FROM_S, link
from streamer.bus.manifest import Manifest, PersonSeen

FARTHEST_PX, FARTHEST_S = 1e6, 1e6  # what goes beyond makes no sense
NO_EMBEDDING = base64.b64encode(np.zeros(1, dtype="<f2").tobytes()).decode()


def border_of(manifest: Manifest) -> Manifest:
    """What linking needs of a manifest: the ends of paths, and embeddings; whoever's make no sense is left out."""
    people = [slim for person in manifest.people if (slim := _slim(person)) is not None]
    widths = {len(person.embedding_base64) for person in people}
    if len(widths) > 1:  # not of one model: then nobody's likeness counts
        people = [person.model_copy(update={"embedding_base64": NO_EMBEDDING}) for person in people]
    return manifest.model_copy(update={"people": tuple(people), "questions": (), "timings_s": {}})


def linked(before: Manifest, after: Manifest) -> dict[str, str]:
    """Who of `after` continues whom of `before`, both made by `border_of`: person_id -> person_id."""
    if not before.people or not after.people:
        return {}
    is_one_space = before.revisions.embedding_space == after.revisions.embedding_space and len(
        before.people[0].embedding_base64
    ) == len(after.people[0].embedding_base64)
    return link(before, after) if is_one_space else link(_faceless(before), _faceless(after))


def _slim(person: PersonSeen) -> PersonSeen | None:
    if not person.path or not _is_embedding(person.embedding_base64):
        return None
    first_s, last_s = person.path[0].at_s + VELOCITY_FROM_S, person.path[-1].at_s - VELOCITY_FROM_S
    ends = tuple(point for point in person.path if point.at_s <= first_s or point.at_s >= last_s)
    if not ends[-1].at_s <= FARTHEST_S or any(not b.at_s < a.at_s for b, a in itertools.pairwise(ends)):
        return None
    if not all(abs(side) <= FARTHEST_PX for point in ends for side in point.box_xyxy):
        return None
    return person.model_copy(update={"path": ends, "looks": (), "answers": {}, "reasons": {}, "caption": ""})


def _is_embedding(encoded: str) -> bool:
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(content) > 0 and len(content) % 2 == 0 and bool(np.all(np.isfinite(np.frombuffer(content, dtype="<f2"))))


def _faceless(manifest: Manifest) -> Manifest:
    people = tuple(person.model_copy(update={"embedding_base64": NO_EMBEDDING}) for person in manifest.people)
    return manifest.model_copy(update={"people": people})
