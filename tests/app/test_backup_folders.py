"""A backup is a folder: what is in it, where it may be made, and what makes none."""

import json

from tests.app.backups import backed_up, home, place, service, variables
from tests.app.commands import allot

__all__ = ["home", "service", "variables"]


def test_the_manifest_says_what_is_in_it(home, service, variables):
    with service.client() as client:
        place(client, "1")

    folder = backed_up(home, variables)

    said = json.loads((folder / "manifest.json").read_text())
    [main] = said["sellers"]
    assert (main["seller"], main["skus"]) == ("main", 3)
    assert main["entries"] >= 3
    assert main["newest_ms"] <= said["made_ms"]
    assert said["epoch"] == f"{said['dataset']}-{said['generation']}"
    assert (folder / said["file"]).stat().st_size == said["bytes"]
    assert sorted(path.name for path in folder.iterdir()) == [said["file"], "manifest.json"]
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


def test_a_place_that_is_not_empty_is_left_alone(home, service, variables):
    folder = backed_up(home, variables)
    service.end()
    before = {path: path.stat().st_mtime_ns for path in (home / "data").rglob("*") if path.is_file()}

    done = allot(home, "restore", str(folder), "--data-dir", str(home / "data"), **variables)
    twice = allot(home, "backup", str(folder), "--data-dir", str(home / "data"), **variables)

    assert (done.returncode, twice.returncode) == (2, 2)
    assert "has files already" in done.stderr
    assert "is there already" in twice.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_store_that_is_away_does_not_make_a_backup_that_lacks_the_end(home, service, variables):
    service.end()
    away = {**variables, "ALLOT_REDIS_URL": f"unix://{home}/nobody.sock"}
    words = ("backup", str(home.parent / "backup"), "--data-dir", str(home / "data"))

    refused = allot(home, *words, **away)
    told = allot(home, *words, "--as-it-is", **away)

    assert (refused.returncode, told.returncode) == (2, 0), told.stderr
    assert "--as-it-is" in refused.stderr
