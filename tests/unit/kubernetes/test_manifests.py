"""The manifests are valid, and consistent with each other and with the programs that they start."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from manifest_schemas import MANIFESTS, Manifest, check, only
from typer.testing import CliRunner

from tritonocr._transport.address import Address
from tritonocr.cli._app import app
from tritonocr_backend.server.embedded import ServerOptions
from tritonocr_gateway.settings import ENV_PREFIX, Settings

OVERLAYS = ("cpu", "gpu")
SERVER, GATEWAY = "tritonocr", "tritonocr-gateway"


def kserve_service() -> Manifest:
    """KServe's manifest, which stands outside the overlays."""
    service: Manifest = yaml.safe_load((MANIFESTS / "kserve" / "inference-service.yaml").read_text())
    return service


def pod(deployment: Manifest) -> Any:
    """A deployment's pod."""
    return deployment["spec"]["template"]["spec"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_resource_is_valid(built: dict[str, list[Manifest]], overlay: str, tools: Path) -> None:
    """By Kubernetes 1.30 and the newest, and prometheus-operator's schema."""
    for manifest in built[overlay]:
        check(manifest, tools / "kserve")


def test_the_inference_service_is_valid(tools: Path) -> None:
    """By the models of KServe's SDK."""
    check(kserve_service(), tools / "kserve")


def _misspelled_limit(manifest: Any) -> None:
    manifest["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]["sizelimit"] = "1Gi"


def _text_port(manifest: Any) -> None:
    manifest["spec"]["podMetricsEndpoints"][0]["prot"] = "metrics"


def _unknown_field(manifest: Any) -> None:
    manifest["spec"]["predictor"]["replicas"] = 2


def _wrong_probe(manifest: Any) -> None:
    manifest["spec"]["predictor"]["containers"][0]["startupProbe"]["httpGet"] = {"path": "/"}


@pytest.mark.parametrize(
    ("kind", "spoil", "names"),
    [
        ("Deployment", _misspelled_limit, "sizelimit"),  # Kubernetes drops what it does not know
        ("PodMonitor", _text_port, "prot"),
        ("InferenceService", _unknown_field, "replicas"),
        ("InferenceService", _wrong_probe, "port"),
    ],
)
def test_a_spoiled_manifest_is_refused(
    built: dict[str, list[Manifest]], tools: Path, kind: str, spoil: Callable[[Any], None], names: str
) -> None:
    """Otherwise the tests above would say nothing."""
    manifests = [*built["cpu"], kserve_service()]
    manifest = copy.deepcopy(next(manifest for manifest in manifests if manifest["kind"] == kind))
    spoil(manifest)
    with pytest.raises(ValueError, match=names):
        check(manifest, tools / "kserve")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_their_pods(built: dict[str, list[Manifest]], overlay: str) -> None:
    """A service, budget, policy or monitor that selects nothing is valid, and does nothing."""
    manifests = built[overlay]
    labels = [m["spec"]["template"]["metadata"]["labels"] for m in manifests if m["kind"] == "Deployment"]
    checked = 0
    for manifest in manifests:
        spec = manifest.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if not selector:
            continue
        wanted = selector.get("matchLabels", selector).items()
        assert sum(wanted <= found.items() for found in labels) == 1, manifest["metadata"]["name"]
        checked += 1
    assert checked == 11


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_references_lead_somewhere(built: dict[str, list[Manifest]], overlay: str) -> None:
    """Ports by name, autoscalers' targets, mounted volumes, the gateway's server."""
    manifests = built[overlay]
    for name in (SERVER, GATEWAY):
        spec = pod(only(manifests, "Deployment", name))
        (container,) = spec["containers"]
        ports = {port["name"] for port in container["ports"]}
        probes = [
            container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")
        ]
        assert set(probes) <= ports
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in spec["volumes"]}
        for service in (m for m in manifests if m["kind"] == "Service"):
            if service["spec"]["selector"]["app.kubernetes.io/component"] == name.removeprefix("tritonocr-"):
                assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        target = only(manifests, "HorizontalPodAutoscaler", name)["spec"]["scaleTargetRef"]
        assert only(manifests, "Deployment", target["name"])
    (gateway,) = pod(only(manifests, "Deployment", GATEWAY))["containers"]
    environment = {variable["name"]: variable.get("value") for variable in gateway["env"]}
    host, _, port = Address.parse(environment["TRITONOCR_REST_URL"]).host_port.partition(":")
    service = only(manifests, "Service", host)["spec"]
    assert service["clusterIP"] == "None", "its name would have one address, the service's own"
    assert int(port) in [entry["port"] for entry in service["ports"]]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_confined(built: dict[str, list[Manifest]], overlay: str) -> None:
    """As the namespace's `restricted` asks, and with a root filesystem that is only read."""
    for manifest in (m for m in built[overlay] if m["kind"] == "Deployment"):
        spec = pod(manifest)
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec["automountServiceAccountToken"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"])
        assert re.fullmatch(r".+:\d+\.\d+\.\d+", container["image"]), "an image that moves"
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_labelled_pods_reach_triton_and_only_by_grpc(
    built: dict[str, list[Manifest]], overlay: str
) -> None:
    """A single request to Triton's ports can crash Triton, above all over HTTP."""
    manifests = built[overlay]
    rules = only(manifests, "NetworkPolicy", SERVER)["spec"]["ingress"]
    ports = {
        source["podSelector"]["matchLabels"].get("tritonocr-client", "prometheus"): rule["ports"]
        for rule in rules
        for source in rule["from"]
    }
    assert ports == {"true": [{"port": "grpc"}], "prometheus": [{"port": "metrics"}]}
    services = [m["spec"] for m in manifests if m["kind"] == "Service" and m["metadata"]["name"] != GATEWAY]
    assert [port["port"] for service in services for port in service["ports"]] == [8001, 8001]
    assert not any(service.get("type", "ClusterIP") != "ClusterIP" for service in services)
    labelled = [
        m["metadata"]["name"]
        for m in manifests
        if m["kind"] == "Deployment" and "tritonocr-client" in m["spec"]["template"]["metadata"]["labels"]
    ]
    assert labelled == [GATEWAY]


def _gibibytes(quantity: str) -> float:
    return float(quantity.removesuffix("Gi"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_shared_memory_is_memory_within_the_limit(built: dict[str, list[Manifest]], overlay: str) -> None:
    """A Memory volume counts towards the container's limit."""
    spec = pod(only(built[overlay], "Deployment", SERVER))
    (container,) = spec["containers"]
    (mount,) = (m["name"] for m in container["volumeMounts"] if m["mountPath"] == "/dev/shm")
    volume = next(v["emptyDir"] for v in spec["volumes"] if v["name"] == mount)
    assert volume["medium"] == "Memory"
    assert 2 * _gibibytes(volume["sizeLimit"]) < _gibibytes(container["resources"]["limits"]["memory"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_is_given_the_time_that_its_drain_takes(built: dict[str, list[Manifest]], overlay: str) -> None:
    """preStop, then Triton's drain, then the ten seconds after which EmbeddedServer kills."""
    spec = pod(only(built[overlay], "Deployment", SERVER))
    pause_s = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed_s = pause_s + ServerOptions().exit_timeout_s + 10
    assert spec["terminationGracePeriodSeconds"] > needed_s
    assert kserve_service()["spec"]["predictor"]["terminationGracePeriodSeconds"] > needed_s


def test_the_autoscaler_asks_for_metrics_that_the_adapter_has(built: dict[str, list[Manifest]]) -> None:
    """Their names stand in two files, one of them another program's."""
    values = yaml.safe_load((MANIFESTS / "components" / "monitoring" / "adapter-values.yaml").read_text())
    offered = {rule["name"]["as"] for rule in values["rules"]["custom"]}
    asked = only(built["cpu"], "HorizontalPodAutoscaler", SERVER)["spec"]["metrics"]
    assert {metric["pods"]["metric"]["name"] for metric in asked} == offered


def test_the_adapters_queries_are_promql() -> None:
    """With what prometheus-adapter puts in for its marks; `seriesQuery` finds the series by model and pod."""
    values = yaml.safe_load((MANIFESTS / "components" / "monitoring" / "adapter-values.yaml").read_text())
    for rule in values["rules"]["custom"]:
        query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
        promql_parser.parse(query.replace("<<.LabelMatchers>>", 'namespace="tritonocr",pod=~"a|b"'))
        promql_parser.parse(rule["seriesQuery"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_commands_and_variables_exist(built: dict[str, list[Manifest]], overlay: str) -> None:
    """Options of `tritonocr serve` and `tritonocr gateway`, and the gateway's settings."""
    for name in (SERVER, GATEWAY):
        (container,) = pod(only(built[overlay], "Deployment", name))["containers"]
        command, *options = container["args"]
        helped = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
        assert all(option in helped for option in options if option.startswith("--")), helped
        for variable in (entry["name"] for entry in container["env"]):
            if variable.startswith(ENV_PREFIX):
                assert variable.removeprefix(ENV_PREFIX).lower() in Settings.model_fields


def test_only_the_gpu_overlay_asks_for_gpus(built: dict[str, list[Manifest]]) -> None:
    """One a pod: Triton's instances share it."""
    limits = {
        overlay: pod(only(built[overlay], "Deployment", SERVER))["containers"][0]["resources"]["limits"]
        for overlay in OVERLAYS
    }
    assert "nvidia.com/gpu" not in limits["cpu"]
    assert limits["gpu"]["nvidia.com/gpu"] == "1"
