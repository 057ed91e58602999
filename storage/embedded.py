"""Our own PostgreSQL where no server was given: stops with us, and recovers after any crash."""

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import signal
import tempfile
from asyncio.subprocess import Process
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from storage.binaries import BinariesMissing, runnable_bin
from storage.postmaster import FAST_SECONDS, IMMEDIATE_SECONDS, StillRunning, disown, stop_left_over
from storage.tether import tethered
from storage.unprivileged import (
    CLEAN_ENVIRONMENT,
    LOCK,
    DataDirUnreachable,
    choose_account,
    prepare_directory,
)

__all__ = [
    "AlreadyRunning",
    "BinariesMissing",
    "DataDirUnreachable",
    "EmbeddedPostgres",
    "StartFailed",
    "StillRunning",
]

NAME = "clerestory"  # user and database
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes on Linux, 103 on macOS
START_SECONDS = 300.0  # recovery after a crash may take a while
RESTART_PAUSE = 0.2

log = logging.getLogger(__name__)


class AlreadyRunning(RuntimeError):
    """Another process of ours runs a server on this directory."""

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(
            f"data directory {directory} is in use by process {pid or 'unknown'}: "
            "stop that one, or set CLERESTORY_DATA_DIR to another directory"
        )
        self.directory = directory
        self.pid = pid


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
        self.cluster = directory / "cluster"
        self.log_directory = directory / "log"
        self._settings = settings or {}
        self._lock = -1
        self._sockets: Path | None = None
        self._borrowed_sockets = False
        self._password = ""
        self._process: Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{NAME}:{self._password}@/{NAME}?host={quote(str(self._sockets), safe='')}"

    @property
    def pid(self) -> int:
        """The server's process, for those who want to see it die."""
        if self._process is None:
            raise StartFailed("PostgreSQL is not running")
        return self._process.pid

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._take)
        try:
            await asyncio.to_thread(self._prepare)
            await self._start()
        except BaseException:
            await self._end_process()
            self._give_back()
            raise
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with suppress(asyncio.CancelledError):
                await self._watcher
        await self._end_process()
        self._give_back()

    def _take(self) -> None:
        """Make the directory and take its lock, which ends with this process however it ends."""
        self._account = choose_account(self.directory)
        prepare_directory(self.directory, self._account)
        self._lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._lock, 20).decode().strip()
            self._give_back()
            raise AlreadyRunning(self.directory, pid) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _give_back(self) -> None:
        if self._borrowed_sockets and self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _prepare(self) -> None:
        self._bin = runnable_bin(self._account)
        for folder in (self.log_directory, self.directory / "run"):
            folder.mkdir(exist_ok=True)
            self._hand_over(folder, 0o700)
        self._sockets = self._choose_sockets()
        stop_left_over(self.cluster)
        if not (self.cluster / "PG_VERSION").exists() or not (self.directory / "password").exists():
            self._initialise()
        self._password = (self.directory / "password").read_text(encoding="utf-8").strip()

    def _choose_sockets(self) -> Path:
        own = self.directory / "run"
        if len(os.fsencode(own / SOCKET)) <= LONGEST_SOCKET_PATH:
            return own
        borrowed = Path(tempfile.mkdtemp(prefix="clerestory-", dir="/tmp"))
        self._borrowed_sockets = True
        self._hand_over(borrowed, 0o700)
        return borrowed

    def _initialise(self) -> None:
        """Make the cluster under another name and rename it: a start killed midway leaves nothing half."""
        draft = self.directory / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = self.directory / "password"
        with open(password, "w", encoding="utf-8", opener=_private) as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        self._hand_over(password, 0o600)
        done = self._account.run(
            [
                str(self._bin / "initdb"),
                *("--pgdata", str(draft), "--username", NAME, "--pwfile", str(password)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                # The password is 256 random bits: stretching it only makes connecting slow.
                *("--set", "scram_iterations=1", "--no-instructions"),
            ],
            cwd=str(self.directory),
        )
        if done.returncode != 0:
            raise StartFailed(
                f"PostgreSQL could not make its data in {self.directory}: {done.stderr.strip()}"
            )
        draft.rename(self.cluster)

    def _hand_over(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if self._account.switched:
            os.chown(path, self._account.uid, self._account.gid)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": str(self.log_directory),
            "log_filename": "postgresql-%a.log",
            "log_rotation_age": "1d",
            "log_truncate_on_rotation": "on",
            "cluster_name": NAME,
            **self._settings,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        postgres = [str(self._bin / "postgres"), "-D", str(self.cluster), *flags]
        return tethered(postgres, account=self._account.pair)

    async def _start(self) -> None:
        startup = self.log_directory / "startup.log"
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
                f"PostgreSQL did not get ready in {START_SECONDS:.0f} s; see {self.log_directory}"
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
        return self.url.replace(f"@/{NAME}?", "@/postgres?")

    async def _make_database(self, conn: psycopg.AsyncConnection) -> None:
        found = await conn.execute("SELECT 1 FROM pg_database WHERE datname = %(name)s", {"name": NAME})
        if await found.fetchone() is None:
            await conn.execute("CREATE DATABASE clerestory")

    async def _watch(self) -> None:
        """Start the server again when it dies under us; what was committed is there again."""
        while self._process is not None:
            status = await self._process.wait()
            log.error(
                "PostgreSQL ended unexpectedly (status %s): starting it again; see %s",
                status,
                self.log_directory,
            )
            await asyncio.to_thread(disown, self.cluster)
            try:
                await self._start()
            except StartFailed as error:
                # Its own processes may need a moment to notice that their postmaster is gone.
                log.warning("%s", error)
                await asyncio.sleep(RESTART_PAUSE)

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


def _last_lines(path: Path, count: int = 8) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-count:]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
