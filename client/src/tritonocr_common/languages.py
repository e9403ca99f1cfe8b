"""Names of languages: the codes of the models, ISO 639 codes, PaddleOCR's names and English names.

A code of the `lang` option names a group of languages that one recognition model reads, such as `latin`.
PaddleOCR's names win over ISO 639: `ka` is Kannada, as in PaddleOCR, not Georgian.
"""

from __future__ import annotations

from collections.abc import Mapping

MODELS: Mapping[str, str] = {
    "ch": "PP-OCRv5_mobile_rec",
    "chinese_cht": "PP-OCRv5_mobile_rec",
    "en": "en_PP-OCRv4_mobile_rec",
    "japan": "PP-OCRv5_mobile_rec",
    "korean": "korean_PP-OCRv3_mobile_rec",
    "te": "te_PP-OCRv3_mobile_rec",
    "ka": "ka_PP-OCRv3_mobile_rec",
    "ta": "ta_PP-OCRv3_mobile_rec",
    "latin": "latin_PP-OCRv3_mobile_rec",
    "arabic": "arabic_PP-OCRv3_mobile_rec",
    "cyrillic": "cyrillic_PP-OCRv3_mobile_rec",
    "devanagari": "devanagari_PP-OCRv3_mobile_rec",
}
"""A recognition model for each code."""

TITLES: Mapping[str, str] = {
    "ch": "Chinese, simplified",
    "chinese_cht": "Chinese, traditional",
    "en": "English",
    "japan": "Japanese",
    "korean": "Korean",
    "te": "Telugu",
    "ka": "Kannada",
    "ta": "Tamil",
    "latin": "Latin script: German, French, Spanish …",
    "arabic": "Arabic script: Arabic, Persian, Urdu …",
    "cyrillic": "Cyrillic script: Russian, Ukrainian …",
    "devanagari": "Devanagari: Hindi, Marathi, Nepali …",
}
"""What a person reads for each code."""

_NAMES: Mapping[str, str] = {
    "ch": "zh zho chi cmn chinese simplified_chinese zh_cn zh_hans zh_sg chi_sim ch_sim",
    "chinese_cht": "zh_tw zh_hk zh_hant chi_tra ch_tra traditional_chinese chinese_traditional",
    "en": "eng english en_us en_gb",
    "japan": "ja jpn japanese ja_jp",
    "korean": "ko kor ko_kr",
    "te": "tel telugu",
    "ka": "kn kan kannada",
    "ta": "tam tamil",
    "latin": (
        "af afr afrikaans az aze azerbaijani bs bos bosnian ca cat catalan cs ces cze czech cy cym wel welsh "
        "da dan danish de deu ger german es spa spanish et est estonian eu eus baq basque fi fin finnish "
        "fr fra fre french ga gle irish gl glg galician hr hrv croatian hu hun hungarian id ind indonesian "
        "is isl ice icelandic it ita italian ku kur kurdish la lat lb ltz luxembourgish lt lit lithuanian "
        "lv lav latvian mi mri mao maori ms msa may malay mt mlt maltese nl nld dut dutch no nor nb nob nn "
        "nno norwegian oc oci occitan pi pli pali pl pol polish pt por portuguese qu que quechua rm roh "
        "romansh ro ron rum romanian rs_latin sk slk slo slovak sl slv slovenian sq sqi alb albanian sv swe "
        "swedish sw swa swahili tl tgl tagalog tr tur turkish uz uzb uzbek vi vie vietnamese"
    ),
    "arabic": "ar ara fa fas per persian farsi ug uig uyghur ur urd urdu ps pus pashto sd snd sindhi bal",
    "cyrillic": (
        "ru rus russian be bel belarusian bg bul bulgarian uk ukr ukrainian mn mon mongolian rs_cyrillic "
        "sr srp serbian kk kaz kazakh ky kir kyrgyz tg tgk tajik mk mkd mac macedonian tt tat tatar "
        "cv chv ba bak mo os oss kv kom che abq ady kbd ava dar inh lbe lez tab mhr udm bua xal tyv sah kaa"
    ),
    "devanagari": (
        "hi hin hindi mr mar marathi ne nep nepali sa san sanskrit bh bho mai ang mah sck new gom bgc"
    ),
}

_CODES: Mapping[str, str] = {
    **{name: code for code, names in _NAMES.items() for name in names.split()},
    **{code: code for code in MODELS},
}


def language_code(name: str) -> str | None:
    """Return the code of the `lang` option for a language's name or ISO 639 code; None if it is unknown.

    Upper and lower case do not matter; `-` and `_` are the same. A region that no model distinguishes, as in
    `de-AT`, is ignored.
    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    return _CODES.get(key) or _CODES.get(key.partition("_")[0])
