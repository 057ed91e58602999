"""What a sheet of devices would change: every device judged, every mistake found, nothing done yet. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from config.text import Text
from gateway.devices.draft import Fault, Fit, Land, Registered, shown_value
from gateway.devices.judging import judge
from gateway.devices.sheet import HEADINGS, Row, Sheet, SheetFault

MOST_FAULTS: Final = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sheet would do. With `faults` it does nothing; `more` says that not all of them are listed."""

    fits: tuple[Fit, ...]
    faults: tuple[SheetFault, ...]
    more: bool = False

    @property
    def new(self) -> list[Fit]:
        return [fit for fit in self.fits if fit.was is None]

    @property
    def changed(self) -> list[Fit]:
        return [fit for fit in self.fits if fit.was is not None and fit.changes]

    @property
    def unchanged(self) -> list[Fit]:
        return [fit for fit in self.fits if fit.was is not None and not fit.changes]

    @property
    def digest(self) -> str:
        """Says whether another plan would do the same to the same devices."""
        text = "\n".join(repr((fit, fit.was)) for fit in self.fits)
        return sha256(text.encode()).hexdigest()


def plan(sheet: Sheet, land: Land) -> Plan:
    """Judge every row of a sheet against what is there, and the rows against each other."""
    faults = list(sheet.faults)
    fits: list[Fit] = []
    land = replace(land, euis=_still_taken(sheet, land))
    for row in sheet.rows:
        judged = judge(row.wanted, land, keep=True)
        if isinstance(judged, Fit):
            fits.append(judged)
        else:
            faults += [_at(sheet, row, fault) for fault in judged if _is_told(sheet, fault)]
    faults += _twice(sheet)
    ordered = sorted(dict.fromkeys(faults), key=lambda each: (each.row, len(each.column), each.column))
    return Plan(tuple(fits), tuple(ordered[:MOST_FAULTS]), more=len(ordered) > MOST_FAULTS)


def _at(sheet: Sheet, row: Row, fault: Fault) -> SheetFault:
    return sheet.fault(row.number, fault.field, fault.value, fault.right)


def _is_told(sheet: Sheet, fault: Fault) -> bool:
    """A column that is missing as a whole is said once, not in every row."""
    return fault.field not in HEADINGS or fault.field in sheet.columns or fault.field in {"asset", "dev_eui"}


def _still_taken(sheet: Sheet, land: Land) -> Mapping[str, tuple[str, str]]:
    """The DevEUIs whose device keeps them: two devices may swap theirs in one sheet."""
    asked = {(row.wanted.community, row.wanted.code): row.wanted.dev_eui.lower() for row in sheet.rows}
    return {eui: owner for eui, owner in land.euis.items() if asked.get(owner, eui) == eui}


def _twice(sheet: Sheet) -> list[SheetFault]:
    faults: list[SheetFault] = []
    codes: dict[tuple[str, str], int] = {}
    euis: dict[str, int] = {}
    for row in sheet.rows:
        name, eui = (row.wanted.community, row.wanted.code), row.wanted.dev_eui.lower()
        first = codes.setdefault(name, row.number)
        if first != row.number and row.wanted.code:
            faults.append(sheet.fault(row.number, "code", row.wanted.code, _again(first)))
        first = euis.setdefault(eui, row.number) if eui else row.number
        if first != row.number:
            faults.append(sheet.fault(row.number, "dev_eui", row.wanted.dev_eui, _again(first)))
    return faults


def _again(row: int) -> Text:
    return Text(zh=f"与第 {row} 行重复", en=f"is in row {row} already")


def as_row(device: Registered) -> dict[str, str]:
    """A device as a row of a sheet that reads back as it is."""
    return {
        "community": device.community,
        "code": device.code,
        "profile": device.profile,
        "asset": device.asset,
        "dev_eui": device.dev_eui or "",
        **{name: shown_value(value) for name, value in device.attributes.items()},
    }
