"""The command `tritonocr`, run as a process against a KServe server."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pypdfium2
import pytest
from kserve_fake import (
    FakeServicer,
    RefusalError,
    Tensors,
    answer_with_lines,
    decoded_inputs,
    serving,
    texts,
)
from PIL import Image

from tritonocr import FORMATS, OPTIONS
from tritonocr._results.saving import encoded_picture
from tritonocr.cli._app import with_command
from tritonocr.cli._summary import summary

REFUSED_OPTION = "lang: got 'xx', expected one of ch, en [invalid_option]"
PICTURE = encoded_picture(Image.new("RGB", (40, 60), "white"), ".jpg")


def answer(inputs: dict[str, Any]) -> Tensors:
    """The file's content as the one line; `bad` files are refused, `slow` ones take a while."""
    text = inputs["file"].item().decode()
    if "lang" in inputs:
        raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, REFUSED_OPTION)
    if text.startswith("bad"):
        raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "file: got a bad one, expected a page")
    if text.startswith("slow"):
        time.sleep(0.1)
    if text == "three pages":
        return pages_with_an_error()
    pictures = np.array([PICTURE], np.object_)
    return {**answer_with_lines([text]), "input_images": pictures, "preprocessed_images": pictures}


def pages_with_an_error() -> Tensors:
    """Return three pages: one with a warning, one with an error, one plain."""
    return {
        **answer_with_lines(["first", "third"], [0, 2], pages=3),
        "page_warnings": texts(['[{"code": "rendered_smaller", "message": "Page 0 is large."}]', "[]", "[]"]),
        "page_errors": texts(["", '{"code": "unreadable", "message": "page 1 is corrupt"}', ""]),
        "input_images": np.array([PICTURE, b"", PICTURE], np.object_),
        "preprocessed_images": np.array([PICTURE, b"", PICTURE], np.object_),
    }


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, FakeServicer]]:
    with serving(answer) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for number in range(4):
        Path("in", f"{number}.png").write_bytes(f"page {number}".encode())
    return tmp_path


