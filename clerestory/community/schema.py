"""The shape of a community file. Each section is a list of these; what is written is what is stored."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from clerestory.community.weekdays import parse_days
from config.checklist import ChecklistItem
from config.text import Text

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{4,19}$")]
DevEui = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[0-9A-Fa-f]{16}$")]
Area = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)]
Floor = Annotated[int, Field(ge=-99, le=999)]
Yuan = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]
Weekdays = Annotated[tuple[int, ...], BeforeValidator(parse_days)]

PUBLIC_KEY_BYTES = 32


def _decimal_of_written(value: object) -> object:
    """A YAML float means the digits that were written, not their binary neighbour."""
    return Decimal(str(value)) if isinstance(value, float) else value


def _time_of_text(value: object) -> object:
    if isinstance(value, int):
        raise ValueError('write the time in quotes, e.g. "08:00"')  # noqa: TRY004 - pydantic collects ValueError
    return "00:00" if value == "24:00" else value


def _public_key(text: str) -> str:
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise ValueError("should be an Ed25519 public key: 32 bytes in base64, 44 characters") from None
    if size != PUBLIC_KEY_BYTES:
        raise ValueError(f"should be an Ed25519 public key: 32 bytes in base64; this is {size} bytes")
    return text


def _plain_value(value: object) -> object:
    if not isinstance(value, str | bool | int | float):
        raise ValueError("should be text, a number, or true or false; write a day in quotes")  # noqa: TRY004
    return value


Attributes = dict[str, Annotated[str | bool | int | float, BeforeValidator(_plain_value)]]
Clock = Annotated[time, BeforeValidator(_time_of_text)]
PublicKey = Annotated[str, AfterValidator(_public_key)]


class Spec(BaseModel):
    """Anything written in a community file: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Give the keys that do not go together, the one to look at first, and what would be right.

        Not a validator: one wrong value must not hide that others do not add up.
        """
        yield from ()


class Period(Spec):
    """From one day to another, both included; open-ended without `to`."""

    from_: date = Field(alias="from")
    to: date | None = None

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `Spec`."""
        if self.to is not None and self.to < self.from_:
            yield ("to", "from"), f"`to` {self.to} is before `from` {self.from_}"

    def overlaps(self, other: "Period") -> bool:
        """Whether any day belongs to both."""
        return self.from_ <= (other.to or date.max) and other.from_ <= (self.to or date.max)


class CommunitySpec(Spec):
    """The community itself; `thresholds` by asset class. Left out, those that are set stay."""

    code: Code
    name: Text
    timezone: str
    thresholds: dict[Name, Attributes] | None = None


class AreaSpec(Spec):
    """A part of the community, with `thresholds` that go before the community's."""

    code: Code
    name: Text
    thresholds: dict[Name, Attributes] | None = None


class UnitSpec(Spec):
    code: Code
    floor: Floor
    floor_area: Annotated[Area, BeforeValidator(_decimal_of_written)]


class Floors(Spec):
    """The floors that have units, e.g. 1 to 18 without 4 and 14."""

    from_: Floor = Field(default=1, alias="from")
    to: Floor
    without: tuple[int, ...] = ()

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `Spec`."""
        if self.to < self.from_:
            yield ("to", "from"), f"`to` {self.to} is below `from` {self.from_}"

    @property
    def numbers(self) -> list[int]:
        return [floor for floor in range(self.from_, self.to + 1) if floor and floor not in self.without]


class BuildingSpec(Spec):
    """A building with its units: one plan for many floors (B3-1602 is floor 16, unit 02), or one by one."""

    code: Code
    name: Text
    area: Code
    floors: Floors | None = None
    floor_areas: tuple[Annotated[Area, BeforeValidator(_decimal_of_written)], ...] = ()
    units: tuple[UnitSpec, ...] = ()

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `Spec`."""
        if (self.floors is None) != (not self.floor_areas):
            right = "`floors` and `floor_areas` (m² of each unit of a floor) are given together"
            yield ("floors", "floor_areas"), right

    def all_units(self) -> Iterable[UnitSpec]:
        """Every unit of the building, those of the floor plan first."""
        for floor in self.floors.numbers if self.floors else ():
            for number, area in enumerate(self.floor_areas, start=1):
                yield UnitSpec(code=f"{self.code}-{floor}{number:02}", floor=floor, floor_area=area)
        yield from self.units


class OccupancySpec(Period):
    unit: Code
    role: Literal["owner", "tenant"]


