import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allocator.client import make_client, unsafe_reasons
from app.data_folder import MARKER, DataFolder, FolderForeign, FolderInUse
from app.embedded import SOCKET_PATH_BYTES_MAX, EmbeddedValkey
from app.server_process import ServerFailed, answers, launch, server_binary
from tests.servers import ROOT


async def put(url: str, key: str, value: str) -> None:
    client = make_client(url)
    await client.set(key, value)
    await client.aclose()


async def get(url: str, key: str) -> bytes | None:
    client = make_client(url)
    found = await client.get(key)
    await client.aclose()
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not collected yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


@contextmanager
def owner(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that owns a server on the folder, and that server's process id."""
    command = [sys.executable, "-m", "tests.app.owner", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def left_behind(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A living server on the folder that belongs to no service, as after a crash where nothing ends it."""
    home = folder / "valkey"
    server = launch(server_binary(), home, home / "valkey.sock")
    try:
        assert soon(lambda: answers(home / "valkey.sock"))
        yield server
    finally:
        server.kill()
        server.wait()


async def test_data_survives_a_restart(tmp_path):
    with EmbeddedValkey(tmp_path / "data") as server:
        await put(server.url, "cup", "7")

    with EmbeddedValkey(tmp_path / "data") as server:
        assert await get(server.url, "cup") == b"7"


async def test_data_survives_a_killed_server(tmp_path):
    server = EmbeddedValkey(tmp_path)
    await put(server.start(), "cup", "7")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert soon(lambda: not server.is_running())
    server.stop()

    with EmbeddedValkey(tmp_path) as again:
        assert await get(again.url, "cup") == b"7"


async def test_our_own_server_is_safe_and_listens_on_no_port(tmp_path):
    with EmbeddedValkey(tmp_path) as server:
        client = make_client(server.url)

        assert await unsafe_reasons(client) == []
        assert (await client.config_get("port"))["port"] == "0"
        await client.aclose()


def test_only_its_owner_may_enter_the_folder(tmp_path):
    with EmbeddedValkey(tmp_path / "data") as server:
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
        assert server.socket.stat().st_mode & 0o077 == 0


def test_the_dataset_keeps_its_id(tmp_path):
    with DataFolder(tmp_path) as first, pytest.raises(FolderInUse):
        DataFolder(tmp_path).claim()
    with DataFolder(tmp_path) as again:
        assert again.dataset_id == first.dataset_id


def test_a_second_service_is_refused_and_told_who_is_there(tmp_path):
    with EmbeddedValkey(tmp_path) as server:
        with pytest.raises(FolderInUse, match=f"in use by process {os.getpid()}"):
            EmbeddedValkey(tmp_path).start()

        assert server.is_running()


def test_a_folder_with_files_of_somebody_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"sun")

    with pytest.raises(FolderForeign, match=r"holiday\.jpg"):
        EmbeddedValkey(tmp_path).start()

    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("marker", [b"", b"[]", b"{}", b'{"product": "other", "layout": 1, "dataset_id": "x"}'])
def test_a_marker_that_is_not_ours_is_refused_and_the_folder_let_go(tmp_path, marker: bytes):
    (tmp_path / MARKER).write_bytes(marker)

    for _ in range(2):
        with pytest.raises(FolderForeign):
            DataFolder(tmp_path).claim()


def test_a_folder_where_a_crash_came_before_the_marker_is_taken_over(tmp_path):
    with DataFolder(tmp_path):
        (tmp_path / MARKER).unlink()

    with DataFolder(tmp_path) as data:
        assert data.dataset_id


async def test_a_killed_owner_leaves_no_server_and_the_next_start_has_the_data(tmp_path):
    with owner(tmp_path) as (process, pid):
        await put(EmbeddedValkey(tmp_path).url, "cup", "7")
        process.kill()
        assert soon(lambda: not alive(pid))

    with EmbeddedValkey(tmp_path) as server:
        assert not server.adopted
        assert await get(server.url, "cup") == b"7"


async def test_a_start_right_after_a_killed_owner_waits_for_its_server_to_end(tmp_path):
    with owner(tmp_path) as (process, pid):
        await put(EmbeddedValkey(tmp_path).url, "cup", "7")
        process.kill()
        process.wait()

        with EmbeddedValkey(tmp_path) as server:
            assert (server.adopted, alive(pid)) == (False, False)
            assert await get(server.url, "cup") == b"7"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_owner_that_is_told_to_stop_stops_its_server_in_order(tmp_path, number: signal.Signals):
    with owner(tmp_path) as (process, pid):
        process.send_signal(number)

        assert process.wait(10) == 0
        assert not alive(pid)

    assert "bye bye" in EmbeddedValkey(tmp_path).log.read_text()
    assert not EmbeddedValkey(tmp_path).socket.exists()


async def test_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path):
    with EmbeddedValkey(tmp_path) as server:
        assert server.pid is not None
        assert os.getpgid(server.pid) != os.getpgid(0)


async def test_a_living_server_left_behind_is_adopted_with_its_data_and_stopped_at_the_end(tmp_path):
    with EmbeddedValkey(tmp_path) as server:
        await put(server.url, "cup", "7")

    with left_behind(tmp_path) as orphan, EmbeddedValkey(tmp_path) as server:
        assert (server.adopted, server.pid) == (True, orphan.pid)
        assert await get(server.url, "cup") == b"7"
        assert server.is_running()

        server.stop()

        assert orphan.wait(5) == 0
        assert not server.is_running()


async def test_stale_files_of_a_server_that_is_gone_are_cleaned(tmp_path):
    server = EmbeddedValkey(tmp_path)
    server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert soon(lambda: not server.is_running())
    assert server.socket.exists()
    (server.home / "valkey.pid").write_text(f"{os.getpid()}\n")
    server.stop()

    with EmbeddedValkey(tmp_path) as again:
        assert not again.adopted
        assert int((again.home / "valkey.pid").read_text()) == again.pid


def test_a_server_that_holds_the_folder_and_does_not_answer_is_reported(tmp_path):
    with owner(tmp_path) as (process, pid):
        os.kill(pid, signal.SIGSTOP)
        process.kill()
        process.wait()
        try:
            with pytest.raises(ServerFailed, match="does not answer"):
                EmbeddedValkey(tmp_path, ready_seconds_max=0.3).start()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert soon(lambda: not alive(pid))


async def test_a_server_of_another_folder_on_our_socket_is_refused(tmp_path):
    ours, theirs = EmbeddedValkey(tmp_path / "ours"), tmp_path / "theirs"
    with DataFolder(ours.data.path):
        ours.home.mkdir()
    theirs.mkdir()
    server = launch(server_binary(), theirs, ours.socket)
    try:
        assert soon(lambda: answers(ours.socket))
        with pytest.raises(ServerFailed, match="works in another folder"):
            ours.start()
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()


async def test_a_folder_with_a_long_path_gets_a_short_socket(tmp_path):
    folder = tmp_path / ("deep" * 20) / ("er" * 40)
    with EmbeddedValkey(folder) as server:
        assert len(os.fsencode(server.socket)) <= SOCKET_PATH_BYTES_MAX
        await put(server.url, "cup", "7")

    with EmbeddedValkey(folder) as server:
        assert await get(server.url, "cup") == b"7"
    assert not server.socket.parent.exists()


def test_a_socket_folder_others_may_write_to_is_refused(tmp_path):
    server = EmbeddedValkey(tmp_path / ("deep" * 20) / ("er" * 40))
    server.socket.parent.mkdir()
    server.socket.parent.chmod(0o777)

    with pytest.raises(ServerFailed, match="others may write"):
        server.start()


def test_a_server_that_cannot_start_shows_the_end_of_its_log_and_lets_the_folder_go(tmp_path):
    with EmbeddedValkey(tmp_path) as server:
        files = server.home / "appendonlydir"
    (files / "appendonly.aof.manifest").write_text("nonsense\n")

    with pytest.raises(ServerFailed, match=r"ended with code 1 while starting:\n(.|\n)*manifest"):
        EmbeddedValkey(tmp_path).start()

    with DataFolder(tmp_path):
        assert not answers(server.socket)


def test_stopping_twice_or_before_the_start_does_nothing(tmp_path):
    server = EmbeddedValkey(tmp_path)
    server.stop()
    server.start()
    server.stop()
    server.stop()

    assert not server.is_running()
