"""Where our gateway's time goes under full load: `python -m benchmarks.profile [--seconds 15] [--lines 30]`.

Samples the gateway with py-spy while `benchmarks.ingest`'s load runs, and prints each function of ours with
the share of samples in which it, or what it called, was at work, beside the CPU each process spent a message.
A gateway that waits for the database is asleep and is not sampled.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.arena import Load, measure
from benchmarks.gateways import ours
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, microseconds

SAMPLES_A_SECOND = 200
LATEST_START = 0.5
WAITING = "Event.wait (multiprocessing/"  # the thread that waits to be told that the benchmark is over


class NoProfiler(RuntimeError):
    """py-spy is not installed, or may not look into another process."""


async def run(asked: Mapping[str, Any]) -> Figures:
    """Run our gateway under full load with the profiler beside it."""
    py_spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if py_spy is None:
        raise NoProfiler("py-spy is not installed; it comes with the development tools: pip install py-spy")
    on = machine()
    with tempfile.TemporaryDirectory(prefix="clerestory-profile-") as directory:
        raw = Path(directory, "stacks")
        started: list[subprocess.Popen[bytes]] = []

        def watch(pid: int) -> None:
            seconds = max(1, int(asked["seconds"] - LATEST_START))
            started.append(
                subprocess.Popen(
                    (
                        *(py_spy, "record", "--pid", str(pid), "--format", "raw", "--output", str(raw)),
                        *("--rate", str(SAMPLES_A_SECOND), "--duration", str(seconds)),
                    ),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                )
            )

        load = Load(asked["seconds"], devices=asked["devices"], warm_up=min(3.0, asked["seconds"]))
        measured = await measure(ours, load, watching=watch)
        [profiler] = started
        _, complaint = await asyncio.to_thread(profiler.communicate)
        if profiler.returncode:
            raise NoProfiler(f"py-spy could not sample the gateway: {complaint.decode().strip()}")
        inclusive, own = read_stacks(await asyncio.to_thread(raw.read_text, encoding="utf-8"))
    total = sum(own.values())
    return {
        "benchmark": "profile",
        "devices": load.devices,
        "messages_per_second": round(measured.rate),
        "cpu_us_a_message": measured.cost.a_message(measured.messages),
        "samples": total,
        "percent_with_callees": _percent(inclusive, total, asked["lines"]),
        "percent_itself": _percent(own, total, asked["lines"]),
        "machine": on,
    }


def read_stacks(raw: str) -> tuple[Counter[str], Counter[str]]:
    """Samples by function: those in which it was on the stack, and those in which it ran itself.

    `raw` has a stack a line, outermost frame first: `name (file:line);name (file:line) COUNT`.
    """
    inclusive: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if WAITING in stack:
            continue
        frames = [_without_line(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        for frame in set(frames):
            inclusive[frame] += int(count)
    return inclusive, own


def _without_line(frame: str) -> str:
    """`hear (rules/apply.py:31)` as `hear (rules/apply.py)`: lines move with every change."""
    name, paren, place = frame.partition(" (")
    return f"{name}{paren}{place.partition(':')[0].removesuffix(')')})" if paren else name


def _percent(counted: Counter[str], total: int, lines: int) -> dict[str, float]:
    return {name: round(100 * count / total, 1) for name, count in counted.most_common(int(lines))}


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    return [
        ("messages a second, sampled", figures["messages_per_second"]),
        ("CPU a message", microseconds(figures["cpu_us_a_message"])),
        ("-- with all it calls --", ""),
        *((name, f"{share:5.1f} %") for name, share in figures["percent_with_callees"].items()),
        ("-- itself --", ""),
        *((name, f"{share:5.1f} %") for name, share in figures["percent_itself"].items()),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "profile of our gateway under full load",
    run,
    rows,
    {
        "seconds": Option(15.0, 2.0, "time sampled"),
        "devices": Option(10_000, 500, "devices that speak in turn"),
        "lines": Option(30, 10, "functions shown"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
