"""A device's messages in any order give the alarms they give in order: gateways may share them."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rules.book import load_rulebook
from rules.effects import Cleared, Effect, Paged, Raised, Stepped
from rules.engine import Facts, Said, Tick, next_due, step
from rules.moments import HOUR, MINUTE, SECOND
from rules.rewind import Told, rewind
from rules.ruleset import RuleSet
from rules.state import DeviceState

BINS = load_rulebook().for_class("bin")
LADDERS = load_rulebook([Path(__file__).parent / "stories" / "rules.yaml"]).for_class("bin")
NOON = 1_760_000_000 * SECOND
HEARD = NOON + 2 * HOUR
NOW = NOON + 3 * HOUR


def said(minutes: float, fill: float | None = None, *, heat: float | None = None, event: str = "") -> Said:
    at = NOON + round(minutes * MINUTE)
    values = {"fill_percent": fill, "temperature_c": heat}
    return Said(
        at,
        received=HEARD,
        values={name: value for name, value in values.items() if value is not None},
        events={event: ""} if event else {},
    )


class Book:
    """The alarms as they stand in the database, of a bin that is heard in some order."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules, self.facts = rules, Facts(rules.asset({}), zone="Asia/Shanghai")
        self.base = self.state = DeviceState()
        self.log: list[Said] = []
        self.rows: dict[str, list[Told]] = {}

    def hear(self, each: Said) -> None:
        if each.at >= self.state.latest:
            self.state, effects = step(self.rules, self.state, each, self.facts)
            self.tell(effects)
        else:
            done = rewind(self.rules, self.state, self.base, self.log, [each], self.facts, HEARD)
            self.state = done.state
            for correction in done.corrections:
                rows = self.rows[correction.rule.code]
                [row] = [row for row in rows if row.raised == correction.was]
                rows.remove(row)
                if correction.now is not None:
                    rows.append(correction.now)
            self.tell([effect for effect, _ in done.effects])
        self.log.append(each)

    def tell(self, effects: Sequence[Effect]) -> None:
        current: dict[str, Told] = {}
        for effect in effects:
            code = effect.rule.code
            rows = self.rows.setdefault(code, [])
            if isinstance(effect, Raised):
                current[code] = Told(effect.rule, effect.at, told=effect.page)
                rows.append(current[code])
                continue
            if code not in current:
                [current[code]] = [row for row in rows if row.cleared is None]
            if isinstance(effect, Paged):
                current[code].told = True
            elif isinstance(effect, Stepped):
                own = effect.severity == effect.rule.severity
                current[code].severity = None if own else effect.severity
            elif isinstance(effect, Cleared):
                current.pop(code).cleared = effect.at
        for rows in self.rows.values():
            assert sum(row.cleared is None for row in rows) <= 1

    def run_clock(self) -> None:
        while (due := next_due(self.rules, self.state, self.facts)) is not None and due < NOW:
            self.state, effects = step(self.rules, self.state, Tick(due), self.facts)
            self.tell(effects)

    @property
    def alarms(self) -> dict[str, list[tuple[int, int | None, bool]]]:
        """When each was raised and cleared, and whether people were told."""
        return {code: sorted(row.outline[:3] for row in rows) for code, rows in self.rows.items() if rows}

    @property
    def severities(self) -> dict[str, list[tuple[int, str | None]]]:
        """When each was raised, and what its ladder made of it in the end."""
        return {
            code: sorted((row.raised, row.severity) for row in rows)
            for code, rows in self.rows.items()
            if rows
        }


def heard(messages: Sequence[Said], rules: RuleSet = BINS) -> Book:
    book = Book(rules)
    for each in messages:
        book.hear(each)
    return book


def test_an_alarm_that_was_over_before_we_heard_of_it_is_told() -> None:
    """Hot at noon and cool a minute later, and the second came first."""
    book = heard([said(1, heat=20), said(0, heat=80), said(12, heat=20)])
    assert book.alarms == {"bin_fire": [(NOON, NOON + 11 * MINUTE, False)]}


def test_an_alarm_that_never_was_is_taken_back() -> None:
    """Full at 0 and at 5 minutes, and not in between, which was overtaken."""
    book = heard([said(0, fill=95), said(6, fill=95)])
    assert book.alarms == {"bin_overflow": [(NOON + 5 * MINUTE, None, False)]}
    book.hear(said(3, fill=10))
    assert book.alarms == {}


def test_what_was_told_too_early_lends_its_row_to_what_is_true() -> None:
    book = heard([said(0, fill=95), said(6, fill=95), said(12, fill=95), said(3, fill=10)])
    assert book.alarms["bin_overflow"] == [(NOON + 11 * MINUTE, None, False)]


MESSAGES = st.lists(
    st.builds(
        said,
        st.integers(0, 100),
        fill=st.none() | st.sampled_from([5.0, 65.0, 80.0, 95.0, 99.0]),
        heat=st.none() | st.sampled_from([2.0, 20.0, 50.0, 80.0]),
        event=st.sampled_from(["", "", "", "fire_alarm", "low_battery"]),
    ),
    min_size=2,
    max_size=12,
    unique_by=lambda each: each.at,
)


@given(MESSAGES.flatmap(lambda messages: st.tuples(st.just(messages), st.permutations(messages))))
def test_any_order_gives_the_alarms_of_the_right_order(orders: tuple[list[Said], list[Said]]) -> None:
    """Needs 2 and 10: which gateway is faster makes no difference, nor when a killed one comes back."""
    messages, shuffled = orders
    right, any_order = heard(sorted(messages, key=lambda each: each.at)), heard(shuffled)
    assert any_order.alarms == right.alarms
    assert any_order.state.signals == right.state.signals
    right.run_clock()
    any_order.run_clock()
    assert any_order.alarms == right.alarms


@given(MESSAGES.flatmap(lambda messages: st.tuples(st.just(messages), st.permutations(messages))))
def test_any_order_gives_the_severities_of_the_right_order(orders: tuple[list[Said], list[Said]]) -> None:
    """Ladders and flapping, too: what was overtaken moves the rungs as if nothing had overtaken it."""
    messages, shuffled = orders
    right = heard(sorted(messages, key=lambda each: each.at), LADDERS)
    any_order = heard(shuffled, LADDERS)
    for book in (right, any_order):
        book.run_clock()
    assert any_order.alarms == right.alarms
    assert any_order.severities == right.severities
