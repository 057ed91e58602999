"""What the processes' figures come to: one account, who runs, and what needs somebody. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from web import operations_findings as findings
from web.operations_findings import Finding
from web.operations_store import House, Process

# A process writes every five seconds; who has not for so long is not there any more.
SILENT: Final = timedelta(seconds=20)
REMEMBERED: Final = timedelta(hours=1)

State = Literal["runs", "silent", "stopped"]


@dataclass(frozen=True, slots=True)
class Account:
    """What became of everything that was received, by one gateway or by all."""

    name: str
    received: int
    committed: int
    refused: int
    dropped: int
    lost: int
    in_flight: int
    missing: int
    per_second: float
    lag: float | None
    connected: bool


@dataclass(frozen=True, slots=True)
class Runner:
    """One process as the page lists it."""

    process: Process
    state: State
    roles: tuple[str, ...]
    memory: int | None


@dataclass(frozen=True, slots=True)
class Operations:
    """The whole page. `everything_stored` is the promise; findings may be there all the same."""

    findings: tuple[Finding, ...]
    accounts: tuple[Account, ...]
    total: Account
    runners: tuple[Runner, ...]
    house: House

    @property
    def everything_stored(self) -> bool:
        total = self.total
        return not total.missing and not total.lost and not any(f.tone == "critical" for f in self.findings)


def operations(house: House, processes: Sequence[Process], now: datetime) -> Operations:
    """Judge what the processes and the database say."""
    runners = tuple(_runner(each, now) for each in processes if _is_shown(each, processes, now))
    live = [runner.process for runner in runners if runner.state == "runs"]
    accounts = tuple(_account(each) for each in live if "gateway" in each.figures)
    total = _sum(accounts)
    found = [
        *findings.missing_roles(live),
        *findings.fallen_silent([runner.process for runner in runners if runner.state == "silent"]),
    ]
    for process in live:
        found += findings.of_gateway(process)
        found += findings.of_work(process)
        found += findings.of_timers(process)
    found += findings.of_house(house)
    found += findings.of_refusals(live, house.letters)
    found += findings.of_versions(live)
    rank = ("critical", "major", "minor")
    return Operations(
        tuple(sorted(found, key=lambda each: rank.index(each.tone))), accounts, total, runners, house
    )


def _state(process: Process, now: datetime) -> State:
    if process.stopped_at is not None:
        return "stopped"
    return "runs" if now - process.seen_at <= SILENT else "silent"


def _is_shown(process: Process, processes: Sequence[Process], now: datetime) -> bool:
    """Say whether anybody wants to see it: it runs, or it ended lately and no other took its place."""
    state = _state(process, now)
    if state == "runs":
        return True
    if now - process.seen_at > REMEMBERED:
        return False
    return not any(_follows(each, process) for each in processes)


def _follows(later: Process, earlier: Process) -> bool:
    same = (later.roles, later.host) == (earlier.roles, earlier.host)
    by_name = bool(earlier.name) and later.name == earlier.name
    return later.started_at > earlier.started_at and (by_name or (same and not earlier.name))


def _runner(process: Process, now: datetime) -> Runner:
    memory = process.figures.get("memory")
    return Runner(process, _state(process, now), tuple(process.roles), memory)


def _account(process: Process) -> Account:
    said: dict[str, Any] = process.figures["gateway"]
    return Account(
        name=process.name or process.host,
        received=said["received"],
        committed=said["committed"],
        refused=said["refused"],
        dropped=said["dropped"] - said["lost"],
        lost=said["lost"],
        in_flight=said["waiting"] + said["in_hand"],
        missing=said["missing"],
        per_second=said["per_second"],
        lag=said["lag"],
        connected=said["connected"],
    )


def _sum(accounts: Sequence[Account]) -> Account:
    lags = [account.lag for account in accounts if account.lag is not None]
    return Account(
        name="",
        received=sum(account.received for account in accounts),
        committed=sum(account.committed for account in accounts),
        refused=sum(account.refused for account in accounts),
        dropped=sum(account.dropped for account in accounts),
        lost=sum(account.lost for account in accounts),
        in_flight=sum(account.in_flight for account in accounts),
        missing=sum(account.missing for account in accounts),
        per_second=sum(account.per_second for account in accounts),
        lag=max(lags, default=None),
        connected=all(account.connected for account in accounts),
    )
