"""The default settings against ground truth: accuracy is not lower than PaddleX's with the same weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scored_lines import PLAIN, lines_of

from tritonocr import OCRClient
from tritonocr_backend.server.embedded import EmbeddedServer

Lines = Mapping[str, list[tuple[Any, str]]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the scorer leaves files open
def test_receipts_are_read_as_well_as_by_paddlex(
    server: EmbeddedServer, corpus: Path, scorer: ModuleType
) -> None:
    receipts = {path.stem: path for path in sorted((corpus / "receipts").glob("*.jpg"))}
    truth = scorer.load_sroie(str(corpus / "receipts"), list(receipts))
    with OCRClient(server.grpc_url) as client:
        ours = {
            name: lines_of(client.ocr(path.read_bytes(), **PLAIN)[0].json["res"])
            for name, path in receipts.items()
        }
    recorded = corpus / "reference" / "paddlex_batch6" / "receipts"
    theirs = {
        name: lines_of(json.loads((recorded / f"{name}.jpg.json").read_text())["res"]) for name in receipts
    }
    our_score, their_score = scorer.score(truth, ours), scorer.score(truth, theirs)
    print(our_score, their_score, sep="\n")
    for figure in ("det_hmean", "e2e_1ned", "exact_of_matched"):
        assert our_score[figure] >= their_score[figure], figure
    assert our_score["cer_of_matched"] <= their_score["cer_of_matched"]
