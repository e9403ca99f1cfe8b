"""The table of all text formats. A new format is one module in `writers` and one row here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError
from .page_text import PageText, ResultOfPage, page_text
from .writers import alto, csv, hocr, json, markdown, ndjson, page_xml, text, tsv


@dataclass(frozen=True)
class DocumentFormat:
    """A format of the results.

    Attributes:
        name: the name in Python and on the command line.
        media_type: the name in HTTP's `Accept` and `Content-Type`.
        ending: the end of a saved file's name.
        write: turns the pages of a file into pieces of text, each as soon as its page is there.
        holds_one_page: whether a document of the format holds a single page.
        has_words: whether the format holds words, so that `return_word_box` is useful.
        has_file_per_page: whether the command line writes a file per page.
        can_be_joined: whether documents of several files may follow each other in one stream.
    """

    name: str
    media_type: str
    ending: str
    write: Callable[[Iterable[PageText]], Iterator[str]]
    holds_one_page: bool = False
    has_words: bool = False
    has_file_per_page: bool = False
    can_be_joined: bool = False


FORMATS = {
    row.name: row
    for row in (
        DocumentFormat(
            "text", "text/plain", "_res.txt", text.write, has_file_per_page=True, can_be_joined=True
        ),
        DocumentFormat("markdown", "text/markdown", "_res.md", markdown.write, can_be_joined=True),
        DocumentFormat(
            "json", "application/json", "_res.json", json.write, holds_one_page=True, has_file_per_page=True
        ),
        DocumentFormat("ndjson", "application/x-ndjson", "_res.ndjson", ndjson.write, can_be_joined=True),
        DocumentFormat("csv", "text/csv", "_res.csv", csv.write),
        DocumentFormat("tsv", "text/tab-separated-values", "_res.tsv", tsv.write, has_words=True),
        DocumentFormat("hocr", "text/vnd.hocr+html", "_res.hocr", hocr.write, has_words=True),
        DocumentFormat("alto", "application/alto+xml", "_res.alto.xml", alto.write, has_words=True),
        DocumentFormat(
            "page",
            "application/vnd.prima.page+xml",
            "_res.page.xml",
            page_xml.write,
            holds_one_page=True,
            has_words=True,
            has_file_per_page=True,
        ),
    )
}


def document_format(name: str) -> DocumentFormat:
    """Return a format by its name.

    Raises:
        InvalidInputError: no format has this name.
    """
    if name not in FORMATS:
        raise InvalidInputError(f"The format is {quoted(name)}; expected one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def formatted(results: Iterable[ResultOfPage], format: str) -> Iterator[str]:  # noqa: A002 (the usual name)
    """Write pages in a format, piece by piece: memory does not grow with the number of pages.

    Args:
        results: the pages of one file, in order.
        format: a name in `FORMATS`.

    Raises:
        InvalidInputError: no format has this name, or the format holds one page and there are more.
    """
    row = document_format(format)
    pages = map(page_text, results)
    return row.write(_single(pages, row) if row.holds_one_page else pages)


def _single(pages: Iterator[PageText], row: DocumentFormat) -> Iterator[PageText]:
    for index, page in enumerate(pages):
        if index:
            raise InvalidInputError(
                f"A document in the format {row.name!r} holds one page, but the file has more; "
                "write one document per page."
            )
        yield page
