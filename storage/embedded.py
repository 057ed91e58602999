"""Our own PostgreSQL where no server was given: stops with us, and recovers after any crash."""

import asyncio
import fcntl
import logging
import secrets
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from storage.binaries import BinariesMissing, runnable_bin
from storage.datadir import AlreadyRunning, DataDir, Users
from storage.postmaster import (
    FAST_SECONDS,
    IMMEDIATE_SECONDS,
    StillRunning,
    disown,
    find_postmaster,
    read_pid_file,
    stop_left_over,
)
from storage.tether import tethered
from storage.unprivileged import CLEAN_ENVIRONMENT, DataDirUnreachable

__all__ = [
    "AlreadyRunning",
    "BinariesMissing",
    "DataDirUnreachable",
    "EmbeddedPostgres",
    "StartFailed",
    "StillRunning",
    "open_database",
    "running_url",
]

NAME = "clerestory"  # user and database
START_SECONDS = 300.0  # recovery after a crash may take a while
RESTART_PAUSE, LONGEST_PAUSE = 0.2, 10.0
JOIN_SECONDS = 30.0

log = logging.getLogger(__name__)


class StartFailed(RuntimeError):
    """PostgreSQL did not start; the message carries its own last words."""


class EmbeddedPostgres:
    """A PostgreSQL server on `directory`, which belongs to it alone: cluster, password, logs.

    Use as `async with`; `url` works for every process of the same user (and root) while it runs. Connections
    are made over a Unix socket in a private directory. A server that dies under us is started again at the
    same `url`.
    """

    def __init__(self, directory: Path, *, settings: dict[str, str] | None = None) -> None:
        self.directory = directory
        self._settings = settings or {}
        self._password = ""
        self._process: Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return _url(self._password, self._place.sockets, NAME)

    @property
    def pid(self) -> int:
        """The server's process, for those who want to see it die."""
        if self._process is None:
            raise StartFailed("PostgreSQL is not running")
        return self._process.pid

    async def __aenter__(self) -> Self:
        self._place = await asyncio.to_thread(DataDir, self.directory)
        await asyncio.to_thread(self._place.take)
        try:
            await asyncio.to_thread(self._prepare)
            await self._start()
        except BaseException:
            await self._end_process()
            self._place.give_back()
            raise
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._watcher is not None:
                self._watcher.cancel()
                await asyncio.wait([self._watcher])  # unlike awaiting it, this keeps our own cancellation
        finally:
            await self._end_process()
            self._place.give_back()

    def _prepare(self) -> None:
        self._bin = runnable_bin(self._place.account)
        stop_left_over(self._place.cluster)
        if not self._place.cluster.exists():
            self._initialise()
        self._password = self._place.password()
        if not self._password:
            raise StartFailed(
                f"{self.directory / 'password'} is missing or empty, but a database is there: "
                "restore that file from a backup, or move the whole directory away to begin anew"
            )

    def _initialise(self) -> None:
        """Make the cluster under another name and rename it: a start killed midway leaves nothing half."""
        password = secrets.token_urlsafe(32)
        self._place.keep_password(password)
        self._place.make_draft()
        done = self._place.account.run(
            [
                # Only who made a pipe may open it as /dev/stdin: let the server's user make one.
                *("/bin/sh", "-c", 'cat | exec "$@"', "sh"),
                str(self._bin / "initdb"),
                *("--pgdata", str(self._place.draft), "--username", NAME, "--pwfile", "/dev/stdin"),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                # The password is 256 random bits: stretching it only makes connecting slow.
                *("--set", "scram_iterations=1", "--no-instructions"),
            ],
            said=password,
        )
        if done.returncode != 0:
            raise StartFailed(
                f"PostgreSQL could not make its data in {self.directory}: {done.stderr.strip()}"
            )
        self._place.draft.rename(self._place.cluster)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._place.sockets),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": str(self._place.logs),
            "log_filename": "postgresql-%a.log",
            "log_rotation_age": "1d",
            "log_truncate_on_rotation": "on",
            "cluster_name": NAME,
            **self._settings,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        postgres = [str(self._bin / "postgres"), "-D", str(self._place.cluster), *flags]
        return tethered(postgres, account=self._place.account.pair)

    async def _start(self) -> None:
        startup = self._place.startup_log
        with startup.open("wb") as output:
            # From this thread: the kernel ties the server to the thread that starts it.
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=CLEAN_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._wait_until_ready(self._process, startup)
        except TimeoutError:
            raise StartFailed(
                f"PostgreSQL did not get ready in {START_SECONDS:.0f} s; see {self._place.logs}"
            ) from None

    async def _wait_until_ready(self, process: Process, startup: Path) -> None:
        last = ""
        while process.returncode is None:
            try:
                conn = await psycopg.AsyncConnection.connect(
                    self._admin_url, autocommit=True, connect_timeout=10
                )
            except psycopg.OperationalError as error:
                last = str(error).strip()
                await asyncio.sleep(0.02)
                continue
            async with conn:
                await self._make_database(conn)
            return
        words = await asyncio.to_thread(_last_lines, startup)
        raise StartFailed("PostgreSQL did not start: " + " / ".join(words or [last or "it said nothing"]))

    @property
    def _admin_url(self) -> str:
        return _url(self._password, self._place.sockets, "postgres")

    async def _make_database(self, conn: psycopg.AsyncConnection) -> None:
        found = await conn.execute("SELECT 1 FROM pg_database WHERE datname = %(name)s", {"name": NAME})
        if await found.fetchone() is None:
            await conn.execute("CREATE DATABASE clerestory")

    async def _watch(self) -> None:
        """Start the server again when it dies under us; what was committed is there again."""
        pause = RESTART_PAUSE
        while self._process is not None:
            status = await self._process.wait()
            log.error("PostgreSQL ended (status %s), starting it again; see %s", status, self._place.logs)
            try:
                await asyncio.to_thread(disown, self._place.cluster)
                await self._start()
                pause = RESTART_PAUSE
            except (StartFailed, OSError) as error:
                # Its own processes may need a moment to notice that their postmaster is gone.
                log.warning("%s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        for how, seconds in (
            (signal.SIGINT, FAST_SECONDS),
            (signal.SIGQUIT, IMMEDIATE_SECONDS),
            (signal.SIGKILL, IMMEDIATE_SECONDS),
        ):
            with suppress(TimeoutError, ProcessLookupError):
                process.send_signal(how)
                async with asyncio.timeout(seconds):
                    await process.wait()
                return


