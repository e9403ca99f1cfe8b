"""Small files that need too much, and the limits that stop them."""

import multiprocessing
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

import bombs
import psutil
import pytest
from drawn_files import encode, picture
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents import pdf_characters, pdf_documents, pdf_text, png_repair, tiff_pages
from tritonocr_backend.documents.decode import open_document
from tritonocr_backend.documents.pdf_documents import PageShape, PdfDocument, PdfError, RenderLimits
from tritonocr_backend.documents.png_repair import repair_png
from tritonocr_backend.documents.tiff_pages import find_pages

LITTLE = RenderLimits(seconds=1, memory_bytes=256 * bombs.MIB)
PAGE_PIXELS = 1224 * 1584


def rendered(data: bytes, limits: RenderLimits = LITTLE) -> tuple[int, ...]:
    pdf = PdfDocument(data, limits)
    try:
        pdf.page_shape(0)
        return pdf.render(0, 2.0, PAGE_PIXELS).shape
    finally:
        pdf.close()


TIME = "takes more than 1 s of CPU time to render"
MEMORY = "crashes the renderer or needs more than 256 MB of memory"


class TestPdf:
    @pytest.mark.parametrize(
        ("make", "sentence"),
        [
            pytest.param(bombs.pdf_forms_within_forms, f"{TIME}|{MEMORY}", id="forms within forms"),
            pytest.param(bombs.pdf_packed_twice, f"{TIME}|{MEMORY}", id="400 MB of content in 1 kB"),
            pytest.param(bombs.pdf_curves, f"{TIME}|{MEMORY}", id="half a million curves"),
        ],
    )
    def test_that_asks_for_much_is_refused_and_harms_no_other(
        self, make: Callable[[], bytes], sentence: str
    ) -> None:
        with pytest.raises(InvalidInputError, match=f"^file: page 0 of the PDF ({sentence})$"):
            rendered(make())
        assert rendered(bombs.pdf_page(bombs.stream(b""))) == (1584, 1224, 3)

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(bombs.pdf_form_within_itself, id="a form that draws itself"),
            pytest.param(bombs.pdf_nested_arrays, id="a hundred thousand brackets"),
            pytest.param(bombs.pdf_page_tree_in_a_circle, id="a page tree in a circle"),
        ],
    )
    def test_that_has_no_end_is_read_as_far_as_it_goes(self, make: Callable[[], bytes]) -> None:
        assert rendered(make()) == (1584, 1224, 3)

    def test_of_a_hundred_thousand_pages_is_counted_at_once(self) -> None:
        assert PdfDocument(bombs.pdf_of_pages(100_000), LITTLE).page_count == 100_000

    def test_may_be_closed_while_a_page_is_rendered(self) -> None:
        pdf = PdfDocument(bombs.pdf_curves(), RenderLimits(seconds=60))
        pdf.page_shape(0)
        with ThreadPoolExecutor(1) as threads:
            rendering = threads.submit(pdf.render, 0, 2.0, PAGE_PIXELS)
            with pytest.raises(FutureTimeoutError):
                rendering.result(timeout=0.3)
            pdf.close()
            with pytest.raises(InvalidInputError):
                rendering.result(timeout=30)

    def test_a_page_that_breaks_the_worker_leaves_the_next_page_readable(self) -> None:
        pdf = PdfDocument(bombs.pdf_curves(), LITTLE)
        pdf.page_shape(0)
        with pytest.raises(InvalidInputError, match=TIME):
            pdf.render(0, 2.0, PAGE_PIXELS)
        assert pdf.page_shape(0) == PageShape(612, 792, 1.0, 0)
        pdf.close()

    def test_a_document_breaks_a_limited_number_of_workers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf_documents, "_MAX_RESTARTS", 0)
        pdf = PdfDocument(bombs.pdf_curves(), LITTLE)
        pdf.page_shape(0)
        with pytest.raises(InvalidInputError, match=TIME):
            pdf.render(0, 2.0, PAGE_PIXELS)
        with pytest.raises(InvalidInputError, match="page 1 of the PDF was not read: 1 earlier pages"):
            pdf.page_shape(1)
        pdf.close()

    def test_is_read_by_the_process_that_read_the_one_before(self) -> None:
        rendered(bombs.pdf_page(bombs.stream(b"")))
        before = _workers()
        for _ in range(3):
            rendered(bombs.pdf_page(bombs.stream(b"")))
        with pytest.raises(PdfError):
            PdfDocument(b"%PDF-1.4 rubbish", LITTLE)
        assert _workers() == before

    def test_that_nobody_closes_leaves_no_process_behind(self) -> None:
        before = _workers()
        documents = [PdfDocument(bombs.pdf_of_pages(1), LITTLE) for _ in range(4)]
        assert len(_workers() - before) >= 2, "beyond those that were idle"
        del documents
        assert len(_workers()) <= len(before)

    def test_a_process_ends_with_its_owner(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        queue: Any = spawn.Queue()
        owner = spawn.Process(target=_own_a_worker, args=(queue,))
        owner.start()
        worker = psutil.Process(queue.get(timeout=60))
        owner.kill()
        owner.join()
        worker.wait(timeout=30)


class TestTextLayer:
    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(bombs.pdf_characters, id="2 million characters in 10 kB"),
            pytest.param(lambda: bombs.pdf_lines_of_one_character(40_000), id="a grid of 40000 characters"),
        ],
    )
    def test_a_layer_beyond_the_limits_is_cut_and_unsound(self, make: Callable[[], bytes]) -> None:
        limits = RenderLimits(seconds=20, memory_bytes=512 * bombs.MIB)
        document = open_document(make(), 10**7, limits)
        assert document.read_text
        layer = document.read_text(0)
        document.close()
        assert not layer.is_sound
        assert 0 < len(layer.lines) <= pdf_text.MAX_LINES
        assert sum(len(line.text) for line in layer.lines) <= pdf_characters.MAX_CHARACTERS

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(bombs.pdf_texts_within_forms, id="10^7 texts in forms within forms"),
            pytest.param(bombs.pdf_empty_forms_within_forms, id="40^7 forms without content"),
        ],
    )
    def test_forms_within_forms_end_at_the_limits(self, make: Callable[[], bytes]) -> None:
        document = open_document(make(), 10**7, LITTLE)
        assert document.read_text
        with pytest.raises(InvalidInputError, match=f"^file: page 0 of the PDF ({TIME}|{MEMORY})$"):
            document.read_text(0)
        document.close()


