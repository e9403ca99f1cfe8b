"""Metrics that add up over processes, log lines, traces and alerts of a real server."""

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import promql
import pytest
import tritonclient.grpc as triton
from otlp_collector import Collector, collecting
from ruamel.yaml import YAML
from tritonclient.utils import InferenceServerException

from tritonocr import demo_page
from tritonocr._demo import DEMO_LINES
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.triton.telemetry import TIMED_STEPS
from tritonocr_gateway.metrics import Metrics

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PAGES, INSTANCES = 8, 4
SKIPPED = ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")
WAIT_S = 60

_T = TypeVar("_T")


def eventually(look: Callable[[], _T | None]) -> _T:
    """Metrics and log lines follow shortly after the response."""
    deadline = time.monotonic() + WAIT_S
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"not told within {WAIT_S} s"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def watched(
    default_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[EmbeddedServer]:
    """A server that logs and traces every request; it has read 8 pages, 4 at a time, and refused one file."""
    directory = tmp_path_factory.mktemp("watched")
    options = ServerOptions(
        log_file=directory / "server.log",
        log_format="json",
        log_requests=True,
        extra_arguments=[
            "--trace-config=mode=opentelemetry",
            f"--trace-config=opentelemetry,url={collector.url}",
            "--trace-config=opentelemetry,bsp_schedule_delay=200",
            "--trace-config=rate=1",
            "--trace-config=level=TIMESTAMPS",
        ],
    )
    repository = build_repository(directory / "repository", default_models)
    with EmbeddedServer(repository, options) as server:
        with ThreadPoolExecutor(INSTANCES) as threads:
            list(threads.map(lambda number: infer(server, demo_page(), f"page-{number}"), range(PAGES)))
        with pytest.raises(InferenceServerException, match="file: got"):
            infer(server, b"no picture at all", "no-picture")
        yield server


def infer(server: EmbeddedServer, file: Any, request_id: str, **headers: str) -> list[str]:
    """Read a page through Triton's own client, without the steps that take longest."""
    is_file = isinstance(file, bytes)
    name, array = ("file", np.array([file], object)) if is_file else ("image", np.asarray(file))
    inputs = [triton.InferInput(name, list(array.shape), "BYTES" if is_file else "UINT8")]
    inputs[0].set_data_from_numpy(array)
    for option in SKIPPED:
        inputs.append(triton.InferInput(option, [1], "BOOL"))
        inputs[-1].set_data_from_numpy(np.array([False]))
    with triton.InferenceServerClient(server.grpc_url) as client:
        answer = client.infer("ocr", inputs, request_id=request_id, headers=headers)
        return [text.decode() for text in answer.as_numpy("rec_texts")]


def exposition(server: EmbeddedServer) -> str:
    with urllib.request.urlopen(server.metrics_url, timeout=10) as answer:
        return str(answer.read().decode())


def values(server: EmbeddedServer, name: str) -> dict[str, float]:
    """Return the values of a metric of `ocr`, by its other labels."""
    found = re.findall(rf"^{name}{{(.*)}} (\S+)$", exposition(server), re.MULTILINE)
    return {
        re.sub(r',?model="ocr",?', "", labels): float(value)
        for labels, value in found
        if 'model="ocr"' in labels
    }


def log_lines(server: EmbeddedServer) -> dict[str, dict[str, Any]]:
    """Return the log lines of the requests, by request id."""
    assert server.options.log_file is not None
    lines = [line for line in server.options.log_file.read_text().splitlines() if line.startswith("{")]
    told = [line for line in map(json.loads, lines) if line["logger"] == "tritonocr.requests"]
    return {line["request_id"]: line for line in told}


class TestMetrics:
    def test_of_several_instances_add_up(self, watched: EmbeddedServer) -> None:
        total = PAGES + 2  # a file that is rejected, and the page that the server reads at its start
        eventually(lambda: values(watched, "tritonocr_files_total")[""] >= total or None)
        lines = log_lines(watched)
        assert len({line["instance"] for line in lines.values()}) > 1, "several processes have counted"
        for name, value in {
            "files_total": len(lines),
            "pages_total": sum(line["pages"] for line in lines.values()),
            "lines_total": sum(line["lines"] for line in lines.values()),
            "received_bytes_total": sum(line["received_bytes"] for line in lines.values()),
            "page_lines_sum": sum(line["lines"] for line in lines.values()),
            "page_seconds_count": sum(line["pages"] for line in lines.values()),
        }.items():
            assert values(watched, f"tritonocr_{name}") == {"": value}, name
        assert sum(values(watched, "tritonocr_pages_in_flight").values()) == 0

    def test_say_why_a_file_was_rejected(self, watched: EmbeddedServer) -> None:
        rejected = eventually(
            lambda: {k: v for k, v in values(watched, "tritonocr_rejected_files_total").items() if v} or None
        )
        assert rejected == {'reason="unreadable"': 1}

    def test_the_stages_seconds_make_up_the_pages(self, watched: EmbeddedServer) -> None:
        stages = values(watched, "tritonocr_stage_seconds_total")
        assert set(stages) == {f'stage="{stage}"' for stage in TIMED_STEPS}
        page_seconds = values(watched, "tritonocr_page_seconds_sum")[""]
        assert (
            0.8 * page_seconds < sum(stages.values()) < page_seconds + stages['stage="answer_encode"'] + 1e-3
        )

    def test_tell_the_memory_of_every_process(self, watched: EmbeddedServer) -> None:
        memory = re.findall(
            r'^tritonocr_instance_memory_bytes{instance="(.*)_0_\d"', exposition(watched), re.M
        )
        assert memory.count("ocr") == INSTANCES
        assert {"PP-OCRv4_mobile_rec", "text_crop", "UVDoc"} <= set(memory)


class TestLogLines:
    def test_name_the_request_and_where_its_time_went(self, watched: EmbeddedServer) -> None:
        line = eventually(lambda: log_lines(watched).get("page-3"))
        assert (line["status"], line["pages"], line["lines"]) == ("ok", 1, len(DEMO_LINES))
        assert {"text_detection", "text_recognition"} < set(line["stage_milliseconds"]) < set(TIMED_STEPS)
        assert sum(line["stage_milliseconds"].values()) < line["milliseconds"] + 1
        assert log_lines(watched)["no-picture"]["status"] == "unreadable"

    def test_hold_nothing_of_what_was_read(self, watched: EmbeddedServer) -> None:
        assert watched.options.log_file is not None
        log = watched.options.log_file.read_text()
        texts = infer(watched, demo_page(), "read-now")
        assert "page-0" in log
        assert [text for text in texts if len(text) > 3 and text in log] == []
        assert "no picture" not in log


class TestTraces:
    def test_have_a_span_for_every_model_called_within_the_clients_own(
        self, watched: EmbeddedServer, collector: Collector
    ) -> None:
        infer(watched, demo_page(), "traced", traceparent=f"00-{TRACE_ID}-00f067aa0ba902b7-01")
        wanted = {"ocr", "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"}

        def complete() -> dict[str, Any] | None:
            spans = {span["name"]: span for span in collector.trace(TRACE_ID)}
            return spans if wanted <= set(spans) else None

        spans = eventually(complete)
        for network in wanted - {"ocr"}:
            assert spans[network]["parentSpanId"] == spans["ocr"]["spanId"], "called by ocr"


@pytest.fixture(scope="module")
def present(watched: EmbeddedServer) -> list[promql.Series]:
    """What the server and a gateway that has answered something have on their metrics pages."""
    gateway = Metrics()
    gateway.requests.labels("/ocr", 503).inc()
    gateway.seconds.labels("/ocr").observe(1)
    return promql.series(exposition(watched)) + promql.series(gateway.exposition().decode())


class TestMonitoring:
    """The dashboard and the alerts ask for what the servers and the gateway have."""

    def test_every_panel_of_the_dashboard(self, present: list[promql.Series]) -> None:
        dashboard = json.loads((MONITORING / "grafana/dashboards/tritonocr.json").read_text())
        targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
        assert len(targets) > 20
        assert list(promql.unknown([target["expr"] for target in targets], present)) == []

    def test_every_alert(self, present: list[promql.Series]) -> None:
        rules = YAML(typ="safe").load(MONITORING / "prometheus/rules.yml")["groups"][0]["rules"]
        assert len(rules) > 5
        assert list(promql.unknown([rule["expr"] for rule in rules], present)) == []

    def test_every_alert_has_its_page_in_the_runbook(self) -> None:
        rules = YAML(typ="safe").load(MONITORING / "prometheus/rules.yml")["groups"][0]["rules"]
        operations = (Path(__file__).parents[2] / "docs/operations.md").read_text()
        headings = {line.lower().lstrip("# ").replace(" ", "-") for line in operations.splitlines()}
        linked = {rule["annotations"]["runbook"].partition("#")[2] for rule in rules}
        assert linked - headings == set()

    def test_every_metric_of_ours_is_drawn_or_documented(self, present: list[promql.Series]) -> None:
        operations = (Path(__file__).parents[2] / "docs/operations.md").read_text()
        names = {name for name, _ in present if name.startswith("tritonocr_")}
        told = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if not name.endswith("_created")}
        assert {name for name in told if f"`{name}`" not in operations} == set()
