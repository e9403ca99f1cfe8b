"""A client in a forked process: each use fails at once with an error that names the remedy."""

import subprocess
import sys

import pytest
from kserve_fake import serving

from kserve_fake import read_back  # isort: skip

BEFORE = """
import os, sys, time, warnings
from tritonocr import OCRClient, TritonOCRError
warnings.simplefilter("ignore")
url = sys.argv[1]
def report(call):
    started = time.monotonic()
    try:
        said = call()
    except TritonOCRError as error:
        said = f"{type(error).__name__}: {error}"
    print("child:", said, "| at once:", time.monotonic() - started < 3, flush=True)
def fork(child):
    pid = os.fork()
    if not pid:
        child()
        os._exit(0)
    os.waitpid(pid, 0)
"""


def run(code: str, url: str) -> str:
    """Run code in a process of its own: the test's own process must not be forked."""
    call = [sys.executable, "-c", BEFORE + code, url]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            "client = OCRClient(url); client.ocr(b'a'); fork(lambda: report(lambda: client.ocr(b'a')))",
            "ClientStateError: The client was made before this process was forked",
            id="the parent's client",
        ),
        pytest.param(
            "client = OCRClient(url); client.ocr(b'a')\n"
            "fork(lambda: report(lambda: OCRClient(url).ocr(b'a')))",
            "ClientStateError: gRPC was used before this process was forked",
            id="a new client",
        ),
        pytest.param(
            "client = OCRClient(url); client.ocr(b'a'); client.close()\n"
            "fork(lambda: report(lambda: OCRClient(url).ocr(b'a')))",
            "ClientStateError: gRPC was used before this process was forked",
            id="a new client after the parent's was closed",
        ),
        pytest.param(
            "fork(lambda: report(lambda: OCRClient(url).ocr(b'a')[0].text))",
            "child: a ",
            id="the first client of both processes",
        ),
        pytest.param(
            "client = OCRClient(url); client.ocr(b'a'); fork(lambda: report(lambda: client.close()))\n"
            "print('parent:', client.ocr(b'a')[0].text)",
            "child: None",
            id="the child closes the parent's client",
        ),
    ],
)
def test_a_fork_never_hangs(code: str, expected: str) -> None:
    with serving(read_back) as (url, _):
        printed = run(code, url)
    assert expected in printed
    assert "at once: True" in printed
    if "parent:" in code:
        assert "parent: a" in printed


def test_a_forked_child_that_ends_leaves_the_server_of_its_parent() -> None:
    # Workers of gunicorn end with sys.exit(), which runs the functions of atexit.
    code = """
from tritonocr._pipeline import OCRPipeline
pipeline = OCRPipeline(url, stop=lambda: print("stopped by", "child" if in_child else "parent", flush=True))
in_child = not os.fork()
if in_child:
    sys.exit()
os.wait()
print("child has ended", flush=True)
"""
    with serving(read_back) as (url, _):
        printed = run(code, url)
    assert printed.splitlines() == ["child has ended", "stopped by parent"]
