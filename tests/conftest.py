"""A real database for every test, copied from a migrated template, and a real broker."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Generator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from storage.embedded import EmbeddedPostgres
from storage.migrate import migrate
from storage.pool import in_utc, open_pool
from tests.manual_clock import ManualClock
from tests.mosquitto import Mosquitto, mosquitto_program

REQUIRE_ALL = "CLERESTORY_REQUIRE_ALL"
# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

GIVEN_SERVER = "CLERESTORY_TEST_DATABASE_URL"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is to be proven, a test that could not run has failed."""
    report = yield
    if report.skipped and REQUIRE_ALL in os.environ:
        report.outcome = "failed"
    return report


class _ServerThread:
    """Our own server for the whole run, supervised by an event loop of its own."""

    def __init__(self, directory: Path) -> None:
        self._server = EmbeddedPostgres(directory)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres")
        self._stack = AsyncExitStack()

    def start(self) -> str:
        self._thread.start()
        try:
            self._call(self._stack.enter_async_context(self._server))
        except BaseException:
            self.stop()
            raise
        return self._server.url

    def _call(self, work: Coroutine[None, None, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def stop(self) -> None:
        self._call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _on(server_url: str, database: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{database}").geturl()


@contextmanager
def _reachable_directory() -> Iterator[Path]:
    """Outside pytest's own, which every starting run closes to others, PostgreSQL's user among them."""
    with TemporaryDirectory(prefix="clerestory-test-", dir="/tmp") as made:
        path = Path(made)
        path.chmod(0o711)
        yield path


@pytest.fixture
def reachable_tmp_path() -> Iterator[Path]:
    """A temporary directory that PostgreSQL's user can pass: where a test runs a server of its own."""
    with _reachable_directory() as path:
        yield path


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server: the one named in CLERESTORY_TEST_DATABASE_URL, else our own."""
    given = os.environ.get(GIVEN_SERVER)
    if given:
        yield given
        return
    with _reachable_directory() as directory:
        server = _ServerThread(directory / "data")
        url = server.start()
        with psycopg.connect(in_utc(url), autocommit=True) as connection:
            # Nobody pulls its plug (who does has a server of their own), and each test's database that goes
            # would wait for the disk: more than a second where others write.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
        server.stop()


@pytest.fixture(scope="session")
def template_database(server_url: str) -> Iterator[str]:
    """The name of a migrated, empty database that nobody may connect to: it is only copied."""
    name = f"clerestory_test_template_{uuid4().hex[:12]}"
    with psycopg.connect(in_utc(server_url), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        migrate(_on(server_url, name))
        # TimescaleDB's scheduler would connect to it, and a database in use cannot be copied.
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %(name)s",
            {"name": name},
        )
        yield name
        _drop(admin, name)


@pytest.fixture(scope="session")
def admin(server_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(in_utc(server_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_database_url(server_url: str, admin: psycopg.Connection) -> Iterator[str]:
    """A database nobody has migrated yet."""
    name = f"clerestory_test_{uuid4().hex[:12]}"
    admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield _on(server_url, name)
    _drop(admin, name)


@pytest.fixture
def database_url(server_url: str, admin: psycopg.Connection, template_database: str) -> Iterator[str]:
    """A fresh migrated database: the test may commit, race and crash in it."""
    name = f"clerestory_test_{uuid4().hex[:12]}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    admin.execute(copy.format(sql.Identifier(name), sql.Identifier(template_database)))
    yield _on(server_url, name)
    _drop(admin, name)


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncConnectionPool]:
    async with open_pool(database_url) as opened:
        yield opened


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection in autocommit: each statement commits, unless inside `async with conn.transaction()`."""
    async with await psycopg.AsyncConnection.connect(in_utc(database_url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real Mosquitto on a free loopback port; see `tests/mosquitto.py`."""
    yield from _broker(tmp_path, careful=True)


@pytest.fixture
def quick_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """The same for many messages and no trouble."""
    yield from _broker(tmp_path, careful=False)


def _broker(folder: Path, *, careful: bool) -> Iterator[Mosquitto]:
    program = mosquitto_program()
    if program is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    running = Mosquitto(folder / "mosquitto", program, careful=careful)
    running.start()
    yield running
    running.stop()
