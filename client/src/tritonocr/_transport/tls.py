"""Certificates for TLS connections."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._exceptions import InvalidInputError


@dataclass(frozen=True)
class TLS:
    """PEM files for an address that begins with `grpcs://` or `https://`.

    Attributes:
        ca: the authority that signed the server's certificate; None uses the authorities of the system.
        certificate: the client's certificate with its chain, if the server requires one.
        key: the private key of `certificate`.

    Raises:
        InvalidInputError: a file cannot be read, or one of `certificate` and `key` is missing.
    """

    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidInputError("TLS got one of certificate and key, expected both or neither.")
        for name in ("ca", "certificate", "key"):
            path = getattr(self, name)
            try:
                readable = path is None or b"-----BEGIN " in Path(path).read_bytes()
            except OSError as error:
                reason = error.strerror
                raise InvalidInputError(f"TLS {name}: cannot read {str(path)!r}: {reason}.") from error
            if not readable:
                raise InvalidInputError(f"TLS {name}: {str(path)!r} is not a PEM file.")

    def grpc_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `grpc.ssl_channel_credentials()`."""
        files = {"root_certificates": self.ca, "private_key": self.key, "certificate_chain": self.certificate}
        return {name: Path(path).read_bytes() for name, path in files.items() if path is not None}

    def context(self) -> ssl.SSLContext:
        """Return the SSL context for HTTP.

        Raises:
            InvalidInputError: the files do not belong together.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate and self.key:
                context.load_cert_chain(self.certificate, self.key)
        except ssl.SSLError as error:
            raise InvalidInputError(f"TLS: the PEM files cannot be used: {error}.") from error
        return context
