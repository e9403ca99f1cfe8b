"""The benchmark's parts that need no server: requests, workers, load, processes, drawn pages, GPU samples."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from bench import drawing, gpu
from bench.accuracy import accuracy
from bench.load import Load
from bench.processes import ProcessTree
from bench.triton import OUTPUTS, encode, page_options
from bench.workloads import Page, Workload

WORKERS = Path(__file__).parents[2] / "bench" / "workers"


def test_no_more_requests_are_in_flight_than_clients() -> None:
    in_flight, most, lock = 0, 0, threading.Lock()

    def send(number: int) -> int:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        time.sleep(0.005)
        with lock:
            in_flight -= 1
        return number

    result = Load(send, clients=3).run(range(12))
    assert result.answers == list(range(12))
    assert most == 3
    assert len(result.latencies_s) == 12
    assert result.wall_s >= 4 * 0.005


def test_a_request_is_what_triton_would_be_sent(tmp_path: Path) -> None:
    path = tmp_path / "page.jpg"
    path.write_bytes(b"bytes of a file")
    page = Page("page", path)
    request = service_pb2.ModelInferRequest.FromString(encode(page, page_options(Workload("w", [page]))))
    contents = dict(zip((one.name for one in request.inputs), request.raw_input_contents, strict=True))
    assert contents["file"] == b"\x0f\0\0\0bytes of a file"
    assert contents["use_doc_unwarping"] == b"\0"
    assert np.frombuffer(contents["text_det_limit_side_len"], np.int32) == [960]
    assert np.frombuffer(contents["text_det_thresh"], np.float32) == [np.float32(0.3)]
    assert contents["text_det_limit_type"] == b"\x03\0\0\0max"
    assert [one.name for one in request.outputs] == list(OUTPUTS)


def test_raw_pixels_are_sent_as_an_image(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.save(tmp_path / "page.npy", pixels)
    request = service_pb2.ModelInferRequest.FromString(encode(Page("page", tmp_path / "page.npy"), {}))
    assert request.inputs[0].name == "image"
    assert list(request.inputs[0].shape) == [2, 4, 3]
    assert request.raw_input_contents[0] == pixels.tobytes()


def test_a_worker_answers_in_spite_of_what_libraries_print(tmp_path: Path) -> None:
    script = (
        "from protocol import one_by_one, serve\n"
        "def start():\n"
        "    print('a banner')\n"
        "    return one_by_one(lambda file: [([[0, 0]], file.data.decode())])\n"
        "serve(start)\n"
    )
    (tmp_path / "page.txt").write_text("text")
    done = subprocess.run(
        [sys.executable, "-c", script, "{}"],
        input=json.dumps({"pages": [str(tmp_path / "page.txt")]}) + "\n",
        env={**os.environ, "PYTHONPATH": str(WORKERS)},
        capture_output=True,
        text=True,
        check=True,
    )
    ready, answer = map(json.loads, done.stdout.splitlines())
    assert ready == {"ready": True}
    assert answer["lines"] == [[[[[0, 0]], "text"]]]
    assert done.stderr == "a banner\n"


def test_a_process_tree_counts_its_children() -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    with subprocess.Popen([sys.executable, "-c", busy], start_new_session=True) as process:
        try:
            tree = ProcessTree(process.pid)
            deadline = time.monotonic() + 60
            while tree.cpu_s() < 0.5 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert tree.cpu_s() >= 0.5
            assert tree.peak_mb() > 5
            assert set(tree.cpu_s_by_model()) == {""}
        finally:
            os.killpg(process.pid, 9)


def test_a_process_that_has_gone_costs_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert ProcessTree(process.pid).cpu_s() == 0
    assert ProcessTree(process.pid).peak_mb() == 0


def test_a_drawn_page_knows_its_lines(tmp_path: Path) -> None:
    page = drawing.write_dense_page(tmp_path / "page.jpg", lines=13)
    assert len(page.truth) == 13
    (x, y), _, (x_end, y_end), _ = page.truth[12][0]
    assert 40 <= x < x_end < 2400
    assert y > page.truth[0][0][2][1], "the thirteenth line stands in the third row"
    assert y_end < 3200


def test_accuracy_is_the_corpus_scorers(tmp_path: Path, corpus: Path) -> None:
    pytest.importorskip("rapidfuzz")
    drawn = drawing.write_dense_page(tmp_path / "page.jpg", lines=4)
    page = Page("page", drawn.path, drawn.truth)
    assert accuracy([page], {"page": drawn.truth}) == {"hmean": 1, "1-NED": 1, "exact": 1, "CER": 0}
    missed = accuracy([page], {"page": drawn.truth[:2]})
    assert missed["hmean"] == pytest.approx(2 / 3, abs=1e-4)
    assert accuracy([Page("scene", drawn.path)], {"scene": drawn.truth}) == {}, "without truth there is none"


@pytest.mark.parametrize(
    ("output", "expected", "reason"),
    [
        ("60, 1000\n40, 3000\n", {"gpu_busy": 0.5, "gpu_mb": 3000}, "the mean share, the largest memory"),
        ("60, 1000\n4", {"gpu_busy": 0.6, "gpu_mb": 1000}, "the last line is cut when the sampler ends"),
        ("", {}, "no sample in a short pass"),
    ],
)
def test_gpu_samples(output: str, expected: dict[str, float], reason: str) -> None:
    assert gpu.figures(output) == expected, reason
