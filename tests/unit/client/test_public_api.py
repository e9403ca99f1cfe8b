"""The public names of the package, and the modules that importing the package loads."""

import subprocess
import sys

import pytest

import tritonocr

OPTIONAL = ("PIL", "aiohttp", "fontTools", "pikepdf", "rich", "ruamel", "typer", "tritonocr_backend")


def test_all_is_what_is_there() -> None:
    assert sorted(tritonocr.__all__) == sorted(set(tritonocr.__all__))
    assert all(hasattr(tritonocr, name) for name in tritonocr.__all__)


def _python(code: str) -> str:
    """Run code where nothing but numpy and tritonclient[grpc] can be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
    command = [sys.executable, "-W", "error", "-c", block + code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_numpy_and_tritonclient_are_enough_to_import_and_to_call() -> None:
    code = """
import tritonocr
with tritonocr.OCRClient("localhost:1") as client:
    print(client.health().live)
"""
    assert _python(code) == "False"


@pytest.mark.parametrize(
    ("call", "extra"),
    [
        ("tritonocr.OCRClient('http://localhost:1')", "http"),
        ("tritonocr.demo_page()", "viz"),
        ("tritonocr.searchable_pdf([])", "viz"),
        ("tritonocr.create_pipeline('OCR.yaml', url='localhost:1')", "cli"),
        ("tritonocr.create_pipeline()", "tritonocr-server"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(call: str, extra: str) -> None:
    code = f"""
import tritonocr
try:
    {call}
except tritonocr.MissingExtraError as error:
    print(error)
"""
    sentence = _python(code)
    assert extra in sentence
    assert "pip install" in sentence
    assert "\n" not in sentence


def test_the_command_says_what_it_needs() -> None:
    code = (
        "from tritonocr.cli import main\ntry:\n    main()\nexcept SystemExit as ended:\n    print(ended.code)"
    )
    assert 'pip install "tritonocr[cli]"' in _python(code)
