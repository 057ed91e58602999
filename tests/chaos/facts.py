"""The rules of a round as their files mean them, written down a second time by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.chaos.ladders import RungFact
from tests.chaos.script import Value

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NONE = timedelta()


@dataclass(frozen=True, slots=True)
class Flaps:
    """More than `times` beginnings within a span are one alarm, until its end has lasted for `quiet`."""

    times: int
    within: timedelta
    quiet: timedelta


BIN_FLAPS, LIFT_FLAPS = Flaps(4, 6 * HOUR, 6 * HOUR), Flaps(5, HOUR, HOUR)


@dataclass(frozen=True, slots=True)
class RuleFact:
    """One rule as its file means it; `by_clock`: its timer runs out within the round."""

    code: str
    asset_class: str
    signal: str = ""
    begins: Callable[[Value], bool] = lambda _: False
    ends: Callable[[Value], bool] = lambda _: False
    hold: timedelta = NONE
    keep: timedelta = NONE
    raised_by: frozenset[str] = frozenset()
    ended_by: frozenset[str] = frozenset()
    by_clock: bool = False
    severity: str = "major"
    rungs: tuple[RungFact, ...] = ()
    order: str | None = None
    cancelled: bool = False
    shares: str = ""  # its orders: with other alarms of the "asset", or of the "area"
    within: timedelta = NONE  # of its order's opening; left out: longer than a round
    flaps: Flaps | None = None


def _from(least: float) -> Callable[[Value], bool]:
    return lambda value: float(value) >= least


def _below(most: float) -> Callable[[Value], bool]:
    return lambda value: float(value) < most


RULES = (
    RuleFact(
        "bin_nearly_full",
        "bin",
        "fill_percent",
        _from(75),
        _below(60),
        hold=10 * MINUTE,
        severity="info",
        flaps=BIN_FLAPS,
    ),
    RuleFact(
        "bin_overflow",
        "bin",
        "fill_percent",
        _from(90),
        _below(70),
        hold=5 * MINUTE,
        order="waste_collection",
        cancelled=True,
        flaps=BIN_FLAPS,
    ),
    RuleFact(
        "bin_tilted",
        "bin",
        "tilted",
        _from(1),
        _below(1),
        hold=2 * MINUTE,
        keep=2 * MINUTE,
        severity="minor",
        order="bin_repair",
        cancelled=True,
        flaps=BIN_FLAPS,
    ),
    RuleFact(
        "bin_fire",
        "bin",
        "temperature_c",
        _from(60),
        _below(45),
        keep=10 * MINUTE,
        raised_by=frozenset({"fire_alarm"}),
        severity="critical",
        order="inspection",
        flaps=BIN_FLAPS,
    ),
    RuleFact(
        "chaos_lean",
        "bin",
        "angle_x_deg",
        _from(30),
        _below(10),
        hold=timedelta(seconds=4),
        by_clock=True,
        severity="minor",
        rungs=(RungFact("major", after=timedelta(seconds=3)),),
        order="bin_repair",
        cancelled=True,
    ),
    RuleFact(
        "chaos_sway",
        "bin",
        "angle_y_deg",
        _from(10),
        _below(5),
        severity="info",
        rungs=(
            RungFact("minor", after=30 * MINUTE),
            RungFact("major", _from(30), hold=3 * MINUTE, down_after=3 * MINUTE),
            RungFact("critical", _from(60)),
        ),
        order="inspection",
        cancelled=True,
    ),
    RuleFact(
        "chaos_turn",
        "bin",
        "angle_z_deg",
        _from(120),
        _below(0),
        severity="minor",
        order="bin_repair",
        shares="asset",
    ),
    RuleFact(
        "chaos_turn_far", "bin", "angle_z_deg", _from(150), _below(0), order="bin_repair", shares="asset"
    ),
    RuleFact(
        "chaos_turn_back",
        "bin",
        "angle_z_deg",
        lambda value: float(value) <= -120,
        lambda value: float(value) > 0,
        severity="minor",
        order="inspection",
        shares="area",
        within=timedelta(seconds=2),
    ),
    RuleFact(
        "chaos_flutter",
        "bin",
        "angle_x_deg",
        lambda value: float(value) <= -20,
        lambda value: float(value) > -10,
        order="bin_repair",
        cancelled=True,
        flaps=Flaps(2, 20 * MINUTE, 4 * MINUTE),
    ),
    RuleFact(
        "entrapment",
        "elevator",
        raised_by=frozenset({"passenger_entrapment"}),
        severity="critical",
        ended_by=frozenset({"automatic_restored"}),
        order="elevator_rescue",
        flaps=LIFT_FLAPS,
    ),
    RuleFact(
        "safety_circuit",
        "elevator",
        raised_by=frozenset({"safety_circuit_open"}),
        ended_by=frozenset({"automatic_restored"}),
        order="elevator_repair",
        flaps=LIFT_FLAPS,
    ),
)
