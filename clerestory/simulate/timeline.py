"""What a device says when: the common form of every simulated day, and how it is written on the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
