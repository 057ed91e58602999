"""What growing costs: `python -m benchmarks.growth [--devices 100000] [--seconds 40] [--json]`.

CPU a message of the gateway and its database with 100,000 devices beside that with 1,000; the gateway's
memory while the larger fleet says as much as in an hour (each device every 15 minutes), as fast as that
commits; what one more rule on a class costs a message, beside having no rules at all, and what the shipped
rules that forecast cost once a bin has a full fortnight behind it. Cost is CPU time, which a busy machine
changes little.
"""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

from benchmarks.arena import Load, Measured, measure
from benchmarks.gateways import ours
from benchmarks.machine import machine
from benchmarks.report import Benchmark, Figures, Option, microseconds, verdict
from gateway.signals import Device, Heard, Measurement
from rules.book import RuleBook, load_rulebook, shipped_rules
from rules.engine import next_due
from rules.facts import facts_of, rules_for
from rules.hearing import inputs
from rules.overtaken import step_device
from rules.ruleset import RuleSet
from rules.state import encode_state, load_state

FEW = 1_000
EVERY = timedelta(minutes=15)
WANTED_RATIO = 1.3
WANTED_MB = 250.0
WANTED_RULE_US = 3.0
FLAT_MB = 10.0
RULE = """\
  bench_{n}:
    severity: info
    when: fill_percent >= {level}.0 && battery_percent < {battery}.0
    for: 10m
    title: {{ zh: 基准, en: Bench }}
    meaning: {{ zh: 基准。, en: Bench. }}
    todo: {{ zh: [看], en: [Look] }}
    safety: {{ zh: 无。, en: None. }}
"""


async def run(asked: Mapping[str, Any]) -> Figures:
    """Measure a small fleet, a large one, and rules."""
    on = machine()
    seconds, devices = asked["seconds"], asked["devices"]
    few = await measure(ours, Load(seconds / 2, warm_up=min(5.0, seconds), devices=FEW))
    hour = devices * int(timedelta(hours=1) / EVERY) if asked["hours"] else 0
    many = await measure(
        ours,
        Load(
            seconds,
            warm_up=min(5.0, seconds),
            warm_messages=2 * devices,  # each has been heard, and its memory has its usual size
            devices=devices,
            messages=int(hour * asked["hours"]),
        ),
    )
    ratio = round(_cpu(many) / _cpu(few), 2)
    megabytes, grown = round(max(many.memory), 1), round(_grown(many.memory), 1)
    rule, past = _cost_of_a_rule(asked["rules"], asked["tries"]), _cost_of_a_past(asked["tries"])
    return {
        "benchmark": "growth",
        "devices": devices,
        "cpu_us_a_message": _cpu(many),
        "cpu_us_a_message_of_1000": _cpu(few),
        "parts_us_a_message": many.cost.a_message(many.messages),
        "parts_us_a_message_of_1000": few.cost.a_message(few.messages),
        "ratio": ratio,
        "wanted_ratio": WANTED_RATIO,
        "ratio_reached": ratio <= WANTED_RATIO,
        "messages": many.messages,
        "hours_of_the_fleet": round(many.messages / devices * (EVERY / timedelta(hours=1)), 2),
        "gateway_mb": megabytes,
        "gateway_grew_mb": grown,
        "wanted_mb": WANTED_MB,
        "memory_reached": megabytes <= WANTED_MB and grown <= FLAT_MB,
        "rules_added": asked["rules"],
        "one_rule_us": rule[0],
        "all_shipped_rules_us": rule[1],
        "without_rules_us": rule[2],
        "wanted_rule_us": WANTED_RULE_US,
        "rule_reached": rule[0] <= WANTED_RULE_US,
        "forecast_us": past,
        "machine": on,
    }


def _cpu(measured: Measured) -> float:
    return round(1e6 * (measured.cost.gateway + measured.cost.database) / measured.messages, 1)


