"""Fetching URLs: only from public addresses, for any name or redirect, with limits."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import pytest

from tritonocr import FetchError
from tritonocr_gateway import Settings
from tritonocr_gateway.fetching import Address, UrlFetcher, is_public


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback is all of 127/8"),
        ("::1", "loopback"),
        ("0.0.0.0", "means this machine on Linux"),
        ("::", "means this machine on Linux"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("fd00:ec2::254", "unique local; a cloud's metadata"),
        ("fc00::1", "unique local"),
        ("fec0::1", "site-local, deprecated but routed by some"),
        ("169.254.169.254", "link-local; most clouds' metadata"),
        ("169.254.170.2", "link-local; container credentials"),
        ("fe80::1", "link-local"),
        ("100.64.0.1", "shared by carriers"),
        ("100.100.100.200", "shared by carriers; a cloud's metadata"),
        ("168.63.129.16", "a cloud's metadata at a public address"),
        ("192.0.0.192", "a cloud's metadata at a protocol address"),
        ("192.0.2.1", "documentation"),
        ("198.18.0.1", "benchmarks"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("::ffff:127.0.0.1", "IPv4 in IPv6"),
        ("::ffff:169.254.169.254", "IPv4 in IPv6"),
        ("::127.0.0.1", "IPv4 in IPv6, deprecated"),
        ("64:ff9b::7f00:1", "loopback through NAT64"),
        ("64:ff9b::a9fe:a9fe", "metadata through NAT64"),
        ("64:ff9b:1::1", "local NAT64"),
        ("2002:7f00:1::", "loopback through 6to4"),
        ("2002:a9fe:a9fe::1", "metadata through 6to4"),
        ("2001:0:a9fe:a9fe::1", "Teredo"),
        ("2001:db8::1", "documentation"),
    ],
)
def test_an_address_that_is_not_public_is_known(address: str, why: str) -> None:
    assert not is_public(ipaddress.ip_address(address)), why


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700:4700::1111", "2002:101:101::1"]
)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


class Site(ThreadingHTTPServer):
    """A site with things that go wrong; `hits` are the paths that were asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hits: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Any = self.server
        site.hits.append(self.path)
        path, _, argument = self.path.partition("?")
        if path == "/redirect":
            self._answer(302, b"", Location=argument)
        elif path == "/packed":
            self._answer(200, gzip.compress(b"x" * 1_000_000), **{"Content-Encoding": "gzip"})
        elif path == "/slow":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(50):
                self.wfile.write(b"x")
                time.sleep(0.05)
        elif path == "/endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            for _ in range(1000):
                self.wfile.write(b"x" * 10_000)
        else:
            self._answer(200 if path == "/file" else 404, b"content")

    def _answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client that has seen enough
            super().handle()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Names(aiohttp.abc.AbstractResolver):
    """Resolves names by a table, the next address at each look."""

    def __init__(self, **addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[Any]:
        address = self._addresses[host.partition(".")[0]].pop(0)
        found = {
            "hostname": host,
            "host": address,
            "port": port,
            "family": socket.AF_INET,
            "proto": 0,
            "flags": 0,
        }
        return [found]

    async def close(self) -> None:
        pass


def _nothing_is_public(address: Address) -> bool:
    return False


def _everything_is_public(address: Address) -> bool:
    return True


def fetch(url: str, is_allowed: Any = is_public, resolver: Any = None, **settings: Any) -> bytes:
    fetcher = UrlFetcher(Settings(**{"fetch_urls": True, **settings}), is_allowed, resolver)
    return asyncio.run(fetcher.fetch(url))


def test_a_public_file_is_fetched(site: Site) -> None:
    assert fetch(f"{site.url}/file", _everything_is_public) == b"content"


def test_the_bytes_of_a_file_are_counted_while_they_arrive(site: Site) -> None:
    fetcher, counts = UrlFetcher(Settings(fetch_urls=True), _everything_is_public), list[int]()
    assert asyncio.run(fetcher.fetch(f"{site.url}/file", counts.append)) == b"content"
    assert sum(counts) == len(b"content")


def test_a_redirect_is_followed(site: Site) -> None:
    assert fetch(f"{site.url}/redirect?/file", _everything_is_public) == b"content"


def test_nothing_is_fetched_unless_it_is_switched_on(site: Site) -> None:
    site.hits.clear()
    with pytest.raises(FetchError, match="does not fetch"):
        fetch(f"{site.url}/file", _everything_is_public, fetch_urls=False)
    assert not site.hits


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("127.0.0.1", "an address"),
        ("localhost", "a name"),
        ("2130706433", "an address as one number"),
        ("0x7f000001", "an address in hexadecimal"),
        ("0177.0.0.1", "an address in octal"),
        ("127.1", "a short address"),
        ("0.0.0.0", "the unspecified address"),
        ("[::ffff:127.0.0.1]", "IPv4 in IPv6"),
        ("user:password@127.0.0.1", "credentials before the host"),
        ("1.1.1.1@127.0.0.1", "credentials that look like a host"),
    ],
)
def test_this_machine_is_not_fetched_from(site: Site, host: str, why: str) -> None:
    site.hits.clear()
    with pytest.raises(FetchError, match=r"public internet|valid http"):
        fetch(f"http://{host}:{site.server_address[1]}/file")
    assert not site.hits, why


