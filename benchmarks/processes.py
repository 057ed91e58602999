"""What processes cost: their CPU time and their memory, as the kernel counts them.

CPU time survives a busy machine, wall clock does not: it is what figures about cost a message are made of.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of each part, since some moment in the past."""

    gateway: float
    database: float
    broker: float
    load: float

    def since(self, before: "Cost") -> "Cost":
        """What was spent after `before`."""
        return Cost(
            self.gateway - before.gateway,
            self.database - before.database,
            self.broker - before.broker,
            self.load - before.load,
        )

    def a_message(self, messages: int) -> dict[str, float]:
        """Microseconds of CPU a message, by part."""
        parts = {
            "gateway": self.gateway,
            "database": self.database,
            "broker": self.broker,
            "load": self.load,
        }
        return {name: round(1e6 * seconds / messages, 1) for name, seconds in parts.items()}


@dataclass(frozen=True, slots=True)
class Parts:
    """The processes that share the machine while a gateway is measured."""

    gateway: int
    database: int
    broker: int
    load: int

    def cost(self) -> Cost:
        """CPU seconds of each until now; 0 for one that is gone."""
        return Cost(
            cpu_seconds(family(self.gateway)),
            cpu_seconds(family(self.database)),
            cpu_seconds(family(self.broker)),
            cpu_seconds([self.load]),
        )


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes, and of their children that have ended."""
    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def rss_megabytes(pid: int) -> float:
    """Resident memory of one process."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []
