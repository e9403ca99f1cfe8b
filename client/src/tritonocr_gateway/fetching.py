"""Fetch a file by URL, from addresses of the public internet only.

aiohttp shows the resolved address of each connection just before it connects. The check at this place
covers names that resolve to private addresses, DNS rebinding and redirects.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import aiohttp

from tritonocr import FetchError
from tritonocr_common.content_encoding import ContentEncodingError, decode_content
from tritonocr_gateway.settings import Settings

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

# Addresses of cloud metadata services outside the private, link-local and shared ranges.
_METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
_CHUNK_BYTES = 1 << 16


def is_public(address: Address) -> bool:
    """Return whether the address, and each IPv4 address embedded in it, belongs to the public internet."""
    if address in _METADATA or not address.is_global:
        return False
    if (
        address.is_multicast or address.is_reserved
    ):  # IPv6's reserved range includes NAT64 and IPv4-compatible addresses
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    tunnelled = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return not address.is_site_local and all(is_public(inner) for inner in tunnelled if inner is not None)


class UrlFetcher:
    """Fetch files by URL.

    Args:
        settings: the limits.
        is_allowed: returns whether the fetcher may connect to an address.
        resolver: aiohttp's name resolver; aiohttp's default where None.
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

    async def fetch(self, url: str, count: Callable[[int], None] = lambda _: None) -> bytes:
        """Fetch a file and return its bytes.

        Args:
            url: the http(s) URL.
            count: receives the number of bytes of each piece that has arrived.

        Raises:
            FetchError: fetching is off; the URL is not http(s); the URL or a redirect leads to an address
                that is not public; the response has another status than 200, is too large, or is too late.
        """
        if not self._settings.fetch_urls:
            raise FetchError(
                "The file is a URL, but this gateway does not fetch URLs (setting fetch_urls); expected "
                "Base64."
            )
        if not url.lower().startswith(("http://", "https://")):
            raise FetchError("The file's URL must start with http:// or https://.")
        try:
            return await self._get(url, count)
        except FetchError:
            raise
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            raise FetchError(self._sentence(error)) from error

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body to a public address, and return the status of the response. No redirect is followed.

        Raises:
            FetchError: the URL leads to an address that is not public, or the response is too late.
        """
        try:
            async with (
                self._session() as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                return response.status
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            raise FetchError(self._sentence(error)) from error

    async def _get(self, url: str, count: Callable[[int], None]) -> bytes:
        async with (
            self._session() as session,
            session.get(url, max_redirects=self._settings.fetch_max_redirects) as response,
        ):
            if response.status != 200:
                raise FetchError(f"The URL's server returned status {response.status}; expected 200.")
            return await self._content(response, count)

    def _session(self) -> aiohttp.ClientSession:
        # One session per request: no cookie or connection of one request is used by the next one.
        connector = aiohttp.TCPConnector(resolver=self._resolver, socket_factory=self._checked_socket)
        # `decode_content` decompresses, within the limit of size.
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._settings.fetch_timeout_s),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )

    async def _content(self, response: aiohttp.ClientResponse, count: Callable[[int], None]) -> bytes:
        limit_bytes, content = self._settings.fetch_max_bytes, bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            count(len(chunk))
            content += chunk
            if len(content) > limit_bytes:
                raise FetchError(
                    f"The URL's file is larger than {limit_bytes} bytes (setting fetch_max_bytes)."
                )
        coding = response.headers.get("Content-Encoding", "")
        try:
            decoded = await asyncio.to_thread(decode_content, bytes(content), coding, limit_bytes)
        except ContentEncodingError as error:
            raise FetchError(f"The URL's file cannot be read: {error}.") from error
        count(max(len(decoded) - len(content), 0))
        return decoded

    def _checked_socket(self, address_info: Any) -> socket.socket:
        """Create the socket of a connection if its address is allowed."""
        family, kind, protocol, _, address = address_info
        if not self._is_allowed(ipaddress.ip_address(address[0].partition("%")[0])):
            raise PermissionError(f"{address[0]} is not public")
        return socket.socket(family, kind, protocol)

    def _sentence(self, error: Exception) -> str:
        """Return the error for the client. It must not reveal which private addresses are in use."""
        settings = self._settings
        if isinstance(error, asyncio.TimeoutError):
            return f"The URL was not fetched within {settings.fetch_timeout_s:g} s (setting fetch_timeout_s)."
        if isinstance(error, aiohttp.TooManyRedirects):
            return f"The URL redirects more than {settings.fetch_max_redirects} times."
        if isinstance(
            error, (aiohttp.InvalidURL, aiohttp.RedirectClientError, aiohttp.NonHttpUrlClientError)
        ):
            return "The URL or its redirect is not a valid http:// or https:// URL."
        return "The URL does not lead to a responding server on the public internet."
