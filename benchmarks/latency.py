"""From publish to COMMIT at 1,000 messages a second: `python -m benchmarks.latency [--seconds 10] [--json]`.

Measured from the moment a device makes its message until its batch is committed, with the shipped rules on;
beside the simplest pipeline without rules, in the same run, everything on this machine.
"""

import argparse
import asyncio
import json

from benchmarks.arena import Measured, measure
from benchmarks.gateways import ours, simplest
from benchmarks.machine import machine, table

RATE = 1000.0
WARM_UP = 2.0


async def run(seconds: float) -> dict[str, object]:
    """Measure both, one after the other."""
    on = machine()
    plain = await measure(simplest, seconds=seconds, warm_up=WARM_UP, rate=RATE, ages=True)
    house = await measure(ours, seconds=seconds, warm_up=WARM_UP, rate=RATE, ages=True)
    return {
        "benchmark": "latency",
        "messages_per_second": round(house.rate),
        "p50_ms": _percentile(house, 50),
        "p99_ms": _percentile(house, 99),
        "simplest_p50_ms": _percentile(plain, 50),
        "simplest_p99_ms": _percentile(plain, 99),
        "machine": on,
    }


def _percentile(measured: Measured, percent: int) -> float:
    ages = sorted(measured.ages)
    return round(1000 * ages[min(len(ages) - 1, len(ages) * percent // 100)], 2)


def main() -> None:
    """Print the figures as a table, or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="time measured for each pipeline")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = asyncio.run(run(asked.seconds))
    if asked.json:
        print(json.dumps(figures))
        return
    rows = [
        ("rate", f"{figures['messages_per_second']} msg/s"),
        ("ours, shipped rules on", f"p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms"),
        (
            "the simplest, no rules",
            f"p50 {figures['simplest_p50_ms']} ms, p99 {figures['simplest_p99_ms']} ms",
        ),
        ("measured on", figures["machine"]),
    ]
    print(table("latency from publish to COMMIT", rows))


if __name__ == "__main__":
    main()
