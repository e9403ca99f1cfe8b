"""Tesseract's language codes, which OCRmyPDF uses, and the names that the server's models use."""

from __future__ import annotations

from collections.abc import Sequence

from ocrmypdf.exceptions import BadArgsError

_LATIN = (
    "afr",
    "aze",
    "bos",
    "cat",
    "ces",
    "cym",
    "dan",
    "deu",
    "est",
    "eus",
    "fra",
    "gle",
    "glg",
    "hrv",
    "hun",
    "ind",
    "isl",
    "ita",
    "kur",
    "lat",
    "lav",
    "lit",
    "mlt",
    "msa",
    "nld",
    "nor",
    "oci",
    "pol",
    "por",
    "ron",
    "slk",
    "slv",
    "spa",
    "sqi",
    "swa",
    "swe",
    "tgl",
    "tur",
    "uzb",
    "vie",
)
_CYRILLIC = (
    "bel",
    "bul",
    "kaz",
    "kir",
    "mkd",
    "mon",
    "rus",
    "srp",
    "tgk",
    "tat",
    "ukr",
)
_ARABIC = (
    "ara",
    "fas",
    "uig",
    "urd",
)
_DEVANAGARI = (
    "hin",
    "mar",
    "nep",
    "san",
    "bih",
)

LANGUAGES: dict[str, str] = {
    "eng": "en",
    "chi_sim": "ch",
    "chi_sim_vert": "ch",
    "chi_tra": "chinese_cht",
    "chi_tra_vert": "chinese_cht",
    "jpn": "japan",
    "jpn_vert": "japan",
    "kor": "korean",
    "kor_vert": "korean",
    "ell": "el",
    "tha": "th",
    "tam": "ta",
    "tel": "te",
    "kan": "ka",
    **dict.fromkeys(_LATIN, "latin"),
    **dict.fromkeys(_CYRILLIC, "cyrillic"),
    **dict.fromkeys(_ARABIC, "arabic"),
    **dict.fromkeys(_DEVANAGARI, "devanagari"),
}
"""Language name of the server for each code of Tesseract."""


def model_language(codes: Sequence[str]) -> str | None:
    """Return the server's language for OCRmyPDF's languages.

    English may be combined with one other language, because each model also reads English.

    Args:
        codes: Tesseract codes, such as ["deu", "eng"]; empty for the server's default model.

    Raises:
        BadArgsError: a code is unknown, or two languages need different models.
    """
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown:
        raise BadArgsError(f"--language: got {unknown[0]!r}, expected one of {', '.join(sorted(LANGUAGES))}")
    names = dict.fromkeys(LANGUAGES[code] for code in codes)
    others = [name for name in names if name != "en"]
    if len(others) > 1:
        raise BadArgsError(
            f"--language: got {'+'.join(codes)}, which needs several models ({', '.join(others)}); expected "
            "languages of one model, with or without eng"
        )
    return next(iter(others or names), None)
