"""What attributes of assets and devices may say: what rules and profiles read, descriptions, notes. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeGuard

from config.nearest import nearest
from config.profiles import FillFrom
from config.text import Text

Value = str | bool | int | float
Path = tuple[str | int, ...]
Found = tuple[Path, object, Text]
"""A mistake before it has its line: path, value, and what would be right."""

NOTE = "note_"
_SHOWN = {
    "number": Text(zh="数字", en="a number"),
    "boolean": Text(zh="true 或 false", en="true or false"),
    "text": Text(zh="文字（请加引号）", en="text; write it in quotes"),
}
_MISSING: Final = Text(
    zh="缺少：须有空桶与满桶两个距离（毫米），才能由距离算出填充率",
    en="is missing: a distance becomes a fill level only between empty and full, in mm",
)


class Limits(Protocol):
    """An attribute of any origin: one that rule files declare, or one of `DESCRIPTIVE`."""

    @property
    def type(self) -> Literal["number", "boolean", "text"]: ...
    @property
    def minimum(self) -> float | None: ...
    @property
    def maximum(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Described:
    """An attribute that no rule reads: it describes the asset, or its device is converted by it."""

    type: Literal["number", "boolean", "text"]
    minimum: float | None = None
    maximum: float | None = None


DESCRIPTIVE: Mapping[str, Mapping[str, Limits]] = {
    "elevator": {
        "registration_code": Described("text"),
        "floors": Described("number", 2, 200),
        "rated_load_kg": Described("number", 50, 20_000),
        "rated_speed_m_s": Described("number", 0.25, 20),
    },
    "bin": {
        "volume_l": Described("number", 1, 50_000),
        "empty_distance_mm": Described("number", 0, 20_000),
        "full_distance_mm": Described("number", 0, 20_000),
    },
}


@dataclass(frozen=True, slots=True)
class Written:
    """The attributes of an asset and of its device, each with the path where it is written."""

    at: Path
    asset: Mapping[str, Value]
    device_at: Path
    device: Mapping[str, Value]

    def each(self) -> Iterator[tuple[Path, str, Value]]:
        """Every attribute with its path and name."""
        yield from (((*self.at, name), name, value) for name, value in self.asset.items())
        yield from (((*self.device_at, name), name, value) for name, value in self.device.items())

    def place(self, name: str) -> Path:
        """Where the value that holds is written, or would be: the device's goes before the asset's."""
        return (*(self.device_at if name in self.device else self.at), name)

    def get(self, name: str) -> Value | None:
        return self.device.get(name, self.asset.get(name))


def wrong_attributes(
    written: Written, asset_class: str, of_rules: Mapping[str, Limits] | None
) -> Iterator[Found]:
    """Give every attribute that nothing knows or that has no value of its type and range."""
    known = {**DESCRIPTIVE.get(asset_class, {}), **(of_rules or {})}
    for path, name, value in written.each():
        limits = known.get(name)
        if isinstance(value, float) and not math.isfinite(value):
            yield path, value, Text(zh="应为有限的数字", en="should be a finite number")
        elif limits is not None:
            if not _fits(value, limits):
                right = limits_in_words(limits)
                yield path, value, Text(zh=f"应为{right.zh}", en=f"should be {right.en}")
        elif not name.removeprefix(NOTE) or not name.startswith(NOTE):
            near = nearest(name, known)
            yield (
                path,
                value,
                Text(
                    zh=f"{asset_class} 没有这个属性；{near.zh}（只给人看的属性以 {NOTE} 开头）",
                    en=f"is no attribute of {asset_class}; {near.en} "
                    f"(what only people read is called {NOTE}…)",
                ),
            )


def wrong_thresholds(
    at: Path, asset_class: str, values: Mapping[str, Value], of_rules: Mapping[str, Limits]
) -> Iterator[Found]:
    """Give every threshold of an area or a community that no rule of a class reads, or that cannot hold."""
    for name, value in values.items():
        limits = of_rules.get(name)
        if limits is None:
            near = nearest(name, of_rules)
            zh = f"{asset_class} 的规则不读取这个阈值；{near.zh}"
            yield (*at, name), value, Text(zh=zh, en=f"is read by no rule of {asset_class}; {near.en}")
        elif not _fits(value, limits):
            right = limits_in_words(limits)
            yield (*at, name), value, Text(zh=f"应为{right.zh}", en=f"should be {right.en}")


def wrong_fill(written: Written, fill: FillFrom, *, needed: bool) -> Iterator[Found]:
    """Give what keeps a distance from being a fill level. Where none is `needed`, both may be missing."""
    names = (fill.empty_attribute, fill.full_attribute)
    empty, full = (written.get(name) for name in names)
    if needed or (empty is None) != (full is None):
        for name, value in zip(names, (empty, full), strict=True):
            if value is None:
                yield written.place(name), None, _MISSING
    if _is_number(empty) and _is_number(full) and empty <= full:
        path = written.place(fill.full_attribute)
        yield (
            path,
            full,
            Text(
                zh=f"应小于 {fill.empty_attribute}（此处为 {empty}）：桶越满，距离越近",
                en=f"should be below {fill.empty_attribute}, here {empty}: a fuller bin is nearer",
            ),
        )


def _fits(value: Value, limits: Limits) -> bool:
    if limits.type == "number":
        low = -math.inf if limits.minimum is None else limits.minimum
        high = math.inf if limits.maximum is None else limits.maximum
        return _is_number(value) and low <= value <= high
    return isinstance(value, bool if limits.type == "boolean" else str)


def _is_number(value: Value | None) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def limits_in_words(limits: Limits) -> Text:
    """What an attribute takes: "a number from 2 to 200"."""
    shown, low, high = _SHOWN[limits.type], limits.minimum, limits.maximum
    if low is not None and high is not None:
        return Text(zh=f" {low:g} 到 {high:g} 的{shown.zh}", en=f"{shown.en} from {low:g} to {high:g}")
    if low is not None:
        return Text(zh=f"不小于 {low:g} 的{shown.zh}", en=f"{shown.en}, {low:g} or more")
    if high is not None:
        return Text(zh=f"不大于 {high:g} 的{shown.zh}", en=f"{shown.en}, {high:g} or less")
    return shown
