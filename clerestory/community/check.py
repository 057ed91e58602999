"""What one entry alone cannot show: duplicate codes, dangling references, overlaps, empty promises."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import available_timezones

from clerestory.community.doubtful import Doubtful
from clerestory.community.mistakes import Mistake, Path, nearest, written
from clerestory.community.overlaps import overlapping_periods, overlapping_shifts
from clerestory.community.parse import Draft, Entry
from clerestory.community.read import Source
from clerestory.community.schema import AssetSpec, Attributes, Period, TechnicianSpec
from config.profiles import Profile, Profiles
from config.vocabulary import Vocabulary
from gateway.devices.attributes import Found, Limits, Written, wrong_attributes, wrong_fill, wrong_thresholds


@dataclass(frozen=True, slots=True)
class World:
    """The names a community may use that are not its own.

    `kinds` are the kinds of work that rules open, `attributes` what they read of the assets of each class.
    """

    vocabulary: Vocabulary
    profiles: Profiles
    kinds: frozenset[str]
    attributes: Mapping[str, Mapping[str, Limits]]


@dataclass(slots=True)
class Checker:
    """Checks a draft as a whole; every check only adds to `mistakes`."""

    source: Source
    draft: Draft
    world: World
    mistakes: list[Mistake] = field(default_factory=list)
    units: dict[str, Path] = field(default_factory=dict)
    doubtful: Doubtful = field(init=False)

    def __post_init__(self) -> None:
        self.doubtful = Doubtful(self.draft)

    def check(self) -> list[Mistake]:
        self._community()
        self._unique_codes()
        self._buildings()
        self._parties()
        self._assets()
        self._technicians()
        self._plans()
        self._charge_items()
        self._units_of_things()
        self._meter_readings()
        return self.mistakes

    def _wrong(self, path: Path, value: object, right: str) -> None:
        """Say so, unless the value is a stand-in for one that was wrong already."""
        if not any(path[:length] in self.draft.holes for length in range(len(path) + 1)):
            self.mistakes.append(self.source.mistake(path, value, right))

    def _sure(self, path: Path) -> bool:
        """Whether nothing at a path, around it or below it is a stand-in."""
        return not any(path[: len(hole)] == hole[: len(path)] for hole in self.draft.holes)

    def _doubted(self, section: str, *keys: str) -> bool:
        """Whether something may be missing of what these keys say in the entries of a section."""
        holes = self.draft.holes
        return section in self.draft.lost or any(
            hole[0] == section and hole[2] in keys for hole in holes if len(hole) > len(("section", "index"))
        )

    def _known(self, path: Path, code: str | None, section: str) -> None:
        """`code` must be written in `section`, unless some of its codes could not be read."""
        codes = {entry.spec.code for entry in getattr(self.draft, section)}
        if code is not None and code not in codes and section not in self.draft.lost:
            self._wrong(path, code, f"is not among {section}; {nearest(code, codes)}")

    def _unit(self, path: Path, code: str) -> None:
        if code not in self.units and not self.doubtful.may_be_unit(code):
            self._wrong(path, code, f"is no unit of any building; {nearest(code, self.units)}")

    def _name(self, path: Path, name: str, known: Iterable[str], what: str) -> bool:
        names = set(known)
        if name not in names:
            self._wrong(path, name, f"is no {what}; {nearest(name, names)}")
        return name in names

    def _community(self) -> None:
        spec = self.draft.community
        if spec is not None:
            zones = available_timezones()
            self._name(("community", "timezone"), spec.timezone, zones, "time zone")
            self._thresholds(("community", "thresholds"), spec.thresholds)
        for entry in self.draft.areas:
            self._thresholds((*entry.path, "thresholds"), entry.spec.thresholds)

    def _thresholds(self, at: Path, by_class: Mapping[str, Attributes] | None) -> None:
        """Check what is set for a whole place, by asset class."""
        for asset_class, values in (by_class or {}).items():
            classes = self.world.vocabulary.asset_classes
            if self._name((*at, asset_class), asset_class, classes, "asset class"):
                of_rules = self.world.attributes.get(asset_class, {})
                for path, value, right in wrong_thresholds((*at, asset_class), asset_class, values, of_rules):
                    self._wrong(path, value, right.en)

    def _unique_codes(self) -> None:
        draft = self.draft
        for section in ("areas", "buildings", "parties", "assets", "technicians", "plans"):
            self._unique((entry.path, entry.spec.code) for entry in getattr(draft, section))
        devices = [
            ((*entry.path, "device"), entry.spec.device) for entry in draft.assets if entry.spec.device
        ]
        kiosks = [(entry.path, entry.spec.code) for entry in draft.kiosks]
        self._unique([*((path, device.code) for path, device in devices), *kiosks])
        self._unique(((path, device.dev_eui) for path, device in devices if device.dev_eui), key="dev_eui")

    def _unique(self, coded: Iterable[tuple[Path, str]], key: str = "code") -> None:
        seen: dict[str, Path] = {}
        for path, code in coded:
            if not self._sure((*path, key)):
                continue
            if code in seen:
                first = seen[code]
                right = f"is already the {key} of {written(first)} ({self.source.place(first)})"
                self._wrong((*path, key), code, right)
            seen.setdefault(code, path)

    def _buildings(self) -> None:
        for entry in self.draft.buildings:
            self._known((*entry.path, "area"), entry.spec.area, "areas")
            for unit in entry.spec.all_units():
                if unit.code in self.units:
                    right = f"is already a unit of {written(self.units[unit.code])}"
                    self._wrong((*entry.path, "units"), unit.code, right)
                self.units.setdefault(unit.code, entry.path)

    def _parties(self) -> None:
        living: dict[tuple[str, str], list[tuple[Path, Period]]] = {}
        for entry in self.draft.parties:
            for index, occupancy in enumerate(entry.spec.occupancies):
                path = (*entry.path, "occupancies", index)
                self._unit((*path, "unit"), occupancy.unit)
                if self._sure(path):
                    living.setdefault((occupancy.unit, occupancy.role), []).append((path, occupancy))
        for (unit, role), found in living.items():
            for path, other in overlapping_periods(found):
                where = f"{written(other)} ({self.source.place(other)})"
                self._wrong(path, unit, f"overlaps {where}: a unit has one {role} at a time; end one before")

    def _assets(self) -> None:
        parents = {entry.spec.code: entry.spec.parent for entry in self.draft.assets}
        for entry in self.draft.assets:
            path, asset = entry.path, entry.spec
            classes = self.world.vocabulary.asset_classes
            if not self._name((*path, "class"), asset.asset_class, classes, "asset class"):
                self.draft.holes.add((*path, "class"))
            self._known((*path, "area"), asset.area, "areas")
            self._known((*path, "building"), asset.building, "buildings")
            self._known((*path, "parent"), asset.parent, "assets")
            if asset.area is None and asset.building is None and self._sure((*path, "building")):
                self._wrong((*path, "area"), None, "is missing: give an `area`, or a `building` that has one")
            if asset.code in _ancestors(asset.code, parents):
                self._wrong((*path, "parent"), asset.parent, "is below this asset itself; a parent is above")
            self._attributes(entry, self._device(entry))

    def _device(self, entry: Entry[AssetSpec]) -> Profile | None:
        """Check what sends for an asset; give its profile if there is one."""
        device = entry.spec.device
        if device is None:
            return None
        path: Path = (*entry.path, "device")
        profiles = self.world.profiles
        if device.profile not in profiles:
            right = f"is no device profile; {nearest(device.profile, profiles.names)}"
            self._wrong((*path, "profile"), device.profile, right)
            return None
        profile = profiles[device.profile]
        if profile.asset_class != entry.spec.asset_class and self._sure((*entry.path, "class")):
            fitting = [
                name for name in profiles.names if profiles[name].asset_class == entry.spec.asset_class
            ]
            right = f"watches no {entry.spec.asset_class}; {nearest(device.profile, fitting)}"
            self._wrong((*path, "profile"), device.profile, right)
        if profile.envelope == "lorawan" and device.dev_eui is None:
            self._wrong(
                (*path, "dev_eui"),
                None,
                f"is missing: {device.profile} is found by its DevEUI, 16 hex digits",
            )
        return profile

    def _attributes(self, entry: Entry[AssetSpec], profile: Profile | None) -> None:
        """What rules and the profile read must fit; what nothing reads is a known word or a note."""
        path, asset, device = (*entry.path, "attributes"), entry.spec, entry.spec.device
        device_path = (*entry.path, "device", "attributes")
        said = Written(path, asset.attributes, device_path, device.attributes if device else {})
        found: list[Found] = []
        if asset.asset_class in self.world.vocabulary.asset_classes:
            of_rules = self.world.attributes.get(asset.asset_class)
            found += wrong_attributes(said, asset.asset_class, of_rules)
        if profile is not None and profile.fill is not None and profile.asset_class == asset.asset_class:
            found += wrong_fill(said, profile.fill, needed=profile.envelope == "lorawan")
        for at, value, right in found:
            self._wrong(at, value, right.en)

    def _technicians(self) -> None:
        for entry in self.draft.technicians:
            for index, area in enumerate(entry.spec.areas):
                self._known((*entry.path, "areas", index), area, "areas")
            self._twice(entry, [skill.skill for skill in entry.spec.skills], "skills")
            self._twice(entry, list(entry.spec.areas), "areas")
            for index, other, day in overlapping_shifts(entry.spec.shifts):
                path = (*entry.path, "shifts", index)
                if not (self._sure(path) and self._sure((*entry.path, "shifts", other))):
                    continue
                right = f"overlaps shifts[{other}] on {day}; a person works one shift at a time"
                self._wrong(path, _hours(entry.spec, index), right)

    def _twice(self, entry: Entry[TechnicianSpec], names: list[str], key: str) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self._wrong((*entry.path, key, index), name, "is given twice; once is enough")

    def _plans(self) -> None:
        skills = {skill.skill for entry in self.draft.technicians for skill in entry.spec.skills}
        for entry in self.draft.plans:
            path, plan = entry.path, entry.spec
            self._class_with_assets((*path, "asset_class"), plan.asset_class)
            if not self._doubted("technicians", "skills"):
                self._name((*path, "skill"), plan.skill, skills, "skill anybody here has")
            self._unique(
                ((*path, "checklist", index), item.code) for index, item in enumerate(plan.checklist)
            )

    def _class_with_assets(self, path: Path, asset_class: str) -> None:
        classes = {entry.spec.asset_class for entry in self.draft.assets}
        if not self._doubted("assets", "class"):
            self._name(path, asset_class, classes, "class of any asset here")

    def _charge_items(self) -> None:
        kinds = self.world.kinds | {entry.spec.kind for entry in self.draft.plans}
        by_code: dict[str, list[tuple[Path, Period]]] = {}
        for entry in self.draft.charge_items:
            if self._dated(entry.path):
                by_code.setdefault(entry.spec.code, []).append((entry.path, entry.spec))
            for index, standard in enumerate(entry.spec.standards):
                path = (*entry.path, "standards", index)
                self._class_with_assets((*path, "asset_class"), standard.asset_class)
                if not self._doubted("plans", "kind"):
                    self._name(
                        (*path, "kind"), standard.kind, kinds, "kind of work that a plan or rule here opens"
                    )
        self._one_at_a_time(by_code, "a charge item has one price at a time")

    def _dated(self, path: Path) -> bool:
        return all(self._sure((*path, key)) for key in ("code", "from", "to"))

    def _one_at_a_time(self, by_code: dict[str, list[tuple[Path, Period]]], why: str) -> None:
        for code, found in by_code.items():
            for path, other in overlapping_periods(found):
                where = f"{written(other)} ({self.source.place(other)})"
                self._wrong((*path, "from"), code, f"overlaps {where}: {why}; give that one a `to` before")

    def _units_of_things(self) -> None:
        spaces: dict[str, list[tuple[Path, Period]]] = {}
        for entry in self.draft.parking_spaces:
            self._unit((*entry.path, "unit"), entry.spec.unit)
            if self._dated(entry.path):
                spaces.setdefault(entry.spec.code, []).append((entry.path, entry.spec))
        self._one_at_a_time(spaces, "a parking space belongs to one unit at a time")
        metered = {entry.spec.code for entry in self.draft.charge_items if entry.spec.basis == "metered"}
        for meter in self.draft.meters:
            path = meter.path
            if not self._doubted("charge_items", "basis"):
                self._name((*path, "charge_item"), meter.spec.charge_item, metered, "metered charge item")
            if meter.spec.unit is not None:
                self._unit((*path, "unit"), meter.spec.unit)
            for index, building in enumerate(meter.spec.buildings):
                self._known((*path, "buildings", index), building, "buildings")

    def _meter_readings(self) -> None:
        codes = self._meter_codes()
        last: dict[str, tuple[str, Decimal]] = {}
        for (month, code), register in sorted(self.draft.meter_readings.items()):
            path = ("meter_readings", month, code)
            if code not in codes and not self.doubtful.may_be_meter(code):
                self._wrong(path, code, f"is no meter; {nearest(code, codes)}")
            before_month, before = last.get(code, (month, register))
            if register < before:
                right = f"is below {before} of {before_month}; a register only goes up"
                self._wrong(path, str(register), right)
            last[code] = (month, register)

    def _meter_codes(self) -> set[str]:
        units = {entry.spec.code: tuple(entry.spec.all_units()) for entry in self.draft.buildings}
        metered: dict[str, Path] = {}
        for entry in self.draft.meters:
            for code, _ in entry.spec.meters(units):
                if code in metered and self._sure((*entry.path, "code")):
                    right = f"is already a meter of {written(metered[code])}"
                    self._wrong((*entry.path, "code"), code, right)
                metered.setdefault(code, entry.path)
        return set(metered)


def _ancestors(code: str, parents: Mapping[str, str | None]) -> set[str]:
    above: set[str] = set()
    step = parents.get(code)
    while step is not None and step not in above:
        above.add(step)
        step = parents.get(step)
    return above


def _hours(spec: TechnicianSpec, index: int) -> str:
    shift = spec.shifts[index]
    return f"{shift.from_:%H:%M}–{shift.to:%H:%M}"