def command(*arguments: str, url: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRITONOCR_URL": url, "COLUMNS": "110", "PYTHONWARNINGS": "error"}
    environment = {name: value for name, value in environment.items() if value}
    call = [sys.executable, "-c", "from tritonocr.cli import main; main()", *arguments]
    return subprocess.run(call, capture_output=True, text=True, env=environment, timeout=60, **options)


def test_a_table_is_printed_and_paddlexs_files_are_saved(
    server: tuple[str, FakeServicer], folder: Path
) -> None:
    done = command(
        "--pipeline", "OCR", "--input", "in/0.png", "--use_doc_orientation_classify", "False",
        "--use_doc_unwarping", "False", "--use_textline_orientation", "False", "--save_path", "./output",
        url=server[0],
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.500   page 0   0 0 8 4" in done.stdout
    assert sorted(path.name for path in Path("output").iterdir()) == [
        ".tritonocr-journal.jsonl",
        "0_ocr_res_img.png",
        "0_res.json",
    ]
    saved = json.loads(Path("output/0_res.json").read_text())
    assert saved["input_path"] == "in/0.png"
    sent = {tensor.name for tensor in server[1].requests[-1].inputs}
    assert sent == {
        "file", "use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation",
        "return_page_images",
    }  # fmt: skip


def test_json_is_a_line_a_page(server: tuple[str, FakeServicer], folder: Path) -> None:
    done = command("predict", "in", "--format", "json", "--quiet", url=server[0])
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["rec_texts"] for line in lines] == [[f"page {number}"] for number in range(4)]
    assert "input_images" not in {output.name for output in server[1].requests[-1].outputs}


def test_odd_and_long_names_do_not_end_the_run(server: tuple[str, FakeServicer], folder: Path) -> None:
    odd = b"in/b\xb7\xa2\xc6\xb1.png"  # GBK, as from an archive made on Windows
    for name in (os.fsdecode(odd), "in/" + "很" * 83 + ".png", "in/._0.png", "in/z.jfif"):
        Path(name).write_bytes(b"page")
    arguments = ("predict", "in", "--format", "json", "--save_path", "out", "--resume")
    done = command(*arguments, url=server[0])
    assert "7 files, 7 pages, 0 failed" in done.stderr
    assert done.returncode == 0
    results = [path for path in Path("out").iterdir() if path.suffix == ".json"]
    assert len(results) == 7
    assert os.fsdecode(odd) in {json.loads(path.read_text())["input_path"] for path in results}
    assert "0 files (7 done before)" in command(*arguments, url=server[0]).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("none.png", "no/such.pdf"), 1, "none.png: Cannot read 'none.png': No such file"),
        (("empty",), 1, "holds no .avif"),
        (("in/0.png", "--lang", "klingon"), 2, "lang is 'klingon'; expected a language"),
        (("in/0.png", "--text_det_thresh", "7"), 2, "text_det_thresh"),
    ],
    ids=["missing files", "an empty directory", "an unknown language", "a value out of range"],
)
def test_mistakes_are_told_before_a_server_is_started(
    folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    Path("empty").mkdir()
    done = command("predict", *arguments, "--device", "no such device")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "device" not in done.stderr, "no server was asked for"


def test_output_suits_a_terminal_that_is_not_utf_8(server: tuple[str, FakeServicer], folder: Path) -> None:
    Path("in/0.png").write_text("竖排 é", encoding="utf-8")
    latin = {"PYTHONIOENCODING": "latin-1", "TRITONOCR_URL": server[0], "PATH": os.environ["PATH"]}
    call = [sys.executable, "-c", "from tritonocr.cli import main; main()", "predict", "in/0.png", "--format"]
    printed = {
        form: subprocess.run([*call, form], capture_output=True, env=latin, timeout=60, check=True).stdout
        for form in ("text", "json", "table")
    }
    assert printed["text"].decode("latin-1") == "?? é\n"
    assert json.loads(printed["json"])["rec_texts"] == ["竖排 é"]
    assert "?? é" in printed["table"].decode("latin-1")


def test_text_has_names_where_there_are_several(server: tuple[str, FakeServicer], folder: Path) -> None:
    assert command("predict", "in/0.png", "--format", "text", url=server[0]).stdout == "page 0\n"
    done = command("predict", "in/0.png", "in/1.png", "--format", "text", url=server[0])
    assert done.stdout == "==> in/0.png <==\npage 0\n==> in/1.png <==\npage 1\n"
    assert "2 files, 2 pages, 0 failed" in done.stderr


@pytest.mark.parametrize(
    ("files", "before", "pages", "said"),
    [
        pytest.param(2, 0, 0, "2 files, 0 pages, 0 failed; 2.0 s, 0.0 pages/s", id="several, none"),
        pytest.param(1, 29, 1, "1 file (29 done before), 1 page, 0 failed; 2.0 s, 0.5 pages/s", id="one"),
    ],
)
def test_a_run_ends_with_a_line_that_counts(files: int, before: int, pages: int, said: str) -> None:
    assert summary(files, before, pages, failures=0, seconds=2) == said


@pytest.mark.parametrize("form", ["twice", "with a comma", "in the variable"])
def test_several_servers_are_given(server: tuple[str, FakeServicer], folder: Path, form: str) -> None:
    urls = ["127.0.0.1:1", server[0]]
    arguments = {
        "twice": [part for url in urls for part in ("--url", url)],
        "with a comma": ["--url", ",".join(urls)],
        "in the variable": [],
    }[form]
    variable = "" if arguments else ",".join(urls)
    done = command("predict", "in/0.png", "--format", "text", *arguments, url=variable)
    assert done.stdout == "page 0\n"
    assert (
        done.stderr
        == "No requests are sent to grpc://127.0.0.1:1 until it is ready again: Connection refused\n"
    )


def test_standard_input_is_read(server: tuple[str, FakeServicer], folder: Path) -> None:
    done = command("predict", "--input", "-", "--format", "text", url=server[0], input="from a pipe")
    assert done.stdout == "from a pipe\n"


def test_a_pdf_goes_to_a_pipe_or_a_directory(server: tuple[str, FakeServicer], folder: Path) -> None:
    with Path("out.pdf").open("wb") as file:
        call = [sys.executable, "-c", "from tritonocr.cli import main; main()", "predict", "in/0.png"]
        options = ["--format", "pdf", "--url", server[0]]
        subprocess.run([*call, *options], stdout=file, check=True, timeout=60)
    done = command("predict", "in", "--format", "pdf", "--save_path", "out", url=server[0])
    assert done.returncode == 0
    for path in (Path("out.pdf"), Path("out/0_res.pdf")):
        pdf = pypdfium2.PdfDocument(path)
        assert pdf[0].get_textpage().get_text_range() == "page 0"
        pdf.close()
    assert command("predict", "in", "--format", "pdf", url=server[0]).returncode == 2


@pytest.mark.parametrize("output", [name for name, row in FORMATS.items() if not row.has_file_per_page])
def test_a_document_of_a_file_is_printed_or_saved(
    server: tuple[str, FakeServicer], folder: Path, output: str
) -> None:
    Path("in/pages.png").write_bytes(b"three pages")
    arguments = ["predict", "in/pages.png", "--format", output]
    printed = command(*arguments, url=server[0])
    saved = command(*arguments, "--save_path", "out", url=server[0])
    assert (printed.returncode, saved.returncode, saved.stdout) == (1, 1, ""), "one page is corrupt"
    expected = printed.stdout.splitlines()
    (path,) = Path("out").glob("pages_res*")
    assert path.name == f"pages{FORMATS[output].ending}"
    assert path.read_text(encoding="utf-8").splitlines() == expected
    assert len(expected) > 1


def test_page_xml_is_one_file_per_page(server: tuple[str, FakeServicer], folder: Path) -> None:
    done = command("predict", "in", "--format", "page", "--save_path", "out", url=server[0])
    assert done.returncode == 0
    names = {f"{path.stem}_res.page.xml" for path in Path("in").iterdir()}
    assert {path.name for path in Path("out").glob("*.xml")} == names


@pytest.mark.parametrize("output", ["hocr", "csv", "page"])
def test_documents_of_several_files_do_not_follow_each_other(
    server: tuple[str, FakeServicer], folder: Path, output: str
) -> None:
    done = command("predict", "in", "--format", output, url=server[0])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"documents in the format '{output}' cannot be written to standard output; give --save_path" in (
        done.stderr
    )


def test_an_unknown_format_names_the_known_ones(server: tuple[str, FakeServicer], folder: Path) -> None:
    done = command("predict", "in/0.png", "--format", "docx", url=server[0])
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("docx", *FORMATS, "table", "pdf"))


