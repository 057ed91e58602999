"""A real Mosquitto for tests, which may be stopped, killed and started again without losing its queue."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from storage.tether import tethered

START_SECONDS = 20.0


def mosquitto_program() -> str | None:
    """Debian keeps it in /usr/sbin, which an ordinary user's PATH may not have."""
    return shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Mosquitto:
    """One broker on one port of the loopback address, with its persistence in `directory`.

    It saves after every message, or where nobody kills it once a second (`careful=False`), which is quicker.
    """

    def __init__(self, directory: Path, program: str, *, careful: bool = True) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._program = program
        self._careful = careful
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the broker has said so far."""
        return (self._directory / "log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start, and return when it accepts connections; sessions and queues are as they were saved."""
        config = self._directory / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self._directory}/",
            f"autosave_on_changes {str(self._careful).lower()}",
            "autosave_interval 1",
            "max_inflight_messages 0",
            "max_queued_messages 0",
            "log_type all" if os.environ.get("CLERESTORY_TEST_MOSQUITTO_DEBUG") else "log_type information",
        ]
        if os.geteuid() == 0:
            lines.append("user root")  # it may write to our temporary directory only as ourselves
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                tethered([self._program, "-c", str(config)]), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise RuntimeError(f"mosquitto does not start: {self.log}") from None
                time.sleep(0.01)

    def stop(self) -> None:
        """Stop in an orderly way: everything is saved."""
        self._end(kill=False)

    def kill(self) -> None:
        """SIGKILL, as a power cut would; what was saved on change is kept."""
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(20)
        self._process = None
