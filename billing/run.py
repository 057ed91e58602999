"""The bill run: one bill per occupied unit and month, in chunks that commit, so that a killed run continues.

A second run finds what is there and issues only what is missing. Two runs at once take turns chunk by chunk
under a lock per community; between them each unit is billed once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from billing import charging, store
from billing.charging import LeftOut
from billing.issuing import LineKey, draft_lines, income, use_prepayment
from billing.period import BadPeriod, Period
from billing.plan import Plan, make_plan
from billing.policy import Policy, load_policy
from billing.postings import Entry, bill_entries, prepayment_entries

UNITS_A_CHUNK = 500


class UnknownCommunity(LookupError):
    """A community code that does not exist; names those that do."""

    def __init__(self, code: str, known: Sequence[str]) -> None:
        super().__init__(f"community {code!r} does not exist; known: {', '.join(known) or 'none yet'}")
        self.code = code
        self.known = known


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is with one community, after a chunk was committed."""

    community: str
    units_done: int
    units: int
    issued: int


@dataclass(slots=True)
class CommunityRun:
    """What a run did in one community. `already` are units that had their bill before."""

    community: str
    units: int
    already: int = 0
    issued: int = 0
    lines: int = 0
    lines_with_evidence: int = 0
    total_fen: int = 0
    prepaid_used_fen: int = 0
    left_out: list[LeftOut] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did."""

    period: Period
    communities: tuple[CommunityRun, ...]

    @property
    def issued(self) -> int:
        """Bills this run issued."""
        return sum(one.issued for one in self.communities)


async def run_bills(
    pool: AsyncConnectionPool,
    period: Period,
    now: datetime,
    *,
    communities: Sequence[str] = (),
    early: bool = False,
    reissue: bool = False,
    policy: Policy | None = None,
    units_a_chunk: int = UNITS_A_CHUNK,
    progress: Callable[[Progress], None] = lambda _: None,
) -> RunReport:
    """Issue the bills of a month that are missing, for some communities (none named: all).

    A month that is not over is refused unless `early`; its evidence is then what is there so far, and nothing
    is credited for what may still be done. `reissue` also bills units whose bill of the month was voided.
    May raise BadPeriod, UnknownCommunity.
    """
    async with pool.connection() as conn:
        known = await store.communities(conn)
    chosen = _choose(known, communities)
    for community in chosen:
        _refuse_unfinished(period, community, now, early=early)
    done = [
        await _run_community(
            pool,
            community,
            period,
            now,
            policy=policy or load_policy(),
            early=early,
            reissue=reissue,
            units_a_chunk=units_a_chunk,
            progress=progress,
        )
        for community in chosen
    ]
    return RunReport(period, tuple(done))


def _choose(known: Sequence[store.Community], codes: Iterable[str]) -> list[store.Community]:
    by_code = {community.code: community for community in known}
    for code in codes:
        if code not in by_code:
            raise UnknownCommunity(code, sorted(by_code))
    wanted = set(codes)
    return [community for community in known if not wanted or community.code in wanted]


def _refuse_unfinished(period: Period, community: store.Community, now: datetime, *, early: bool) -> None:
    today = now.astimezone(ZoneInfo(community.timezone)).date()
    if today < period.first:
        raise BadPeriod(
            f"period {period} has not begun in {community.code} (today {today}); "
            f"the latest that can be billed is {Period.of(today).previous}"
        )
    if today <= period.last and not early:
        raise BadPeriod(
            f"period {period} is not over in {community.code} until {period.last} (today {today}); "
            f"bill {period.previous}, or say --early to bill with the evidence so far"
        )


async def _run_community(
    pool: AsyncConnectionPool,
    community: store.Community,
    period: Period,
    now: datetime,
    *,
    policy: Policy,
    early: bool,
    reissue: bool,
    units_a_chunk: int,
    progress: Callable[[Progress], None],
) -> CommunityRun:
    async with pool.connection() as conn, conn.transaction():
        plan = await make_plan(conn, community, period, now, policy, early=early, reissue=reissue)
    done = CommunityRun(community.code, community.units)
    after_unit = 0
    while True:
        async with pool.connection() as conn, conn.transaction():
            await store.lock_billing(conn, community.community_id)
            units = await store.units_to_bill(
                conn, community.community_id, period, after_unit=after_unit, limit=units_a_chunk
            )
            if units:
                await _issue(conn, plan, units, done)
        if not units:
            break
        after_unit = units[-1].unit_id
        progress(Progress(community.code, done.issued + _skipped(done), community.units, done.issued))
    done.already = community.units - done.issued - _skipped(done)
    return done


def _skipped(done: CommunityRun) -> int:
    """Units left out whole (a missing meter leaves out a line only)."""
    whole = ("no_occupancy", "nothing_to_charge", "voided")
    return sum(1 for one in done.left_out if one.reason in whole)


async def _issue(
    conn: AsyncConnection, plan: Plan, units: Sequence[store.UnitToBill], done: CommunityRun
) -> None:
    """Issue the bills of one chunk of units, whole: bills, lines, ledger, prepayment used."""
    unit_ids = [unit.unit_id for unit in units]
    bills = await _draft(conn, plan, units, done)
    balances = await store.prepaid_balances(conn, unit_ids)
    await store.add_bills(conn, plan.community.community_id, plan.period, bills, plan.tariffs, plan.now)
    transactions: list[tuple[str, str, Sequence[Entry]]] = []
    allocations: list[tuple[int, int, int]] = []
    for bill in bills:
        transactions.append(("bill", bill.number, bill_entries(bill.unit, income(bill.lines))))
        used = use_prepayment(bill.total_fen, balances.get(bill.unit_id, ()))
        if used:
            allocations.extend((payment_id, bill.bill_id, fen) for payment_id, fen in used)
            spent = sum(fen for _, fen in used)
            transactions.append(("prepayment", bill.number, prepayment_entries(bill.unit, spent)))
            done.prepaid_used_fen += spent
    if allocations:
        await store.allocate(conn, plan.now, allocations)
    if transactions:
        await store.post(conn, plan.community.community_id, transactions, plan.now)


async def _draft(
    conn: AsyncConnection, plan: Plan, units: Sequence[store.UnitToBill], done: CommunityRun
) -> list[store.NewBill]:
    unit_ids = [unit.unit_id for unit in units]
    held = await store.occupancies(conn, unit_ids, plan.period)
    meters = await store.meters(conn, unit_ids, plan.period)
    previous = await store.lines_of_month(conn, unit_ids, plan.period.previous)
    bill_ids = await store.next_bill_ids(conn, len(units))
    bills: list[store.NewBill] = []
    for unit, bill_id in zip(units, bill_ids, strict=True):
        facts = charging.Unit(
            unit_id=unit.unit_id,
            code=unit.code,
            building_id=unit.building_id,
            floor_area=unit.floor_area,
            parking_spaces=plan.parking.get(unit.unit_id, 0),
            meters=tuple(meters.get(unit.unit_id, ())),
            occupancies=tuple(held.get(unit.unit_id, ())),
        )
        bill = _draft_one(plan, unit, facts, bill_id, previous.get(unit.unit_id, {}), done)
        if bill is not None:
            bills.append(bill)
            done.issued += 1
            done.lines += len(bill.lines)
            done.lines_with_evidence += sum(1 for line in bill.lines if line.evidence_id is not None)
            done.total_fen += bill.total_fen
    return bills


def _draft_one(
    plan: Plan,
    unit: store.UnitToBill,
    facts: charging.Unit,
    bill_id: int,
    previous: Mapping[LineKey, int],
    done: CommunityRun,
) -> store.NewBill | None:
    if unit.voided and not plan.reissue:
        why = f"its bill of {plan.period} was voided; say --reissue to bill it again"
        done.left_out.append(LeftOut(unit.code, "voided", why))
        return None
    payer = charging.payer(facts.occupancies, plan.period)
    if payer is None:
        why = f"nobody held it on any day of {plan.period}; enter an occupancy, or leave it empty"
        done.left_out.append(LeftOut(unit.code, "no_occupancy", why))
        return None
    charged, left_out = charging.charges(facts, plan.items, plan.period)
    done.left_out.extend(left_out)
    if not charged:
        why = f"no charge item in force on {plan.period.first} applies to it"
        done.left_out.append(LeftOut(unit.code, "nothing_to_charge", why))
        return None
    lines = draft_lines(charged, plan.backings.get(unit.building_id, {}), previous, credit=plan.credit)
    number = f"{plan.period}-{plan.community.code}-{unit.code}"
    revision = unit.voided + 1
    return store.NewBill(
        bill_id=bill_id,
        number=number if revision == 1 else f"{number}-{revision}",
        unit_id=unit.unit_id,
        unit=unit.code,
        party_id=payer.party_id,
        party_name=payer.party_name,
        revision=revision,
        total_fen=sum(line.amount_fen for line in lines),
        due_on=plan.due_on,
        lines=lines,
    )
