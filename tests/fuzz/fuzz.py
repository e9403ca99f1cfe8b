"""Fuzzing with atheris (libFuzzer): `make fuzz`. Each finding becomes a row of the tests of the target.

Each target takes bytes and may raise nothing but the errors that its callers are told about. They run one
after the other, each in a process of its own, for some seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tritonocr_backend", "tritonocr_gateway", "tritonocr"]):
    import numpy as np
    from starlette.exceptions import HTTPException

    from tritonocr_backend.core.errors import InvalidInputError, TritonOcrError
    from tritonocr_backend.core.limits import parse_limits
    from tritonocr_backend.documents.decode import open_document
    from tritonocr_backend.documents.pages import unreduced
    from tritonocr_backend.documents.pdf_documents import RenderLimits
    from tritonocr_backend.repository import pipeline_config
    from tritonocr_backend.triton.requests import _option_value
    from tritonocr_backend.zoo import archive, dictionary, inference_config
    from tritonocr_common.options import OPTIONS
    from tritonocr_gateway import files, request_body, responses, validation
    from tritonocr_gateway.errors import GatewayError
    from tritonocr_gateway.schemas import OCRRequest

SCRATCH = Path(tempfile.gettempdir()) / "tritonocr-fuzz"
MAX_PIXELS = 1_000_000
HERE = Path(__file__)


def document(data: bytes) -> None:
    """A file, through the first two of its pages."""
    with suppress(InvalidInputError):
        opened = open_document(data, MAX_PIXELS, RenderLimits(seconds=2, memory_bytes=1 << 28))
        try:
            for index in range(min(opened.page_count, 2)):
                page = opened.read_page(index, unreduced)
                assert page.pixels.ndim == 3
                assert page.pixels.size
        finally:
            opened.close()


_DTYPES = (np.float32, np.int32, np.bool_, np.object_)


def option(data: bytes) -> None:
    """A request's tensor for an option, of any type."""
    provider = atheris.FuzzedDataProvider(data)
    name = provider.PickValueInList(list(OPTIONS))
    dtype = provider.PickValueInList(list(_DTYPES))
    content = provider.ConsumeBytes(64)
    if dtype is np.object_:
        tensor = np.array([content], dtype=object)
    else:
        size = np.dtype(dtype).itemsize
        tensor = np.frombuffer(content[: len(content) // size * size], dtype)
    with suppress(InvalidInputError):
        _option_value(name, tensor)


def _loaded(load: Callable[[Path], object], name: str, data: bytes) -> None:
    path = SCRATCH / name
    path.write_bytes(data)
    with suppress(TritonOcrError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load(path if load is pipeline_config.load else path.parent)


def ocr_yaml(data: bytes) -> None:
    """A pipeline's configuration."""
    _loaded(pipeline_config.load, "OCR.yaml", data)


def inference_yml(data: bytes) -> None:
    """A model's configuration."""
    _loaded(inference_config.load, "inference.yml", data)


def characters(data: bytes) -> None:
    """A dictionary: its lines, as they are."""
    text = data.decode("utf-8", errors="replace")
    parsed = dictionary.parse(text)
    assert "\n".join(parsed) == text.replace("\r\n", "\n").removesuffix("\n")


def archive_tar(data: bytes) -> None:
    """An official archive: nothing is written outside its directory."""
    path, target = SCRATCH / "archive.tar", SCRATCH / "unpacked"
    target.mkdir(exist_ok=True)
    path.write_bytes(data)
    with suppress(TritonOcrError):
        archive.unpack(path, target, max_bytes=1 << 20)
    assert {child.name for child in SCRATCH.iterdir()} <= {
        "archive.tar",
        "unpacked",
        "OCR.yaml",
        "inference.yml",
    }


def gateway_body(data: bytes) -> None:
    """A JSON body, and the file in it."""
    with suppress(GatewayError, HTTPException):
        asked = validation.validated(OCRRequest, request_body.parse_json(data))
        asked.options()
        if not files.is_url(asked.file):
            files.check_file_type(files.from_base64(asked.file), asked.file_type)


def gateway_accept(data: bytes) -> None:
    """An Accept header."""
    assert responses.preferred_type(data.decode("latin-1")) in responses.MEDIA_TYPES


def limit(data: bytes) -> None:
    """A limit of the command line."""
    with suppress(TritonOcrError):
        parse_limits([data.decode("utf-8", errors="replace")])


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        document,
        option,
        ocr_yaml,
        inference_yml,
        characters,
        archive_tar,
        gateway_body,
        gateway_accept,
        limit,
    )
}


def seeds(name: str) -> list[bytes]:
    """Where a target starts from."""
    sys.path[:0] = [str(HERE.parents[1])]
    import bombs
    from drawn_files import encode, pdf, picture

    if name == "document":
        formats = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
        drawn = [encode(picture(), image_format) for image_format in formats]
        return [*drawn, pdf([(50, 40, 0)]), bombs.tiff_of_pages(3, circle=True), b"P3\n2 1\n255\n0 0 0 1 1 1"]
    if name == "ocr_yaml":
        return [pipeline_config.default_text().encode()]
    if name == "gateway_body":
        return [b'{"file": "iVBORw0KGgo=", "fileType": 1, "textDetThresh": 0.3, "logId": "a"}']
    if name == "archive_tar":
        return [bombs.tarred({"model/inference.yml": b"Global: {}"}), bombs.tarred({"../inference.yml": b""})]
    if name == "inference_yml":
        return [
            b"Global: {model_name: PP-OCRv4_mobile_rec}\nPostProcess: {name: CTCLabelDecode, character_dict: [a]}"  # noqa: E501
        ]
    return []


def run(name: str, seconds: int, found: Path) -> int:
    """Fuzz a target for so long; the exit status is 0 where nothing was found."""
    with tempfile.TemporaryDirectory(prefix="tritonocr-fuzz-corpus-") as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / str(number)).write_bytes(seed)
        found.mkdir(parents=True, exist_ok=True)
        flags = [f"-max_total_time={seconds}", f"-artifact_prefix={found}/{name}-", "-max_len=20000"]
        quiet = ["-verbosity=0", "-print_final_stats=1", "-rss_limit_mb=4096", "-timeout=60"]
        command = [sys.executable, str(HERE), "--target", name, corpus, *flags, *quiet]
        return subprocess.run(command, check=False).returncode


def main() -> None:
    """Fuzz every target, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=TARGETS, help="fuzz this one, in this process")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--found", type=Path, default=Path("output/fuzz"), help="where findings are written")
    arguments, rest = parser.parse_known_args()
    SCRATCH.mkdir(exist_ok=True)
    if arguments.target:
        atheris.Setup([sys.argv[0], *rest], TARGETS[arguments.target])
        atheris.Fuzz()
    failed = []
    for name in TARGETS:
        print(f"== {name}", flush=True)
        if run(name, arguments.seconds, arguments.found):
            failed.append(name)
    sys.exit(f"found something: {', '.join(failed)}; see {arguments.found}" if failed else 0)


if __name__ == "__main__":
    main()
