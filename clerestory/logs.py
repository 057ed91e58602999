"""How a process that runs until it is stopped says what it does: for people, or for a log collector.

What a line is about stands in fields of its own: `trace` (one id from a message to its order), `alarm`,
`order`, `device`, `topic`. As text they follow the sentence as `name=value`: one grep finds them either way.
"""

import json
import logging
from datetime import UTC, datetime

from config.settings import Settings

FIELDS = ("trace", "alarm", "order", "device", "topic")


class TextFormat(logging.Formatter):
    """One line for people, its fields behind it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name logging calls
        """Write the line without a traceback."""
        fields = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        line = super().formatMessage(record)
        return f"{line} {fields}" if fields else line


class JsonFormat(logging.Formatter):
    """One JSON object a line: at, level, logger, process, message, its fields, and error with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the whole record in one line."""
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        # ASCII, so that no text of a message can break the line or the collector's encoding.
        return json.dumps(said, default=str)


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Give the fields a line carries, in their order."""
    found = ((name, getattr(record, name, None)) for name in FIELDS)
    return {name: value for name, value in found if value not in (None, "")}


def begin_logging(settings: Settings) -> None:
    """Log to standard error as `CLERESTORY_LOG_FORMAT` says, from the level of `CLERESTORY_LOG_LEVEL`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormat() if settings.log_format == "json" else TextFormat())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
