"""Our own PostgreSQL: it stops with us, recovers what was committed, and never meets a second one."""

import asyncio
import os
import pwd
import signal
import site
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
import pytest

from storage.binaries import packaged_bin, runnable_bin
from storage.embedded import (
    AlreadyRunning,
    DataDirUnreachable,
    EmbeddedPostgres,
    StartFailed,
    open_database,
    running_url,
)
from storage.postmaster import find_postmaster, read_pid_file
from storage.unprivileged import Account, choose_account

ROOT = Path(__file__).parents[2]
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root can change to another user")


@pytest.fixture
def home(reachable_tmp_path: Path) -> Path:
    return reachable_tmp_path


class Supervisor:
    """`tests/integration/supervised.py` as a process; always ended with the test."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.supervised", str(directory)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        _, pid, self.url = self._line("READY")
        self.server = psutil.Process(int(pid))
        self.last = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _line(self, word: str) -> list[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(f"{word} "):
                return line.split()
        raise AssertionError(f"the supervisor ended before it said {word}")

    def wait_for(self, n: int) -> None:
        while self.last < n:
            self.last = int(self._line("COMMITTED")[1])

    def kill(self) -> int:
        """SIGKILL in the middle of committing; returns the last row it called committed."""
        self.process.kill()
        assert self.process.stdout is not None
        rest = [line for line in self.process.stdout if line.startswith("COMMITTED ") and line.endswith("\n")]
        self.process.wait()
        return int(rest[-1].split()[1]) if rest else self.last


async def kept(url: str) -> list[int]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        return [row[0] for row in await (await conn.execute("SELECT n FROM kept ORDER BY n")).fetchall()]


async def test_it_starts_stops_and_keeps(home: Path) -> None:
    directory = home / "data"
    for expected in ([], [1]):
        async with EmbeddedPostgres(directory) as server:
            process = psutil.Process(server.pid)
            async with await psycopg.AsyncConnection.connect(server.url) as conn:
                await conn.execute("CREATE TABLE IF NOT EXISTS kept (n int PRIMARY KEY)")
                await conn.commit()
                assert await kept(server.url) == expected
                await conn.execute("INSERT INTO kept VALUES (1) ON CONFLICT DO NOTHING")
                settings = await conn.execute(
                    "SELECT current_setting('TimeZone'), current_setting('server_encoding'),"
                    " current_setting('fsync'), lower('ÄÖ')"
                )
                assert await settings.fetchone() == ("UTC", "UTF8", "on", "äö")
        assert not process.is_running()
        assert list((directory / "log").glob("postgresql-*.log"))


async def test_killed_while_committing_nothing_is_lost_and_nothing_left(home: Path) -> None:
    directory = home / "data"
    with Supervisor(directory) as supervisor:
        supervisor.wait_for(50)
        family = [supervisor.server, *supervisor.server.children()]
        last = supervisor.kill()
        gone, alive = psutil.wait_procs(family, timeout=30)
        assert not alive
        assert len(gone) > 1
    async with EmbeddedPostgres(directory) as server:
        rows = await kept(server.url)
    assert rows[: last - 1] == list(range(1, last))
    assert last in rows


async def test_a_server_left_over_is_stopped_first(home: Path) -> None:
    """The tether does not hold everywhere: a server that outlived us is stopped, then started anew."""
    directory = home / "data"
    with Supervisor(directory) as supervisor:
        supervisor.wait_for(5)
        # A stopped process does not get to its tether's signal: exactly an orphan.
        supervisor.server.send_signal(signal.SIGSTOP)
        supervisor.kill()
        assert supervisor.server.is_running()
        left_over = find_postmaster(directory / "cluster")
        assert left_over is not None
        assert left_over.pid == supervisor.server.pid
        started = asyncio.create_task(start_and_count(directory))
        supervisor.server.send_signal(signal.SIGCONT)
        assert await started >= 5
        assert not supervisor.server.is_running()


async def start_and_count(directory: Path) -> int:
    async with EmbeddedPostgres(directory) as server:
        return len(await kept(server.url))


async def test_power_cut_everything_dies_at_once(home: Path) -> None:
    directory = home / "data"
    with Supervisor(directory) as supervisor:
        supervisor.wait_for(20)
        family = [supervisor.server, *supervisor.server.children(recursive=True)]
        for process in family:
            process.suspend()
        last = supervisor.kill()
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=30)
    async with EmbeddedPostgres(directory) as server:
        assert (await kept(server.url))[:last] == list(range(1, last + 1))


async def test_a_server_that_dies_under_us_comes_back_at_the_same_address(home: Path) -> None:
    async with EmbeddedPostgres(home / "data") as server:
        async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as conn:
            await conn.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        first = server.pid
        os.kill(first, signal.SIGKILL)
        assert await until_answered(server.url) == [1]
        assert server.pid != first


async def until_answered(url: str) -> list[int]:
    async with asyncio.timeout(60):
        while True:
            try:
                return await kept(url)
            except psycopg.OperationalError:
                await asyncio.sleep(0.02)


async def test_a_second_start_on_the_same_directory_says_who_has_it(home: Path) -> None:
    directory = home / "data"
    async with EmbeddedPostgres(directory) as first:
        with pytest.raises(AlreadyRunning, match=f"in use by process {os.getpid()}: stop that one") as caught:
            await EmbeddedPostgres(directory).__aenter__()
        assert caught.value.directory == directory
        async with await psycopg.AsyncConnection.connect(first.url):
            pass


async def test_a_recycled_pid_is_neither_believed_nor_stopped(home: Path) -> None:
    """After a crash, postmaster.pid may name a process that now is somebody else's, run by the same user."""
    directory = home / "data"
    async with EmbeddedPostgres(directory):
        pass
    cluster = directory / "cluster"
    account = choose_account(directory / "cluster")
    innocent = subprocess.Popen(
        ["/bin/sleep", "600"],
        user=account.uid if account.switched else None,
        group=account.gid if account.switched else None,
    )
    try:
        left = [
            str(innocent.pid),
            str(cluster),
            "1700000000",
            "5432",
            str(directory / "run"),
            "",
            "1 1",
            "ready   ",
        ]
        (cluster / "postmaster.pid").write_text("\n".join(left) + "\n", encoding="utf-8")
        assert find_postmaster(cluster) is None
        async with EmbeddedPostgres(directory) as server:
            told = read_pid_file(cluster)
            assert told is not None
            assert told.pid == server.pid
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