def _url(password: str, sockets: Path, database: str) -> str:
    return f"postgresql://{NAME}:{password}@/{database}?host={quote(str(sockets), safe='')}"


def _last_lines(path: Path, count: int = 8) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-count:]


def running_url(directory: Path) -> str | None:
    """The address of the server that runs on this directory, whoever started it; None where none is ready."""
    place = DataDir(directory)
    told = read_pid_file(place.cluster)
    if told is None or not told.ready or find_postmaster(place.cluster) is None:
        return None
    return _url(place.password(), told.sockets, NAME)


@asynccontextmanager
async def open_database(directory: Path) -> AsyncIterator[str]:
    """Our own server's address: joined where another process of ours runs it, else started for this block.

    For commands beside a running site. Whoever is to be the only one uses `EmbeddedPostgres` itself. A server
    that was started here is stopped when nobody who joined it here uses it any longer.
    """
    async with AsyncExitStack() as stack:
        users = stack.enter_context(Users(directory))
        try:
            url = await _own(stack, directory, users)
        except AlreadyRunning:
            await users.lock(fcntl.LOCK_SH)
            try:
                url = await _own(stack, directory, users)  # whoever had it was about to stop it
            except AlreadyRunning:
                url = await _join(directory)
        yield url


async def _own(stack: AsyncExitStack, directory: Path, users: Users) -> str:
    server = await stack.enter_async_context(EmbeddedPostgres(directory))
    stack.push_async_callback(users.lock, fcntl.LOCK_EX)
    return server.url


async def _join(directory: Path) -> str:
    try:
        async with asyncio.timeout(JOIN_SECONDS):
            # Another process starts it: there is nothing of ours to wait on.
            while (url := await asyncio.to_thread(running_url, directory)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StartFailed(
            f"another process holds {directory}, but its PostgreSQL is not ready after {JOIN_SECONDS:.0f} s"
        ) from None
    return url
