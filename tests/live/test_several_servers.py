"""One client with three servers: one is killed and one drained under load; each page is returned once."""

import io
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc
from PIL import Image, ImageDraw, ImageFont
from tritonclient.utils import InferenceServerException

from tritonocr import OCRClient, ServerUnavailableError
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

PLAIN: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
THREADS, PAGES_A_THREAD = 8, 6


def page(number: int) -> bytes:
    """A page that shows its number."""
    image = Image.new("RGB", (400, 100), "white")
    ImageDraw.Draw(image).text((20, 20), f"Page {number}", "black", ImageFont.load_default(48))
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


@pytest.fixture(scope="session")
def three_servers(
    default_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[EmbeddedServer]]:
    """As small as servers are, on one repository."""
    directory = tmp_path_factory.mktemp("several")
    models = {name: path for name, path in default_models.items() if name.startswith("PP-OCR")}
    small = ServingSettings(instances={"ocr": 1, "ocr_stream": 1, "text_recognition": 1})
    repository = build_repository(directory / "repository", models, serving=small)
    servers = [
        EmbeddedServer(repository, ServerOptions(log_file=directory / f"{number}.log")) for number in range(3)
    ]
    with ExitStack() as stack, ThreadPoolExecutor(3) as starting:
        for server in servers:
            stack.callback(lambda server=server: server.stop())  # type: ignore[misc]
        list(starting.map(EmbeddedServer.start, servers))
        yield servers


def reads(server: EmbeddedServer) -> int:
    """How many files a server has read since it was started; 0 while it is not there."""
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        try:
            return int(client.get_inference_statistics("ocr").model_stats[0].inference_count)
        except InferenceServerException:
            return 0


@pytest.mark.timeout(180)
def test_each_page_is_answered_once_while_one_server_is_killed_and_one_drains(
    three_servers: list[EmbeddedServer], corpus: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed, drained, staying = three_servers
    answers: list[tuple[int, str]] = []
    pdf = (corpus / "edge" / "60_12pages.pdf").read_bytes()

    def read(client: OCRClient, thread: int) -> None:
        for number in range(1000 + thread * 100, 1000 + thread * 100 + PAGES_A_THREAD):
            answers.extend((number, result.text) for result in client.ocr(page(number), **PLAIN))

    def read_pdf(client: OCRClient) -> list[str]:
        return [result.text for result in client.predict(pdf, max_pages=12, **PLAIN)]

    def disturb() -> None:
        _wait_for(lambda: len(answers) >= 10)
        os.killpg(killed.pid, signal.SIGKILL)
        _wait_for(lambda: len(answers) >= 20)
        drained.stop()

    urls = [server.grpc_url for server in three_servers]
    with OCRClient(urls, timeout_s=60) as client, ThreadPoolExecutor(THREADS + 2) as threads:
        work = [threads.submit(read, client, thread) for thread in range(THREADS)]
        pages = threads.submit(read_pdf, client)
        threads.submit(disturb).result()
        for done in work:
            done.result()

        assert Counter(number for number, _ in answers) == dict.fromkeys(_numbers(), 1)
        wrong = [(number, text) for number, text in answers if str(number) not in text]
        assert wrong == []
        assert [f"Page {index + 1} of twelve" in text for index, text in enumerate(pages.result())] == [
            True
        ] * 12
        out_of_use = re.findall(r"No requests are sent to grpc://(\S+) until", caplog.text)
        assert {killed.grpc_url, drained.grpc_url} == set(out_of_use)

        # Its supervisor starts the killed one again, in the same place.
        _wait_for(lambda: client.ocr(page(7), **PLAIN) and reads(killed) > 0)
        list(threads.map(EmbeddedServer.stop, (killed, staying)))
        with pytest.raises(ServerUnavailableError, match="None of the 3 TritonOCR servers ans") as raised:
            client.ocr(page(7), **PLAIN)
    assert all(f"grpc://{url}: Connection refused" in str(raised.value) for url in urls)


def _numbers() -> list[int]:
    return [1000 + thread * 100 + index for thread in range(THREADS) for index in range(PAGES_A_THREAD)]


def _wait_for(condition: Any, timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
