"""From plain data to typed entries, each on its own, so that one wrong entry hides no other mistake."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Generic, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from clerestory.community.mend import contradictions, mended
from clerestory.community.mistakes import Mistake, Path, nearest
from clerestory.community.read import Source
from clerestory.community.schema import (
    AreaSpec,
    AssetSpec,
    BuildingSpec,
    ChargeItemSpec,
    CommunitySpec,
    KioskSpec,
    MeterSpec,
    ParkingSpaceSpec,
    PartySpec,
    PlanSpec,
    Register,
    Spec,
    TechnicianSpec,
)

S = TypeVar("S", bound=Spec)
_REGISTER: TypeAdapter[Register] = TypeAdapter(Register)
_RIGHT = {
    "missing": "is missing; give it here",
    "string_type": "should be text; write it in quotes",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "too_short": "should have at least one entry",
    "dict_type": "should be a mapping",
    "model_type": "should be a mapping",
    "date_from_datetime_parsing": "should be a date, e.g. 2026-10-01",
    "date_parsing": "should be a date, e.g. 2026-10-01",
    "date_type": "should be a date, e.g. 2026-10-01",
    "time_parsing": 'should be a time in quotes, e.g. "08:00"',
}
_PATTERNS = {
    r"^\+?[0-9][0-9 -]{4,19}$": "should be a telephone number: digits, spaces, dashes, a + in front",
    r"^[0-9A-Fa-f]{16}$": "should be a DevEUI: 16 hexadecimal digits",
    r"^[a-z][a-z0-9_]{0,62}$": "should be small letters, digits and _ only, a letter first",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$": "should be letters, digits, dot, dash and _ only, at most 63",
}


@dataclass(frozen=True, slots=True)
class Entry(Generic[S]):
    """One entry of a section and where it stands."""

    path: Path
    spec: S


@dataclass(slots=True)
class Draft:
    """All entries, wrong values replaced by stand-ins.

    `holes` is where those are, and what contradicts itself; `lost` are the sections of which something could
    not be read. Nothing that rests on either is anybody's mistake.
    """

    community: CommunitySpec | None = None
    areas: list[Entry[AreaSpec]] = field(default_factory=list)
    buildings: list[Entry[BuildingSpec]] = field(default_factory=list)
    parties: list[Entry[PartySpec]] = field(default_factory=list)
    assets: list[Entry[AssetSpec]] = field(default_factory=list)
    kiosks: list[Entry[KioskSpec]] = field(default_factory=list)
    technicians: list[Entry[TechnicianSpec]] = field(default_factory=list)
    plans: list[Entry[PlanSpec]] = field(default_factory=list)
    charge_items: list[Entry[ChargeItemSpec]] = field(default_factory=list)
    parking_spaces: list[Entry[ParkingSpaceSpec]] = field(default_factory=list)
    meters: list[Entry[MeterSpec]] = field(default_factory=list)
    meter_readings: dict[tuple[str, str], Register] = field(default_factory=dict)
    holes: set[Path] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)


class Parser:
    """Turns a source into a draft and collects what is wrong on the way."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mistakes: list[Mistake] = []
        self.draft = Draft()

    def parse(self) -> Draft:
        """Parse every section; a section nobody knows is a mistake too."""
        draft, known = self.draft, {"community", "include", "meter_readings", *SECTIONS}
        for name in self.source.data.keys() - known:
            self._wrong((name,), name, f"is not a section; {nearest(name, known)}")
            draft.lost.update(get_close_matches(name, known, n=1))
        draft.community = self._community()
        draft.areas = self._section("areas", AreaSpec)
        draft.buildings = self._section("buildings", BuildingSpec)
        draft.parties = self._section("parties", PartySpec)
        draft.assets = self._section("assets", AssetSpec)
        draft.kiosks = self._section("kiosks", KioskSpec)
        draft.technicians = self._section("technicians", TechnicianSpec)
        draft.plans = self._section("plans", PlanSpec)
        draft.charge_items = self._section("charge_items", ChargeItemSpec)
        draft.parking_spaces = self._section("parking_spaces", ParkingSpaceSpec)
        draft.meters = self._section("meters", MeterSpec)
        self._meter_readings()
        return draft

    def _community(self) -> CommunitySpec | None:
        if "community" not in self.source.data:
            self._wrong(("community",), None, "is missing: give its code, name {zh, en} and timezone")
            return None
        return self._one(("community",), self.source.data["community"], CommunitySpec)

    def _section(self, name: str, model: type[S]) -> list[Entry[S]]:
        written = self.source.data.get(name, [])
        if not isinstance(written, list):
            self._wrong((name,), written, "should be a list")
            self.draft.lost.add(name)
            return []
        entries = []
        for index, raw in enumerate(written):
            spec = self._one((name, index), raw, model)
            if spec is not None:
                entries.append(Entry((name, index), spec))
            if spec is None or (name, index, "code") in self.draft.holes:
                self.draft.lost.add(name)
        return entries

    def _one(self, path: Path, raw: object, model: type[S]) -> S | None:
        spec, errors, holes = mended(model, raw)
        self._collect(path, model, errors)
        self.draft.holes |= {(*path, *hole) for hole in holes}
        for at, keys, right in contradictions(spec, path) if spec is not None else ():
            places = {(*at, key) for key in keys}
            if not any(hole[: len(each)] == each for hole in self.draft.holes for each in places):
                self._wrong((*at, keys[0]), _inside(raw, (*at[len(path) :], keys[0])), right)
                self.draft.holes |= places
        return spec

    def _meter_readings(self) -> None:
        """`meter_readings: {2026-09: {W-B1-101: 812.4}}`: the register at the end of that month."""
        written = self.source.data.get("meter_readings", {})
        if not isinstance(written, dict):
            self._wrong(("meter_readings",), written, "should be a mapping of months, e.g. 2026-09")
            return
        for month, registers in written.items():
            path: Path = ("meter_readings", month)
            if not _is_month(month):
                self._wrong(path, month, "should be a month, e.g. 2026-09")
            elif not isinstance(registers, dict):
                self._wrong(path, registers, "should be a mapping of meter codes to registers")
            else:
                self._registers(path, month, registers)

    def _registers(self, path: Path, month: str, registers: dict[str, object]) -> None:
        for code, value in registers.items():
            try:
                self.draft.meter_readings[month, code] = _REGISTER.validate_python(value)
            except ValidationError as error:
                self._collect((*path, code), None, error.errors())

    def _collect(self, path: Path, model: type[BaseModel] | None, errors: Iterable[ErrorDetails]) -> None:
        for each in errors:
            value = None if each["type"] == "missing" else each["input"]
            self._wrong((*path, *each["loc"]), value, _right(each, model))

    def _wrong(self, path: Path, value: object, right: str) -> None:
        self.mistakes.append(self.source.mistake(path, value, right))


