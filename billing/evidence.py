"""What stands behind a charge: what was promised, what was delivered, and the records that prove it. Pure.

A standard is *(kind of work, asset class, times a month)* per asset or per scope. Records that count are of
that kind, on an asset of that class that serves the unit (its building's, or the whole community's where the
asset has no building), completed in the month.

- per asset: promised = times × serving assets; delivered = the sum over the assets of min(records, times), so
  that an elevator serviced twice does not stand in for one that was not. Without a serving asset nothing is
  promised, and the standard is not shown.
- per scope: promised = times; delivered = all records.

One record may stand for several assets (work about alarms of all of them): per asset it counts once for each
of them, per scope once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from billing.views import StandardFound
from config.text import Text


@dataclass(frozen=True, slots=True)
class Standard:
    """A service standard of a charge item; `credit_fen` (or 0) is given back for each missing time."""

    kind: str
    asset_class: str
    times: int
    per: Literal["asset", "scope"]
    name: Text
    credit_fen: int = 0


@dataclass(frozen=True, slots=True)
class Asset:
    """Something maintained; it serves its building, or the whole community where it has none."""

    asset_id: int
    asset_class: str
    building_id: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """A maintenance record completed in the month."""

    record_id: int
    kind: str
    asset_id: int


class Month:
    """A community's assets and the month's records, indexed to be asked for every building."""

    def __init__(self, assets: Iterable[Asset], records: Iterable[Record]) -> None:
        self._assets: dict[tuple[str, int | None], list[int]] = {}
        for asset in assets:
            self._assets.setdefault((asset.asset_class, asset.building_id), []).append(asset.asset_id)
        self._records: dict[tuple[str, int], list[int]] = {}
        for record in records:
            self._records.setdefault((record.kind, record.asset_id), []).append(record.record_id)

    def find(self, standards: Sequence[Standard], building_id: int) -> tuple[StandardFound, ...]:
        """Find what was promised and delivered to the units of a building."""
        found = (self._find(standard, building_id) for standard in standards)
        return tuple(one for one in found if one is not None)

    def _find(self, standard: Standard, building_id: int) -> StandardFound | None:
        serving = [
            *self._assets.get((standard.asset_class, building_id), ()),
            *self._assets.get((standard.asset_class, None), ()),
        ]
        if standard.per == "asset" and not serving:
            return None
        by_asset: Mapping[int, list[int]] = {
            asset: self._records.get((standard.kind, asset), []) for asset in serving
        }
        if standard.per == "asset":
            promised = standard.times * len(serving)
            delivered = sum(min(len(records), standard.times) for records in by_asset.values())
        else:
            promised = standard.times
            delivered = len({record for records in by_asset.values() for record in records})
        return StandardFound(
            kind=standard.kind,
            asset_class=standard.asset_class,
            name=standard.name,
            promised=promised,
            delivered=delivered,
            record_ids=tuple(sorted({record for records in by_asset.values() for record in records})),
        )


@dataclass(frozen=True, slots=True)
class Credit:
    """What is given back for a shortfall: missing × credit, at most what the charge was."""

    found: StandardFound
    credit_fen: int
    amount_fen: int


def credits_due(
    standards: Sequence[Standard], found: Sequence[StandardFound], charged_fen: int
) -> list[Credit]:
    """Compute what a unit gets back for what was promised and not done; never more than it was charged."""
    per_missing = {(standard.kind, standard.asset_class): standard.credit_fen for standard in standards}
    left = charged_fen
    given: list[Credit] = []
    for one in found:
        credit_fen = per_missing[one.kind, one.asset_class]
        amount = min(one.shortfall * credit_fen, left)
        if amount > 0:
            left -= amount
            given.append(Credit(one, credit_fen, amount))
    return given