def test_failures_are_named_and_counted(server: tuple[str, FakeServicer], folder: Path) -> None:
    Path("in/2.png").write_bytes(b"bad")
    done = command("predict", "in", "none.png", "--format", "json", url=server[0])
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    errors = done.stderr.splitlines()
    assert errors[0] == "tritonocr: in/2.png: file: got a bad one, expected a page"
    assert errors[1] == "tritonocr: none.png: Cannot read 'none.png': No such file or directory."
    assert errors[2].startswith("tritonocr: 5 files, 3 pages, 2 failed; ")


@pytest.mark.parametrize("output", ["text", "pdf"])
def test_a_page_that_was_not_read_is_named_beside_the_other_pages(
    server: tuple[str, FakeServicer], folder: Path, output: str
) -> None:
    Path("in/pages.png").write_bytes(b"three pages")
    done = command("predict", "in/pages.png", "--format", output, "--save_path", "out", url=server[0])
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "tritonocr: in/pages.png: Page 0 is large.",
        "tritonocr: in/pages.png: page 1 is corrupt",
        "tritonocr: in/pages.png: 1 page not read",
    ]
    saved = {path.name for path in Path("out").iterdir()} - {".tritonocr.jsonl"}
    ending = {"text": ".txt", "pdf": ".pdf"}[output]
    assert ending in {Path(name).suffix for name in saved}
    assert not any("_1_" in name for name in saved)