async def test_the_address_works_for_other_processes_and_only_with_the_password(home: Path) -> None:
    directory = home / "data"
    async with EmbeddedPostgres(directory) as server:
        code = "import psycopg, sys; print(psycopg.connect(sys.argv[1]).execute('select 42').fetchone()[0])"
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, server.url, stdout=asyncio.subprocess.PIPE
        )
        assert (await other.communicate())[0] == b"42\n"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await psycopg.AsyncConnection.connect(server.url, password="guessed")
        password = (directory / "password").stat()
        assert password.st_mode & 0o777 == 0o600
        assert password.st_uid == os.geteuid()
        for folder in ("cluster", "log", "run"):
            assert (directory / folder).stat().st_mode & 0o777 == 0o700


async def test_a_lost_password_is_said_and_costs_no_data(home: Path) -> None:
    directory = home / "data"
    async with EmbeddedPostgres(directory):
        pass
    (directory / "password").rename(home / "password")
    with pytest.raises(StartFailed, match=r"password is missing or empty, but a database is there"):
        await EmbeddedPostgres(directory).__aenter__()
    (home / "password").rename(directory / "password")
    async with EmbeddedPostgres(directory):
        pass


async def test_what_postgres_does_not_like_is_said_in_its_own_words(home: Path) -> None:
    with pytest.raises(StartFailed, match='unrecognized configuration parameter "no_such_setting"'):
        await EmbeddedPostgres(home / "data", settings={"no_such_setting": "1"}).__aenter__()


async def test_commands_join_a_running_server_and_leave_it_running(home: Path) -> None:
    directory = home / "data"
    async with open_database(directory) as alone, await psycopg.AsyncConnection.connect(alone):
        assert running_url(directory) == alone
    assert running_url(directory) is None
    async with EmbeddedPostgres(directory) as server:
        async with open_database(directory) as joined:
            assert joined == server.url
        async with await psycopg.AsyncConnection.connect(server.url):
            pass


async def test_who_started_it_stops_it_when_nobody_uses_it_any_longer(home: Path) -> None:
    directory = home / "data"
    started, joined, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def start() -> None:
        async with open_database(directory):
            started.set()
            await joined.wait()

    async def join() -> None:
        await started.wait()
        async with open_database(directory) as url, await psycopg.AsyncConnection.connect(url) as conn:
            joined.set()
            with suppress(TimeoutError):  # time enough for it to stop, were it not for us
                await asyncio.wait_for(asyncio.shield(first), 2)
            await conn.execute("SELECT 1")
            done.set()

    first = asyncio.create_task(start())
    await join()
    await first
    assert done.is_set()
    assert running_url(directory) is None
    async with open_database(directory) as url, await psycopg.AsyncConnection.connect(url):
        pass


