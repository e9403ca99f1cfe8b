"""Limits: declared once, with a default in their range and in the docs, and enforced."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import bombs
import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core.errors import InvalidInputError, ServerError
from tritonocr_backend.core.limits import LIMITS, parse_limits
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import PipelineSettings
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.triton.requests import parse_request

DOCS = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
SETTINGS = PipelineSettings()


@pytest.mark.parametrize("limit", LIMITS.values(), ids=lambda limit: limit.name)
def test_a_limit_is_a_setting_and_in_the_docs_with_its_default(limit: Any) -> None:
    default = getattr(SETTINGS, limit.name)
    assert limit.low <= default <= limit.high
    assert f"| `{limit.name}` | {default} |" in DOCS


def test_every_number_of_the_settings_is_a_limit() -> None:
    assert {field.name for field in fields(SETTINGS) if field.type == "int"} == LIMITS.keys()


def test_are_read_from_the_command_line() -> None:
    assert parse_limits(["max_pixels=40000000", "max_pages=3"]) == {"max_pixels": 40_000_000, "max_pages": 3}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max_pixel=1", "got 'max_pixel=1', expected name=value with one of max_file_bytes, max_pixels"),
        ("max_pixels", "limit max_pixels: got '', expected 1 to 2147483648"),
        ("max_pixels=0", "got '0', expected 1 to"),
        ("max_pixels=4e7", "got '4e7', expected 1 to"),
        ("max_pages=-1", "got '-1', expected 1 to 100000"),
        ("max_pages=٣", "got '٣', expected 1 to 100000"),
        ("max_pages=" + "9" * 30, "expected 1 to 100000"),
    ],
)
def test_what_is_no_limit_is_named(text: str, sentence: str) -> None:
    with pytest.raises(ServerError) as error:
        parse_limits([text])
    assert sentence in str(error.value)


def test_of_the_queue_are_triton_s(tmp_path: Path) -> None:
    for settings in (SETTINGS, replace(SETTINGS, max_queue_size=7, max_queue_seconds=9)):
        repository = build_repository(tmp_path / "repository", {}, settings)
        for model in ("ocr", "ocr_stream"):
            text = (repository / model / "config.pbtxt").read_text()
            config = text_format.Parse(text, model_config_pb2.ModelConfig())
            policy = config.dynamic_batching.default_queue_policy
            assert policy.max_queue_size == settings.max_queue_size
            assert policy.default_timeout_microseconds == settings.max_queue_seconds * 1_000_000


class TestRequests:
    def _parse(self, settings: PipelineSettings, repository: Path, **inputs: Any) -> Any:
        tensors = {name: np.array([value], getattr(value, "dtype", object)) for name, value in inputs.items()}
        return parse_request(tensors, ["rec_texts"], settings, RepositoryView(repository))

    def test_of_more_bytes_are_refused(self, default_repository: Path) -> None:
        settings = replace(SETTINGS, max_file_bytes=100)
        with pytest.raises(
            InvalidInputError, match=r"file: got 101 bytes, expected at most 100 \(limit max_"
        ):
            self._parse(settings, default_repository, file=b"x" * 101)

    @pytest.mark.parametrize(("allowed", "given", "read"), [(5, None, 5), (50, None, 10), (50, 50, 50)])
    def test_read_as_many_pages_as_are_allowed(
        self, default_repository: Path, allowed: int, given: int | None, read: int
    ) -> None:
        options = {} if given is None else {"max_pages": np.int32(given)}
        file = bombs.tiff_of_pages(100)
        settings = replace(SETTINGS, max_pages=allowed)
        asked = self._parse(settings, default_repository, file=file, **options)
        assert (len(asked.page_indices), asked.options["max_pages"]) == (read, read)
        asked.document.close()

    def test_of_more_pages_are_refused(self, default_repository: Path) -> None:
        with pytest.raises(
            InvalidInputError, match=r"max_pages: got 51, expected at most 50 \(limit max_pages"
        ):
            self._parse(
                replace(SETTINGS, max_pages=50), default_repository, file=b"x", max_pages=np.int32(51)
            )