@pytest.mark.parametrize("output", ["table", "json", "pdf"])
def test_an_option_that_the_server_refuses_ends_the_run(
    server: tuple[str, FakeServicer], folder: Path, output: str
) -> None:
    for number in range(50):
        Path("in", f"s{number}.png").write_bytes(b"slow")
    server[1].requests.clear()
    arguments = ["--format", output, "--save_path", "out", "--lang", "xx", "--url", server[0]]
    done = command("predict", "in", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tritonocr: lang: got 'xx', expected one of ch, en\n"
    assert len(server[1].requests) < 54
    assert [path.name for path in Path("out").iterdir()] == [".tritonocr-journal.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["predict"], 2, "expected at least one input"),
        (["predict", "--input", ""], 2, "no empty one"),
        (["predict", "a.png", "--resume"], 2, "needs --save_path"),
        (["predict", "a.png", "--use_doc_unwarping", "maybe"], 2, "maybe"),
        (["predict", "a.png", "--text_det_thresh", "high"], 2, "--text_det_thresh"),
        (["predict", "in/0.png", "--pipeline", "table"], 2, "The pipeline is 'table'; expected 'OCR'"),
        (["predict", "a.png", "--url", "ftp://x"], 2, "The server address is 'ftp://x'"),
        (
            ["predict", "in/0.png", "--url", "localhost:1"],
            3,
            "No TritonOCR server answers at grpc://localhost:1",
        ),
        (["preduct"], 2, "No such command"),
    ],
)
def test_what_goes_wrong_has_its_code_and_a_sentence(
    folder: Path, arguments: list[str], code: int, sentence: str
) -> None:
    done = command(*arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_names_do_not_collide_and_folders_are_kept(server: tuple[str, FakeServicer], folder: Path) -> None:
    Path("in/0.jpg").write_bytes(b"another")
    Path("in/sub").mkdir()
    Path("in/sub/0.png").write_bytes(b"deep")
    command("predict", "in", "-r", "--format", "text", "--save_path", "out", url=server[0])
    saved = {path.relative_to("out").as_posix(): path.read_text() for path in Path("out").rglob("*.txt")}
    assert saved["0_res.txt"] == "another\n"
    assert saved["0.png_res.txt"] == "page 0\n"
    assert saved["sub/0_res.txt"] == "deep\n"
    assert len(saved) == 6


def test_a_killed_run_is_resumed_without_loss_or_repetition(
    server: tuple[str, FakeServicer], folder: Path
) -> None:
    url, servicer = server
    names = [f"{number:02}.png" for number in range(30)]
    for name in names:
        Path("in", name).write_bytes(f"slow {name}".encode())
    arguments = ["predict", "in", "--format", "json", "--save_path", "out", "--jobs", "2", "--url", url]
    call = [sys.executable, "-c", "from tritonocr.cli import main; main()", *arguments]
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL)
    _journal_of(Path("out"), 5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done_before = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.json")}
    journal = _journal_of(Path("out"), 5)
    assert len(journal) < 34
    servicer.requests.clear()
    done = command("predict", "in", "--format", "json", "--save_path", "out", "--resume", url=url)
    assert done.returncode == 0
    assert f"{34 - len(journal)} files ({len(journal)} done before)" in done.stderr
    sent_again = {decoded_inputs(request)["file"].item().decode() for request in list(servicer.requests)}
    contents = {path.as_posix(): path.read_text() for path in Path("in").iterdir()}
    recorded_inputs = {json.loads(line)["input"] for line in journal}
    assert sent_again == {content for name, content in contents.items() if name not in recorded_inputs}
    after = {path.name: path.stat().st_mtime_ns for path in Path("out").glob("*.json")}
    assert len(after) == 34
    recorded = {json.loads(line)["output"] + "_res.json" for line in journal}
    assert {name: after[name] for name in recorded} == {name: done_before[name] for name in recorded}
    assert not list(Path("out").glob(".*.part"))


def test_two_inputs_without_a_path_are_both_read(server: tuple[str, FakeServicer]) -> None:
    done = command("predict", "data:,one", "data:,two", "--format", "text", url=server[0])
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith("==>")] == ["one", "two"]


def test_a_name_with_a_line_separator_is_resumed(server: tuple[str, FakeServicer], folder: Path) -> None:
    Path("in/a\u2028b\x85c.png").write_bytes(b"odd")
    arguments = ["predict", "in", "--format", "json", "--save_path", "out"]
    command(*arguments, url=server[0])
    done = command(*arguments, "--resume", url=server[0])
    assert "(5 done before)" in done.stderr


