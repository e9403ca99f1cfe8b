"""Who may do what on Triton's own ports: the APIs that ask for a key, and TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonocr_backend.core.errors import ServerError
from tritonocr_common import environment

ADMIN_KEY_VARIABLE = environment.ADMIN_KEY
# Triton's gRPC puts this prefix before the name of the header that it asks for, and its HTTP does not.
_GRPC_PREFIX = "triton-grpc-protocol-"
_NAME = "tritonocr-admin-key"
ADMIN_HEADER = _GRPC_PREFIX + _NAME
RESTRICTED_APIS = ("shared-memory", "trace", "logging")
"""What changes the server for all its clients, or reads the memory of others."""
MODEL_CONTROL_API = "model-repository"
"""Restricted where models may be loaded: a request may bring a model's files along, code among them."""
_KEY = re.compile(r"[A-Za-z0-9._~-]{16,256}")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files for Triton's gRPC port.

    Attributes:
        certificate: the server's, with its chain.
        key: its private key.
        client_ca: the authority whose certificates clients must show; None asks for none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def arguments(self) -> list[str]:
        """The tritonserver arguments.

        Raises:
            ServerError: a file cannot be read. Triton would say no more than that it cannot listen.
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
        raise ServerError(f"TLS: {path} is no PEM file")


def restrictions(admin_key: str, model_control: bool) -> list[str]:
    """The tritonserver arguments that make `RESTRICTED_APIS` ask for the key, over gRPC and HTTP.

    Raises:
        ServerError: the key has characters that a header or Triton's option cannot carry, or is short.
    """
    if not _KEY.fullmatch(admin_key):
        raise ServerError("admin key: expected 16 to 256 letters, digits, '-', '.', '_' and '~'")
    apis = ",".join((*RESTRICTED_APIS, *((MODEL_CONTROL_API,) if model_control else ())))
    return [
        f"--grpc-restricted-protocol={apis}:{_NAME}={admin_key}",
        f"--http-restricted-api={apis}:{ADMIN_HEADER}={admin_key}",
    ]


def admin_headers(admin_key: str | None) -> Mapping[str, str]:
    """The header that shows a key; none where there is no key."""
    return {ADMIN_HEADER: admin_key} if admin_key else {}


def admin_key_of(arguments: Sequence[str]) -> str | None:
    """The key that a tritonserver was started with, told by its arguments."""
    marker = f":{ADMIN_HEADER}="
    return next((text.partition(marker)[2] for text in arguments if marker in text), None)
