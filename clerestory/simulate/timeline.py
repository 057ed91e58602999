"""What a device says when: the common form of every simulated day, and how it is written on the wire."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

Value = float | bool | str


@dataclass(frozen=True, slots=True)
class Report:
    """One message of one device, by the code it publishes under."""

    ts: datetime
    device: str
    readings: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[datetime, str]:
        return self.ts, self.device


class RecordingUnreadable(ValueError):
    """A recording that is not what it should be; the message names file, line, column and value."""


def rows_of(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a recorded table with the numbers of their lines; it must have these columns."""
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in columns if column not in (reader.fieldnames or [])]
        if missing:
            raise RecordingUnreadable(f"{file}:1: has no column {', '.join(missing)}")
        for row in reader:
            yield reader.line_num, row


def topic(community: str, device: str, kind: str = "up") -> str:
    """The topic a native device publishes on."""
    return f"clerestory/{community}/{device}/{kind}"


def native(report: Report) -> dict[str, object]:
    """A report as the native message of `docs/protocol.md`."""
    message: dict[str, object] = {"v": 1, "ts": report.ts.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    if report.readings:
        message["readings"] = dict(report.readings)
    if report.events:
        message["events"] = [{"code": code} for code in report.events]
    return message


def payload(*reports: Report) -> str:
    """One report as a message, or several of one device as a backlog, oldest first."""
    messages = [native(report) for report in reports]
    return json.dumps(messages[0] if len(messages) == 1 else messages, separators=(",", ":"))
