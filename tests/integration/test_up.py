"""`clerestory up`: the whole house in one process, which says what is in its way and stops when told to."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from clerestory.demo.house import free_port
from clerestory.door import CannotServe
from clerestory.processes import run_all
from clerestory.site import open_site
from config.clock import SystemClock
from config.settings import Settings
from gateway.broker import mosquitto_path

pytestmark = pytest.mark.skipif(
    mosquitto_path() is None, reason="mosquitto is not installed (apt install mosquitto)"
)
# Together less than what pytest allows a test.
START_SECONDS = 90.0
STOP_SECONDS = 45.0


def start(folder: Path, database_url: str, http: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "CLERESTORY_DATA_DIR": str(folder),
        "CLERESTORY_DATABASE_URL": database_url,
        "CLERESTORY_HTTP": http,
    }
    return subprocess.Popen(
        [sys.executable, "-c", "from clerestory.cli import main; main()", "up"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except OSError:
        return False


def test_it_serves_pages_and_stops_on_sigterm(database_url: str, tmp_path: Path) -> None:
    http = f"127.0.0.1:{free_port('127.0.0.1', 0)}"
    with start(tmp_path, database_url, http) as process:
        deadline = time.monotonic() + START_SECONDS
        while (
            process.poll() is None and time.monotonic() < deadline and not answers(f"http://{http}/sign-in")
        ):
            time.sleep(0.05)
        try:
            process.send_signal(signal.SIGTERM)
            said, problems = process.communicate(timeout=STOP_SECONDS)
        finally:
            process.kill()  # nothing where it has ended, as it should
    assert process.returncode == 0
    assert "Traceback" not in problems
    assert f"pages   http://{http}" in said


def test_a_taken_port_is_said_in_a_line(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        http = f"127.0.0.1:{taken.getsockname()[1]}"
        with start(tmp_path, database_url, http) as process:
            try:
                _, said = process.communicate(timeout=START_SECONDS)
            finally:
                process.kill()  # nothing where it has ended, as it should
    assert process.returncode == 1
    assert not any(tmp_path.iterdir()), "nothing else was started"
    assert f"Error: CLERESTORY_HTTP={http}" in said
    assert "Traceback" not in said


async def test_a_port_taken_while_we_start_ends_what_runs_already(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(
            data_dir=tmp_path, database_url=database_url, http=f"127.0.0.1:{taken.getsockname()[1]}"
        )
        async with asyncio.timeout(START_SECONDS), open_site(settings, SystemClock()) as site:
            with pytest.raises(CannotServe, match=settings.http):
                await run_all(site, asyncio.Event())


def test_the_demo_takes_the_next_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) != port
