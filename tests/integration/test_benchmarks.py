"""Every benchmark of the gateway runs, at sizes so small that its figures say nothing, and tells them sanely.

No figure is compared with what is wanted: that is for a quiet machine.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import alarm_latency, growth, ingest, latency, saving
from benchmarks.processes import Cost
from benchmarks.profile import read_stacks
from benchmarks.report import Benchmark

ROOT = Path(__file__).parents[2]


async def figures_of(name: str, benchmark: Benchmark) -> dict[str, Any]:
    """Run a benchmark as a person does, and give what it prints; it can be laid out for people, too."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{name}", "--quick", "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(printed)
    assert found["benchmark"] == name
    assert found["machine"]["cores"] >= 1
    assert all(said for said, _ in benchmark.rows(found) if said)
    return found


async def test_ingest_counts_what_both_pipelines_commit() -> None:
    found = await figures_of("ingest", ingest.BENCHMARK)
    assert found["messages_per_second"] > 0
    assert found["simplest_messages_per_second"] > 0
    assert found["lost"] == 0
    assert found["cpu_us_a_message"].keys() == {"gateway", "database", "broker", "load"}
    assert all(value > 0 for value in found["cpu_us_a_message"].values())


async def test_latency_is_told_for_both_pipelines() -> None:
    found = await figures_of("latency", latency.BENCHMARK)
    assert 0 < found["p50_ms"] <= found["p99_ms"]
    assert 0 < found["simplest_p50_ms"] <= found["simplest_p99_ms"]


async def test_alarms_reach_technicians_pages() -> None:
    found = await figures_of("alarm_latency", alarm_latency.BENCHMARK)
    assert found["alarms"] == 3
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["worst_ms"]
    assert 0 < found["quiet_p50_ms"] <= found["quiet_p99_ms"]


async def test_saving_after_every_message_is_told_beside_every_second() -> None:
    found = await figures_of("saving", saving.BENCHMARK)
    assert 0 < found["there_every_message"] < found["there_every_second"]
    assert 0 < found["away_every_message"] < found["away_every_second"]


async def test_growth_tells_of_devices_memory_and_rules() -> None:
    found = await figures_of("growth", growth.BENCHMARK)
    assert found["ratio"] > 0
    assert found["gateway_mb"] > 20
    assert 0 < found["without_rules_us"] < found["all_shipped_rules_us"]


def test_cost_is_told_by_part_and_message() -> None:
    before, after = Cost(1.0, 2.0, 3.0, 4.0), Cost(1.5, 2.25, 3.0, 4.125)
    parts = after.since(before).a_message(10_000)
    assert parts == {"gateway": 50.0, "database": 25.0, "broker": 0.0, "load": 12.5}


def test_stacks_are_counted_once_a_function_with_callees_and_once_where_they_end() -> None:
    raw = "run (a.py:1);step (b.py:2);step (b.py:9) 3\nrun (a.py:7) 2\n"
    raw += "run (thread.py:3);Event.wait (multiprocessing/synchronize.py:349) 9\n"
    inclusive, own = read_stacks(raw)
    assert inclusive == {"run (a.py)": 5, "step (b.py)": 3}
    assert own == {"step (b.py)": 3, "run (a.py)": 2}
