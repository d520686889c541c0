"""A chain as JSON, for the desk's table of rule states, and back. Pure."""

from collections.abc import Mapping
from typing import Any

from consumers.alerts.chains import Chain, Counted
from consumers.alerts.deciding import RuleState, States
from consumers.alerts.observing import Look, Piece, Source

VERSION = 1  # another whenever the form changes: what another version wrote is forgotten, which costs a count


def dump_chain(chain: Chain) -> dict[str, Any]:
    """A chain as JSON holds it."""
    return {
        "version": VERSION,
        "touched": chain.touched,
        "is_trimmed": chain.is_trimmed,
        "met_s": chain.met_s,
        "episodes": chain.episodes,
        "states": _dump_states(chain.states),
        "pieces": [
            {
                "before": _dump_states(counted.before),
                "source": _dump_source(counted.piece.source),
                "looks": [_dump_look(look) for look in counted.piece.looks],
            }
            for counted in chain.pieces
        ],
    }


def load_chain(chain_id: str, dumped: Mapping[str, Any]) -> Chain | None:
    """The chain that `dump_chain` gave; None when another version did.

    >>> load_chain("x", {"version": 0}) is None
    True
    """
    if dumped.get("version") != VERSION:
        return None
    return Chain(
        chain_id,
        pieces=[_load_piece(piece) for piece in dumped["pieces"]],
        states=_load_states(dumped["states"]),
        met_s={revision: list(met_s) for revision, met_s in dumped["met_s"].items()},
        episodes=dict(dumped["episodes"]),
        touched=dumped["touched"],
        is_trimmed=dumped["is_trimmed"],
    )


def _load_piece(dumped: Mapping[str, Any]) -> Counted:
    looks = tuple(_load_look(look) for look in dumped["looks"])
    return Counted(Piece(_load_source(dumped["source"]), looks), _load_states(dumped["before"]))


def _dump_states(states: States) -> dict[str, list[Any]]:
    return {revision: state.dump() for revision, state in states.items()}


def _load_states(dumped: Mapping[str, list[Any]]) -> States:
    return {revision: RuleState.load(state) for revision, state in dumped.items()}


def _dump_source(source: Source) -> list[Any]:
    return [
        source.person_id,
        source.track_id,
        source.camera_id,
        source.segment_id,
        source.segment_uri,
        source.started_at_s,
        source.manifest_uri,
        source.frame_size_wh,
        source.answer_revision,
    ]


def _load_source(dumped: list[Any]) -> Source:
    person_id, track_id, camera_id, segment_id, segment_uri, started_at_s, manifest_uri, size_wh, revision = dumped
    whence = (person_id, track_id, camera_id, segment_id, segment_uri, started_at_s, manifest_uri)
    return Source(*whence, (size_wh[0], size_wh[1]), revision)


def _dump_look(look: Look) -> list[Any]:
    instants = [look.at_s, look.from_s, look.until_s, look.seconds]
    place = [look.x, look.y, look.position, look.box_xyxy]
    return [*instants, *place, look.crop_uri, look.answers, look.reasons]


def _load_look(dumped: list[Any]) -> Look:
    at_s, from_s, until_s, seconds, x, y, position, box, crop_uri, answers, reasons = dumped
    left, top, right, bottom = box
    return Look(at_s, from_s, until_s, seconds, x, y, position, (left, top, right, bottom), crop_uri, answers, reasons)
