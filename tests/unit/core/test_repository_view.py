"""The networks of a repository while networks are added and removed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.network_metadata import (
    CHARACTERS_FILE,
    HIDDEN_FILE,
    METADATA_FILE,
    NetworkMetadata,
    Normalisation,
)
from tritonocr_backend.core.repository_view import RepositoryView

PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")


def add(
    repository: Path,
    name: str,
    role: Role = Role.TEXT_RECOGNITION,
    languages: tuple[str, ...] = (),
    characters: str = "",
    generation: int = 0,
) -> None:
    version = repository / name / "1"
    version.mkdir(parents=True)
    NetworkMetadata(name, role, PLAIN, languages, generation=generation).write(version)
    if characters:
        (version / CHARACTERS_FILE).write_text(json.dumps(list(characters)), encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    add(tmp_path, "ch_rec", languages=("ch", "en", "japan"), characters="中文")
    add(tmp_path, "en_rec", languages=("en",), characters="ab")
    add(tmp_path, "japan_rec", languages=("japan", "en"))
    add(tmp_path, "det", Role.TEXT_DETECTION)
    (tmp_path / "text_crop" / "1").mkdir(parents=True)
    return tmp_path


def test_networks_are_the_folders_with_metadata(repository: Path) -> None:
    assert set(RepositoryView(repository).networks()) == {"ch_rec", "en_rec", "japan_rec", "det"}


@pytest.mark.parametrize("text", ["", "\0\1", "[]", '"text"', "{}", '{"name": "broken", "role": "nobody"}'])
def test_a_broken_card_costs_nobody_else(
    repository: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    add(repository, "broken")
    path = repository / "broken" / "1" / METADATA_FILE
    path.write_text(text)
    assert set(RepositoryView(repository).networks()) == {"ch_rec", "en_rec", "japan_rec", "det"}
    assert f"{path} is not the metadata of a network" in caplog.text


def test_a_copied_folder_does_not_stand_for_the_one_it_was_copied_from(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copied = repository / "spare" / "1"
    copied.mkdir(parents=True)
    NetworkMetadata("ch_rec", Role.TEXT_DETECTION, PLAIN).write(copied)
    assert RepositoryView(repository).networks()["ch_rec"].role is Role.TEXT_RECOGNITION
    assert f"{copied / METADATA_FILE} is the metadata of 'ch_rec', expected 'spare'" in caplog.text


def test_is_found_beside_a_models_folder(repository: Path) -> None:
    assert set(RepositoryView.beside(str(repository / "text_crop")).networks()) == set(
        RepositoryView(repository).networks()
    )


class TestFinding:
    def test_by_name_and_role(self, repository: Path) -> None:
        found = RepositoryView(repository).find("det", Role.TEXT_DETECTION, "text_detection_model_name")
        assert found.name == "det"

    @pytest.mark.parametrize(
        ("name", "reason"),
        [("nobody", "unknown"), ("en_rec", "another role"), ("", "empty")],
        ids=lambda value: str(value),
    )
    def test_what_is_not_served_is_refused_with_what_is(
        self, repository: Path, name: str, reason: str
    ) -> None:
        with pytest.raises(InvalidInputError) as error:
            RepositoryView(repository).find(name, Role.TEXT_DETECTION, "text_detection_model_name")
        assert str(error.value) == (
            f"text_detection_model_name: got {name!r}, which is not served; expected one of det"
        )


class TestLanguages:
    @pytest.mark.parametrize(
        ("language", "preferred", "expected"),
        [
            pytest.param("ch", "en_rec", "ch_rec", id="the only one that reads it"),
            pytest.param("en", "ch_rec", "ch_rec", id="the preferred one, since it reads it"),
            pytest.param(
                "japan", "en_rec", "japan_rec", id="else one made for it, before one that also reads it"
            ),
        ],
    )
    def test_chooses_a_model(self, repository: Path, language: str, preferred: str, expected: str) -> None:
        assert RepositoryView(repository).for_language(language, preferred).name == expected

    @pytest.mark.parametrize(
        ("generation", "expected"),
        [
            pytest.param(5, "zz_rec", id="the newer one"),
            pytest.param(0, "en_rec", id="else the first by name"),
        ],
    )
    def test_among_equals(self, repository: Path, generation: int, expected: str) -> None:
        add(repository, "zz_rec", languages=("en",), generation=generation)
        assert RepositoryView(repository).for_language("en", "det").name == expected

    def test_one_that_no_model_reads_is_refused_with_those_that_are(self, repository: Path) -> None:
        with pytest.raises(InvalidInputError) as error:
            RepositoryView(repository).for_language("ta", "ch_rec")
        assert str(error.value) == (
            "lang: got 'ta', which no served model reads; expected one of ch, en, japan. "
            "ta_PP-OCRv3_mobile_rec reads it: tritonocr serve --model ta_PP-OCRv3_mobile_rec"
        )


class TestDictionaries:
    def test_are_read_by_name(self, repository: Path) -> None:
        assert RepositoryView(repository).characters("ch_rec") == ("中", "文")

    def test_of_a_network_that_is_not_served_are_refused(self, repository: Path) -> None:
        with pytest.raises(InvalidInputError, match="model_name: got 'det', which is not served"):
            RepositoryView(repository).characters("det")

    def test_of_a_network_that_has_just_gone_still_decode_what_it_read(self, repository: Path) -> None:
        view = RepositoryView(repository)
        view.characters("en_rec")
        (repository / "en_rec" / "1" / CHARACTERS_FILE).unlink()
        assert view.characters("en_rec") == ("a", "b")

    def test_that_go_before_they_are_read_are_refused(self, repository: Path) -> None:
        view = RepositoryView(repository)
        (repository / "en_rec" / "1" / CHARACTERS_FILE).unlink()
        with pytest.raises(
            InvalidInputError, match="got 'en_rec', which is not served; expected one of ch_rec"
        ):
            view.characters("en_rec")

    def test_follow_a_model_that_is_replaced(self, repository: Path) -> None:
        view = RepositoryView(repository)
        view.characters("en_rec")
        shutil.rmtree(repository / "en_rec")
        add(repository, "en_rec", characters="xyz")
        assert view.characters("en_rec") == ("x", "y", "z")


class TestHidden:
    """A network that is being loaded or unloaded."""

    def test_is_not_offered(self, repository: Path) -> None:
        (repository / "en_rec" / HIDDEN_FILE).touch()
        view = RepositoryView(repository)
        assert "en_rec" not in view.networks()
        assert view.for_language("en", "en_rec").name != "en_rec"

    def test_is_seen_once_it_is_hidden_no_more(self, repository: Path) -> None:
        (repository / "en_rec" / HIDDEN_FILE).touch()
        view = RepositoryView(repository)
        view.networks()
        (repository / "en_rec" / HIDDEN_FILE).unlink()
        os.utime(repository)
        assert "en_rec" in view.networks()

    def test_still_decodes_what_it_was_given_before(self, repository: Path) -> None:
        (repository / "en_rec" / HIDDEN_FILE).touch()
        assert RepositoryView(repository).characters("en_rec") == ("a", "b")


class TestChanges:
    def test_a_model_that_comes_is_seen(self, repository: Path) -> None:
        view = RepositoryView(repository)
        view.networks()
        add(repository, "new_rec")
        assert "new_rec" in view.networks()

    def test_a_model_that_goes_is_not_offered(self, repository: Path) -> None:
        view = RepositoryView(repository)
        view.networks()
        shutil.rmtree(repository / "en_rec")
        assert "en_rec" not in view.networks()

    def test_two_changes_within_one_tick_of_the_clock_are_both_seen(self, repository: Path) -> None:
        """A folder's time has the clock's ticks (milliseconds): the second change may not move it."""
        view = RepositoryView(repository)
        view.networks()
        add(repository, "first_rec")
        tick = repository.stat().st_mtime_ns
        view.networks()
        add(repository, "second_rec")
        os.utime(repository, ns=(tick, tick))
        assert "second_rec" in view.networks()

    def test_a_folder_that_goes_while_it_is_read_is_left_out(
        self, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listed = list(repository.glob(f"*/1/{METADATA_FILE}"))
        shutil.rmtree(repository / "en_rec")
        monkeypatch.setattr(Path, "glob", lambda *_: iter(listed))
        assert set(RepositoryView(repository).networks()) == {"ch_rec", "japan_rec", "det"}

    def test_cards_are_not_read_for_every_request(self, repository: Path) -> None:
        view = RepositoryView(repository)
        os.utime(repository, ns=(0, 0))
        assert view.networks() is view.networks()
