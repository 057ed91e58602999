"""All headline figures, one after the other: `python -m benchmarks [--quick] [--json]`.

`--quick` takes sizes so small that the figures say nothing, only that each benchmark runs. With `--json` each
prints one line. Any other option is for a benchmark of its own.
"""

import subprocess
import sys

# Each with its options for a quick look.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "ingest": ("--quick",),
    "latency": ("--quick",),
    "alarm_latency": ("--quick",),
    "growth": ("--quick",),
    "saving": ("--quick",),
    "bills": ("--units", "240"),
    "replay": ("--devices", "4", "--days", "2"),
    "forecast": ("--quick",),
    "parts": ("--quick",),
    "readback": ("--quick",),
}
OPTIONS = {"--quick", "--json"}


def main() -> None:
    """Run each in a process of its own; the first that fails ends it."""
    given = set(sys.argv[1:])
    if not given <= OPTIONS:
        sys.exit(f"{' '.join(sorted(given - OPTIONS))}: all together take --quick and --json only")
    for name, quick in BENCHMARKS.items():
        options = [*(quick if "--quick" in given else ()), *(given & {"--json"})]
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=True)


if __name__ == "__main__":
    main()