class PartySpec(Spec):
    code: Code
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    phone: Phone | None = None
    occupancies: tuple[OccupancySpec, ...] = ()


class DeviceSpec(Spec):
    code: Code
    profile: str
    dev_eui: DevEui | None = None
    attributes: Attributes = {}


class AssetSpec(Spec):
    """Something maintained, with the device that watches it. Its area is its building's unless given."""

    code: Code
    asset_class: Name = Field(alias="class")
    name: Text
    place: Text = Text(zh="", en="")
    area: Code | None = None
    building: Code | None = None
    parent: Code | None = None
    attributes: Attributes = {}
    device: DeviceSpec | None = None


class KioskSpec(Spec):
    code: Code
    name: Text
    place: Text = Text(zh="", en="")
    public_key: PublicKey


class SkillSpec(Spec):
    skill: Name
    licence: str | None = None
    expires: date | None = None

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `Spec`."""
        if self.expires is not None and self.licence is None:
            yield ("expires", "licence"), "`expires` belongs to a `licence`"


class ShiftSpec(Spec):
    """Working hours that repeat every week; ending at or before the start means the next day."""

    days: Weekdays
    from_: Clock = Field(alias="from")
    to: Clock


class TechnicianSpec(Spec):
    code: Code
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    phone: Phone | None = None
    skills: tuple[SkillSpec, ...] = Field(min_length=1)
    areas: tuple[Code, ...] = Field(min_length=1)
    shifts: tuple[ShiftSpec, ...] = Field(min_length=1)


class PlanSpec(Spec):
    """Work that comes back: every so many days on each asset of a class."""

    code: Code
    name: Text
    kind: Name
    skill: Name
    asset_class: Name
    every_days: int = Field(gt=0, le=3660)
    at: Clock
    starts_on: date
    todo: Text = Text(zh="", en="")
    checklist: tuple[ChecklistItem, ...] = ()


class StandardSpec(Spec):
    """What a charge item promises a month: work of a kind on each asset of a class, or anywhere in scope."""

    kind: Name
    asset_class: Name
    times: int = Field(gt=0, le=10_000)
    per: Literal["asset", "scope"] = "asset"
    name: Text
    credit_yuan: Annotated[Yuan, BeforeValidator(_decimal_of_written)] = Decimal(0)


class ShareSpec(Spec):
    name: Text
    percent: Annotated[Decimal, Field(gt=0, le=100), BeforeValidator(_decimal_of_written)]


class ChargeItemSpec(Period):
    """What is charged, on what basis, for what service, made up of what cost. Prices are a month's."""

    code: Code
    name: Text
    basis: Literal["area", "unit", "parking_space", "metered"]
    price_yuan: Annotated[Yuan, BeforeValidator(_decimal_of_written)]
    measure: str = ""
    grade: str = ""
    contract: Annotated[str, StringConstraints(min_length=1)]
    standards: tuple[StandardSpec, ...] = ()
    composition: tuple[ShareSpec, ...] = ()

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `Spec`."""
        yield from super().contradictions()
        total = sum(share.percent for share in self.composition)
        if self.composition and total != 100:  # noqa: PLR2004 - per cent
            yield ("composition",), f"`composition` sums to {total:f} %; it should be 100 %"
        if self.basis == "metered" and not self.measure:
            yield ("measure", "basis"), "a metered item needs its `measure`, e.g. m³ or kWh"


class ParkingSpaceSpec(Period):
    code: Code
    unit: Code


class MeterSpec(Spec):
    """A meter of one unit; or with `buildings` one for each of their units, with `{unit}` in the code."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9{][A-Za-z0-9._{}-]{0,62}$")]
    charge_item: Code
    unit: Code | None = None
    buildings: tuple[Code, ...] = ()

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `Spec`."""
        if (self.unit is None) == (not self.buildings):
            yield ("unit", "buildings"), "give either `unit` or `buildings`"
        if bool(self.buildings) != ("{unit}" in self.code):
            right = "with `buildings` (and only then) the code has {unit} in it, e.g. W-{unit}"
            yield ("code", "buildings"), right

    def meters(self, units: Mapping[str, Sequence[UnitSpec]]) -> Iterable[tuple[str, str]]:
        """Every meter's code with its unit's; `units` are those of each building."""
        if self.unit is not None:
            yield self.code, self.unit
        for building in self.buildings:
            for unit in units.get(building, ()):
                yield self.code.replace("{unit}", unit.code), unit.code


Register = Annotated[
    Decimal, Field(ge=0, max_digits=14, decimal_places=3), BeforeValidator(_decimal_of_written)
]
