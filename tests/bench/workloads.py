"""The workloads: pages with their ground truth, and the settings that all subjects use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from bench import drawing
from bench.measured import ReadLine

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PDF_PAGES = 10
THUMBNAIL_SIDE_PX = 320
RAW_PAGES = 8


@dataclass(frozen=True)
class Models:
    """A detection and a recognition network, and detection's thresholds, the same for every subject."""

    detection: str
    recognition: str
    thresh: float
    box_thresh: float
    unclip_ratio: float


DEFAULT_MODELS = Models("PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec", 0.3, 0.6, 2.0)
V6_TINY_MODELS = Models("PP-OCRv6_tiny_det", "PP-OCRv6_tiny_rec", 0.2, 0.4, 1.4)
V6_SMALL_MODELS = Models("PP-OCRv6_small_det", "PP-OCRv6_small_rec", 0.2, 0.45, 1.4)


@dataclass(frozen=True)
class Page:
    """A file to read.

    Attributes:
        name: what its lines are kept under.
        path: an image, a PDF, or raw pixels as .npy (uint8 [H, W, 3] BGR).
        truth: its lines, where they are known.
        page_count: pages in the file.
    """

    name: str
    path: Path
    truth: Sequence[ReadLine] | None = None
    page_count: int = 1


@dataclass(frozen=True)
class Workload:
    """Pages and how they are read.

    Attributes:
        name: of the workload.
        pages: in the order they are sent; large and small ones mixed, so that no round ends with a large one.
        models: the networks.
        limit_side_len: side in px that pages are scaled to for detection.
        subjects: the families of subjects that read it; where it is empty, all that can.
        clients: how many clients the families have here, where not their own.
        all_options: whether orientation, unwarping and line orientation are on, as they are by default.
    """

    name: str
    pages: Sequence[Page]
    models: Models = DEFAULT_MODELS
    limit_side_len: int = 960
    subjects: Sequence[str] = ()
    clients: Mapping[str, Sequence[int]] = field(default_factory=dict)
    all_options: bool = False


def receipts() -> list[Page]:
    """The corpus's 20 receipts, about 60 lines each, large and small ones by turns."""
    paths = sorted((CORPUS / "receipts").glob("*.jpg"), key=lambda path: path.stat().st_size)
    pairs = list(zip(paths, reversed(paths), strict=True))[: len(paths) // 2]
    # Every second pair first, so that any part of them is about as large as another.
    mixed = [path for pair in [*pairs[::2], *pairs[1::2]] for path in pair]
    return [Page(path.stem, path, _sroie_truth(path.with_suffix(".csv"))) for path in mixed]


def _sroie_truth(path: Path) -> list[ReadLine]:
    """Return the ground truth of one receipt: eight coordinates and the text, which can contain commas."""
    lines: list[ReadLine] = []
    for row in path.read_text(encoding="utf-8", errors="replace").splitlines():
        fields = row.split(",", 8)
        if len(fields) == 9:
            numbers = [int(field) for field in fields[:8]]
            lines.append(([numbers[i : i + 2] for i in range(0, 8, 2)], fields[8]))
    return lines


def _scenes() -> list[Page]:
    return [Page(path.stem, path) for path in sorted((CORPUS / "scenes").glob("*.jpg"))]


def _receipts_workload(scratch: Path) -> Workload:
    return Workload("receipts", receipts())


def _equal_pages(scratch: Path) -> Workload:
    page = Page("305", CORPUS / "receipts" / "305.jpg")
    return Workload("equal", [page] * 40, subjects=("ours",), clients={"ours": (1, 4)})


def _scenes_workload(scratch: Path) -> Workload:
    return Workload("scenes", _scenes(), subjects=_FEW, clients=_FEW_CLIENTS)


def _dense(scratch: Path) -> Workload:
    page = drawing.write_dense_page(scratch / "dense.jpg", lines=1050)
    pages = [Page("dense", page.path, page.truth)] * 2
    return Workload("dense", pages, limit_side_len=drawing.DENSE_SIDE_PX, subjects=_FEW, clients=_FEW_CLIENTS)


def _pdf(scratch: Path) -> Workload:
    page = Page("pdf", CORPUS / "edge" / "60_12pages.pdf", page_count=PDF_PAGES)
    return Workload("pdf", [page], subjects=("ours", "paddlex-onnxruntime"), clients={"ours": (1,)})


def _thumbnails(scratch: Path) -> Workload:
    pages = [_thumbnail(page, scratch) for page in _scenes()] * 4
    return Workload("thumbnails", pages, subjects=_FEW, clients=_FEW_CLIENTS)


def _thumbnail(page: Page, scratch: Path) -> Page:
    image = cv2.imread(str(page.path))
    scale = THUMBNAIL_SIDE_PX / max(image.shape[:2])
    path = scratch / f"{page.name}_thumbnail.jpg"
    cv2.imwrite(str(path), cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return Page(path.stem, path)


def _raw(scratch: Path) -> Workload:
    pages = [_raw_pixels(page, scratch) for page in receipts()[:RAW_PAGES]]
    return Workload("raw", pages, subjects=_FEW, clients=_FEW_CLIENTS)


def _raw_pixels(page: Page, scratch: Path) -> Page:
    path = scratch / f"{page.name}.npy"
    np.save(path, cv2.imread(str(page.path)))
    return Page(page.name, path, page.truth)


def _v6_small(scratch: Path) -> Workload:
    return Workload("v6-small", receipts(), V6_SMALL_MODELS, subjects=_V6, clients=_FEW_CLIENTS)


def _v6_tiny(scratch: Path) -> Workload:
    return Workload("v6-tiny", receipts(), V6_TINY_MODELS, subjects=_V6, clients=_FEW_CLIENTS)


def _all_options(scratch: Path) -> Workload:
    """Return the receipts with the default options; compare its speed with that of `receipts`."""
    subjects = ("ours", "paddlex-onnxruntime")
    return Workload("all-options", receipts(), subjects=subjects, clients=_FEW_CLIENTS, all_options=True)


# Beyond receipts: ours, and the peers that were fastest there.
_FEW = ("ours", "rapidocr-openvino", "paddlex-onnxruntime")
_V6 = (*_FEW, "rapidocr-native", "faster-paddle")
_FEW_CLIENTS = {"ours": (1, 4)}

WORKLOADS: Mapping[str, Callable[[Path], Workload]] = {
    "receipts": _receipts_workload,
    "equal": _equal_pages,
    "scenes": _scenes_workload,
    "dense": _dense,
    "pdf": _pdf,
    "thumbnails": _thumbnails,
    "raw": _raw,
    "all-options": _all_options,
    "v6-small": _v6_small,
    "v6-tiny": _v6_tiny,
}