SECTIONS = frozenset(Draft.__dataclass_fields__) - {"community", "meter_readings", "holes", "lost"}


def _inside(raw: object, path: Path) -> object:
    """What is written at a path inside an entry; None where nothing is."""
    for step in path:
        if isinstance(raw, dict):
            raw = raw.get(step)
        elif isinstance(raw, list) and isinstance(step, int):
            raw = raw[step]
    return raw


def _is_month(text: str) -> bool:
    year, dash, month = text.partition("-")
    return (
        dash == "-"
        and len(year) == 4  # noqa: PLR2004 - digits of a year
        and year.isdigit()
        and month in {f"{number:02}" for number in range(1, 13)}
    )


def _right(error: ErrorDetails, model: type[BaseModel] | None) -> str:
    """Say what would be right instead, in words of the file and not of the library."""
    kind, at = error["type"], error["loc"]
    if kind == "extra_forbidden" and model is not None:
        return f"is not a key here; {nearest(at[-1], _keys(model, at[:-1]))}"
    if kind == "literal_error":
        return f"should be {error['ctx']['expected']}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(error["ctx"]["pattern"], str(error["msg"]))
    message = _RIGHT.get(kind, str(error["msg"]))
    return message.removeprefix("Value error, ").removeprefix("Input ")


def _keys(model: type[BaseModel], path: Path) -> Iterator[str]:
    """The keys a mapping at a path may have."""
    for step in path:
        if isinstance(step, str):
            annotation = next(
                info.annotation for name, info in model.model_fields.items() if step in {name, info.alias}
            )
            found = _model_in(annotation)
            if found is None:
                return
            model = found
    for name, info in model.model_fields.items():
        yield info.alias or name


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
