"""Protect Triton's ports: APIs that require the admin key, and TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonocr_backend.core.errors import ServerError
from tritonocr_common import environment

ADMIN_KEY_VARIABLE = environment.ADMIN_KEY
# Triton's gRPC endpoint adds this prefix to the name of the header. Its HTTP endpoint does not.
_GRPC_PREFIX = "triton-grpc-protocol-"
_NAME = "tritonocr-admin-key"
ADMIN_HEADER = _GRPC_PREFIX + _NAME
RESTRICTED_APIS = ("shared-memory", "trace", "logging")
"""APIs that change the server for all clients, or read the memory of other processes."""
MODEL_CONTROL_API = "model-repository"
"""API that requires the key when model control is on: a load request can contain code."""
_KEY = re.compile(r"[A-Za-z0-9._~-]{16,256}")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files for Triton's gRPC port.

    Attributes:
        certificate: certificate of the server, with its chain.
        key: private key of the certificate.
        client_ca: certificate authority of the client certificates; None requires no client certificate.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def arguments(self) -> list[str]:
        """Return the arguments of tritonserver for TLS.

        Raises:
            ServerError: a file cannot be read or is not PEM. Triton's own error does not name the file.
        """
        for path in filter(None, (self.certificate, self.key, self.client_ca)):
            _check_readable(path)
        files = [f"--grpc-server-cert={self.certificate}", f"--grpc-server-key={self.key}"]
        if not self.client_ca:
            return ["--grpc-use-ssl=true", *files]
        return ["--grpc-use-ssl-mutual=true", *files, f"--grpc-root-cert={self.client_ca}"]


def _check_readable(path: Path) -> None:
    try:
        is_pem = b"-----BEGIN " in path.read_bytes()
    except OSError as error:
        raise ServerError(f"TLS: {path} cannot be read: {error.strerror}") from None
    if not is_pem:
        raise ServerError(f"TLS: {path} is not a PEM file")


def restrictions(admin_key: str, model_control: bool) -> list[str]:
    """Return the arguments of tritonserver that restrict APIs to requests with the admin key.

    The restriction applies to gRPC and HTTP.

    Args:
        admin_key: 16 to 256 letters, digits, `-`, `.`, `_` and `~`.
        model_control: whether model control is on; then its API is restricted as well.

    Raises:
        ServerError: the key has another length or other characters.
    """
    if not _KEY.fullmatch(admin_key):
        raise ServerError("admin key: expected 16 to 256 letters, digits, '-', '.', '_' and '~'")
    apis = ",".join((*RESTRICTED_APIS, *((MODEL_CONTROL_API,) if model_control else ())))
    return [
        f"--grpc-restricted-protocol={apis}:{_NAME}={admin_key}",
        f"--http-restricted-api={apis}:{ADMIN_HEADER}={admin_key}",
    ]


def admin_headers(admin_key: str | None) -> Mapping[str, str]:
    """Return the header with the admin key; no header without a key."""
    return {ADMIN_HEADER: admin_key} if admin_key else {}


def admin_key_of(restricted_apis: Sequence[str]) -> str | None:
    """Return the admin key from the values of --http-restricted-api; None if none of them has our header."""
    restrictions = (value.partition(":")[2].partition("=") for value in restricted_apis)
    return next((key for header, _, key in restrictions if header == ADMIN_HEADER), None)