def _grown(memory: list[float]) -> float:
    """By how much the last fifth of the time stands above the second."""
    fifth = max(1, len(memory) // 5)
    return max(memory[-fifth:]) - max(memory[fifth : 2 * fifth] or memory[:1])


def _cost_of_a_rule(more: int, tries: int) -> tuple[float, float, float]:
    """Microseconds a message: one more rule, all that are shipped, and stepping without any."""
    shipped = load_rulebook()
    with tempfile.TemporaryDirectory(prefix="clerestory-bench-") as directory:
        extra = Path(directory, "bench.yaml")
        added = [RULE.format(n=n, level=70 + n % 30, battery=5 + n % 10) for n in range(more)]
        extra.write_text("asset_class: bin\nrules:\n" + "".join(added), encoding="utf-8")
        larger = load_rulebook([*shipped_rules(), extra])
    books = {"shipped": shipped, "larger": larger, "none": RuleBook({})}
    best = dict.fromkeys(books, float("inf"))
    levels = [20.5 + number % 40 for number in range(3_000)]
    for _ in range(tries):  # in turn, and the best of each: what else the machine does only ever adds
        for name, book in books.items():
            best[name] = min(best[name], _step(book, levels))
    return (
        round((best["larger"] - best["shipped"]) / more, 2),
        round(best["shipped"], 2),
        round(best["none"], 2),
    )


def _cost_of_a_past(tries: int) -> float:
    """Microseconds that rules with a full fortnight's window add to the message of a bin.

    It fills in two days and a half, so their alarm is on for a part of the time.
    """
    shipped = load_rulebook()
    bins = shipped.for_class("bin")
    plain = [rule for rule in bins.rules if not rule.measures]
    books = (shipped, RuleBook({"bin": RuleSet.of("bin", plain, bins.attributes, bins.signals)}))
    a_day = int(timedelta(days=1) / EVERY)
    levels = [round(number % (2.5 * a_day) / (2.5 * a_day) * 95, 1) for number in range(25 * a_day)]
    costs = [tuple(_step(book, levels, EVERY, warm=15 * a_day) for book in books) for _ in range(tries)]
    with_them, without = min(with_them for with_them, _ in costs), min(without for _, without in costs)
    return round(with_them - without, 2)


def _step(
    book: RuleBook, levels: Sequence[float], every: timedelta = timedelta(minutes=1), warm: int = 0
) -> float:
    """CPU microseconds a message of stepping one device through these, but for the first `warm`."""
    device = Device(1, 1, "bench", "b0", "bin-native", 1, "bin")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    heard = []
    for number, level in enumerate(levels):
        ts = start + number * every
        names = {"fill_percent": level, "battery_percent": 87.0, "temperature_c": 20.0}
        heard.append(Heard(device, ts, (Measurement(ts, names),)))
    kept = b"{}"
    began = process_time()
    for number, each in enumerate(heard):
        if number == warm:
            began = process_time()
        rules = rules_for(device, book)
        facts = facts_of(device, rules)
        before = load_state(kept)
        after = step_device(device, rules, before, inputs(each, rules), facts, [])
        next_due(rules, after, facts)
        kept = encode_state(after)
    return 1e6 * (process_time() - began) / (len(levels) - warm)


def rows(figures: Figures) -> list[tuple[str, object]]:
    """The figures as people read them."""
    devices = f"{figures['devices']:,} devices"
    return [
        (f"CPU a message, {devices}", f"{figures['cpu_us_a_message']} µs (gateway and database)"),
        ("", microseconds(figures["parts_us_a_message"])),
        ("CPU a message, 1,000 devices", f"{figures['cpu_us_a_message_of_1000']} µs"),
        ("", microseconds(figures["parts_us_a_message_of_1000"])),
        ("ratio", figures["ratio"]),
        ("wanted", f"≤ {figures['wanted_ratio']}: {verdict(good=figures['ratio_reached'])}"),
        ("messages of the large fleet", f"{figures['messages']:,}, {figures['hours_of_the_fleet']} h of it"),
        ("memory of the gateway", f"{figures['gateway_mb']} MB, grew {figures['gateway_grew_mb']} MB"),
        ("wanted", f"≤ {figures['wanted_mb']:g} MB and flat: {verdict(good=figures['memory_reached'])}"),
        ("one more rule on a class", f"{figures['one_rule_us']} µs a message"),
        ("wanted", f"≤ {figures['wanted_rule_us']:g} µs: {verdict(good=figures['rule_reached'])}"),
        ("rules that forecast, on a bin's full fortnight", f"{figures['forecast_us']} µs a message"),
        ("stepping, shipped rules", f"{figures['all_shipped_rules_us']} µs a message"),
        ("stepping, no rules", f"{figures['without_rules_us']} µs a message"),
        ("measured on", figures["machine"]),
    ]


BENCHMARK = Benchmark(
    __doc__,
    "growth: devices, memory, rules",
    run,
    rows,
    {
        "devices": Option(100_000, 2_000, "devices of the large fleet"),
        "seconds": Option(30.0, 1.0, "time measured for the large fleet at least, half of it for the small"),
        "hours": Option(1.0, 0.0, "hours of the large fleet's messages, as fast as they commit"),
        "rules": Option(60, 10, "rules added to the class"),
        "tries": Option(7, 2, "tries of each set of rules, of which the best counts"),
    },
)

if __name__ == "__main__":
    BENCHMARK.main()
