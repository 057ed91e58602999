"""All headline figures, one after the other: `python -m benchmarks`."""

import subprocess
import sys

BENCHMARKS = ("ingest", "latency", "bills", "replay", "forecast", "parts", "readback")


def main() -> None:
    """Run each in a process of its own; the first that fails ends it."""
    for name in BENCHMARKS:
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