def _workers() -> set[int]:
    found = set()
    for child in psutil.Process().children():
        if "tritonocr_backend.documents.pdf_worker" in child.cmdline():
            found.add(child.pid)
    return found


def _own_a_worker(queue: Any) -> None:
    pdf = pdf_documents.PdfDocument(bombs.pdf_of_pages(1), LITTLE)
    queue.put(_workers().pop())
    multiprocessing.Event().wait(60)
    pdf.close()


def count_pages(data: bytes) -> int:
    return len(find_pages(data).offsets)


class TestTiff:
    def test_of_many_pages_is_counted(self) -> None:
        assert count_pages(bombs.tiff_of_pages(tiff_pages.MAX_PAGES)) == tiff_pages.MAX_PAGES

    def test_of_too_many_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="more than 100000 pages"):
            open_document(bombs.tiff_of_pages(tiff_pages.MAX_PAGES + 1), 10**6)

    def test_that_leads_back_to_its_first_page_has_an_end(self) -> None:
        assert count_pages(bombs.tiff_of_pages(5, circle=True)) == 5

    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("pages", [1, 2, 7])
    def test_is_counted_as_pillow_counts(self, pages: int, big: bool) -> None:
        more = [picture()] * (pages - 1)
        data = encode(picture(), "TIFF", save_all=True, append_images=more, big_tiff=big)
        assert count_pages(data) == pages

    def test_of_the_other_byte_order(self) -> None:
        data = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 1) + bytes(12) + struct.pack(">I", 26)
        assert count_pages(data + struct.pack(">H", 0) + bytes(4)) == 2

    @given(st.binary(max_size=60))
    def test_of_any_bytes_is_counted_or_refused(self, content: bytes) -> None:
        for head in (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"):
            try:
                assert count_pages(head + content) < 60
            except struct.error:
                continue


def test_a_ppm_in_numbers_is_no_base64() -> None:
    data = b"P3\n2 1\n255\n0 0 0 255 255 255\n1"
    assert len(b"".join(data.split())) % 4 == 0
    assert open_document(data, 100).page_count == 1


@pytest.mark.parametrize("kind", ["tar.gz", "zip", "gzip"])
def test_an_archive_is_not_unpacked(kind: str) -> None:
    with pytest.raises(InvalidInputError, match="expected a JPEG, PNG"):
        open_document(bombs.packed()[kind], 10**6)


def test_base64_is_undone_once() -> None:
    with pytest.raises(InvalidInputError, match="expected a JPEG, PNG"):
        open_document(bombs.base64_of_base64(encode(picture(), "PNG")), 10**6)


def test_texts_beside_a_picture_are_not_kept() -> None:
    with pytest.raises(InvalidInputError, match="the PNG is corrupt"):
        open_document(bombs.png_of_texts(), 10**6)


def test_a_png_of_many_damaged_chunks_is_repaired() -> None:
    assert repair_png(bombs.png_of_damaged_chunks(1000)) == bombs.png(64, 64)


def test_a_png_of_too_many_chunks_is_left_as_it_is() -> None:
    data = bombs.png_of_damaged_chunks(png_repair.MAX_CHUNKS)
    assert repair_png(data) is data


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_one_frame_is_decoded(image_format: str) -> None:
    assert open_document(bombs.animation(image_format), 10**6).page_count == 1
