"""Everything about the gateway that someone may tune, declared once: name, default, range and help."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field, FilePath, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# Not …_GATEWAY_: Kubernetes gives containers a TRITONOCR_GATEWAY_PORT=tcp://… of a Service so named.
ENV_PREFIX = "TRITONOCR_REST_"
LogFormat = Literal["text", "json"]
_MIB = 1 << 20


class Settings(BaseSettings):
    """The gateway's settings: from the command line, else from `TRITONOCR_REST_…`, else the default."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True)

    url: str = Field(default="localhost:8001", description="Triton's address, as OCRClient takes it.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Keys of which a request must show one, separated by commas; none asks for none.",
    )
    tls_certificate: FilePath | None = Field(
        default=None, description="PEM file with the certificate; the gateway then speaks HTTPS alone."
    )
    tls_key: FilePath | None = Field(
        default=None, description="PEM file with its private key, if that is not in the same file."
    )
    triton_ca: FilePath | None = Field(
        default=None, description="PEM file of the authority behind Triton's certificate, for a grpcs:// url."
    )
    triton_certificate: FilePath | None = Field(
        default=None, description="PEM file with the certificate that the gateway shows to Triton."
    )
    triton_key: FilePath | None = Field(
        default=None, description="PEM file with the private key of `triton_certificate`."
    )
    max_body_bytes: int = Field(
        default=100 * _MIB, ge=1024, le=2048 * _MIB, description="Largest request body, in bytes."
    )
    max_concurrent_requests: int = Field(
        default=32, ge=1, le=10_000, description="Requests worked on at once; one more is refused with 429."
    )
    max_requests_per_minute: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Requests a minute of one key, or of one address without a key; 0: any number.",
    )
    timeout_s: float = Field(
        default=300,
        gt=0,
        le=86_400,
        description="Seconds in which Triton must answer, or the client gets 504.",
    )
    upload_timeout_s: float = Field(
        default=60, gt=0, le=86_400, description="Seconds in which a body must arrive."
    )
    retry_after_s: int = Field(default=1, ge=1, le=3600, description="Seconds that 429 and 503 ask to wait.")
    max_pages: int = Field(default=10, ge=1, le=100_000, description="Pages read of a file.")
    visualize: bool = Field(
        default=True, description="Whether pictures are drawn when a request does not say."
    )
    picture_threads: int = Field(
        default_factory=lambda: min(4, os.cpu_count() or 1),
        ge=1,
        le=64,
        description="Threads that draw and encode pictures.",
    )
    fetch_urls: bool = Field(
        default=False, description="Whether a request may name the public http(s) URL of its file."
    )
    fetch_max_bytes: int = Field(
        default=100 * _MIB, ge=1, le=2048 * _MIB, description="Largest file fetched from a URL, in bytes."
    )
    fetch_timeout_s: float = Field(
        default=20, gt=0, le=3600, description="Seconds that fetching a URL may take."
    )
    fetch_max_redirects: int = Field(default=3, ge=0, le=20, description="Redirects followed for a URL.")
    log_format: LogFormat = Field(
        default="text", description="What log lines are: text, or json, an object a line."
    )

    @property
    def stated_max_pages(self) -> int | None:
        """`max_pages` where somebody set it; None is the server's own, whose limit may be lower."""
        return self.max_pages if "max_pages" in self.model_fields_set else None

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [key.strip() for key in value.split(",") if key.strip()] if isinstance(value, str) else value
