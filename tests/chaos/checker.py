"""What is wrong with what was found: lost, doubled, never told. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable

from tests.chaos.expectations import Expectations
from tests.chaos.found import Found

NAMED = 3  # of what is wrong, so many are named


def wrongs(expected: Expectations, found: Found) -> list[str]:
    """One line for each kind of loss or doubling; empty when all is as it must be."""
    people, alerts = expected.people(), expected.alerts()
    refused = {str(value) for rejected in found.refused for value in rejected.values()}
    seen_people = Counter(person.person_id for person in found.people)
    seen_alerts = Counter(alert.alert_id for alert in found.alerts)
    good = expected.segments()
    return [
        *_missing("files never became segments", good, found.published),
        *_doubled("segments published under two lines", found.published),
        *_missing("segments neither analysed nor dead-lettered", found.published, [*found.analysed, *refused]),
        *_missing("good segments lost", good, found.analysed),
        *_doubled("segments indexed twice", found.analysed),
        *_missing("good segments that no rule was asked about", good, found.decided),
        *_missing("poison that became no dead letter", expected.poison, refused),
        *_missing("people lost", people, seen_people),
        *_missing("people that nobody put in", seen_people, people),
        *_doubled("people doubled", seen_people),
        *_in_another_chain(people, found),
        *_number("vectors", sum(seen_people.values()), found.vectors),
        *_missing("alerts lost", alerts, seen_alerts),
        *_missing("alerts that nobody put in", seen_alerts, alerts),
        *_doubled("alerts doubled", seen_alerts),
        *_doubled("alerts raised twice in their history", Counter(found.raised)),
        *_missing("alerts without a line of being raised", alerts, found.raised),
        *_missing("alerts that no channel was owed", alerts, found.owed),
        *_missing("alerts that no receiver was told of", {f"{alert}.raised" for alert in alerts}, found.told),
        *_missing("tellings under a name that no alert has", found.told, {f"{alert}.raised" for alert in alerts}),
        *_missing("tellings still owed", alerts, [alert for alert, delivered in found.owed.items() if delivered]),
        *_missing("alerts without copies", alerts, [alert.alert_id for alert in found.alerts if alert.has_copies]),
    ]


def _missing(what: str, wanted: Iterable[str], there: Collection[str]) -> list[str]:
    missing = sorted(set(wanted) - set(there))
    return [f"{len(missing)} {what}: {_some(missing)}"] if missing else []


def _doubled(what: str, counted: Counter[str] | Collection[str]) -> list[str]:
    doubled = sorted(name for name, count in Counter(counted).items() if count > 1)
    return [f"{len(doubled)} {what}: {_some(doubled)}"] if doubled else []


def _in_another_chain(people: dict[str, str], found: Found) -> list[str]:
    odd = sorted(p.person_id for p in found.people if people.get(p.person_id, p.chain_id) != p.chain_id)
    return [f"{len(odd)} people linked otherwise: {_some(odd)}"] if odd else []


def _number(what: str, expected: int, found: int) -> list[str]:
    return [f"{found} {what}, expected {expected}"] if found != expected else []


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
