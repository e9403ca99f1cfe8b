"""Decoding takes few bytes per pixel, or is allowed for fewer pixels."""

import io
import os
import subprocess
import sys

import PIL.Image
import pytest

from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.documents.decode import open_document

PEAK = """
import io, resource, sys
import PIL.Image
from tritonocr_backend.documents.decode import open_document
from tritonocr_backend.documents.pages import unreduced
kind, mode = sys.argv[1:]
encoded = io.BytesIO()
PIL.Image.new(mode, (6000, 5000), 1).save(encoded, kind)
data = encoded.getvalue()
del encoded
small = open("/proc/self/clear_refs", "w")
small.write("5")  # resets the peak, which writing the file raised
small.close()
def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
before = status("VmRSS")
open_document(data, 1 << 27).read_page(0, unreduced)
print((status("VmHWM") - before) * 1024 / 30e6)
"""


@pytest.mark.parametrize(
    ("kind", "mode", "before"),
    [("PNG", "RGBA", 21), ("TIFF", "1", 11), ("GIF", "L", 11)],
)
def test_decoding_takes_few_bytes_per_pixel(kind: str, mode: str, before: int) -> None:
    """Pictures are converted in bands; `before` tells what whole copies took."""
    command = [sys.executable, "-c", PEAK, kind, mode]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 20), "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert float(done.stdout) < 0.8 * before


@pytest.mark.parametrize("kind", ["WEBP", "JPEG2000", "AVIF"])
def test_formats_whose_decoders_need_much_have_half_the_pixels(kind: str) -> None:
    encoded = io.BytesIO()
    PIL.Image.new("RGB", (128, 100)).save(encoded, kind)
    assert open_document(encoded.getvalue(), 2 * 128 * 100).page_count == 1
    with pytest.raises(InvalidInputError, match="expected at most"):
        open_document(encoded.getvalue(), 2 * 128 * 100 - 2)
