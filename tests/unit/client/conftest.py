"""An authority for the tests of TLS; clients do not wait for a server that never answered."""

from pathlib import Path

import pytest
import trustme

from tritonocr._transport import retrying


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Signs the certificates of servers."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The PEM file by which a client knows it."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def no_wait_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report an absent server at once."""
    monkeypatch.setattr(retrying, "FIRST_CONTACT_WAIT_S", 0.0)
