"""Request and response bodies of `POST /ocr`: PaddleX's fields in PaddleX's spelling, and our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    StringConstraints,
    WithJsonSchema,
    create_model,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticKnownError

from tritonocr import OPTIONS, Option

_FLAG_STRINGS = ("true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0")
# With a limit on the length, pydantic also rejects text that is not valid Unicode.
_Name = Annotated[str, StringConstraints(max_length=200)]
# PaddleX's service accepts these numbers and strings too, and clients and forms send them.
_Flag = Annotated[
    bool,
    WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"enum": [0, 1, *_FLAG_STRINGS]}], "title": "A boolean, or its text"}
    ),
]
_ONE_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
_CAMEL = AliasGenerator(to_camel)


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=_CAMEL, populate_by_name=True, allow_inf_nan=False)


def _python_type(option: Option) -> Any:
    if option.choices:
        return Literal[option.choices]
    return {str: _Name, bool: _Flag}.get(option.kind, option.kind)


def _option_fields() -> dict[str, Any]:
    """Return a field for each option with a REST key; null means the server's value."""
    return {
        option.name: (
            _python_type(option) | None,
            Field(
                default=None, alias=option.rest_key, description=option.help, ge=option.low, le=option.high
            ),
        )
        for option in OPTIONS.values()
        if option.rest_key
    }


PipelineOptions = create_model("PipelineOptions", __base__=_Model, **_option_fields())


_NUMBERS = tuple(name for name in PipelineOptions.model_fields if OPTIONS[name].kind in (int, float))


class Correction(_Model):
    """A line's text as corrected by a person."""

    page: int = Field(ge=0, description="Index of the page in the response, from 0.")
    line: int = Field(ge=0, description="Index of the line in `rec_texts`, from 0.")
    text: str = Field(max_length=10_000)


class OCRFields(PipelineOptions):  # type: ignore[valid-type,misc]
    """The fields of a request except its file. Only the camelCase names are valid."""

    model_config = ConfigDict(extra="allow", populate_by_name=False)

    file_type: Literal[0, 1] | None = Field(
        default=None, description="0: a PDF; 1: an image. If absent, the type is detected from the file."
    )
    visualize: _Flag | None = Field(default=None, description="Whether to draw pictures of the result.")
    log_id: str | None = Field(
        default=None,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Id of the request; if absent, the header `X-Request-ID` or a new UUID.",
    )
    file_name: str | None = Field(
        default=None,
        max_length=10_000,
        description="Name of one file in the formats that contain it; replaces the name of the upload.",
    )
    return_page_image: _Flag | None = Field(
        default=None, description="Whether to return `pageImage`, the picture that all coordinates refer to."
    )
    return_text: _Flag | None = Field(
        default=None, description="Whether to return `text`, the lines of each page in reading order."
    )
    corrections: Json[list[Correction]] | None = Field(
        default=None,
        description="Texts that replace recognised lines in the response to one file, as JSON: "
        '`[{"page": 0, "line": 3, "text": "…"}]`; `line` is an index of `rec_texts`. '
        "The line's `rec_sources` is then `user`. Not supported with NDJSON.",
    )

    @field_validator(*_NUMBERS, mode="before")
    @classmethod
    def _reject_boolean(cls, value: Any) -> Any:
        """Reject JSON's true and false in fields for numbers, which pydantic reads as 1 and 0."""
        if isinstance(value, bool):
            raise PydanticKnownError("float_type")
        return value

    def options(self) -> dict[str, Any]:
        """Return the options that the request gives, by their names in the client."""
        # Not model_dump(): it lets an unknown field in snake_case replace the field of that name.
        values = {name: getattr(self, name) for name in PipelineOptions.model_fields}
        return {name: value for name, value in values.items() if value is not None}


