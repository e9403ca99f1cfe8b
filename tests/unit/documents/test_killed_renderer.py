"""A renderer of PDFs that another process kills costs no page."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from drawn_pdfs import born_digital

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents import pdf_documents
from tritonocr_backend.documents.pdf_documents import PdfDocument, RenderLimits


def kill(worker: pdf_documents._Worker | None) -> None:
    assert worker is not None
    os.kill(worker._process.pid, signal.SIGKILL)


def test_a_page_is_rendered_again_once() -> None:
    document = PdfDocument(born_digital(2), RenderLimits())
    document.page_shape(1)
    expected = document.render(1, 1.0, 1 << 20)
    document.page_shape(1)
    document.text(1)
    kill(document._worker)
    assert np.array_equal(document.render(1, 1.0, 1 << 20), expected)
    document.page_shape(1)
    kill(document._worker)
    with pytest.raises(InvalidInputError, match="its renderer was killed twice"):
        document.render(1, 1.0, 1 << 20)
    document.close()


def test_an_idle_renderer_that_was_killed_is_not_used() -> None:
    PdfDocument(born_digital(1), RenderLimits()).close()
    for worker in pdf_documents._idle:
        kill(worker)
        worker._process.wait()
    assert PdfDocument(born_digital(1), RenderLimits()).page_count == 1


def test_a_worker_with_much_memory_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """PDFium keeps what the largest page needed."""
    worker = pdf_documents._Worker()
    monkeypatch.setattr(pdf_documents, "_MAX_IDLE_BYTES", 1)
    pdf_documents._give_back(worker)
    assert worker not in pdf_documents._idle
    assert not worker.is_alive()
