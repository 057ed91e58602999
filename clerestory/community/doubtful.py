"""Units and meters that a file may well have, were it not for a mistake where they come from. Pure."""

from dataclasses import dataclass

from clerestory.community.parse import Draft
from clerestory.community.schema import MeterSpec


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What is not known for sure because an entry of `draft` had a mistake that is reported already."""

    draft: Draft

    def may_be_unit(self, code: str) -> bool:
        """Whether a building with a mistake in its floors or units may have it."""
        return self._any_unit() or code.startswith(tuple(f"{building}-" for building in self._buildings()))

    def may_be_meter(self, code: str) -> bool:
        """Whether a meter with a mistake, or one of a building with a mistake, may be it."""
        lost = "meters" in self.draft.lost or any(
            hole[0] == "meters" and set(hole[2:3]) & {"code", "unit", "buildings"}
            for hole in self.draft.holes
        )
        return lost or any(self._may_be(code, entry.spec) for entry in self.draft.meters)

    def _may_be(self, code: str, meter: MeterSpec) -> bool:
        before, there, after = meter.code.partition("{unit}")
        if not there or not code.startswith(before) or not code.endswith(after):
            return False
        if set(meter.buildings) - {entry.spec.code for entry in self.draft.buildings}:
            return True  # a building by a wrong name: which one was meant, nobody can say
        return self.may_be_unit(code[len(before) : len(code) - len(after)])

    def _any_unit(self) -> bool:
        return "buildings" in self.draft.lost or any(
            hole[0] == "buildings" and set(hole[2:3]) & {"code", "units"} for hole in self.draft.holes
        )

    def _buildings(self) -> set[str]:
        return {
            entry.spec.code
            for entry in self.draft.buildings
            for hole in self.draft.holes
            if hole[:2] == entry.path and {"floors", "floor_areas"} & set(hole[2:3])
        }
