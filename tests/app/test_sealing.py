import pytest

from app.errors import Unsealable
from app.sealing import Sealer, sealer_of
from app.settings import Settings

OLD, NEW = b"o" * 32, b"n" * 32


def test_what_was_sealed_is_opened_and_cannot_be_read():
    sealer = Sealer([OLD])

    sealed = sealer.seal("main/shop secrets", {"key": "canary"})

    assert sealer.open("main/shop secrets", sealed, dict[str, str]) == {"key": "canary"}
    assert b"canary" not in sealed
    assert sealed != sealer.seal("main/shop secrets", {"key": "canary"})


def test_what_was_sealed_for_one_connection_opens_for_no_other():
    sealer = Sealer([OLD])
    sealed = sealer.seal("main/shop secrets", {"key": "canary"})

    with pytest.raises(Unsealable, match="something else"):
        sealer.open("main/other secrets", sealed, dict[str, str])


@pytest.mark.parametrize(
    "change", [lambda sealed: sealed[:-4] + b"AAA=", lambda sealed: b"", lambda sealed: sealed[:20]]
)
def test_what_was_changed_since_opens_never(change):
    sealer = Sealer([OLD])
    sealed = sealer.seal("main/shop secrets", {"key": "canary"})

    with pytest.raises(Unsealable, match="changed since"):
        sealer.open("main/shop secrets", change(sealed), dict[str, str])


def test_a_new_key_in_front_seals_and_the_old_one_still_opens():
    before, after, new_alone = Sealer([OLD]), Sealer([NEW, OLD]), Sealer([NEW])
    old = before.seal("a", "canary")
    new = after.seal("a", "canary")

    assert after.open("a", old, str) == after.open("a", new, str) == new_alone.open("a", new, str) == "canary"
    with pytest.raises(Unsealable):
        new_alone.open("a", old, str)


def test_the_pepper_opens_what_was_sealed_before_there_was_another_secret():
    sealed = sealer_of(Settings(_env_file=None), OLD).seal("a", "canary")

    later = sealer_of(Settings(_env_file=None, secrets_key=NEW.decode()), OLD)

    assert later.open("a", sealed, str) == "canary"


def test_nobody_sees_a_sealers_keys():
    assert repr(Sealer([OLD])) == "Sealer()"


def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="32 characters or more"):
        Settings(_env_file=None, secrets_key=f"{'x' * 32},short")
