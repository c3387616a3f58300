import pytest
from pydantic import ValidationError

from app.settings import Settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Neither the variables nor the .env of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ALLOT_{name.upper()}", raising=False)


def test_needs_no_setting_at_all():
    settings = Settings()

    assert (settings.redis_url, settings.database_url, settings.port) == (None, None, 8000)
    assert settings.allow_unsafe == frozenset()


def test_reads_names_separated_by_commas(monkeypatch):
    monkeypatch.setenv("ALLOT_ALLOW_UNSAFE", "eviction, unreadable,")

    assert Settings().allow_unsafe == {"eviction", "unreadable"}


def test_an_unknown_reason_is_refused_with_the_known_ones(monkeypatch):
    monkeypatch.setenv("ALLOT_ALLOW_UNSAFE", "everything")

    with pytest.raises(ValidationError, match=r"unknown: everything; there are .*eviction"):
        Settings()


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("ALLOT_REDIS_URL", "")

    assert Settings().redis_url is None


def test_reads_a_file_beside_the_service(tmp_path):
    (tmp_path / ".env").write_text("ALLOT_PORT=9000\nOTHER=1\n")

    assert Settings().port == 9000


def test_cannot_be_changed_after_it_was_made():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_the_usual_hold_is_never_longer_than_the_longest():
    with pytest.raises(ValidationError, match="longer than hold_seconds_max"):
        Settings(hold_seconds=60, hold_seconds_max=30)


def test_a_shared_database_needs_a_shared_pepper():
    with pytest.raises(ValidationError, match="ALLOT_KEY_PEPPER"):
        Settings(database_url="postgresql://db/allot")

    assert Settings(database_url="postgresql://db/allot", key_pepper="p" * 32)


def test_the_pepper_is_never_printed():
    assert "p" * 32 not in repr(Settings(key_pepper="p" * 32))


@pytest.mark.parametrize("name", ["hold_seconds", "body_bytes_max", "port"])
def test_nonsense_is_refused(name: str):
    with pytest.raises(ValidationError):
        Settings(**{name: -1})


def test_who_loses_is_a_list_of_criteria(monkeypatch):
    monkeypatch.setenv("ALLOT_LOSERS", "newest, channel_rank")

    assert Settings().losers == ("newest", "channel_rank")


@pytest.mark.parametrize("words", ["oldest", "newest,newest", ",", " "])
def test_a_criterion_that_there_is_none_of_is_refused_with_those_that_there_are(monkeypatch, words):
    monkeypatch.setenv("ALLOT_LOSERS", words)

    with pytest.raises(ValidationError, match="channel_rank, newest, ship_by"):
        Settings()
