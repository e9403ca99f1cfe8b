"""The client on a real server: all interfaces return the same lines, and errors are reported."""

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image

import tritonocr
from tritonocr import AsyncOCRClient, OCRClient, OCRResult
from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer

# PaddleX's three switches, off: only detection and recognition remain.
OFF: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}


def png(pixels: Any) -> bytes:
    output = io.BytesIO()
    Image.fromarray(pixels[:, :, ::-1]).save(output, "PNG")
    return output.getvalue()


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "demo.png"
    path.write_bytes(png(tritonocr.demo_page()))
    return path


def through_grpc(server: EmbeddedServer, file: Path) -> list[dict[str, Any]]:
    with OCRClient(server.grpc_url) as client:
        return [result.json["res"] for result in client.predict(file)]


def through_http(server: EmbeddedServer, file: Path) -> list[dict[str, Any]]:
    with OCRClient(f"http://{server.http_url}") as client:
        return [result.json["res"] for result in client.predict(file)]


def through_async_grpc(server: EmbeddedServer, file: Path) -> list[dict[str, Any]]:
    return asyncio.run(_read(server.grpc_url, file))


def through_async_http(server: EmbeddedServer, file: Path) -> list[dict[str, Any]]:
    return asyncio.run(_read(f"http://{server.http_url}", file))


async def _read(url: str, file: Path) -> list[dict[str, Any]]:
    async with AsyncOCRClient(url) as client:
        return [result.json["res"] async for result in client.predict(file)]


def through_create_pipeline(server: EmbeddedServer, file: Path) -> list[dict[str, Any]]:
    with tritonocr.create_pipeline(url=server.grpc_url) as pipeline:
        return [result.json["res"] for result in pipeline.predict(str(file))]


def through_the_command_line(server: EmbeddedServer, file: Path) -> list[dict[str, Any]]:
    call = [sys.executable, "-m", "tritonocr", "predict", str(file), "--format", "json"]
    done = subprocess.run(
        [*call, "--url", server.grpc_url], capture_output=True, text=True, check=True, timeout=120
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


INTERFACES: list[Callable[[EmbeddedServer, Path], list[dict[str, Any]]]] = [
    through_http,
    through_async_grpc,
    through_async_http,
    through_create_pipeline,
    through_the_command_line,
]


@pytest.fixture(scope="module")
def demo_result(server: EmbeddedServer, demo_file: Path) -> dict[str, Any]:
    (result,) = through_grpc(server, demo_file)
    return result


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: interface.__name__)
def test_every_interface_gives_the_same_lines(
    server: EmbeddedServer, demo_file: Path, demo_result: dict[str, Any], interface: Callable[..., Any]
) -> None:
    (result,) = interface(server, demo_file)
    for name in ("dt_scores", "rec_scores"):
        assert result.pop(name) == pytest.approx(demo_result[name], abs=1e-4)
    assert result == {name: value for name, value in demo_result.items() if not name.endswith("_scores")}


def test_pixels_and_their_file_give_the_same_lines(
    server: EmbeddedServer, demo_result: dict[str, Any]
) -> None:
    with OCRClient(server.grpc_url) as client:
        (result,) = client.ocr(tritonocr.demo_page())
    assert result["rec_texts"] == demo_result["rec_texts"]
    assert result.input_path is None


def test_the_demo_page_is_read_line_by_line(demo_result: dict[str, Any]) -> None:
    assert sorted(demo_result["rec_texts"]) == sorted(line.text for line in DEMO_LINES)
    turned = [
        text
        for text, angle in zip(
            demo_result["rec_texts"], demo_result["textline_orientation_angles"], strict=True
        )
        if angle == 1
    ]
    assert turned == [line.text for line in DEMO_LINES if line.angle == 180]
    assert demo_result["doc_preprocessor_res"]["angle"] == 0


@pytest.fixture
def client(server: EmbeddedServer) -> Any:
    with OCRClient(server.grpc_url) as client:
        yield client


def test_health_and_models(client: OCRClient) -> None:
    assert client.health() == tritonocr.Health(live=True, ready=True, model_ready=True)
    assert "PP-OCRv4_mobile_rec" in client.models()["text_recognition"]


def test_a_page_on_its_side_is_drawn_as_it_was_read(client: OCRClient, tmp_path: Path) -> None:
    page = np.ascontiguousarray(np.rot90(tritonocr.demo_page()))
    (result,) = client.predict(page, use_doc_unwarping=False, return_page_images=True)
    assert isinstance(result, OCRResult)
    assert result["doc_preprocessor_res"]["angle"] == 270
    assert "Order 0123456789" in result["rec_texts"]
    assert result.img["ocr_res_img"].size == (2 * 960, 1280)
    assert result.img["preprocessed_img"].size == (1280 + 960 + 960 + 20, 1280 + 40)
    assert len(result.save_to_img(tmp_path)) == 2


def test_a_pdf_is_answered_page_by_page(client: OCRClient, corpus: Path) -> None:
    file = corpus / "edge" / "60_12pages.pdf"
    with pytest.warns(tritonocr.PagesSkippedWarning, match="has 12 pages, of which 3 were read"):
        results = list(client.predict(file, max_pages=3, **OFF))
    assert [result["page_index"] for result in results if isinstance(result, OCRResult)] == [0, 1, 2]
    for number, result in enumerate(results):
        assert f"Page {number + 1} of twelve" in result.text