def test_a_public_name_of_a_private_address_is_not_fetched_from(site: Site) -> None:
    site.hits.clear()
    with pytest.raises(FetchError, match="public internet"):
        fetch(f"http://public.example:{site.server_address[1]}/file", resolver=Names(public=["127.0.0.1"]))
    assert not site.hits


def test_each_redirect_is_looked_at_again(site: Site) -> None:
    """The first connection is allowed, as to a public server; the second is to one that is not."""
    allowed = [True, False]
    site.hits.clear()
    with pytest.raises(FetchError, match="public internet"):
        fetch(f"{site.url}/redirect?http://localhost:{site.server_address[1]}/file", lambda _: allowed.pop(0))
    assert site.hits == [f"/redirect?http://localhost:{site.server_address[1]}/file"]


def test_a_name_that_changes_its_address_is_looked_at_where_it_connects(site: Site) -> None:
    """Rebinding: public at the first connection, private at the second."""
    asked: list[str] = []

    def is_allowed(address: Address) -> bool:
        asked.append(str(address))
        return is_public(address) or len(asked) == 1

    port = site.server_address[1]
    url = f"http://name.example:{port}/redirect?http://name.example:{port}/file"
    names = Names(name=["127.0.0.1", "127.0.0.2"])
    with pytest.raises(FetchError, match="public internet"):
        fetch(url, is_allowed, names)
    assert asked[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://1.1.1.1/x", "gopher://1.1.1.1/", "ws://1.1.1.1/", "unix://1.1.1.1/x"]
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(FetchError, match="http://"):
        fetch(url, _everything_is_public)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "http://[::1"])
def test_a_redirect_to_something_else_is_refused(site: Site, target: str) -> None:
    with pytest.raises(FetchError, match="valid http"):
        fetch(f"{site.url}/redirect?{target}", _everything_is_public)


def test_redirects_end(site: Site) -> None:
    url = f"{site.url}/redirect?" * 3 + f"{site.url}/file"
    with pytest.raises(FetchError, match="redirects more than 2 times"):
        fetch(url, _everything_is_public, fetch_max_redirects=2)


@pytest.mark.parametrize("path", ["/endless", "/file"])
def test_size_has_a_limit(site: Site, path: str) -> None:
    with pytest.raises(FetchError, match="larger than 6 bytes"):
        fetch(f"{site.url}{path}", _everything_is_public, fetch_max_bytes=6)


def test_a_compressed_file_is_decompressed_within_the_limit(site: Site) -> None:
    assert fetch(f"{site.url}/packed", _everything_is_public) == b"x" * 1_000_000
    with pytest.raises(FetchError, match="larger than 10000 bytes"):
        fetch(f"{site.url}/packed", _everything_is_public, fetch_max_bytes=10_000)


def test_decompressed_bytes_are_counted(site: Site) -> None:
    counted: list[int] = []
    fetcher = UrlFetcher(Settings(fetch_urls=True), _everything_is_public)
    asyncio.run(fetcher.fetch(f"{site.url}/packed", counted.append))
    assert sum(counted) == 1_000_000


def test_time_has_a_limit(site: Site) -> None:
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"within 0\.2 s"):
        fetch(f"{site.url}/slow", _everything_is_public, fetch_timeout_s=0.2)
    assert time.monotonic() - started < 2


def test_an_error_is_not_read_as_a_file(site: Site) -> None:
    with pytest.raises(FetchError, match="returned status 404"):
        fetch(f"{site.url}/nope", _everything_is_public)


def test_a_refusal_looks_like_an_absent_server(site: Site) -> None:
    """A client must not learn which internal addresses are in use."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(FetchError) as absent:
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/", _everything_is_public)
    with pytest.raises(FetchError) as refused:
        fetch(site.url, _nothing_is_public)
    assert str(absent.value) == str(refused.value)


@pytest.mark.parametrize(
    ("url", "fetch_urls", "message"),
    [
        ("http://127.0.0.1:1/x.png", False, "does not fetch"),
        ("http://127.0.0.1:1/x.png", True, "public internet"),
        ("file:///etc/passwd", True, "must start with http"),
    ],
)
def test_a_url_in_a_request(serve: Any, triton: Any, url: str, fetch_urls: bool, message: str) -> None:
    answer = serve(fetch_urls=fetch_urls).post("/ocr", json={"file": url})
    assert answer.status_code == 422
    assert message in answer.json()["errorMsg"]
    assert not triton.requests
