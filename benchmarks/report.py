"""What every benchmark command has in common: its options, JSON or a table, and `--quick`."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.machine import table

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Option:
    """A size that may be chosen: as it is meant, and for a quick look whether the benchmark runs."""

    full: float
    quick: float
    says: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One command: what it measures and how its figures read."""

    says: str | None
    title: str
    run: Callable[[Mapping[str, Any]], Awaitable[Figures]]
    rows: Callable[[Figures], list[tuple[str, object]]]
    options: Mapping[str, Option]

    def main(self, argv: list[str] | None = None) -> None:
        """Measure, and print the figures as a table or as JSON."""
        parser = argparse.ArgumentParser(
            description=self.says, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        for name, option in self.options.items():
            said = f"{option.says} (default {option.full:g}; --quick: {option.quick:g})"
            parser.add_argument(f"--{name}", type=type(option.full), help=said)
        parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
        parser.add_argument("--json", action="store_true")
        asked = vars(parser.parse_args(argv))
        chosen = {
            name: asked[name]
            if asked[name] is not None
            else (option.quick if asked["quick"] else option.full)
            for name, option in self.options.items()
        }
        figures = asyncio.run(_run(self.run, chosen))
        print(json.dumps(figures) if asked["json"] else table(self.title, self.rows(figures)))


async def _run(run: Callable[[Mapping[str, Any]], Awaitable[Figures]], chosen: Mapping[str, Any]) -> Figures:
    return await run(chosen)


def microseconds(parts: Mapping[str, float]) -> str:
    """CPU a message as people read it."""
    return ", ".join(f"{name} {value:g} µs" for name, value in parts.items())


def verdict(*, good: bool) -> str:
    """Say whether a figure is what was wanted."""
    return "reached" if good else "NOT reached"
