"""`clerestory verify` on a real database."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from psycopg import AsyncConnection

from clerestory.cli import main
from dispatch import moves
from dispatch.records import complete
from dispatch.sweep import sweep
from tests.integration.dispatch_world import HOUR, MORNING, World, add_order, add_technician, build
from tests.integration.test_dispatch_records import GOOD


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    """A community with two records."""
    built = await build(conn)
    await add_technician(conn, built, "li")
    for _ in range(2):
        order = await add_order(conn, built)
        await sweep(conn, MORNING)
        for move in (moves.accept, moves.set_off, moves.arrive):
            await move(conn, order, built.by("li"), MORNING)
        await complete(conn, order, built.by("li"), GOOD, MORNING + HOUR)
    return built


def run(database_url: str, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", *arguments], env={"CLERESTORY_DATABASE_URL": database_url})
    return done.exit_code, done.output


def test_an_empty_house_is_said_to_be_one(database_url: str) -> None:
    code, said = run(database_url)
    assert (code, "no community yet" in said) == (0, True)
    assert run(database_url, "--json") == (0, "[]\n")


@pytest.mark.usefixtures("world")
def test_what_fits_and_what_does_not(database_url: str) -> None:
    assert run(database_url) == (0, "bund: 2 records, unbroken\n")
    code, said = run(database_url, "--community", "nowhere")
    assert (code, "no community has the code 'nowhere'" in said) == (2, True)


async def test_the_first_that_does_not_fit_is_named(
    conn: AsyncConnection, database_url: str, world: World
) -> None:
    assert world.community
    await conn.execute("SET session_replication_role = replica")
    await conn.execute("UPDATE maintenance_record SET body = replace(body, '45', '99') WHERE seq = 2")
    cursor = await conn.execute(
        "SELECT o.number FROM work_order AS o JOIN maintenance_record AS r ON r.order_id = o.id"
        " WHERE r.seq = 2"
    )
    (number,) = await cursor.fetchone() or ("",)
    code, said = await asyncio.to_thread(run, database_url, "--community", "bund")
    assert code == 1
    assert said.startswith(f"bund: record 2 (order {number}) does not fit: its body does not match its hash")
    code, said = await asyncio.to_thread(run, database_url, "--json")
    (report,) = json.loads(said)
    assert (code, report["ok"], report["seq"], report["good"]) == (1, False, 2, 1)
