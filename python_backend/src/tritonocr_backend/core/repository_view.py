"""What a model repository serves, read from the cards beside the weights.

It is read again when a model folder comes or goes, so that a model added to a running server is seen.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.network_metadata import (
    CARD_FILE,
    CHARACTERS_FILE,
    HIDDEN_FILE,
    CardError,
    NetworkCard,
    read_card,
)

_log = logging.getLogger(__name__)

SETTLED_NS = 10**9


class RepositoryView:
    """The networks of one model repository."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._modified_ns = -1
        self._loaded: dict[str, NetworkCard] = {}
        self._cards: dict[str, NetworkCard] = {}
        self._characters: dict[str, tuple[int, tuple[str, ...]]] = {}

    @classmethod
    def beside(cls, model_directory: str) -> RepositoryView:
        """The repository that holds a model's folder."""
        return cls(Path(model_directory).parent)

    def cards(self) -> dict[str, NetworkCard]:
        """The networks that requests may be given to, by name."""
        self._look()
        return self._cards

    def _look(self) -> None:
        modified_ns = self._directory.stat().st_mtime_ns
        if modified_ns == self._modified_ns:
            return
        self._loaded = {card.name: card for card in _read_cards(self._directory)}
        self._cards = {
            name: card
            for name, card in self._loaded.items()
            if not (self._directory / name / HIDDEN_FILE).exists()
        }
        # The next change may come within the same tick of the file system's clock.
        settled = time.time_ns() - modified_ns > SETTLED_NS
        self._modified_ns = modified_ns if settled else -1

    def find(self, name: str, role: Role, option: str) -> NetworkCard:
        """The network of that name and role.

        Args:
            name: as served.
            role: what it must do.
            option: where the name was given, for the error.

        Raises:
            InvalidInputError: it is not served; the message lists those that are.
        """
        return _find(self.cards(), name, role, option)

    def for_language(self, language: str, preferred: str) -> NetworkCard:
        """A recognition network that reads a language.

        `preferred` if it does, else one made for it, else one that also reads it; among equals the newer
        generation, then the order of names.

        Raises:
            InvalidInputError: none does; the message lists the languages that are served.
        """
        readers = [card for card in self.cards().values() if card.role is Role.TEXT_RECOGNITION]
        able = [card for card in readers if language in card.languages]
        if not able:
            served = sorted({code for card in readers for code in card.languages})
            raise InvalidInputError(
                f"lang: got {language!r}, which no served model reads; served are {', '.join(served)}"
            )
        return min(
            able,
            key=lambda card: (
                card.name != preferred,
                card.languages.index(language) > 0,
                -card.generation,
                card.name,
            ),
        )

    def characters(self, name: str) -> tuple[str, ...]:
        """The dictionary of a recognition network, without blank and closing space.

        Also of one that is hidden: it may still be reading what it was given before.

        Raises:
            InvalidInputError: no such network is served.
        """
        self._look()
        _find(self._loaded, name, Role.TEXT_RECOGNITION, "model_name")
        path = self._directory / name / "1" / CHARACTERS_FILE
        with suppress(FileNotFoundError):  # removed this moment: what it has read is decoded all the same
            modified_ns = path.stat().st_mtime_ns
            if self._characters.get(name, (0, ()))[0] != modified_ns:
                self._characters[name] = (modified_ns, tuple(json.loads(path.read_text(encoding="utf-8"))))
        if name not in self._characters:
            raise _not_served(self._cards, name, Role.TEXT_RECOGNITION, "model_name")
        return self._characters[name][1]

    def is_right_to_left(self, name: str) -> bool:
        """Whether a recognition network reads a right-to-left script; a hidden one, too.

        Raises:
            InvalidInputError: no such network is served.
        """
        self._look()
        return _find(self._loaded, name, Role.TEXT_RECOGNITION, "model_name").right_to_left


def _find(cards: Mapping[str, NetworkCard], name: str, role: Role, option: str) -> NetworkCard:
    card = cards.get(name)
    if card is None or card.role is not role:
        raise _not_served(cards, name, role, option)
    return card


def _not_served(cards: Mapping[str, NetworkCard], name: str, role: Role, option: str) -> InvalidInputError:
    served = ", ".join(card.name for card in cards.values() if card.role is role)
    return InvalidInputError(f"{option}: got {name!r}, which is not served; served are {served}")


def _read_cards(directory: Path) -> Iterator[NetworkCard]:
    for path in sorted(directory.glob(f"*/1/{CARD_FILE}")):
        folder = path.parent.parent.name
        try:
            card = read_card(path.parent)
            if card.name != folder:  # a copied folder, which would stand for the one that it was copied from
                raise CardError(f"{path} is the card of {card.name!r}, expected that of {folder!r}")
            yield card
        except FileNotFoundError:
            continue  # removed since it was listed
        except CardError as error:  # its own model does not load; the others serve on
            _log.warning("left out: %s", error)
