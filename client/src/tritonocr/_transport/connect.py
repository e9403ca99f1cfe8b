"""Make the connection for an address; only this module imports every kind of transport."""

from __future__ import annotations

from collections.abc import Mapping

from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError
from .address import Address, Urls, split_urls
from .base import Transport
from .servers import Servers
from .tls import TLS


def connect(urls: Urls, headers: Mapping[str, str] | None, tls: TLS | None = None) -> Transport:
    """Make a transport to one or several servers for the running event loop; nothing is sent yet.

    Raises:
        InvalidInputError: an address is wrong, or certificates are given for an address without TLS.
        MissingExtraError: an address is http://, and the extra [http] is not installed.
    """
    addresses = checked_addresses(urls, tls)
    if len(addresses) == 1 and not addresses[0].is_name_of_several:
        return open_one(addresses[0], headers, tls)
    return Servers(addresses, lambda address: open_one(address, headers, tls))


def checked_addresses(urls: Urls | None, tls: TLS | None) -> list[Address]:
    """Return the addresses of the servers; None, for a server that starts here, has none.

    Raises:
        InvalidInputError: an address is wrong, or certificates are given for an address without TLS.
    """
    if urls is None:
        if tls:
            raise InvalidInputError("tls is given without url; a server that starts here has no TLS.")
        return []
    return [_checked(url, tls) for url in split_urls(urls)]


def _checked(url: str, tls: TLS | None) -> Address:
    address = Address.parse(url)
    if tls and not address.is_encrypted:
        raise InvalidInputError(f"tls is given, but {quoted(url)} is not a grpcs:// or https:// address.")
    return address


def open_one(address: Address, headers: Mapping[str, str] | None, tls: TLS | None) -> Transport:
    """Make the transport to one server."""
    if address.is_http:
        from .http import HttpTransport

        return HttpTransport(address, headers, tls)
    from .grpc import GrpcTransport

    return GrpcTransport(address, headers, tls)