def test_a_control_character_of_a_name_does_not_reach_the_terminal(
    server: tuple[str, FakeServicer], folder: Path
) -> None:
    done = command("predict", "in/0.png", "in/a\x1b[2J\nb.png", "--format", "text", "-q", url=server[0])
    assert done.returncode == 1
    assert done.stderr.startswith("tritonocr: in/a\\x1b[2J\\nb.png: Cannot read")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_ends_it_with_its_code(server: tuple[str, FakeServicer], folder: Path) -> None:
    for number in range(40):
        Path("in", f"s{number}.png").write_bytes(b"slow")
    arguments = ["predict", "in", "--format", "json", "--save_path", "out", "--jobs", "1", "--url", server[0]]
    call = [sys.executable, "-c", "from tritonocr.cli import main; main()", *arguments]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _journal_of(Path("out"), 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "interrupted after" in errors
    assert "Traceback" not in errors


def test_whoever_reads_the_output_may_go(server: tuple[str, FakeServicer], folder: Path) -> None:
    call = f"{sys.executable} -c 'from tritonocr.cli import main; main()'"
    shell = f"{call} predict in --format json --url {server[0]} | head -1"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, timeout=60, check=True)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_progress_is_shown_on_a_terminal(server: tuple[str, FakeServicer], folder: Path) -> None:
    for number in range(40):
        Path("in", f"s{number}.png").write_bytes(b"slow")
    leader, follower = pty.openpty()
    arguments = ["predict", "in", "--format", "json", "--jobs", "1", "--url", server[0]]
    call = [sys.executable, "-c", "from tritonocr.cli import main; main()", *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    with Path("out.jsonl").open("w") as output:
        process = subprocess.Popen(call, stdout=output, stderr=follower, env=environment)
    os.close(follower)
    shown = _all_of(leader)
    assert process.wait(timeout=60) == 0
    assert "/44" in shown
    assert "pages/s, left" in shown
    lines = Path("out.jsonl").read_text().splitlines()
    assert len(lines) == 44
    assert all(json.loads(line) for line in lines)


def test_help_shows_every_option_and_examples() -> None:
    done = command("predict", "--help")
    assert done.returncode == 0
    for name in (*OPTIONS, "input", "save_path", "device", "url", "jobs", "format", "recursive", "resume"):
        if name != "return_page_images":  # the command requests them when it draws
            assert f"--{name}" in done.stdout
    assert done.stdout.count("tritonocr predict --input") >= 3
    assert "Exit codes: 0" in done.stdout


def test_the_app_lists_its_commands_and_its_version() -> None:
    assert command("--version").stdout.strip().count(".") == 2
    listed = command("--help").stdout
    assert all(f" {name} " in listed for name in ("predict", "gateway", "serve", "models", "config"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["--help"]),
        (["--version"], ["--version"]),
        (["--install-completion"], ["--install-completion"]),
        (["models", "list"], ["models", "list"]),
        (["--pipeline", "OCR", "--input", "a"], ["predict", "--pipeline", "OCR", "--input", "a"]),
        (["--input=a"], ["predict", "--input=a"]),
        (["--get_pipeline_config=OCR"], ["config", "--get_pipeline_config=OCR"]),
        (
            ["--save_path", "x", "--get_pipeline_config", "OCR"],
            ["config", "--save_path", "x", "--get_pipeline_config", "OCR"],
        ),
    ],
)
def test_paddlexs_spelling_finds_its_command(arguments: list[str], expected: list[str]) -> None:
    assert (with_command(arguments) or ["--help"]) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_flags(shell: str) -> None:
    environment = {**os.environ, "_TRITONOCR_COMPLETE": f"complete_{shell}"}
    environment |= {"COMP_WORDS": "tritonocr predict --text_det", "COMP_CWORD": "2"}
    environment |= {
        "_TYPER_COMPLETE_ARGS": "tritonocr predict --text_det",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    call = [sys.executable, "-c", "from tritonocr.cli import main; main()"]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=60)
    assert "--text_det_thresh" in done.stdout


def _all_of(terminal: int) -> str:
    """What a process writes to a terminal, until it closes it."""
    parts = []
    with contextlib.suppress(OSError):  # how Linux ends a terminal
        while part := os.read(terminal, 4096):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def _journal_of(directory: Path, count: int) -> list[str]:
    """The lines of the run's journal, once there are `count`: each is written after its file's output."""
    path = directory / ".tritonocr-journal.jsonl"
    deadline = time.monotonic() + 30
    while not path.exists() or len(path.read_text().splitlines()) <= count:
        assert time.monotonic() < deadline, f"{count} files were not done"
        time.sleep(0.02)
    return path.read_text().splitlines()[1:]
