"""Sustained messages a second: `python -m benchmarks.ingest [--seconds 60] [--devices 10000] [--json]`.

QoS 1, 3 readings a message, shipped rules on, acknowledged after COMMIT; beside the simplest pipeline without
rules, in the same run. Everything runs on this machine and shares its cores: load, broker, gateway and
database. Nothing may be lost: every reading is counted in the end.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.arena import Load, measure
from benchmarks.gateways import ours, simplest
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, microseconds, verdict

WANTED_PERCENT = 60.0


async def run(asked: Mapping[str, Any]) -> Figures:
    """Measure both, one after the other."""
    on = machine()
    load = Load(asked["seconds"], devices=asked["devices"], warm_up=min(5.0, asked["seconds"]))
    plain = await measure(simplest, load)
    house = await measure(ours, load)
    share = round(100 * house.rate / plain.rate, 1)
    return {
        "benchmark": "ingest",
        "devices": load.devices,
        "seconds": load.seconds,
        "messages_per_second": round(house.rate),
        "simplest_messages_per_second": round(plain.rate),
        "percent_of_simplest": share,
        "wanted_percent_of_simplest": WANTED_PERCENT,
        "reached": share >= WANTED_PERCENT,
        "lost": 0,  # `measure` fails where a single reading is missing
        "cpu_us_a_message": house.cost.a_message(house.messages),
        "simplest_cpu_us_a_message": plain.cost.a_message(plain.messages),
        "gateway_mb": round(max(house.memory), 1),
        "machine": on,
    }


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    return [
        ("ours, shipped rules on", f"{figures['messages_per_second']} msg/s, {figures['lost']} lost"),
        ("the simplest, no rules", f"{figures['simplest_messages_per_second']} msg/s"),
        ("ours as a share of it", f"{figures['percent_of_simplest']} %"),
        ("wanted", f"{figures['wanted_percent_of_simplest']:g} %: {verdict(good=figures['reached'])}"),
        ("CPU a message, ours", microseconds(figures["cpu_us_a_message"])),
        ("CPU a message, simplest", microseconds(figures["simplest_cpu_us_a_message"])),
        ("memory of our gateway", f"{figures['gateway_mb']} MB at most"),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "ingest: QoS 1, 3 readings a message",
    run,
    rows,
    {
        "seconds": Option(60.0, 1.0, "time measured for each pipeline"),
        "devices": Option(10_000, 500, "devices that speak in turn"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
