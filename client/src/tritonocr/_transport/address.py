"""Addresses of servers: one, several, or a host name with several IP addresses."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError, unreachable

Urls: TypeAlias = "str | Iterable[str]"

_NOT_IN_HOSTS = re.compile(r"[\s\x00-\x1f]")
_SCHEMES = ("grpc", "grpcs", "http", "https", "grpc+dns", "grpcs+dns")


@dataclass(frozen=True)
class Address:
    """A server's address: `host:port`, `grpc://…`, `grpcs://…`, `http://…` or `https://…`.

    Attributes:
        scheme: one of these; with `+dns`, each IP address of the host name is a server.
        host_port: `host:port`, for HTTP with the path.
        certificate_name: the name in the server's certificate, if it is not the host.
    """

    scheme: str
    host_port: str
    certificate_name: str | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse a URL; an address without a scheme is a gRPC address.

        Raises:
            InvalidInputError: the scheme is unknown, or the host is missing or contains white space.
        """
        parts = urlsplit(url if "://" in url else f"grpc://{url}")
        if parts.scheme not in _SCHEMES or not parts.hostname or _NOT_IN_HOSTS.search(parts.netloc):
            raise InvalidInputError(
                f"The server address is {quoted(url)}; expected host:port, grpc://, grpcs://, http:// or https://."
            )
        address = cls(parts.scheme, parts.netloc)
        if address.is_name_of_several and ":" not in parts.netloc.rpartition("]")[2]:
            raise InvalidInputError(f"The server address is {quoted(url)}; expected a port after the name.")
        path = parts.path.rstrip("/") if address.is_http else ""
        return cls(parts.scheme, parts.netloc + path)

    @property
    def is_http(self) -> bool:
        """Whether this is an HTTP address, not a gRPC address."""
        return self.scheme.startswith("http")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme.removesuffix("+dns").endswith("s")

    @property
    def is_name_of_several(self) -> bool:
        """Whether each IP address of the host name is a server."""
        return self.scheme.endswith("+dns")

    def host_and_port(self) -> tuple[str, int]:
        """Return the host and the port; without a port, the protocol's own."""
        parts = urlsplit(f"//{self.host_port}")
        return parts.hostname or "", parts.port or (443 if self.is_encrypted else 80)

    async def looked_up(self) -> list[Address]:
        """Return the sorted addresses of all servers of this host name, or this address itself.

        Raises:
            ServerUnavailableError: the name is unknown.
        """
        if not self.is_name_of_several:
            return [self]
        host, _, port = self.host_port.rpartition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
        except OSError as error:
            raise unreachable(self, error.strerror or error) from error
        family = found[0][
            0
        ]  # the system's preference; the IPv4 and IPv6 address of one server are not two servers
        hosts = sorted({str(entry[4][0]) for entry in found if entry[0] == family})
        shown = (f"[{host}]" if ":" in host else host for host in hosts)
        name = host if self.is_encrypted else None
        return [Address(self.scheme.removesuffix("+dns"), f"{host}:{port}", name) for host in shown]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host_port}"


def split_urls(urls: Urls) -> list[str]:
    """Return the addresses of a list, or of a text with commas between them, each once.

    Raises:
        InvalidInputError: the list is empty.
    """
    parts = [part.strip() for url in ([urls] if isinstance(urls, str) else urls) for part in url.split(",")]
    found = list(dict.fromkeys(filter(None, parts)))
    if not found:
        raise InvalidInputError(
            f"The server address is {quoted(urls)}; expected host:port, or several with commas between them."
        )
    return found
