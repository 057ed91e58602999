"""Our gateway beside what people wire together: `make bench-peers`, `python -m benchmarks.peers [--json]`.

In one run, one after the other, on this machine: ours with the shipped rules, the simplest pipeline without
rules, and a Node-RED flow without rules (batches of 500), which is installed from npm into .bench/ when first
used. Only ours and the simplest acknowledge after COMMIT.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.arena import Load, measure
from benchmarks.gateways import ours, simplest
from benchmarks.machine import machine
from benchmarks.node_red import NoNodeRed, install, node_red
from benchmarks.report import Benchmark, Figures, Option, microseconds, verdict


async def run(asked: Mapping[str, Any]) -> Figures:
    """Measure the three."""
    try:
        version = await asyncio.to_thread(install)
    except NoNodeRed as error:
        sys.exit(f"cannot compare with Node-RED: {error}")
    on = machine()
    load = Load(asked["seconds"], devices=asked["devices"], warm_up=min(5.0, asked["seconds"]))
    flow = await measure(node_red, load)
    plain = await measure(simplest, load)
    house = await measure(ours, load)
    return {
        "benchmark": "peers",
        "devices": load.devices,
        "messages_per_second": round(house.rate),
        "simplest_messages_per_second": round(plain.rate),
        "node_red_messages_per_second": round(flow.rate),
        "node_red": version,
        "reached": house.rate > flow.rate,
        "cpu_us_a_message": house.cost.a_message(house.messages),
        "simplest_cpu_us_a_message": plain.cost.a_message(plain.messages),
        "node_red_cpu_us_a_message": flow.cost.a_message(flow.messages),
        "machine": on,
    }


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    return [
        ("ours, shipped rules on", f"{figures['messages_per_second']} msg/s"),
        ("the simplest, no rules", f"{figures['simplest_messages_per_second']} msg/s"),
        (
            f"Node-RED {figures['node_red']}, no rules",
            f"{figures['node_red_messages_per_second']} msg/s in batches of 500",
        ),
        ("wanted", f"ours above Node-RED: {verdict(good=figures['reached'])}"),
        ("CPU a message, ours", microseconds(figures["cpu_us_a_message"])),
        ("CPU a message, simplest", microseconds(figures["simplest_cpu_us_a_message"])),
        ("CPU a message, Node-RED", microseconds(figures["node_red_cpu_us_a_message"])),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "gateways beside each other: QoS 1, 3 readings a message",
    run,
    rows,
    {
        "seconds": Option(30.0, 2.0, "time measured for each"),
        "devices": Option(10_000, 500, "devices that speak in turn"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
