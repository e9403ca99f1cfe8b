"""`make bench-models`: speed and accuracy of the model pairs that a user can choose from.

One server serves all networks. One client reads each page with each pair in turn, so that a change of the
machine's speed meets all pairs alike. The result is the median over pages of a pair's time relative to the
tutorial's pair, and the accuracy of all lines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import pictures
from bench.accuracy import accuracy
from bench.machine import description
from bench.measured import ReadLine
from bench.workloads import Page, receipts
from tritonocr import OCRClient, OCRResult
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.zoo.fetch import fetch_model

WIDTH = 120
OUTPUT = Path("output/bench_models.json")


@dataclass(frozen=True)
class Pair:
    """A detection and a recognition network that read pages together."""

    detection: str
    recognition: str
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """Name of the pair, with the options that differ from the networks' own."""
        changed = "".join(f", {name}={value:g}" for name, value in self.options)
        return f"{self.detection} + {self.recognition}{changed}"


TUTORIAL = Pair("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec")
PAIRS = (
    TUTORIAL,
    Pair(TUTORIAL.detection, TUTORIAL.recognition, (("text_det_unclip_ratio", 1.5),)),
    Pair("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"),
    Pair("PP-OCRv6_tiny_det", "PP-OCRv6_tiny_rec"),
    Pair("PP-OCRv6_tiny_det", "PP-OCRv6_small_rec"),
    Pair("PP-OCRv6_small_det", "PP-OCRv6_small_rec"),
)
OFF = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}


def measured(pages: Sequence[Page]) -> dict[str, dict[str, float]]:
    """Read each page with each pair.

    Returns:
        For each pair: `time_ratio` to the tutorial's pair, and the figures of the corpus's scorer.
    """
    seconds: dict[Pair, list[float]] = defaultdict(list)
    lines: dict[Pair, dict[str, Sequence[ReadLine]]] = defaultdict(dict)
    with ExitStack() as stack:
        client = stack.enter_context(_client(stack))
        for pair in PAIRS:
            _read(client, pages[0], pair)
        for number, page in enumerate(track(pages, "pages")):
            first = number % len(PAIRS)
            for pair in (*PAIRS[first:], *PAIRS[:first]):
                start = time.perf_counter()
                result = _read(client, page, pair)
                seconds[pair].append(time.perf_counter() - start)
                lines[pair][page.name] = _lines(result)
    base = seconds[TUTORIAL]
    return {
        pair.label: {
            "time_ratio": statistics.median(
                own / other for own, other in zip(seconds[pair], base, strict=True)
            ),
            **accuracy(pages, lines[pair]),
        }
        for pair in PAIRS
    }


def _client(stack: ExitStack) -> OCRClient:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tritonocr-bench-")))
    names = {
        *DEFAULT_NETWORKS.values(),
        *(name for pair in PAIRS for name in (pair.detection, pair.recognition)),
    }
    repository = build_repository(directory / "repository", {name: fetch_model(name) for name in names})
    options = ServerOptions(log_file=directory / "server.log")
    server = stack.enter_context(EmbeddedServer(repository, options))
    return OCRClient(server.grpc_url, timeout_s=300)


def _read(client: OCRClient, page: Page, pair: Pair) -> OCRResult:
    options: dict[str, Any] = {**OFF, **dict(pair.options)}
    (result,) = client.ocr(
        page.path.read_bytes(),
        text_detection_model_name=pair.detection,
        text_recognition_model_name=pair.recognition,
        **options,
    )
    return result


def _lines(result: OCRResult) -> list[ReadLine]:
    quads = [quad.tolist() for quad in result["rec_polys"]]
    return list(zip(quads, result["rec_texts"], strict=True))


def _table(results: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table("pair", "speed", "Hmean", "1-NED", "exact lines", "CER", title="Model pairs on receipts")
    for label, row in results.items():
        figures = (f"{row[name]:.3f}" for name in ("hmean", "1-NED", "exact", "CER"))
        table.add_row(label, f"{1 / row['time_ratio']:.2f}", *figures)
    return table


def main() -> None:
    """Measure the pairs, print the table and write output/bench_models.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=20, help="number of receipts (20)")
    parser.add_argument("--picture", type=Path, help="SVG file for speed against exact lines")
    arguments = parser.parse_args()
    results = measured(receipts()[: arguments.pages])
    Console(width=WIDTH).print(_table(results))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps({"machine": description(), "pairs": results}, indent=2) + "\n")
    if arguments.picture:
        pictures.write_models(results, arguments.picture)


if __name__ == "__main__":
    main()
