"""Fetching the URL of a file, from the public internet only.

aiohttp because it lets us see the address of every connection just before it is made: names are resolved by
then, so neither a name that resolves to a private address, nor one that does so at the second look, nor a
redirect gets past.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

import aiohttp

from tritonocr import FetchError
from tritonocr_gateway.settings import Settings

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

# Addresses of clouds' metadata services that are not private, link-local or shared already.
_METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
_CHUNK_BYTES = 1 << 16


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also if another is wrapped in it."""
    if address in _METADATA or not address.is_global:
        return False
    if address.is_multicast or address.is_reserved:  # IPv6's has NAT64 and IPv4-compatible addresses in it
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    tunnelled = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return not address.is_site_local and all(is_public(inner) for inner in tunnelled if inner is not None)


class UrlFetcher:
    """Fetches files by URL.

    Args:
        settings: the limits.
        is_allowed: whether an address may be connected to.
        resolver: aiohttp's resolver of names; its own by default.
    """

    def __init__(
        self,
        settings: Settings,
        is_allowed: Callable[[Address], bool] = is_public,
        resolver: aiohttp.abc.AbstractResolver | None = None,
    ) -> None:
        self._settings = settings
        self._is_allowed = is_allowed
        self._resolver = resolver

    async def fetch(self, url: str) -> bytes:
        """Fetch a file.

        Raises:
            FetchError: fetching is off; the URL is not http(s); it or a redirect leads to an address that is
                not public; the answer is not 200, too large or too late.
        """
        if not self._settings.fetch_urls:
            raise FetchError(
                "The file is a URL, which this gateway does not fetch; expected its content in Base64."
            )
        if not url.lower().startswith(("http://", "https://")):
            raise FetchError("The file's URL is not an http:// or https:// one.")
        try:
            return await self._get(url)
        except FetchError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(self._sentence(error)) from error

    async def _get(self, url: str) -> bytes:
        # A session a fetch: what one leaves behind, cookies or connections, is not there for the next.
        connector = aiohttp.TCPConnector(resolver=self._resolver, socket_factory=self._checked_socket)
        timeout = aiohttp.ClientTimeout(total=self._settings.fetch_timeout_s)
        # Unpacking would multiply what a size limit lets in.
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )
        async with session, session.get(url, max_redirects=self._settings.fetch_max_redirects) as answer:
            if answer.status != 200:
                raise FetchError(f"The URL's server answered {answer.status}; expected 200.")
            return await self._content(answer)

    async def _content(self, answer: aiohttp.ClientResponse) -> bytes:
        limit_bytes, content = self._settings.fetch_max_bytes, bytearray()
        async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
            content += chunk
            if len(content) > limit_bytes:
                raise FetchError(
                    f"The URL's file is larger than {limit_bytes} bytes (setting fetch_max_bytes)."
                )
        return bytes(content)

    def _checked_socket(self, address_info: Any) -> socket.socket:
        """Make the socket of a connection, if its address is allowed."""
        family, kind, protocol, _, address = address_info
        if not self._is_allowed(ipaddress.ip_address(address[0].partition("%")[0])):
            raise PermissionError(f"{address[0]} is not public")
        return socket.socket(family, kind, protocol)

    def _sentence(self, error: Exception) -> str:
        """What the client is told: whether a private address is in use is not its business."""
        settings = self._settings
        if isinstance(error, asyncio.TimeoutError):
            return f"The URL was not fetched within {settings.fetch_timeout_s:g} s (setting fetch_timeout_s)."
        if isinstance(error, aiohttp.TooManyRedirects):
            return f"The URL redirects more than {settings.fetch_max_redirects} times."
        if isinstance(
            error, (aiohttp.InvalidURL, aiohttp.RedirectClientError, aiohttp.NonHttpUrlClientError)
        ):
            return "The URL, or one that it redirects to, is not a valid http:// or https:// URL."
        return "The URL does not lead to a server on the public internet that answers."
