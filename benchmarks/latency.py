"""From publish to COMMIT at 1,000 messages a second: `python -m benchmarks.latency [--seconds 30] [--json]`.

Measured from the moment a device makes its message until its batch is committed, with the shipped rules on;
beside the simplest pipeline without rules, in the same run, everything on this machine.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.arena import Load, measure
from benchmarks.gateways import ours, simplest
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, microseconds, verdict

WANTED_P50_MS = 5.0
WANTED_P99_MS = 25.0


async def run(asked: Mapping[str, Any]) -> Figures:
    """Measure both, one after the other."""
    on = machine()
    load = Load(
        asked["seconds"],
        warm_up=min(3.0, asked["seconds"]),
        devices=asked["devices"],
        rate=asked["rate"],
        ages=True,
    )
    plain = await measure(simplest, load)
    house = await measure(ours, load)
    p50, p99 = house.percentile_ms(50), house.percentile_ms(99)
    return {
        "benchmark": "latency",
        "devices": load.devices,
        "messages_per_second": round(house.rate),
        "p50_ms": p50,
        "p99_ms": p99,
        "wanted_p50_ms": WANTED_P50_MS,
        "wanted_p99_ms": WANTED_P99_MS,
        "reached": p50 <= WANTED_P50_MS and p99 <= WANTED_P99_MS,
        "simplest_p50_ms": plain.percentile_ms(50),
        "simplest_p99_ms": plain.percentile_ms(99),
        "cpu_us_a_message": house.cost.a_message(house.messages),
        "simplest_cpu_us_a_message": plain.cost.a_message(plain.messages),
        "machine": on,
    }


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    return [
        ("rate", f"{figures['messages_per_second']} msg/s"),
        ("ours, shipped rules on", f"p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms"),
        ("wanted", f"p50 ≤ {figures['wanted_p50_ms']:g} ms, p99 ≤ {figures['wanted_p99_ms']:g} ms"),
        ("so it is", verdict(good=figures["reached"])),
        (
            "the simplest, no rules",
            f"p50 {figures['simplest_p50_ms']} ms, p99 {figures['simplest_p99_ms']} ms",
        ),
        ("CPU a message, ours", microseconds(figures["cpu_us_a_message"])),
        ("CPU a message, simplest", microseconds(figures["simplest_cpu_us_a_message"])),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "latency from publish to COMMIT",
    run,
    rows,
    {
        "seconds": Option(30.0, 1.0, "time measured for each pipeline"),
        "rate": Option(1_000.0, 300.0, "messages a second"),
        "devices": Option(10_000, 500, "devices that speak in turn"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
