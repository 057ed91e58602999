"""From a checked draft to the rows of each section, as the statements of `statements` take them. Pure."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from clerestory.community.parse import Draft
from clerestory.community.schema import (
    AssetSpec,
    ChargeItemSpec,
    KioskSpec,
    PlanSpec,
    StandardSpec,
    TechnicianSpec,
)
from config.checklist import dump_items
from config.text import Text

Rows = list[dict[str, Any]]
FEN_PER_YUAN = 100


@dataclass(slots=True)
class Sections:
    """The rows of every section, ready to be put; keys are those of `statements.UPSERTS`."""

    community: dict[str, Any]
    rows: dict[str, Rows] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """How many of each thing people speak of."""
        inner = {"thresholds", "parents", "skills", "covered", "shifts"}
        return {name: len(rows) for name, rows in self.rows.items() if name not in inner}


def sections(draft: Draft) -> Sections:
    """Write out what a draft without mistakes says, row by row."""
    if draft.community is None:
        raise ValueError("a draft without its community has mistakes and cannot be loaded")
    spec = draft.community
    made = Sections(
        {
            "code": spec.code,
            **_named(spec.name),
            "timezone": spec.timezone,
            "thresholds": spec.thresholds,
        }
    )
    made.rows = {
        **_places(draft),
        **_people(draft),
        **_things(draft),
        **_staff([entry.spec for entry in draft.technicians]),
        "plans": [_plan(entry.spec) for entry in draft.plans],
        "charge_items": [_charge_item(entry.spec, at) for at, entry in enumerate(draft.charge_items)],
        **_counted(draft),
    }
    return made


def _named(name: Text) -> dict[str, Any]:
    return {"name_zh": name.zh, "name_en": name.en}


def _places(draft: Draft) -> dict[str, Rows]:
    buildings = [entry.spec for entry in draft.buildings]
    return {
        "areas": [
            {"code": entry.spec.code, **_named(entry.spec.name), "thresholds": entry.spec.thresholds}
            for entry in draft.areas
        ],
        "thresholds": [
            {"code": entry.spec.code, "thresholds": entry.spec.thresholds} for entry in draft.areas
        ],
        "buildings": [{"code": each.code, "area": each.area, **_named(each.name)} for each in buildings],
        "units": [
            {
                "code": unit.code,
                "building": each.code,
                "floor": unit.floor,
                "floor_area": str(unit.floor_area),
            }
            for each in buildings
            for unit in each.all_units()
        ],
    }


def _people(draft: Draft) -> dict[str, Rows]:
    parties = [entry.spec for entry in draft.parties]
    return {
        "parties": [{"code": each.code, "name": each.name, "phone": each.phone} for each in parties],
        "occupancies": [
            {
                "unit": occupancy.unit,
                "party": each.code,
                "role": occupancy.role,
                "from_date": occupancy.from_.isoformat(),
                "to_date": occupancy.to.isoformat() if occupancy.to else None,
            }
            for each in parties
            for occupancy in each.occupancies
        ],
    }


def _things(draft: Draft) -> dict[str, Rows]:
    area_of = {entry.spec.code: entry.spec.area for entry in draft.buildings}
    assets = [entry.spec for entry in draft.assets]
    return {
        "assets": [_asset(each, area_of) for each in assets],
        "parents": [{"code": each.code, "parent": each.parent} for each in assets],
        "devices": [
            *(_device(each) for each in assets if each.device),
            *(_kiosk(entry.spec) for entry in draft.kiosks),
        ],
    }


def _asset(spec: AssetSpec, area_of: dict[str, str]) -> dict[str, Any]:
    return {
        "code": spec.code,
        "class": spec.asset_class,
        "area": spec.area or area_of[spec.building or ""],
        "building": spec.building,
        **_named(spec.name),
        "place_zh": spec.place.zh,
        "place_en": spec.place.en,
        "attributes": spec.attributes,
    }


def _device(spec: AssetSpec) -> dict[str, Any]:
    assert spec.device is not None  # noqa: S101 - the caller asked
    return {
        "code": spec.device.code,
        "asset": spec.code,
        "profile": spec.device.profile,
        "dev_eui": spec.device.dev_eui,
        "attributes": spec.device.attributes,
    }


def _kiosk(spec: KioskSpec) -> dict[str, Any]:
    attributes = {
        "public_key": spec.public_key,
        **_named(spec.name),
        "place_zh": spec.place.zh,
        "place_en": spec.place.en,
    }
    return {
        "code": spec.code,
        "asset": None,
        "profile": "kiosk",
        "dev_eui": None,
        "attributes": attributes,
    }


def _staff(technicians: list[TechnicianSpec]) -> dict[str, Rows]:
    return {
        "technicians": [{"code": each.code, "name": each.name, "phone": each.phone} for each in technicians],
        "skills": [
            {
                "staff": each.code,
                "skill": skill.skill,
                "licence": skill.licence,
                "expires": skill.expires.isoformat() if skill.expires else None,
            }
            for each in technicians
            for skill in each.skills
        ],
        "covered": [{"staff": each.code, "area": area} for each in technicians for area in each.areas],
        "shifts": [
            {
                "staff": each.code,
                "weekday": day,
                "starts": shift.from_.isoformat(),
                "ends": shift.to.isoformat(),
            }
            for each in technicians
            for shift in each.shifts
            for day in shift.days
        ],
    }


def _plan(spec: PlanSpec) -> dict[str, Any]:
    return {
        "code": spec.code,
        **_named(spec.name),
        "kind": spec.kind,
        "skill": spec.skill,
        "asset_class": spec.asset_class,
        "every_days": spec.every_days,
        "at_time": spec.at.isoformat(),
        "starts_on": spec.starts_on.isoformat(),
        "todo_zh": spec.todo.zh,
        "todo_en": spec.todo.en,
        "checklist": dump_items(spec.checklist),
    }


def _charge_item(spec: ChargeItemSpec, position: int) -> dict[str, Any]:
    return {
        "code": spec.code,
        **_named(spec.name),
        "basis": spec.basis,
        "price_fen": str(spec.price_yuan * FEN_PER_YUAN),
        "measure": spec.measure,
        "grade": spec.grade,
        "contract": spec.contract,
        "standards": [_standard(each) for each in spec.standards],
        "composition": [
            {"name": share.name.model_dump(), "percent": _number(share.percent)} for share in spec.composition
        ],
        "from_date": spec.from_.isoformat(),
        "to_date": spec.to.isoformat() if spec.to else None,
        "position": position,
    }


def _standard(spec: StandardSpec) -> dict[str, Any]:
    return {
        "kind": spec.kind,
        "asset_class": spec.asset_class,
        "times": spec.times,
        "per": spec.per,
        "name": spec.name.model_dump(),
        "credit_fen": int(spec.credit_yuan * FEN_PER_YUAN),
    }


def _number(value: Decimal) -> int | float:
    """JSON has no decimals: a whole number stays one, so that it reads as it was written."""
    number: int | float = json.loads(f"{value.normalize():f}")
    return number


def _counted(draft: Draft) -> dict[str, Rows]:
    units = {entry.spec.code: tuple(entry.spec.all_units()) for entry in draft.buildings}
    return {
        "parking_spaces": [
            {
                "code": entry.spec.code,
                "unit": entry.spec.unit,
                "from_date": entry.spec.from_.isoformat(),
                "to_date": entry.spec.to.isoformat() if entry.spec.to else None,
            }
            for entry in draft.parking_spaces
        ],
        "meters": [
            {"code": code, "unit": unit, "charge_item": entry.spec.charge_item}
            for entry in draft.meters
            for code, unit in entry.spec.meters(units)
        ],
        "meter_readings": [
            {"code": code, "period": f"{month}-01", "register": str(register)}
            for (month, code), register in draft.meter_readings.items()
        ],
    }
