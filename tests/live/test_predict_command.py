"""`tritonocr predict` on a real server: many files, broken files, a killed and a resumed run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tritonocr_backend.server.embedded import EmbeddedServer

OFF = [
    part
    for name in ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")
    for part in (f"--{name}", "False")
]
BROKEN = {"017.png": b"", "100.png": b"not a picture", "199.png": b"\x89PNG\r\n\x1a\n cut short"}


def predict(url: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tritonocr", "predict", *arguments, *OFF, "--url", url]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 small pictures, each with its number; three are broken."""
    directory = tmp_path_factory.mktemp("two hundred")
    font = ImageFont.load_default(24)
    for number in range(200):
        picture = Image.new("RGB", (160, 48), "white")
        ImageDraw.Draw(picture).text((20, 10), f"No {number + 1000}", fill="black", font=font)
        picture.save(directory / f"{number:03}.png")
    for name, content in BROKEN.items():
        (directory / name).write_bytes(content)
    return directory


def test_two_hundred_files_three_broken(server: EmbeddedServer, folder: Path, tmp_path: Path) -> None:
    call = predict(server.grpc_url, str(folder), "--format", "json", "--save_path", str(tmp_path))
    done = subprocess.run(call, capture_output=True, text=True, timeout=250)
    assert done.returncode == 1
    saved = sorted(tmp_path.glob("*.json"))
    assert len(saved) == 197
    for path in saved:
        number = int(path.name[:3])
        assert json.loads(path.read_text())["rec_texts"] == [f"No {number + 1000}"]
    *errors, summary = done.stderr.splitlines()
    assert len(errors) == 3
    for line, name in zip(errors, BROKEN, strict=True):
        assert line.startswith(f"tritonocr: {folder / name}: ")
    assert summary.startswith("tritonocr: 200 files, 197 pages, 3 failed; ")


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("text_det_thresh", "2", "Option 'text_det_thresh' is 2; expected 0 to 1"),
        ("lang", "xx", "lang: got 'xx', which no served model reads; expected one of "),
        ("max_pages", "1001", "max_pages: got 1001, expected at most 1000 (limit max_pages)"),
    ],
)
def test_an_option_that_the_server_refuses_ends_the_run(
    server: EmbeddedServer, folder: Path, option: str, value: str, sentence: str
) -> None:
    call = predict(server.grpc_url, str(folder), f"--{option}", value)
    done = subprocess.run(call, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    [said] = done.stderr.splitlines()
    assert said.startswith(f"tritonocr: {sentence}")


def test_a_killed_run_is_resumed(server: EmbeddedServer, folder: Path, tmp_path: Path) -> None:
    arguments = (str(folder / "0[0-4]*.png"), "--format", "text", "--save_path", str(tmp_path))
    process = subprocess.Popen(predict(server.grpc_url, *arguments), stderr=subprocess.DEVNULL)
    journal_path = tmp_path / ".tritonocr-journal.jsonl"  # its lines are written after their files
    deadline = time.monotonic() + 60
    while not journal_path.exists() or len(journal_path.read_text().splitlines()) <= 10:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    journal = journal_path.read_text().splitlines()[1:]
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.txt")}
    assert len(journal) < 49
    done = subprocess.run(
        predict(server.grpc_url, *arguments, "--resume"), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert f"tritonocr: {50 - len(journal)} files ({len(journal)} done before)" in done.stderr
    written = sorted(tmp_path.glob("*.txt"))
    assert [path.read_text() for path in written] == [
        f"No {number + 1000}\n" for number in range(50) if number != 17
    ]
    again = [path for path, changed in kept.items() if path.stat().st_mtime_ns != changed]
    assert len(again) <= len(kept) - len(journal)
