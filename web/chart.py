"""What the chart of a signal draws, as the page's script takes it: points with gaps, and thresholds."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from config.text import Language
from config.vocabulary import Signal
from storage.telemetry import Bucket
from web.readings import Line, choice_words


def drawn(
    signal: Signal,
    points: Sequence[Bucket],
    span: tuple[datetime, datetime],
    lines: Iterable[Line],
    language: Language,
) -> dict[str, object]:
    """Return everything a chart draws but the alarms on it; times are seconds since 1970.

    `span` is the first and the last moment of its axis. A number is drawn by its mean between its extremes;
    what has only steps (a truth, one of several words) by the highest of each bucket.
    """
    stepped = signal.type != "number"
    return {
        "from": span[0].timestamp(),
        "to": span[1].timestamp(),
        "unit": signal.unit,
        "minimum": signal.minimum,
        "values": choice_words(signal, language),
        "t": [point.start.timestamp() for point in points],
        "min": [point.minimum for point in points],
        "mean": [point.maximum if stepped else point.mean for point in points],
        "max": [point.maximum for point in points],
        "lines": [
            {"value": line.value, "label": line.label[language], "severity": line.severity} for line in lines
        ],
    }
