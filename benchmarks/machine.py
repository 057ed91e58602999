"""On what machine a figure was measured: without it a figure says nothing."""

import os
import platform
from pathlib import Path


def machine() -> dict[str, object]:
    """Name processor, cores and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def table(title: str, rows: list[tuple[str, object]]) -> str:
    """Lay figures out for people."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([title, *(f"  {name:{width}}  {_said(value)}" for name, value in rows)])


def _said(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {each}" for name, each in value.items())
    return value
