"""Everyone a camera has just seen, over the borders of segments, and how far each is with every rule. Pure.

A **chain** is one person: the pieces that `consumers.linking.link` joined. It is called after the person of its first
piece. Of each chain the last few pieces are kept whole, so that one that arrives late can be put where it belongs and
everything after it counted again: what was raised before is recognised in the new count and not raised again. Chains
that nothing is added to are let go, so a camera's memory is bounded by who is in view.
"""

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from consumers.alerts.deciding import CameraRules, Met, Raised, States, follow
from consumers.alerts.observing import Look, Piece, Source

KEPT_PIECES = 4  # of a chain: a segment that comes later than this many others is counted by itself
LIVES_FOR = 8  # segments of the camera without a new piece, after which a chain is let go
KEPT_MET = 100  # instants at which a rule was met, of one person


@dataclass(frozen=True, slots=True)
class Decided:
    """An alert to be raised."""

    met: Met
    chain_id: str
    episode: int  # from 1
    source: Source  # of the look by which the rule was met
    counted: tuple[tuple[Source, Look], ...]  # the looks at which the rule held since counting began, where kept


@dataclass(slots=True)
class Counted:
    """A piece, and how far its person was with every rule before it."""

    piece: Piece
    before: States


@dataclass(slots=True)
class Chain:
    """One person at one camera, as far back as is kept."""

    chain_id: str
    pieces: list[Counted] = field(default_factory=list)
    states: States = field(default_factory=dict)
    met_s: dict[str, list[float]] = field(default_factory=dict)  # rule revision -> when it was met
    episodes: dict[str, int] = field(default_factory=dict)  # rule revision -> how many alerts there were
    touched: int = 0  # the camera's count of segments when the last piece came
    is_trimmed: bool = False  # earlier pieces are gone; `pieces[0].before` remembers them

    def takes(self, piece: Piece) -> bool:
        """Whether a piece still fits: nothing that was let go came after it."""
        return not self.is_trimmed or piece.began_at_s >= self.pieces[0].piece.began_at_s

    def add(self, piece: Piece, rules: CameraRules, by_camera: dict[str, float]) -> list[Met]:
        """Take a piece and count on, or, where it is a late one, count again; returns what is newly met."""
        if self.pieces and piece.began_at_s < self.pieces[-1].piece.began_at_s:
            self._insert([piece])
            return self.recount(rules, by_camera)
        self.pieces.append(Counted(piece, _copied(self.states)))
        return follow(rules, self.states, piece.looks, Raised(self.met_s, by_camera))

    def join(
        self, piece: Piece, others: Sequence["Chain"], rules: CameraRules, by_camera: dict[str, float]
    ) -> list[Met]:
        """Take a piece by which other chains turn out to be the same person; returns what is newly met.

        All of it is counted at once: what the others have raised must be known before anything is found to be new.
        """
        self._insert([piece, *(counted.piece for other in others for counted in other.pieces)])
        for other in others:
            for revision, met_s in other.met_s.items():
                self.met_s[revision] = sorted([*self.met_s.get(revision, []), *met_s])
                self.episodes[revision] = self.episodes.get(revision, 0) + other.episodes.get(revision, 0)
        return self.recount(rules, by_camera)

    def recount(self, rules: CameraRules, by_camera: dict[str, float]) -> list[Met]:
        """Count all kept pieces again, in order; returns what is met now and was not raised before.

        An alert that was raised belongs to the episode it falls into, so that episode is not raised again.
        """
        began_s = self.pieces[0].piece.began_at_s
        earlier = {name: [at_s for at_s in met_s if at_s < began_s] for name, met_s in self.met_s.items()}
        again = Raised(earlier, {})
        states = _copied(self.pieces[0].before)
        found: list[Met] = []
        for counted in self.pieces:
            counted.before = _copied(states)
            found.extend(follow(rules, states, counted.piece.looks, again))
        self.states = states
        return self._not_raised_before(found, Raised(self.met_s, by_camera))

    def trim(self) -> None:
        """Let go of what is too far back to be counted again."""
        while len(self.pieces) > KEPT_PIECES:
            self.pieces.pop(0)
            self.is_trimmed = True
        for met_s in self.met_s.values():
            del met_s[:-KEPT_MET]

    def looks_since(self, at_s: float) -> Iterator[tuple[Source, Look]]:
        """Every kept look from an instant on, with where it comes from."""
        for counted in self.pieces:
            for look in counted.piece.looks:
                if look.at_s >= at_s:
                    yield counted.piece.source, look

    def source_of(self, look: Look) -> Source:
        """Where a kept look comes from."""
        return next(source for source, kept in self.looks_since(look.at_s) if kept is look)

    def _insert(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            before = self.pieces[0].before if self.pieces else {}
            place = bisect.bisect([counted.piece.began_at_s for counted in self.pieces], piece.began_at_s)
            self.pieces.insert(place, Counted(piece, {}))
            self.pieces[0].before = before

    def _not_raised_before(self, found: Sequence[Met], raised: Raised) -> list[Met]:
        fresh = []
        for revision, group in itertools.groupby(sorted(found, key=_by_rule), lambda met: met.rule.revision):
            of_rule = list(group)
            known = list(self.met_s.get(revision, ()))
            ends = [after.state.began_s for after in of_rule[1:]] + [float("inf")]
            for met, end_s in zip(of_rule, ends, strict=True):
                if any(met.state.began_s <= at_s < end_s for at_s in known):
                    continue
                if raised.is_quiet(met.rule, revision, met.met_s):
                    self._take_back(met)
                    continue
                raised.note(met.rule, revision, met.met_s)
                fresh.append(met)
        return fresh

    def _take_back(self, met: Met) -> None:
        """Leave an episode that is kept quiet to be met later, once the cooldown is over."""
        state = self.states.get(met.rule.revision)
        if state is not None and state.began_s == met.state.began_s:
            state.met_s = None


@dataclass(slots=True)
class Entered:
    """What one segment has led to."""

    decided: list[Decided] = field(default_factory=list)
    changed: dict[str, Chain] = field(default_factory=dict)  # by chain id
    gone: list[str] = field(default_factory=list)  # chains let go, or become part of another
    renamed: dict[str, str] = field(default_factory=dict)  # chain -> the chain that it became part of


class CameraMemory:
    """Who a camera has just seen."""

    def __init__(
        self,
        camera_id: str,
        chains: Sequence[Chain] = (),
        *,
        segment_count: int = 0,
        met_by_camera: Mapping[str, float] | None = None,
    ) -> None:
        """Go on from these chains, in a camera's `segment_count`-th segment."""
        self.camera_id = camera_id
        self.chains = {chain.chain_id: chain for chain in chains}
        self.segment_count = max([segment_count, *(chain.touched for chain in chains)])
        self.met_by_camera = dict(met_by_camera or {})  # rule revision -> the last instant, for cooldowns per camera
        self._chain_of = {c.piece.source.person_id: chain for chain in chains for c in chain.pieces}

    def enter(
        self, pieces: Sequence[Piece], back: Mapping[str, str], forward: Mapping[str, str], rules: CameraRules
    ) -> Entered:
        """Count a segment's looks.

        Args:
            pieces: The looks at each person in it.
            back: person of this segment -> person of the segment before whom they continue.
            forward: person of a following segment that came earlier -> person of this one whom they continue.
            rules: Those in force for the camera.
        """
        self.segment_count += 1
        entered = Entered()
        followers: dict[str, list[str]] = {}
        for later, earlier in forward.items():
            followers.setdefault(earlier, []).append(later)
        for piece in pieces:
            person_id = piece.source.person_id
            chain = self._chain_for(piece, back.get(person_id))
            others = self._others(chain, followers.get(person_id, ()))
            if others:
                found = chain.join(piece, others, rules, self.met_by_camera)
            else:
                found = chain.add(piece, rules, self.met_by_camera)
            self._decide(chain, found, rules, entered)
            for other in others:
                self._replace(other, chain, entered)
            chain.trim()
            entered.changed[chain.chain_id] = chain
        self._let_go(entered)
        return entered

    def _chain_for(self, piece: Piece, continues: str | None) -> Chain:
        chain = self._chain_of.get(continues) if continues is not None else None
        if chain is None or not chain.takes(piece):
            chain = self.chains[piece.source.person_id] = Chain(piece.source.person_id)
        self._chain_of[piece.source.person_id] = chain
        chain.touched = self.segment_count
        return chain

    def _others(self, chain: Chain, followers: Sequence[str]) -> list[Chain]:
        """The chains of some people, each once, that can still become part of `chain`."""
        found = {id(other): other for name in followers if (other := self._chain_of.get(name)) is not None}
        return [other for other in found.values() if other is not chain and not other.is_trimmed]

    def _replace(self, other: Chain, chain: Chain, entered: Entered) -> None:
        for person_id, owner in self._chain_of.items():
            if owner is other:
                self._chain_of[person_id] = chain
        del self.chains[other.chain_id]
        entered.changed.pop(other.chain_id, None)
        entered.gone.append(other.chain_id)
        entered.renamed[other.chain_id] = chain.chain_id

    @staticmethod
    def _decide(chain: Chain, found: Sequence[Met], rules: CameraRules, entered: Entered) -> None:
        for met in found:
            revision = met.rule.revision
            chain.episodes[revision] = chain.episodes.get(revision, 0) + 1
            since = chain.looks_since(met.state.began_s)
            counted = tuple(pair for pair in since if rules.holds(revision, pair[1]) is None)
            entered.decided.append(
                Decided(met, chain.chain_id, chain.episodes[revision], chain.source_of(met.look), counted)
            )

    def _let_go(self, entered: Entered) -> None:
        oldest = self.segment_count - LIVES_FOR
        gone = [chain_id for chain_id, chain in self.chains.items() if chain.touched <= oldest]
        for chain_id in gone:
            del self.chains[chain_id]
        kept = {c.piece.source.person_id for chain in self.chains.values() for c in chain.pieces}
        if gone or len(self._chain_of) > len(kept):
            self._chain_of = {person_id: chain for person_id, chain in self._chain_of.items() if person_id in kept}
        entered.gone.extend(gone)


def _by_rule(met: Met) -> tuple[str, float]:
    return met.rule.revision, met.state.began_s


def _copied(states: States) -> States:
    return {revision: replace(state) for revision, state in states.items()}
