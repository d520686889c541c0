"""Reads what the processes of an installation export, as `crewsight status` shows it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One value with its labels."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Scraped:
    """One process at one moment; `samples` by name, none where it did not answer."""

    job: str
    address: str
    missing: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, list[Sample]] = field(default_factory=dict)
    fault: str = ""

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's values that carry these labels."""
        found = self.samples.get(name, ())
        return sum(each.value for each in found if labels.items() <= each.labels.items())

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums of a metric's values by one label."""
        sums: dict[str, float] = {}
        for each in self.samples.get(name, ()):
            sums[each.labels[label]] = sums.get(each.labels[label], 0.0) + each.value
        return sums


def targets(state_folder: Path, named: Iterable[str]) -> list[tuple[str, str]]:
    """Name and address of each process: those that are `named` as `job=host:port`, else those noted in the state."""
    chosen = [(job, address) for job, _, address in (each.partition("=") for each in named)]
    if chosen:
        return chosen
    noted = []
    for path in sorted((state_folder / "metrics").glob("*.json")):
        try:
            groups = json.loads(path.read_text(encoding="utf-8"))
            noted += [(group["labels"]["job"], address) for group in groups for address in group["targets"]]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # taken back by a process that has just ended, or cut short with the machine
    return noted


def scraped(job: str, address: str) -> Scraped:
    """What a process exports now."""
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=PATIENCE_S) as client:
            missing = client.get("/ready").json()["missing"]
            text = client.get("/metrics").text
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError) as error:
        return Scraped(job, address, fault=str(error) or type(error).__name__)
    samples: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(Sample(sample.labels, sample.value))
    return Scraped(job, address, missing, samples)
