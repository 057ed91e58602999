"""A server that an earlier, killed process of ours may have left on the data directory."""

import logging
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

FAST_SECONDS = 60.0
IMMEDIATE_SECONDS = 30.0
STARTED_TOLERANCE = 5.0  # postmaster.pid has whole seconds and is written a moment after the process began

log = logging.getLogger(__name__)


class StillRunning(RuntimeError):
    """A left-over server does not stop."""


@dataclass(frozen=True, slots=True)
class PidFile:
    """What `postmaster.pid` tells."""

    pid: int
    started: int
    sockets: Path
    ready: bool


def read_pid_file(cluster: Path) -> PidFile | None:
    """What the file says, or None where there is none (or half of one, after a crash)."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        ready = lines[7:] != [] and lines[7].strip() == "ready"
        return PidFile(int(lines[0]), int(lines[2]), Path(lines[4]), ready)
    except (FileNotFoundError, ValueError, IndexError):
        return None


def find_postmaster(cluster: Path) -> psutil.Process | None:
    """The server that really runs on this directory: a pid alone proves nothing, it may be recycled."""
    told = read_pid_file(cluster)
    if told is None:
        return None
    try:
        process = psutil.Process(told.pid)
        same = (
            process.name().startswith("postgres")
            and abs(process.create_time() - told.started) < STARTED_TOLERANCE
            and Path(process.cwd()).samefile(cluster)
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
        return None  # gone, or somebody else's, which ours never is
    return process if same else None


def stop_left_over(cluster: Path) -> None:
    """Stop a server left on this directory, first politely, and make a recycled pid harmless."""
    process = find_postmaster(cluster)
    if process is not None:
        log.warning("stopping PostgreSQL %s, left over by a process that was killed", process.pid)
        for how, seconds in ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
            if _ended(process, how, seconds):
                break
        else:
            raise StillRunning(
                f"PostgreSQL {process.pid} on {cluster} does not stop: end it by hand (kill {process.pid})"
            )
    disown(cluster)


def disown(cluster: Path) -> None:
    """Let a starting server see past a recycled pid in `postmaster.pid`.

    PostgreSQL refuses to start when any live process of the same user has that pid. The file is not removed:
    its shared-memory line guards against server processes that outlived their postmaster. PostgreSQL ignores
    its parent's pid, so ours is put in its place.
    """
    told = read_pid_file(cluster)
    if told is None or find_postmaster(cluster) is not None:
        return
    # The folder is the server's: root must not follow a link put there.
    with os.fdopen(
        os.open(cluster / "postmaster.pid", os.O_RDWR | os.O_NOFOLLOW), "r+", encoding="utf-8"
    ) as file:
        rest = file.read().partition("\n")[2]
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n{rest}")


def _ended(process: psutil.Process, how: signal.Signals, seconds: float) -> bool:
    try:
        process.send_signal(how)
        process.wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True
