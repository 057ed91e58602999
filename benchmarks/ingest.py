"""Sustained messages a second: `python -m benchmarks.ingest [--seconds 10] [--json]`.

QoS 1, 3 readings a message, 1,000 devices, shipped rules on; beside the simplest pipeline without rules, in
the same run. Everything runs on this machine and shares its cores: load, broker, gateway and database.
"""

import argparse
import asyncio
import json

from benchmarks.arena import measure
from benchmarks.gateways import ours, simplest
from benchmarks.machine import machine, table

WARM_UP = 3.0


async def run(seconds: float) -> dict[str, object]:
    """Measure both, one after the other."""
    on = machine()
    plain = await measure(simplest, seconds=seconds, warm_up=WARM_UP, rate=None, ages=False)
    house = await measure(ours, seconds=seconds, warm_up=WARM_UP, rate=None, ages=False)
    return {
        "benchmark": "ingest",
        "messages_per_second": round(house.rate),
        "simplest_messages_per_second": round(plain.rate),
        "percent_of_simplest": round(100 * house.rate / plain.rate, 1),
        "machine": on,
    }


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
        ("ours, shipped rules on", f"{figures['messages_per_second']} msg/s"),
        ("the simplest, no rules", f"{figures['simplest_messages_per_second']} msg/s"),
        ("ours as a share of it", f"{figures['percent_of_simplest']} %"),
        ("measured on", figures["machine"]),
    ]
    print(table("ingest: QoS 1, 3 readings a message, 1,000 devices", rows))


if __name__ == "__main__":
    main()