def test_a_tiff_of_several_pages_too(client: OCRClient, corpus: Path) -> None:
    results = client.ocr((corpus / "edge" / "40_multipage.tif").read_bytes(), **OFF)
    assert len(results) == results[0].page_count > 1
    assert [result["page_index"] for result in results] == list(range(len(results)))


def test_a_searchable_pdf_reads_as_its_page(client: OCRClient, corpus: Path) -> None:
    file = (corpus / "receipts" / "310.jpg").read_bytes()
    results = client.ocr(file, return_page_images=True, **OFF)
    pdf = pypdfium2.PdfDocument(tritonocr.searchable_pdf(results))
    found = pdf[0].get_textpage().get_text_range()
    pdf.close()
    missing = [text for text in results[0]["rec_texts"] if plain(text) not in plain(found)]
    assert len(results[0]["rec_texts"]) > 50
    assert missing == []


def plain(text: str) -> str:
    """Text as PDFium compares it: compatibility forms folded, blanks wherever letters stand apart."""
    return unicodedata.normalize("NFKC", text).replace(" ", "")


def test_words_make_up_their_lines(client: OCRClient, corpus: Path) -> None:
    (result,) = client.ocr((corpus / "scenes" / "03_book_page.jpg").read_bytes(), return_word_box=True, **OFF)
    assert len(result["text_word"]) == len(result["rec_texts"]) > 5
    for text, words, boxes in zip(
        result["rec_texts"], result["text_word"], result["text_word_boxes"], strict=True
    ):
        assert "".join(words).replace(" ", "") == text.replace(" ", "")
        assert boxes.shape == (len(words), 4)


def test_a_threshold_of_zero_means_zero(client: OCRClient, corpus: Path) -> None:
    file = (corpus / "edge" / "00_base_rgb.png").read_bytes()
    (nothing,) = client.ocr(file, text_det_box_thresh=1.0, **OFF)
    (everything,) = client.ocr(file, text_det_box_thresh=0, **OFF)
    assert (len(nothing["dt_polys"]), everything["text_det_params"]["box_thresh"]) == (0, 0.0)
    assert len(everything["dt_polys"]) >= 2


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["gRPC", "HTTP"])
@pytest.mark.parametrize(
    ("file", "options", "sentence"),
    [
        (b"plain text", {}, "file: got 10 bytes"),
        (b"%PDF-1.7 rubbish", {}, "file: the PDF is corrupt"),
        (None, {"text_det_thresh": 7.0}, "Option 'text_det_thresh' is 7; expected 0 to 1, or None"),
        (
            None,
            {"text_det_limit_type": "mid"},
            "Option 'text_det_limit_type' is 'mid'; expected one of max, min, or None",
        ),
        (None, {"text_recognition_model_name": "none"}, "none"),
    ],
)
def test_bad_input_is_one_sentence_and_the_next_request_works(
    server: EmbeddedServer, corpus: Path, scheme: str, file: bytes | None, options: Any, sentence: str
) -> None:
    good = (corpus / "edge" / "00_base_rgb.png").read_bytes()
    url = scheme + (server.http_url if scheme else server.grpc_url)
    with OCRClient(url) as client:
        with pytest.raises(tritonocr.InvalidInputError, match=sentence) as raised:
            client.ocr(good if file is None else file, **{**OFF, **options})
        assert "\n" not in str(raised.value)
        assert client.ocr(good, **OFF)[0]["rec_texts"]


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["gRPC", "HTTP"])
def test_a_model_that_is_not_served_is_named(server: EmbeddedServer, scheme: str) -> None:
    url = scheme + (server.http_url if scheme else server.grpc_url)
    with OCRClient(url, model_name="nonsense") as client:
        assert not client.health().model_ready
        with pytest.raises(tritonocr.TritonOCRError, match="nonsense"):
            client.ocr(b"x")


@pytest.mark.parametrize("scheme", ["", "http://"], ids=["gRPC", "HTTP"])
def test_an_answer_that_takes_too_long_is_given_up(server: EmbeddedServer, corpus: Path, scheme: str) -> None:
    url = scheme + (server.http_url if scheme else server.grpc_url)
    with OCRClient(url) as client:
        client.settings()
        file = (corpus / "receipts" / "310.jpg").read_bytes()
        with pytest.raises(tritonocr.DeadlineExceededError, match=r"did not answer within 0\.05 s"):
            client.ocr(file, timeout_s=0.05)


def test_a_pipeline_of_its_own_starts_and_leaves_no_process(corpus: Path) -> None:
    config = {"pipeline_name": "OCR", "use_doc_preprocessor": False, "use_textline_orientation": False}
    before = _tritonservers()
    with tritonocr.create_pipeline(config=config, device="cpu") as pipeline:
        assert len(_tritonservers()) == len(before) + 1
        (result,) = pipeline.predict(corpus / "edge" / "00_base_rgb.png")
        assert result.text == "Hello World 12345\nSecond line ABC"
        assert list(result.img) == ["ocr_res_img"]
    assert _tritonservers() == before


def _tritonservers() -> set[int]:
    """Process ids of the tritonservers that this process started and that live."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            name, _, rest = file.read_text().rpartition(")")
            state, parent = rest.split()[:2]
            if name.endswith("(tritonserver") and state != "Z" and int(parent) == os.getpid():
                found.add(int(file.parent.name))
    return found
