"""What is shipped for Prometheus and Grafana fits the processes: every metric that it names is exported."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
METRIC = re.compile(r"\b(?:crewsight|process)_[a-z_]+|\bup\b(?=\{)")
# Offered where something of theirs is set up, and named here by the process that does.
ASKED = {
    "crewsight_index_vectors": "consumers/indexer/build.py",
    "crewsight_notifications_owed": "consumers/notifying/serve.py",
}


def exported() -> set[str]:
    """Every name that a process of ours exports, and the parts of histograms: read from a process of its own."""
    script = (
        "from pathlib import Path\n"
        "from prometheus_client import REGISTRY\n"
        "import operations.seeing.meters\n"
        "from operations.seeing.cameras import CameraMeters\n"
        "from operations.seeing.machine import Machine\n"
        "REGISTRY.register(CameraMeters())\n"
        "REGISTRY.register(Machine({'state': Path('/')}))\n"
        "for family in REGISTRY.collect():\n"
        "    print(family.type, family.name)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    names = {"up"}
    for line in said.splitlines():
        kind, name = line.split()
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))
        names |= {name + ending for ending in endings}
    for name, where in ASKED.items():
        assert f'ask("{name}"' in (ROOT / where).read_text()
    return names | set(ASKED)


@pytest.fixture(scope="module")
def names() -> set[str]:
    return exported()


def expressions(dashboard: Any) -> Iterator[str]:
    """Everything in a dashboard that Prometheus is asked."""
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (variable["definition"] for variable in dashboard["templating"]["list"])


def test_all_three_dashboards_are_there() -> None:
    assert {path.stem for path in DASHBOARDS} == {"crewsight-operations", "crewsight-cameras", "crewsight-models"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_metric_on_a_dashboard_is_exported(path: Path, names: set[str]) -> None:
    dashboard = json.loads(path.read_text())
    named = {name for expression in expressions(dashboard) for name in METRIC.findall(expression)}
    assert len(named) > 5
    assert named <= names
    assert dashboard["uid"] == path.stem
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_metric_of_an_alert_is_exported_and_every_alert_has_its_section(path: Path, names: set[str]) -> None:
    rules = [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    headings = set(re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    for rule in rules:
        assert set(METRIC.findall(rule["expr"])) <= names
        assert rule["alert"] in headings
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
    assert {rule["alert"] for rule in rules} == headings & {rule["alert"] for rule in rules}


def test_dashboards_ask_the_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = provisioned["datasources"]
    for path in DASHBOARDS:
        assert set(re.findall(r'"uid": "([\w-]+)"', path.read_text())) == {source["uid"], path.stem}


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.mark.parametrize("name", ["prometheus.yml", "local.yml"])
def test_prometheus_accepts_the_configuration(name: str) -> None:
    assert "SUCCESS" in promtool("check", "config", f"deploy/prometheus/{name}")


def test_every_alert_fires_when_it_should_and_is_silent_before() -> None:
    promtool("test", "rules", "tests/prometheus/rules.yml")
    tested = set(re.findall(r"alertname: (\w+)", (ROOT / "tests" / "prometheus" / "rules.yml").read_text()))
    rules = [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    assert tested == {rule["alert"] for rule in rules}


def test_every_process_is_scraped_by_the_name_of_its_service_and_its_usual_port() -> None:
    from operations.seeing.serving import PORTS

    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in jobs if "static_configs" in job}
    by_name = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in jobs if "dns_sd_configs" in job}
    assert by_name == {"analyzer": PORTS["analyzer"]}
    assert targets == {
        "page": "page:8080",
        **{name: f"{name}:{PORTS[name]}" for name in ("streamer", "indexer", "alerter", "notifier")},
    }


def test_the_document_names_every_metric_and_no_other(names: set[str]) -> None:
    written = (ROOT / "docs" / "operations.md").read_text()
    table = written[written.index("## Metrics") : written.index("## What to do per alert")]
    named = set(re.findall(r"`(crewsight_[a-z_]+)`", table))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if name.startswith("crewsight_")}
    assert named == plain
