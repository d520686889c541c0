"""docker-compose.yml as Compose's own programs read it: what is pinned, closed, explained and reachable."""

import itertools
import json
import re
import shutil
import stat
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.settings import Page
from tests.builders_compose import COMPOSE, DEBIANS, PROFILES, ROOT, compose_config

ENV_EXAMPLE = ROOT / ".env.example"
OURS = ("streamer", "analyzer", "indexer", "alerter", "notifier", "page")
OF_OUR_IMAGE = {*OURS, "migrate", "administrator", "analyzer-gpu", "analyzer-vllm", "demo-footage", "demo-camera"}
MAY_WRITE = {"kafka", "vllm"}  # their images write into folders of their own
ONE_SHOT = {"media-volume", "bucket", "migrate", "administrator", "demo-footage", "demo-camera"}
RUN_AS_ROOT = {"media-volume", "vllm"}  # the one gives a folder away and ends; the other's image knows no other user


@pytest.fixture(scope="module")
def config() -> Mapping[str, Any]:
    return compose_config("--profile", "*")


@pytest.fixture(scope="module")
def services(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = config["services"]
    return found


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_the_file_is_one_that_debians_compose_accepts_too(profile: str) -> None:
    if not shutil.which(DEBIANS):
        pytest.skip("docker-compose is not installed")
    chosen = ["--profile", profile] if profile else []
    checked = subprocess.run(
        [DEBIANS, "-f", str(COMPOSE), *chosen, "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_each_profile_is_whole(profile: str) -> None:
    chosen = compose_config(*(["--profile", profile] if profile else []))["services"]
    for service in chosen.values():
        assert set(service.get("depends_on", {})) <= set(chosen)


def test_every_process_of_up_is_a_service_with_the_same_command(services: Mapping[str, Any]) -> None:
    assert {name: services[name]["command"] for name in OURS} == {name: [name] for name in OURS}


def test_every_variable_is_explained_in_the_example_and_no_other() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", COMPOSE.read_text()))
    lines = ENV_EXAMPLE.read_text().splitlines()
    assert [line.split("=")[0] for line in lines if re.match(r"[A-Z0-9_]+=", line)] == sorted(
        used, key=lambda name: next((n for n, line in enumerate(lines) if line.startswith(f"{name}=")), -1)
    )
    for before, line in itertools.pairwise(lines):
        if re.match(r"[A-Z]", line):
            assert before.startswith("# ") or re.match(r"[A-Z]", before), f"{line} is not explained"


def test_the_example_says_the_defaults(config: Mapping[str, Any]) -> None:
    assert compose_config("--profile", "*", env_file=ENV_EXAMPLE) == config


def test_only_the_page_and_grafana_are_reached_and_only_from_this_machine(services: Mapping[str, Any]) -> None:
    published = {
        name: [(port["host_ip"], port["target"]) for port in service["ports"]]
        for name, service in services.items()
        if service.get("ports")
    }
    assert published == {"page": [("127.0.0.1", 8080)], "grafana": [("127.0.0.1", 3000)]}
    assert all(service.get("network_mode") in (None, "none") for service in services.values())


def test_the_page_believes_a_proxy_on_this_machine_which_comes_from_the_network_that_publishes_it(
    config: Mapping[str, Any],
) -> None:
    (addresses,) = config["networks"]["outer"]["ipam"]["config"]
    page = Page(proxies=json.loads(config["services"]["page"]["environment"]["CREWSIGHT_PAGE__PROXIES"]))
    assert page.proxies == ("127.0.0.1", addresses["subnet"])


def test_who_needs_no_way_out_has_none(config: Mapping[str, Any]) -> None:
    assert config["networks"]["inner"]["internal"]
    outside = {name for name, service in config["services"].items() if "outer" in service.get("networks", {})}
    assert outside == {"streamer", "notifier", "page", "grafana", "vllm", "questions"}


def test_whoever_needs_media_reaches_an_s3_outside_with_the_file_for_it() -> None:
    outside = compose_config("-f", str(ROOT / "deploy" / "outside-s3.yml"), "--profile", "*")["services"]
    keyed = {*OURS, "analyzer-gpu", "analyzer-vllm"}
    assert all("s3_key_id" in {secret["source"] for secret in outside[name]["secrets"]} for name in keyed)
    assert all({"inner", "outer"} == set(outside[name]["networks"]) for name in keyed)


def test_every_image_is_pinned(services: Mapping[str, Any]) -> None:
    for service in services.values():
        _, _, tag = service["image"].partition(":")
        assert re.search(r"\d", tag), service["image"]
        assert "latest" not in tag


def test_nobody_has_more_rights_than_needed(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only", False) is (name not in MAY_WRITE), name
        assert (service.get("user", "0").split(":")[0] == "0") is (name in RUN_AS_ROOT), name
        assert not service.get("privileged")
    assert {name for name, service in services.items() if service.get("cap_add")} == {"media-volume"}


def test_whoever_runs_on_is_watched_limited_and_started_again(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        if name in ONE_SHOT:
            assert service["restart"] == "no", name
            continue
        assert service["healthcheck"]["test"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["restart"] == "unless-stopped", name


def test_whoever_needs_another_waits_until_it_is_well_or_done(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how["condition"] == wanted, f"{name} needs {needed}"
    for name in OURS:
        assert {"kafka", "bucket", "migrate"} <= set(services[name]["depends_on"])
    assert "administrator" in services["page"]["depends_on"]


def test_whoever_brings_the_databases_up_reaches_the_ledger_of_the_streamer(services: Mapping[str, Any]) -> None:
    folder = services["streamer"]["environment"]["CREWSIGHT_STATE__FOLDER"]
    mounted = {name: _volumes(services[name]).get(folder) for name in ("migrate", "streamer")}
    assert mounted == {"migrate": "streamer", "streamer": "streamer"}


def test_the_page_knows_for_how_long_the_indexer_keeps_people(services: Mapping[str, Any]) -> None:
    days = {services[name]["environment"].get("CREWSIGHT_SEARCH__KEEP_DAYS") for name in ("indexer", "page")}
    assert days == {"36500"}


def test_no_secret_stands_in_the_file_or_in_a_variable(config: Mapping[str, Any]) -> None:
    for name, service in config["services"].items():
        for key, value in (service.get("environment") or {}).items():
            is_secret = re.search(r"password|secret|token|_key", key, re.IGNORECASE)
            assert not is_secret or str(value).startswith("/run/secrets/"), f"{name}: {key}"
    assert {Path(secret["file"]).parent.name for secret in config["secrets"].values()} == {"secrets"}


def test_the_script_makes_every_secret_once(config: Mapping[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    def made() -> dict[str, str]:
        subprocess.run(["sh", ROOT / "deploy" / "secrets.sh", folder], check=True, capture_output=True)
        return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}

    first = made()
    assert set(first) == set(config["secrets"])
    assert len(set(first.values())) == len(first)
    assert all(len(secret) >= 20 for name, secret in first.items() if name != "channels")
    assert made() == first
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_every_volume_is_used_and_every_mounted_file_is_here(config: Mapping[str, Any]) -> None:
    mounts = [mount for service in config["services"].values() for mount in service.get("volumes", ())]
    assert {mount["source"] for mount in mounts if mount["type"] == "volume"} == set(config["volumes"])
    bound = {Path(mount["source"]) for mount in mounts if mount["type"] == "bind"}
    for path in bound:
        relative = path.relative_to(ROOT)
        assert relative.parts[0] in ("footage", "secrets") or path.exists(), relative


def test_prometheus_asks_every_process_where_it_listens(services: Mapping[str, Any]) -> None:
    read = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    asked = {}
    for job in read["scrape_configs"]:
        for static in job.get("static_configs", ()):
            asked |= dict(target.split(":") for target in static["targets"])
        for looked_up in job.get("dns_sd_configs", ()):
            asked |= dict.fromkeys(looked_up["names"], str(looked_up["port"]))
    listening = {name: services[name]["environment"].get("CREWSIGHT_METRICS__PORT", "8080") for name in OURS}
    assert asked == listening
    for name in ("analyzer-gpu", "analyzer-vllm"):
        assert services[name]["networks"]["inner"]["aliases"] == ["analyzer"]
        assert services[name]["environment"]["CREWSIGHT_METRICS__PORT"] == listening["analyzer"]


def test_the_demo_camera_publishes_what_the_cameras_file_is_told(services: Mapping[str, Any]) -> None:
    served = yaml.safe_load((ROOT / "deploy" / "mediamtx" / "mediamtx.yml").read_text())
    address = services["demo-camera"]["command"][-2]
    assert address == f"rtsp://camera:8554/{next(iter(served['paths']))}"


def test_the_build_takes_neither_secrets_nor_tests_along() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    taken = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert taken == {word for line in copied for word in line.split()}
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = {package.removesuffix("*") for package in setuptools["packages"]["find"]["include"]}
    assert packages <= taken


def _volumes(service: Mapping[str, Any]) -> dict[str, str]:
    """What is mounted where."""
    return {mount["target"]: mount["source"] for mount in service.get("volumes", ())}
