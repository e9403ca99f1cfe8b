"""The gateway's settings, declared once: name, default, range and help."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FilePath, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tritonocr_common import environment
from tritonocr_gateway.jobs.signatures import secret_bytes

ENV_PREFIX = environment.GATEWAY_PREFIX
LogFormat = Literal["text", "json"]
_MIB = 1 << 20


class Settings(BaseSettings):
    """The gateway's settings. The command line overrides `TRITONOCR_REST_…`, which overrides the default."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True)

    url: str = Field(
        default="localhost:8001",
        description="Address of Triton, such as localhost:8001; several addresses with commas.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 selects a free port.")
    fd: int | None = Field(
        default=None,
        ge=3,
        description="File descriptor of a listening socket that the gateway inherits (socket activation); "
        "replaces `host` and `port`.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="API keys, separated by commas; without keys, every request is accepted.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses or networks of reverse proxies, separated by commas, whose `X-Forwarded-For` "
        "header names the client; `*` trusts every sender.",
    )
    tls_certificate: FilePath | None = Field(
        default=None, description="PEM file with the certificate; the gateway then accepts HTTPS only."
    )
    tls_key: FilePath | None = Field(
        default=None, description="PEM file with the private key, if `tls_certificate` does not contain it."
    )
    triton_ca: FilePath | None = Field(
        default=None, description="PEM file with the authority of Triton's certificate, for a grpcs:// url."
    )
    triton_certificate: FilePath | None = Field(
        default=None, description="PEM file with the client certificate that the gateway sends to Triton."
    )
    triton_key: FilePath | None = Field(
        default=None, description="PEM file with the private key of `triton_certificate`."
    )
    triton_header: SecretStr | None = Field(
        default=None,
        description="Header `NAME: VALUE` of the gateway's requests to Triton, such as a key that Triton "
        "requires.",
    )
    max_body_bytes: int = Field(
        default=100 * _MIB, ge=1024, le=2048 * _MIB, description="Largest request body, in bytes."
    )
    max_concurrent_requests: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="Requests processed at the same time; the gateway rejects further requests with 429.",
    )
    max_requests_per_minute: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Maximum requests per minute of each key, or of each address without a key; 0: no limit.",
    )
    max_connections: int = Field(
        default=1000,
        ge=10,
        le=100_000,
        description="Maximum number of connections; at the limit, the gateway closes the connection that has "
        "been idle longest. The process's limit on open files can lower this value.",
    )
    max_uploads: int = Field(
        default=128,
        ge=1,
        le=10_000,
        description="Maximum number of request bodies that arrive at the same time; at the limit, the "
        "gateway rejects the slowest.",
    )
    max_held_body_bytes: int = Field(
        default=256 * _MIB,
        ge=1024,
        le=65_536 * _MIB,
        description="Maximum size of all request bodies and fetched files together, in bytes, while they "
        "arrive and until their responses are complete; at the limit, the gateway rejects the body that "
        "arrives slowest. A request that is alone is never rejected.",
    )
    max_unsent_bytes: int = Field(
        default=256 * _MIB,
        ge=1024,
        le=65_536 * _MIB,
        description="Maximum size of all responses that clients have not read yet, in bytes; at the limit, "
        "the gateway closes the connection that has waited longest.",
    )
    timeout_s: float = Field(
        default=300,
        gt=0,
        le=86_400,
        description="Maximum time that Triton can take for a file, in seconds; after that, the client "
        "gets 504.",
    )
    restart_wait_s: float = Field(
        default=90,
        ge=0,
        le=86_400,
        description="Maximum time that a request waits while Triton restarts or does not respond, in "
        "seconds; after that, the client gets 503.",
    )
    head_timeout_s: float = Field(
        default=10,
        gt=0,
        le=3600,
        description="Maximum time to receive the head of a request, in seconds; after that, the gateway "
        "closes the connection.",
    )
    upload_timeout_s: float = Field(
        default=60, gt=0, le=86_400, description="Maximum time to receive a request body, in seconds."
    )
    send_timeout_s: float = Field(
        default=30,
        gt=0,
        le=3600,
        description="Time in which a client must read at least 8 KiB of a waiting response, in seconds; "
        "otherwise the gateway closes the connection.",
    )
    retry_after_s: int = Field(
        default=1, ge=1, le=3600, description="Value of the `Retry-After` header of 429 and 503, in seconds."
    )
    max_pages: int = Field(
        default=10, ge=1, le=100_000, description="Maximum number of pages to read from each file."
    )
    visualize: bool = Field(
        default=True, description="Default of the request field `visualize`: whether to draw pictures."
    )
    picture_threads: int = Field(
        default_factory=lambda: min(4, os.cpu_count() or 1),
        ge=1,
        le=64,
        description="Number of threads that draw and encode pictures.",
    )
    picture_max_side_px: int = Field(
        default=2048,
        ge=64,
        le=65_500,
        description="Longest side of a page in the pictures that the gateway draws, in pixels.",
    )
    disabled_adapters: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Adapters to turn off, separated by commas.",
    )
    jobs_directory: Path = Field(
        default_factory=lambda: (
            Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "tritonocr-jobs"
        ),
        description="Folder of the job API's SQLite file, which contains states, inputs and results.",
    )
    jobs_database: SecretStr | None = Field(
        default=None,
        description="URL of a PostgreSQL database for the job API, such as "
        "`postgresql://user:password@host/name`, which several gateways can share; empty: an SQLite file in "
        "`jobs_directory`.",
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Secret that signs the webhooks of jobs: `whsec_` and the Base64 of 24 to 64 bytes; "
        "empty: no webhooks.",
    )
    job_workers: int = Field(
        default=2, ge=1, le=256, description="Number of jobs that are read at the same time."
    )
    job_max_pages: int = Field(
        default=1000, ge=1, le=100_000, description="Maximum number of pages to read from a job's file."
    )
    job_keep_s: float = Field(
        default=86_400,
        gt=0,
        le=31_536_000,
        description="Time that a job and its result are kept after the end of the job, in seconds.",
    )
    max_jobs_per_key: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Maximum number of unfinished jobs per key; callers without a key share one limit.",
    )
    max_job_bytes: int = Field(
        default=10_240 * _MIB,
        ge=1024,
        description="Maximum size of the inputs of all unfinished jobs, in bytes.",
    )
    fetch_urls: bool = Field(
        default=False, description="Whether requests can contain a public http(s) URL instead of the file."
    )
    fetch_max_bytes: int = Field(
        default=100 * _MIB, ge=1, le=2048 * _MIB, description="Largest file fetched from a URL, in bytes."
    )
    fetch_timeout_s: float = Field(
        default=20, gt=0, le=3600, description="Maximum time to fetch a URL, in seconds."
    )
    fetch_max_redirects: int = Field(
        default=3, ge=0, le=20, description="Maximum number of redirects for a URL."
    )
    log_format: LogFormat = Field(
        default="text", description="Format of log lines: text, or json with one object per line."
    )

    @property
    def explicit_max_pages(self) -> int | None:
        """`max_pages` where the operator set it; None leaves the server's limit, which may be lower."""
        return self.max_pages if "max_pages" in self.model_fields_set else None

    @field_validator("disabled_adapters", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return (
            [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
        )

    @field_validator("jobs_database", "webhook_secret", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return value or None

    @field_validator("jobs_database")
    @classmethod
    def _check_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("expected a URL that starts with postgresql://")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            secret_bytes(value.get_secret_value())
        return value

    @field_validator("triton_header")
    @classmethod
    def _check_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not all(part.strip() for part in value.get_secret_value().partition(":")):
            raise ValueError("expected NAME: VALUE")
        return value

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str) or not value:
            return value or ()
        keys = [key.strip() for key in value.split(",") if key.strip()]
        if not keys:
            raise ValueError("expected at least one key, or an empty value for a gateway without keys")
        return keys
