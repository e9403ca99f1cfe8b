"""The reading order of real pages, through a real server."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from order_pages import drawn_page, row_text
from order_receipts import receipt_lines
from order_scores import text_score

from bench.order_pictures import rendered
from tritonocr import OCRClient, OCRResult
from tritonocr_backend.pipeline.reading_order.rows import chain_rows
from tritonocr_backend.server.embedded import EmbeddedServer

PAGE_ONLY: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
LEFT = (
    "The harbour lay quiet|in the early light|while two fishing boats|came back with a|small catch and their"
)
RIGHT = "Far inland the orchard|keeper counted baskets of|apples and wrote every|number into a thin"
TWO_COLUMNS = [
    *LEFT.split("|"),
    "crews talked about the",
    "storm",
    *RIGHT.split("|"),
    "green book that nobody",
]
VERTICAL = [
    "春风吹过山谷",
    "河水向东流去",
    "孩子们在院里唱歌",
    "老人坐在门前",
    "天边有一片白云",
    "晚上月亮升起来",
]


@pytest.fixture(scope="module")
def client(server: EmbeddedServer):
    with OCRClient(server.grpc_url) as connected:
        yield connected


def read(client: OCRClient, file: Path | bytes) -> OCRResult:
    (result,) = client.predict(file, **PAGE_ONLY)
    return result


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("F11_two_columns.png", [*TWO_COLUMNS, "else could read well"], id="two columns"),
        pytest.param("F10_vertical_page.png", VERTICAL, id="vertical columns, from the right"),
    ],
)
def test_reported_pages_are_read_in_order(
    client: OCRClient, corpus: Path, name: str, expected: list[str]
) -> None:
    result = read(client, corpus / "reports" / name)
    assert text_score(result.text.replace(" ", ""), "\n".join(expected).replace(" ", "")) > 0.97, result.text
    assert [kind for kind in result["block_kind"] if kind != "paragraph"] == []


def test_a_rendered_page_of_two_columns_is_read_column_by_column(client: OCRClient) -> None:
    page = drawn_page("two_columns_with_footnotes", 3, 2.0)
    output = io.BytesIO()
    rendered(page).save(output, "PNG")
    result = read(client, output.getvalue())
    assert text_score(result.text, page.text) > 0.93  # recognition loses some spaces and ends of lines
    assert result.blocks[0].kind == "heading"
    assert result.blocks[-1].kind == "page_number"
    assert [block.kind for block in result.blocks].count("footnote") >= 1


@pytest.mark.parametrize("number", [300, 302, 307, 313])
def test_receipts_are_read_row_by_row_as_before(client: OCRClient, corpus: Path, number: int) -> None:
    """The order agrees with the ground truth at least as well as that of plain rows from top to bottom."""
    result = read(client, corpus / "receipts" / f"{number}.jpg")
    _, texts = receipt_lines(corpus / "receipts" / f"{number}.csv")
    rows = [line for row in chain_rows(result["rec_boxes"].astype(np.float64)) for line in row]
    plain = row_text(result["rec_texts"], rows, [0] * len(rows))
    assert (
        text_score(result.text.replace("\n", " "), " ".join(texts))
        >= text_score(plain, " ".join(texts)) - 0.002
    )
