"""The networks of a model repository, read from the metadata beside their weights.

The view reads the repository again when a model folder appears or disappears, so that it includes a model
that is added to a running server.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidOptionError
from tritonocr_backend.core.network_metadata import (
    CHARACTERS_FILE,
    HIDDEN_FILE,
    METADATA_FILE,
    NetworkMetadata,
    NetworkMetadataError,
    read_network_metadata,
)
from tritonocr_common.languages import MODELS, language_code
from tritonocr_common.quoting import quoted

_log = logging.getLogger(__name__)

SETTLED_NS = 10**9


class RepositoryView:
    """The networks of one model repository."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._modified_ns = -1
        self._loaded: dict[str, NetworkMetadata] = {}
        self._visible: dict[str, NetworkMetadata] = {}
        self._characters: dict[str, tuple[int, tuple[str, ...]]] = {}

    @classmethod
    def beside(cls, model_directory: str) -> RepositoryView:
        """Return a view of the repository that holds a model's folder."""
        return cls(Path(model_directory).parent)

    def networks(self) -> dict[str, NetworkMetadata]:
        """Return the networks that requests may use, by name."""
        self._look()
        return self._visible

    def _look(self) -> None:
        modified_ns = self._directory.stat().st_mtime_ns
        if modified_ns == self._modified_ns:
            return
        self._loaded = {network.name: network for network in _read_networks(self._directory)}
        self._visible = {
            name: network
            for name, network in self._loaded.items()
            if not (self._directory / name / HIDDEN_FILE).exists()
        }
        # A second change may fall into the same tick of the file system's clock.
        settled = time.time_ns() - modified_ns > SETTLED_NS
        self._modified_ns = modified_ns if settled else -1

    def find(self, name: str, role: Role, option: str) -> NetworkMetadata:
        """Return the network of a name and role.

        Args:
            name: name under which the network is served.
            role: role that the network must have.
            option: the option that gave the name, for the error.

        Raises:
            InvalidOptionError: no such network is served; the message lists the served ones.
        """
        return _find(self.networks(), name, role, option)

    def for_language(self, language: str, preferred: str) -> NetworkMetadata:
        """Return a recognition network that reads a language.

        `tritonocr_common.languages` has the names of languages besides the networks' own codes.

        The order of preference: the network `preferred`, a network made for the language, the newer
        generation, the order of names.

        Raises:
            InvalidOptionError: no served network reads the language; the message lists the languages.
        """
        readers = [network for network in self.networks().values() if network.role is Role.TEXT_RECOGNITION]
        served = {code for network in readers for code in network.languages}
        code = language if language in served else language_code(language)
        able = [network for network in readers if code in network.languages]
        if not able or code is None:
            remedy = f". {MODELS[code]} reads it: tritonocr serve --model {MODELS[code]}" if code else ""
            raise InvalidOptionError(
                f"lang: got {quoted(language)}, which no served model reads; expected one of "
                f"{', '.join(sorted(served))}{remedy}"
            )
        return min(
            able,
            key=lambda network: (
                network.name != preferred,
                network.languages.index(code) > 0,
                -network.generation,
                network.name,
            ),
        )

    def characters(self, name: str) -> tuple[str, ...]:
        """Return the characters of a recognition network, without blank and closing space.

        A hidden network has characters too: it may still process earlier requests.

        Raises:
            InvalidOptionError: no such network is served.
        """
        self._look()
        _find(self._loaded, name, Role.TEXT_RECOGNITION, "model_name")
        path = self._directory / name / "1" / CHARACTERS_FILE
        with suppress(FileNotFoundError):  # the network is being removed; its last lines are still decoded
            modified_ns = path.stat().st_mtime_ns
            if self._characters.get(name, (0, ()))[0] != modified_ns:
                self._characters[name] = (modified_ns, tuple(json.loads(path.read_text(encoding="utf-8"))))
        if name not in self._characters:
            raise _not_served(self._visible, name, Role.TEXT_RECOGNITION, "model_name")
        return self._characters[name][1]

    def is_right_to_left(self, name: str) -> bool:
        """Return whether a recognition network, hidden or not, reads a right-to-left script.

        Raises:
            InvalidOptionError: no such network is served.
        """
        self._look()
        return _find(self._loaded, name, Role.TEXT_RECOGNITION, "model_name").right_to_left


def _find(networks: Mapping[str, NetworkMetadata], name: str, role: Role, option: str) -> NetworkMetadata:
    network = networks.get(name)
    if network is None or network.role is not role:
        raise _not_served(networks, name, role, option)
    return network


def _not_served(
    networks: Mapping[str, NetworkMetadata], name: str, role: Role, option: str
) -> InvalidOptionError:
    served = ", ".join(network.name for network in networks.values() if network.role is role)
    return InvalidOptionError(f"{option}: got {quoted(name)}, which is not served; expected one of {served}")


def _read_networks(directory: Path) -> Iterator[NetworkMetadata]:
    for path in sorted(directory.glob(f"*/1/{METADATA_FILE}")):
        folder = path.parent.parent.name
        try:
            network = read_network_metadata(path.parent)
            if network.name != folder:  # somebody copied the folder
                raise NetworkMetadataError(f"{path} is the metadata of {network.name!r}, expected {folder!r}")
            yield network
        except FileNotFoundError:
            continue  # removed after the listing
        except NetworkMetadataError as error:  # that network does not load; the others are served
            _log.warning("a network is not served: %s", error)
