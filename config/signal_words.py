"""Signals' values in words, for orders and pages alike. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from config.text import NO_YES, Text
from config.vocabulary import Signal

_CHOICES: Final[Mapping[str, Text]] = {
    "stop": Text(zh="停止", en="stopped"),
    "up": Text(zh="上行", en="up"),
    "down": Text(zh="下行", en="down"),
    "normal": Text(zh="正常", en="normal"),
    "stopped": Text(zh="停止服务", en="out of service"),
    "inspection": Text(zh="检修", en="inspection"),
    "fire_recall": Text(zh="消防返回", en="fire recall"),
    "firefighter": Text(zh="消防员运行", en="firefighter operation"),
    "emergency_power": Text(zh="应急电源运行", en="emergency power"),
    "earthquake": Text(zh="地震模式", en="earthquake mode"),
    "unknown": Text(zh="未知", en="unknown"),
}

# A fact's name as the rules write what they worked out from a signal's past.
_MEASURE: Final = re.compile(r"(rate|mean|forecast)\((\w+), (\w+)\)")
_MEASURED: Final[Mapping[str, Text]] = {
    "rate": Text(zh="{signal}（{length} 内变化）", en="{signal}, change over {length}"),
    "mean": Text(zh="{signal}（{length} 平均）", en="{signal}, mean of {length}"),
    "forecast": Text(zh="{signal}（{length} 后预计）", en="{signal} expected in {length}"),
}


def choices(signal: Signal) -> tuple[Text, ...] | None:
    """Return the words for a boolean's or an enumeration's values by position; None for a number."""
    if signal.type == "boolean":
        return NO_YES
    if signal.type == "enum":
        return tuple(choice(value) for value in signal.values)
    return None


def value_text(signal: Signal, value: float) -> Text:
    """Say a stored value, without its unit."""
    words = choices(signal)
    if words is None:
        written = f"{round(value, 2) + 0.0:,.2f}".rstrip("0").removesuffix(".")  # + 0.0: never "-0"
    elif 0 <= round(value) < len(words):
        return words[round(value)]
    else:
        written = f"{value:g}"
    return Text(zh=written, en=written)


def facts_text(facts: Mapping[str, Any], signals: Mapping[str, Signal]) -> list[tuple[Text, Text]]:
    """Return an alarm's facts as (label, value with unit); what is no known signal is left out."""
    said: list[tuple[Text, Text]] = []
    if isinstance(times := facts.get("flapped"), int | float):
        within = facts.get("flapped_within", "")
        flapped = Text(zh=f"{within} 内 {times:.0f} 次", en=f"{times:.0f} times in {within}")
        said.append((Text(zh="反复告警", en="flapped"), flapped))
    for name, value in facts.items():
        if (measure := _MEASURE.fullmatch(name)) and isinstance(value, int | float):
            said += _measure_text(measure, float(value), signals)
        signal = signals.get(name)
        if signal is None or not isinstance(value, str | int | float):
            continue
        words = choice(value) if isinstance(value, str) else value_text(signal, float(value))
        unit = f" {signal.unit}" if signal.unit else ""
        said.append((signal.label, Text(zh=words.zh + unit, en=words.en + unit)))
    return said


def _measure_text(
    measure: re.Match[str], value: float, signals: Mapping[str, Signal]
) -> Iterator[tuple[Text, Text]]:
    """Say what a rule worked out from a signal's past: its mean, its change, where it is heading."""
    function, subject, length = measure.groups()
    signal = signals.get(subject)
    if signal is None:
        return
    words = _MEASURED[function]
    label = Text(
        zh=words.zh.format(signal=signal.label.zh, length=length),
        en=words.en.format(signal=signal.label.en, length=length),
    )
    written = value_text(signal, value).en
    unit = f" {signal.unit}" if signal.unit else ""
    hourly = Text(zh="/小时", en=" an hour") if function == "rate" else Text(zh="", en="")
    yield label, Text(zh=f"{written}{unit}{hourly.zh}", en=f"{written}{unit}{hourly.en}")


def choice(value: str) -> Text:
    """Say one of an enumeration's values; one without a word of its own as it is stored."""
    return _CHOICES.get(value) or Text(zh=value, en=value)
