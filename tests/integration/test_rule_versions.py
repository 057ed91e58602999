"""Rules switched while the house runs: versions, who was faster, what is live, and batches under way."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from dispatch.alarms import follow
from dispatch.switching import rules_gone
from rules.apply import hear, next_due, wake
from rules.document import RuleFileError
from rules.sources import Source, file_sources, shipped_rules
from rules.versions import store
from rules.versions.force import in_force
from rules.versions.living import Rules
from rules.versions.switching import (
    Busy,
    By,
    ChangedMeanwhile,
    NoReason,
    NoSuchVersion,
    OtherFile,
    Switched,
    SwitchRefused,
    Unchanged,
    go_back,
    switch_on,
)
from tests.integration.gateway_world import make_ingest, make_world, one, until, up
from tests.integration.test_rules_apply import fill, install, minutes
from tests.manual_clock import START, ManualClock

FILES = file_sources(None)
BIN = next(path for path in shipped_rules() if path.stem == "bin").read_text(encoding="utf-8")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CHEN = By("chen", "too many calls")


def earlier(percent: int) -> str:
    """Bins overflow from another threshold on."""
    return BIN.replace("default: 90", f"default: {percent}")


def without(text: str, code: str) -> str:
    """The file without one of its rules."""
    head, rule, rest = text.partition(f"  {code}:\n")
    assert rule
    lines = rest.splitlines(keepends=True)
    end = next(
        (n for n, line in enumerate(lines) if line.startswith("  ") and line[2] not in " #"), len(lines)
    )
    return head + "".join(lines[end:])


async def switch(conn: AsyncConnection, text: str, base: int = 0, by: By = CHEN) -> Switched:
    async with conn.transaction():
        return await switch_on(conn, FILES, "bin", text, base, by, NOON)


async def test_a_version_stands_in_for_its_file_until_one_goes_back(conn: AsyncConnection) -> None:
    rules = Rules()
    shipped = rules.book.rule("bin_overflow")
    assert (await switch(conn, earlier(70))).version == 1
    await rules.refresh(conn)
    default = rules.book.for_class("bin").attributes["full_percent"].default
    assert default == 70
    await switch(conn, earlier(75), 1)
    async with conn.transaction():
        done = await go_back(conn, FILES, "bin", 1, 2, By("li", "70 was right"), NOON)
    assert done.version == 3
    await rules.refresh(conn)
    assert rules.book.for_class("bin").attributes["full_percent"].default == 70
    async with conn.transaction():
        await go_back(conn, FILES, "bin", 0, 3, By("li", "as shipped"), NOON)
    known = await rules.refresh(conn)
    assert known.book.rule("bin_overflow") == shipped
    kept = await store.history(conn, "bin")
    assert [(each.version, each.made_by, each.reason, each.back_to) for each in kept] == [
        (4, "li", "as shipped", 0),
        (3, "li", "70 was right", 1),
        (2, "chen", "too many calls", None),
        (1, "chen", "too many calls", None),
    ]
    assert [each.text for each in kept] == [None, earlier(70), earlier(75), earlier(70)]


@pytest.mark.parametrize("statement", ["UPDATE rule_version SET reason = 'x'", "DELETE FROM rule_version"])
async def test_a_version_is_never_changed(conn: AsyncConnection, statement: str) -> None:
    await switch(conn, earlier(70))
    with pytest.raises(psycopg.errors.RestrictViolation):
        await conn.execute(statement.encode())


async def test_who_edits_an_older_version_is_told(conn: AsyncConnection) -> None:
    await switch(conn, earlier(70))
    with pytest.raises(ChangedMeanwhile, match=r"bin is at version 1 now \(by chen\), not 0"):
        await switch(conn, earlier(75), 0, By("li", "75 is better"))
    assert len(await store.history(conn, "bin")) == 1


def shipped_next(before: str, after: str) -> tuple[Source, ...]:
    """The files of a later release, in which something about bins is mended."""
    assert before in BIN
    return tuple(
        Source(each.name, each.place, each.text.replace(before, after)) if each.name == "bin" else each
        for each in FILES
    )


@pytest.mark.parametrize("base", [0, 1])
async def test_words_made_from_an_older_file_do_not_take_a_release_back(
    conn: AsyncConnection, base: int
) -> None:
    if base:
        await switch(conn, earlier(80))
    made_from = in_force(FILES, []).digest("bin")
    upgraded = shipped_next("default: 90", "default: 85")
    with pytest.raises(OtherFile, match=r"the file of bin is another than .* \(a newer release\?\)"):
        async with conn.transaction():
            await switch_on(conn, upgraded, "bin", earlier(70), base, CHEN, NOON, made_from)
    known = in_force(upgraded, await store.newest(conn))
    assert known.version("bin") == base
    assert (known.outdated("bin") is not None) == bool(base)
    # Whoever has seen the file there is now may.
    async with conn.transaction():
        digest = known.digest("bin")
        done = await switch_on(conn, upgraded, "bin", earlier(70), base, CHEN, NOON, digest)
    assert done.version == base + 1


async def test_an_older_version_put_back_is_told_as_older_than_the_file(
    conn: AsyncConnection,
) -> None:
    await switch(conn, earlier(70))
    await switch(conn, earlier(75), 1)
    upgraded = shipped_next("default: 90", "default: 85")
    assert in_force(upgraded, await store.newest(conn)).outdated("bin") is not None
    async with conn.transaction():
        await go_back(conn, upgraded, "bin", 1, 2, CHEN, NOON)
    assert in_force(upgraded, await store.newest(conn)).outdated("bin") is not None
    async with conn.transaction():
        await go_back(conn, upgraded, "bin", 0, 3, CHEN, NOON)
    assert in_force(upgraded, await store.newest(conn)).outdated("bin") is None


async def test_of_two_at_once_one_wins(conn: AsyncConnection, pool: AsyncConnectionPool) -> None:
    async def one_of(percent: int) -> Switched:
        async with pool.connection() as mine:
            return await switch(mine, earlier(percent))

    done = await asyncio.gather(*(one_of(percent) for percent in range(60, 66)), return_exceptions=True)
    assert len([each for each in done if isinstance(each, Switched)]) == 1
    # Who waits too long for its turn, on a machine that has much to do, is told to come again.
    assert len([each for each in done if isinstance(each, ChangedMeanwhile | Busy)]) == 5
    assert len(await store.history(conn, "bin")) == 1


@pytest.mark.parametrize(
    ("text", "base", "by", "refusal"),
    [
        (earlier(70), 0, By("chen", "  "), NoReason),
        (earlier(70), 0, By("chen", "x" * 501), NoReason),
        (BIN + "# only a remark\n", 3, CHEN, ChangedMeanwhile),
    ],
)
async def test_what_is_refused_leaves_nothing(
    conn: AsyncConnection, text: str, base: int, by: By, refusal: type[SwitchRefused]
) -> None:
    before = await one(conn, "SELECT count FROM rule_switches")
    with pytest.raises(refusal):
        await switch(conn, text, base, by)
    assert await store.history(conn, "bin") == []
    assert await one(conn, "SELECT count FROM rule_switches") == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BIN.replace("fill_percent >=", "fil_percent >="), "bin:.*'fil_percent' is not a signal of bin"),
        ("asset_class: [", "bin:1:.*not YAML"),
        (BIN.replace("asset_class: bin", "asset_class: elevator"), "these are the rules of bin"),
        (BIN.replace("  bin_overflow:", "  entrapment:"), "'entrapment' is also in"),
        ("x: " + "y" * 300_000, "longer than 256 KiB"),
    ],
)
async def test_mistakes_are_said_at_their_place(conn: AsyncConnection, text: str, said: str) -> None:
    with pytest.raises(RuleFileError, match=said):
        await switch(conn, text)
    assert await store.history(conn, "bin") == []


async def test_the_same_words_again_are_no_version(conn: AsyncConnection) -> None:
    await switch(conn, earlier(70))
    with pytest.raises(Unchanged):
        await switch(conn, earlier(70), 1)


@pytest.mark.parametrize(("file", "to"), [("bin", 7), ("lamp", 0), ("lamp", 1)])
async def test_one_goes_back_only_to_what_there_was(conn: AsyncConnection, file: str, to: int) -> None:
    with pytest.raises(NoSuchVersion):
        async with conn.transaction():
            await go_back(conn, FILES, file, to, 0, CHEN, NOON)


async def test_a_version_this_release_cannot_read_gives_way_to_its_file(conn: AsyncConnection) -> None:
    await conn.execute(
        "INSERT INTO rule_version (file, version, text, shipped, reason, made_by, made_at)"
        " VALUES ('bin', 1, 'asset_class: bin\nrules: {x: {when: y}}', 'x', 'r', 'chen', now())"
    )
    rules = Rules()
    known = await rules.refresh(conn)
    assert known.book.rules == Rules().book.rules
    assert {problem.file for problem in known.troubles} == {"bin (version 1)"}


def test_versions_that_do_not_go_together_give_way_to_the_files() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    clash = BIN.replace("  bin_overflow:", "  entrapment:")
    known = in_force(FILES, [store.Version("bin", 1, clash, BIN, None, "r", "chen", at)])
    assert known.sources == FILES
    assert "also in" in known.troubles[0].message


async def test_a_release_that_ships_another_file_is_noticed(conn: AsyncConnection) -> None:
    await switch(conn, earlier(70))
    newest = await store.newest(conn)
    assert in_force(FILES, newest).outdated("bin") is None
    later = tuple(
        Source(each.name, each.place, each.text + "# more\n") if each.name == "bin" else each
        for each in FILES
    )
    assert in_force(later, newest).outdated("bin") == newest[0]


async def test_alarms_of_a_rule_that_is_no_more_end_with_their_orders(conn: AsyncConnection) -> None:
    device = await install(conn)
    rules = Rules()
    await hear(conn, [fill(device, 95, 0)], rules.book)
    await follow(conn, (await wake(conn, minutes(5), rules.book)).changes, minutes(5))
    assert await one(conn, "SELECT status FROM work_order") == "open"
    done = await switch(conn, without(BIN, "bin_overflow"))
    async with conn.transaction():
        await rules_gone(conn, [alarm for alarm, _ in done.ended], NOON)
    assert (
        await one(conn, "SELECT count(*) FROM alarm WHERE cleared_at IS NULL AND rule = 'bin_overflow'") == 0
    )
    assert await one(conn, "SELECT status FROM work_order") == "cancelled"


async def test_a_live_alarm_stays_and_the_new_rule_ends_it(conn: AsyncConnection) -> None:
    device = await install(conn)
    rules = Rules()
    await hear(conn, [fill(device, 95, 0), fill(device, 95, 6)], rules.book)
    live = "SELECT count(*) FROM alarm WHERE cleared_at IS NULL AND rule = 'bin_overflow'"
    assert await one(conn, live) == 1
    changed = BIN.replace(
        "clear: fill_percent < asset.full_percent - 20.0", "clear: fill_percent < asset.full_percent - 1.0"
    )
    assert changed != BIN
    done = await switch(conn, changed)
    assert done.ended == ()
    assert await one(conn, live) == 1
    book = (await rules.refresh(conn)).book
    await hear(conn, [fill(device, 88, 7)], book)
    assert await one(conn, live) == 0


async def test_a_timer_that_runs_out_sooner_is_not_slept_through(conn: AsyncConnection) -> None:
    """A bin may be silent for 25 hours; from now on for one, and it has been for two."""
    device = await install(conn)
    rules = Rules()
    await hear(conn, [fill(device, 10, 0)], rules.book)
    assert await next_due(conn) == minutes(25 * 60)
    changed = BIN.replace("silent: by_profile", "silent: 1h")
    async with conn.transaction():
        await switch_on(conn, FILES, "bin", changed, 0, CHEN, minutes(120))
    assert await next_due(conn) == minutes(120)
    await wake(conn, minutes(120), (await rules.refresh(conn)).book)
    assert await one(conn, "SELECT rule FROM alarm") == "bin_silent"


async def test_a_batch_under_way_keeps_its_book_and_the_switch_waits(
    conn: AsyncConnection, pool: AsyncConnectionPool
) -> None:
    rules = Rules()
    async with pool.connection() as batch:
        before = await rules.now(batch)
        waiting = asyncio.create_task(switch(conn, earlier(70)))
        async with pool.connection() as watcher:

            async def waits() -> bool:
                blocked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                return bool(await one(watcher, blocked))

            await until(waits, "the switch waits for the batch")
        assert await rules.now(batch) is before
        assert not waiting.done()
    await waiting
    assert await rules.now(conn) is not before


async def test_a_switch_gives_up_on_a_batch_without_end(
    conn: AsyncConnection, pool: AsyncConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rules.versions.switching.PATIENCE", "50ms")
    async with pool.connection() as batch:
        await Rules().now(batch)
        with pytest.raises(Busy):
            await switch(conn, earlier(70))
    assert await store.history(conn, "bin") == []


async def test_gateways_that_commit_all_the_while_agree_on_the_rules(
    conn: AsyncConnection, pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    """Two gateways write without a pause while the overflow rule is switched off and on.

    After each switch no alarm may be live that the rules in force do not know, and every alarm must have
    begun while its rule was in force: a batch with yesterday's book would raise one behind the switch's back.
    """
    world = await make_world(conn, bins=8)
    gateways = [make_ingest(pool, clock) for _ in range(2)]
    stop = asyncio.Event()
    taken = 0

    async def write(number: int) -> None:
        nonlocal taken
        minute = 0
        while not stop.is_set():
            minute += 1
            at = START - timedelta(days=20) + timedelta(minutes=6 * minute + number)
            level = 95.0 if minute % 3 else 5.0
            batch = [up(f"bin-{n}", at, fill_percent=level) for n in range(1 + number, 9, 2)]
            await gateways[number].take(batch)
            taken += 1

    working = [asyncio.create_task(write(number)) for number in range(2)]
    live = "SELECT count(*) FROM alarm WHERE cleared_at IS NULL AND rule = 'bin_overflow'"
    lone = without(BIN, "bin_overflow")
    raised = []
    try:
        for turn in range(6):
            enough = 12 * (turn + 1)
            await until(lambda: taken >= enough, "the gateways have written")  # noqa: B023 - done before the next
            off = turn % 2 == 0
            await switch(conn, lone if off else BIN + f"# {turn}\n", turn)
            if off:
                assert await one(conn, live) == 0
                before = await one(conn, "SELECT count(*) FROM alarm WHERE rule = 'bin_overflow'")
                enough = taken + 6
                await until(lambda: taken >= enough, "they have written more")  # noqa: B023 - done before the next
                assert await one(conn, "SELECT count(*) FROM alarm WHERE rule = 'bin_overflow'") == before
                raised.append(before)
    finally:
        stop.set()
        await asyncio.gather(*working)
    assert world.devices
    assert raised == sorted(set(raised))
    assert raised[0] > 0


async def test_a_site_file_has_a_name_of_its_own(conn: AsyncConnection, tmp_path: Path) -> None:
    own = BIN.replace("  bin_overflow:", "  own_overflow:")
    for code in ("bin_nearly_full", "bin_silent"):
        own = without(own, code)
    head = own[: own.index("rules:\n")]
    body = own[own.index("  own_overflow:\n") :]
    end = next(
        n for n, line in enumerate(body.splitlines()[1:], 1) if line.startswith("  ") and line[2] not in " #"
    )
    (tmp_path / "own.yaml").write_text(
        head + "rules:\n" + "\n".join(body.splitlines()[:end]) + "\n", encoding="utf-8"
    )
    files = file_sources(tmp_path)
    rules = Rules(tmp_path)
    text = next(each.text for each in files if each.name == "site.own")
    async with conn.transaction():
        await switch_on(conn, files, "site.own", text.replace("major", "minor"), 0, CHEN, NOON)
    await rules.refresh(conn)
    assert rules.book.rule("own_overflow").severity == "minor"
    assert rules.book.rule("bin_overflow").severity == "major"
