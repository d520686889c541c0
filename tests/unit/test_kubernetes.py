"""deploy/kubernetes, put together by kubectl's own kustomize and held to the schemas of Kubernetes and of KEDA."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from consumers.analyzer.build import GROUP
from consumers.settings import AnalyzerSettings, IndexerSettings, NotifierSettings, Page, PageSettings
from streamer.bus.topics import SEGMENTS
from streamer.settings import StreamerSettings
from tests.builders_compose import ROOT, compose_config

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("cpu", "gpu")
KUBERNETES = "1.33"  # older clusters know the same fields
OURS = {"streamer", "analyzer", "indexer", "alerter", "notifier", "page"}
PROCESSES = (StreamerSettings, AnalyzerSettings, IndexerSettings, PageSettings, NotifierSettings)


def put_together(overlay: str) -> list[dict[str, Any]]:
    installed = Path(sys.executable).parent / "kubectl"
    kubectl = str(installed) if installed.exists() else shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    said = subprocess.run(
        [kubectl, "kustomize", str(FOLDER / "overlays" / overlay)], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    return [document for document in yaml.safe_load_all(said.stdout) if document]


@pytest.fixture(scope="module", params=OVERLAYS)
def documents(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return put_together(request.param)


@pytest.fixture(scope="module")
def pods(documents: list[dict[str, Any]]) -> Mapping[str, Any]:
    """The pod of every workload, by its name."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in documents if each["kind"] in kinds}


def the(documents: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [each for each in documents if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    return found


def container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    (only,) = pod["containers"]
    read: Mapping[str, Any] = only
    return read


def test_every_document_fits_the_schema_of_kubernetes(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        if document["apiVersion"] != "keda.sh/v1alpha1":
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_the_schema_refuses_what_is_misspelt(documents: list[dict[str, Any]]) -> None:
    deployment = the(documents, "Deployment", "page")
    misspelt = {**deployment, "spec": {**deployment["spec"], "replica": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(misspelt, KUBERNETES, strict=True)


def test_scaling_fits_the_schema_of_keda_and_what_the_analyzers_are(documents: list[dict[str, Any]]) -> None:
    keda = pytest.importorskip("cloudcoil.models.keda.v1alpha1")
    scaled = the(documents, "ScaledObject")
    keda.ScaledObject.model_validate(scaled)
    (trigger,) = scaled["spec"]["triggers"]
    told = trigger["metadata"]
    assert (told["consumerGroup"], told["topic"]) == (GROUP, SEGMENTS.name)
    settings = the(documents, "ConfigMap")["data"]
    assert told["bootstrapServersFromEnv"] in settings
    assert str(scaled["spec"]["maxReplicaCount"]) == settings["CREWSIGHT_BUS__PARTITIONS"]
    deployment = the(documents, "Deployment", "analyzer")
    assert scaled["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]  # or every `kubectl apply` would undo what was scaled


def test_every_process_runs_with_the_command_and_port_of_compose(pods: Mapping[str, Any]) -> None:
    services = compose_config()["services"]
    assert set(pods) >= OURS
    for name in OURS:
        own = container(pods[name])
        assert own["args"] == services[name]["command"]
        told = {entry["name"]: entry["value"] for entry in own.get("env", ())}
        wanted = services[name]["environment"].get("CREWSIGHT_METRICS__PORT")
        assert told.get("CREWSIGHT_METRICS__PORT") == wanted
        ports = {port["name"]: str(port["containerPort"]) for port in own["ports"]}
        assert (ports.get("metrics") or ports["http"]) == (wanted or "8080")
    for job in ("migrate", "administrator"):
        assert container(pods[job])["args"][:2] == services[job]["command"][:2]


def test_every_process_is_asked_whether_it_lives_and_is_ready(pods: Mapping[str, Any]) -> None:
    for name in OURS:
        own = container(pods[name])
        asked = {probe: own[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert [each["path"] for each in asked.values()] == ["/live", "/live", "/ready"]
        assert {each["port"] for each in asked.values()} <= {port["name"] for port in own["ports"]}


def test_nobody_is_root_or_writes_beside_volumes(pods: Mapping[str, Any]) -> None:
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        confined = container(pod)["securityContext"]
        assert confined == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        mounted = {mount["mountPath"] for mount in container(pod)["volumeMounts"]}
        assert {"/tmp", "/var/lib/crewsight", "/run/crewsight-secrets"} <= mounted
        assert container(pod)["resources"]["limits"]["memory"], name


def test_secrets_are_named_and_never_written(documents: list[dict[str, Any]], pods: Mapping[str, Any]) -> None:
    assert not [each for each in documents if each["kind"] == "Secret"]
    for pod in pods.values():
        (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        assert secret["secretName"] == "crewsight"


def test_every_volume_that_is_claimed_is_there(documents: list[dict[str, Any]], pods: Mapping[str, Any]) -> None:
    there = {each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"}
    claims = [volume.get("persistentVolumeClaim") for pod in pods.values() for volume in pod["volumes"]]
    assert {claim["claimName"] for claim in claims if claim} == there


def test_every_setting_is_one_that_some_process_knows(documents: list[dict[str, Any]], pods: Mapping[str, Any]) -> None:
    known = {"CREWSIGHT_SECRETS_FOLDER", "OMP_NUM_THREADS"}
    for process in PROCESSES:
        for group, field in process.model_fields.items():
            fields = getattr(field.annotation, "model_fields", {})
            known |= {f"CREWSIGHT_{group}__{name}".upper() for name in fields}
    used = set(the(documents, "ConfigMap")["data"])
    used |= {entry["name"] for pod in pods.values() for entry in container(pod).get("env", ())}
    assert used <= known


def test_the_page_believes_a_network_that_is_one(documents: list[dict[str, Any]]) -> None:
    told = the(documents, "ConfigMap")["data"]["CREWSIGHT_PAGE__PROXIES"]
    assert Page(proxies=json.loads(told)).proxies == ("10.244.0.0/16",)


def test_searches_are_asked_by_the_page_alone_and_the_page_by_browsers(documents: list[dict[str, Any]]) -> None:
    closed = the(documents, "NetworkPolicy", "closed")["spec"]
    assert (closed["podSelector"], sorted(closed["policyTypes"])) == ({}, ["Egress", "Ingress"])
    (searches,) = the(documents, "NetworkPolicy", "searches")["spec"]["ingress"]
    assert searches["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "page"}}}]
    outward = the(documents, "NetworkPolicy", "outward")["spec"]["podSelector"]["matchExpressions"]
    assert outward[0]["values"] == ["streamer", "notifier"]


def test_only_with_gpus_is_a_gpu_asked_for() -> None:
    wanted = {}
    for overlay in OVERLAYS:
        analyzer = the(put_together(overlay), "Deployment", "analyzer")["spec"]["template"]["spec"]
        limits = container(analyzer)["resources"]["limits"]
        wanted[overlay] = (limits.get("nvidia.com/gpu"), container(analyzer)["image"].endswith("-gpu"))
    assert wanted == {"cpu": (None, False), "gpu": ("1", True)}