class OCRRequest(OCRFields):
    """The JSON body of `POST /ocr`.

    The gateway ignores fields that are not listed, and names them in the response's `warnings`.
    """

    file: str = Field(
        description="The file in Base64, with or without a `data:` prefix; or a URL, if `fetch_urls` is on.",
        examples=[_ONE_PIXEL],
    )


class OCRForm(OCRFields):
    """The form of `POST /ocr`."""

    file: bytes = Field(description="The file.", json_schema_extra={"format": "binary"})


class PageInfo(_Model):
    """The size of a page before preprocessing."""

    width: int = Field(description="Pixels.")
    height: int = Field(description="Pixels.")


class ImageInfo(PageInfo):
    """`dataInfo` of an image."""

    type: Literal["image"]


class DocumentInfo(_Model):
    """`dataInfo` of a PDF, or of a TIFF with several pages."""

    num_pages: int = Field(description="Pages of the file, including pages that were not read.")
    pages: list[PageInfo] = Field(description="The pages that were read.")
    type: Literal["pdf", "tiff"]


class PageResult(_Model):
    """One page. Pictures are Base64 of JPEG, or of PNG where a side exceeds JPEG's limit of 65500 pixels."""

    pruned_result: dict[str, Any] = Field(
        description="The result as in Python, without `input_path` and `page_index`."
    )
    ocr_image: str | None = Field(
        default=None, description="The page with its boxes, and the text beside the page."
    )
    doc_preprocessing_image: str | None = Field(
        default=None, description="The page before and after preprocessing."
    )
    input_image: str | None = Field(default=None, description="The page before preprocessing.")
    page_image: str | None = Field(default=None, description="The page after preprocessing, on request.")
    text: str | None = Field(default=None, description="The lines in reading order, on request.")


class OCRResults(_Model):
    """The result of a file."""

    ocr_results: list[PageResult]
    data_info: ImageInfo | DocumentInfo
    warnings: list[str] | None = Field(
        default=None, description="What was ignored or not read, one sentence each."
    )


class Success(_Model):
    """The response to a valid request."""

    log_id: str
    result: OCRResults
    error_code: Literal[0] = 0
    error_msg: Literal["Success"] = "Success"


class Failure(_Model):
    """The response to a request that failed."""

    log_id: str
    error_code: int = Field(description="The HTTP status.")
    error_msg: str = Field(description="One sentence that describes the error.")


class DetailFailure(BaseModel):
    """The response to a request that failed, in FastAPI's form, which Open WebUI and RapidOCR use."""

    detail: str = Field(description="One sentence that describes the error.")


class Healthy(_Model):
    """The response of a healthy gateway."""

    log_id: str
    error_code: Literal[0] = 0
    error_msg: str = "Healthy"


class ServedModels(_Model):
    """The loaded models by role, and the languages that they read."""

    text_detection: list[str]
    text_recognition: list[str]
    languages: dict[str, str] = Field(description="The values of `lang`, each with a label.")


class OptionInfo(_Model):
    """An option of `POST /ocr`: its value when a request does not give it, and how to show it in a form."""

    value: bool | int | float | str | None = Field(
        description="The default of this server; null: the server chooses."
    )
    type: Literal["bool", "int", "float", "str"]
    title: str = Field(description="A label.")
    group: str = Field(description="A heading for several options.")
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] = Field(description="The allowed texts; empty: any text.")


def option_infos(values: Mapping[str, Any]) -> dict[str, OptionInfo]:
    """Describe each option that has a REST key, by that key.

    Args:
        values: the options in force, by name; the server chooses an option that is not there.
    """
    return {
        option.rest_key: OptionInfo(
            value=values.get(option.name),
            type=cast(Any, option.kind.__name__),
            title=option.title,
            group=option.group,
            description=option.help,
            minimum=option.low,
            maximum=option.high,
            choices=list(option.choices),
        )
        for option in OPTIONS.values()
        if option.rest_key
    }


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a body that FastAPI does not parse itself."""
    return model.model_json_schema(by_alias=True)
