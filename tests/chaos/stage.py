"""The real thing, to be broken: gateways and worker from the command line, Mosquitto, PostgreSQL."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil

from config.tasks import end
from storage.embedded import EmbeddedPostgres
from storage.tether import tethered
from tests.chaos.proxy import Proxy
from tests.mosquitto import Mosquitto

RULES = Path(__file__).parent / "rules"
PROFILES = Path(__file__).parent / "profiles"
CLERESTORY = Path(sys.executable).with_name("clerestory")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
SUPERVISE_SECONDS = 0.3
WORKER = -1


class Stage:
    """Everything of one round, below `directory`."""

    def __init__(
        self,
        directory: Path,
        server: EmbeddedPostgres,
        broker: Mosquitto,
        database: str,
        proxies: tuple[Proxy, Proxy],
        *,
        shared: bool,
    ) -> None:
        self.broker = broker
        self.server = server
        self.to_broker, self.to_database = proxies
        self.url = urlsplit(server.url)._replace(path=f"/{database}").geturl()
        self.gateways: dict[int, subprocess.Popen[bytes]] = {}
        self.worker: subprocess.Popen[bytes] | None = None
        self._directory = directory
        self._database = database
        self._shared = shared
        self._down: set[int] = set()  # what was killed, and is not to be started again by itself

    @classmethod
    @asynccontextmanager
    async def set_up(
        cls, directory: Path, server: EmbeddedPostgres, broker: Mosquitto, database: str, *, shared: bool
    ) -> AsyncIterator["Stage"]:
        """A stage on which nothing plays yet; whatever was started ends with the block."""
        socket = Path(server.url.partition("host=")[2].replace("%2F", "/")) / ".s.PGSQL.5432"
        async with Proxy(broker.port) as to_broker, Proxy(socket) as to_database:
            stage = cls(directory, server, broker, database, (to_broker, to_database), shared=shared)
            supervisor = asyncio.create_task(stage._supervise())
            try:
                yield stage
            finally:
                await end(supervisor)
                stage.kill_all()

    async def _supervise(self) -> None:
        """Start again what ended by itself, as systemd does: a process may find no database at its start."""
        while True:
            await asyncio.sleep(SUPERVISE_SECONDS)
            for number, gateway in list(self.gateways.items()):
                if gateway.poll() is not None and number not in self._down:
                    self.start_gateway(number)
            if self.worker is not None and self.worker.poll() is not None and WORKER not in self._down:
                self.start_worker()

    def start_gateway(self, number: int) -> None:
        """Start a gateway, or start it again under the same name."""
        share = ["--share", "chaos"] if self._shared else []
        extra = {"CLERESTORY_GATEWAY_ID": f"chaos-gateway-{number}"}
        self._down.discard(number)
        self.gateways[number] = self._start(f"gateway-{number}", ["gateway", *share], extra)

    def start_worker(self) -> None:
        """Start the worker, or start it again."""
        self._down.discard(WORKER)
        self.worker = self._start("worker", ["worker"], {})

    def kill_gateway(self, number: int) -> None:
        """SIGKILL."""
        self._down.add(number)
        _kill(self.gateways[number])

    def kill_worker(self) -> None:
        """SIGKILL."""
        self._down.add(WORKER)
        if self.worker is not None:
            _kill(self.worker)

    async def kill_database(self) -> None:
        """SIGKILL of the postmaster; our supervisor starts it again."""
        before = self.server.pid
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(READY_SECONDS):
            while self.server.pid == before:  # noqa: ASYNC110 - the supervisor tells nobody
                await asyncio.sleep(0.05)

    async def stop_database(self, seconds: float) -> None:
        """SIGSTOP of every one of its processes, and SIGCONT after a while."""
        main = psutil.Process(self.server.pid)
        processes = [main, *main.children(recursive=True)]
        _signal(processes, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            _signal(processes, signal.SIGCONT)

    async def heard(self, number: int) -> None:
        """Wait until a gateway is connected and subscribed: before that nothing waits for it."""
        await self._until_said(f"gateway-{number}", "connected to broker")

    async def end(self) -> list[int]:
        """SIGTERM for all, as an operator would; gives the exit codes."""
        self._down.update(self.gateways, [WORKER])
        running = [*self.gateways.values(), *([self.worker] if self.worker else [])]
        for process in running:
            process.terminate()
        return [await asyncio.to_thread(process.wait, STOP_SECONDS) for process in running]

    def kill_all(self) -> None:
        """End what still runs."""
        for process in (*self.gateways.values(), *([self.worker] if self.worker else [])):
            if process.poll() is None:
                _kill(process)

    def last_words(self, name: str, lines: int = 15) -> str:
        """The end of a process's log."""
        said = (self._directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(said.splitlines()[-lines:])

    def _start(self, name: str, command: list[str], extra: dict[str, str]) -> subprocess.Popen[bytes]:
        parts = urlsplit(self.server.url)
        user = f"{parts.username}:{quote(parts.password or '', safe='')}"
        env = {each: value for each, value in os.environ.items() if not each.startswith("CLERESTORY_")}
        env |= {
            "CLERESTORY_DATABASE_URL": (
                f"postgresql://{user}@127.0.0.1:{self.to_database.port}/{self._database}?sslmode=disable"
            ),
            "CLERESTORY_MQTT_URL": f"mqtt://127.0.0.1:{self.to_broker.port}",
            "CLERESTORY_DATA_DIR": str(self._directory / "data"),
            "CLERESTORY_RULES_DIR": str(RULES),
            "CLERESTORY_PROFILES_DIR": str(PROFILES),
            **extra,
        }
        with (self._directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                tethered([str(CLERESTORY), *command]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=self._directory,
            )

    async def _until_said(self, name: str, words: str) -> None:
        path = self._directory / f"{name}.log"
        async with asyncio.timeout(READY_SECONDS):
            while words not in path.read_text(encoding="utf-8", errors="replace"):  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(0.05)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue  # it has ended meanwhile, as backends do