async def test_a_path_too_long_for_a_socket_is_fine(home: Path) -> None:
    directory = home / ("long" * 25) / "data"
    async with EmbeddedPostgres(directory) as server, await psycopg.AsyncConnection.connect(server.url):
        sockets = Path(psycopg.conninfo.conninfo_to_dict(server.url)["host"])  # type: ignore[arg-type]
        assert sockets.exists()
    assert not sockets.exists()


async def test_a_start_that_was_killed_while_making_the_cluster_is_begun_again(home: Path) -> None:
    directory = home / "data"
    async with EmbeddedPostgres(directory):
        pass
    (directory / "cluster").rename(directory / "cluster.new")  # as it is until initdb has ended
    async with EmbeddedPostgres(directory) as server, await psycopg.AsyncConnection.connect(server.url):
        pass
    assert not (directory / "cluster.new").exists()


async def test_a_directory_with_other_peoples_files_is_left_alone(home: Path) -> None:
    directory = home / "photos"
    directory.mkdir()
    (directory / "cat.jpg").write_bytes(b"cat")
    before = directory.stat()
    with pytest.raises(DataDirUnreachable, match="has files that are not ours"):
        await EmbeddedPostgres(directory).__aenter__()
    after = directory.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)


async def test_a_file_in_the_way_is_named(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(DataDirUnreachable, match=r"file.*Set CLERESTORY_DATA_DIR"):
        await EmbeddedPostgres(home / "file" / "data").__aenter__()


@needs_root
async def test_as_root_it_runs_as_somebody_else_and_changes_no_parent(home: Path) -> None:
    parent = home / "site"
    parent.mkdir(mode=0o755)
    before = parent.stat()
    async with EmbeddedPostgres(parent / "data") as server:
        assert psutil.Process(server.pid).uids().real != 0
    after = parent.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


@needs_root
async def test_as_root_a_barred_directory_is_explained_and_not_opened(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(DataDirUnreachable, match=f"{closed} bars the way") as caught:
        await EmbeddedPostgres(closed / "inner" / "data").__aenter__()
    assert "refuses to run as root" in str(caught.value)
    assert closed.stat().st_mode & 0o777 == 0o700


@needs_root
def test_programs_in_a_closed_home_are_copied_where_they_can_be_run(home: Path) -> None:
    account = choose_account(home / "cluster")
    closed = home / "root-home"
    package = packaged_bin().parents[1]
    closed.mkdir()
    subprocess.run(
        ["cp", "-r", "--", str(package.with_name(f"{package.name}.libs")), str(closed)], check=True
    )
    (closed / package.name).mkdir()
    subprocess.run(["cp", "-r", "--", str(package / "pginstall18"), str(closed / package.name)], check=True)
    closed.chmod(0o700)
    packaged = closed / package.name / "pginstall18" / "bin"
    found = runnable_bin(account, packaged=packaged, shared=home / "shared")
    assert found.is_relative_to(home / "shared")
    assert account.run([str(found / "initdb"), "--version"]).returncode == 0
    made = found.stat().st_ctime_ns
    assert runnable_bin(account, packaged=packaged, shared=home / "shared") == found
    assert found.stat().st_ctime_ns == made
    assert closed.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def ordinary() -> Account:
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid, switched=True)


def python_for(account: Account) -> str:
    """An interpreter like ours that this user can run: ours may lie in root's home."""
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, system):
        try:
            if account.run([program, "-c", ""], cwd=str(ROOT)).returncode == 0:
                return program
        except (PermissionError, FileNotFoundError):
            continue
    pytest.skip(f"{account.name} can run neither {sys.executable} nor {system}")


@needs_root
async def test_an_ordinary_user_runs_it_as_themselves(home: Path, ordinary: Account) -> None:
    """The same promises without root: started by `nobody`, on that user's own directory."""
    own = home / "own"
    own.mkdir()
    os.chown(own, ordinary.uid, ordinary.gid)
    code = (
        "import asyncio, os, pathlib, sys, psutil\n"
        "from storage.embedded import EmbeddedPostgres\n"
        "async def main():\n"
        "    async with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as server:\n"
        "        print(psutil.Process(server.pid).uids().real, os.getuid())\n"
        "asyncio.run(main())\n"
    )
    done = await asyncio.create_subprocess_exec(
        python_for(ordinary),
        *("-B", "-c", code, str(own / "data")),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *site.getsitepackages()])},
        user=ordinary.uid,
        group=ordinary.gid,
        extra_groups=[],
    )
    said, _ = await done.communicate()
    assert said.split() == [str(ordinary.uid).encode()] * 2
    assert done.returncode == 0
