"""From the technician's last tap to a record that nobody can change without being noticed."""

import asyncio
import json
from datetime import timedelta
from io import BytesIO

import psycopg
import pytest
from PIL import Image
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from config.text import Text
from dispatch import moves, photos
from dispatch.chain import check_chains
from dispatch.checklist import CheckAnswer
from dispatch.records import Completed, Completion, Part, complete
from dispatch.refusals import BadField, BadPhoto, ChecklistIncomplete, IllegalMove
from dispatch.report import BEGINNING, digest
from dispatch.store import asset_history, chain_status, job_card, photo, record_view, story
from dispatch.sweep import sweep
from tests.integration.dispatch_world import HOUR, MINUTE, MORNING, World, add_order, add_technician, build

GOOD = Completion(
    answers=(CheckAnswer(code="door_gap_mm", value=3.2), CheckAnswer(code="levelling", value=True)),
    labour_minutes=45,
    parts=(Part("门机皮带", 1, "条"),),
    summary=Text(zh="已更换门机皮带。", en=""),
)


@pytest.fixture
async def world(conn: AsyncConnection) -> World:
    built = await build(conn)
    await add_technician(conn, built, "li")
    return built


def picture(size: tuple[int, int] = (3000, 2000), **saving: object) -> bytes:
    """A photo with a red left half, as a camera might have taken it."""
    image = Image.new("RGB", size, "white")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    kept = BytesIO()
    image.save(kept, "JPEG", **saving)
    return kept.getvalue()


async def at_work(conn: AsyncConnection, world: World) -> int:
    """An order whose technician is on the spot."""
    order = await add_order(conn, world)
    await sweep(conn, MORNING)
    await moves.accept(conn, order, world.by("li"), MORNING + MINUTE)
    await moves.set_off(conn, order, world.by("li"), MORNING + 2 * MINUTE)
    await moves.arrive(conn, order, world.by("li"), MORNING + 20 * MINUTE)
    return order


async def test_completing_writes_the_record(conn: AsyncConnection, world: World) -> None:
    order = await at_work(conn, world)
    sha = await photos.add(conn, order, world.by("li"), photos.prepare(picture()), MORNING + 30 * MINUTE)
    done = await complete(conn, order, world.by("li", "tap-9"), GOOD, MORNING + HOUR)
    again = await complete(conn, order, world.by("li", "tap-9"), GOOD, MORNING + HOUR)
    assert again == Completed(order, done.record_id, repeated=True)
    view = await record_view(conn, done.record_id)
    assert view is not None
    assert (view.seq, view.prev_hash, view.photos) == (1, BEGINNING, (sha,))
    assert view.summary == Text(zh="已更换门机皮带。", en="Door does not close: fixed and back to normal.")
    assert [(item.code, item.value.en, item.good) for item in view.checklist] == [
        ("door_gap_mm", "3.2 mm", True),
        ("levelling", "yes", True),
    ]
    assert view.parts == (("门机皮带", "1 条"),)
    assert (await chain_status(conn, done.record_id)).state == "good"
    told = [entry.chapter for entry in await story(conn, order)]
    assert told == ["order", "offer", "move", "answer", "move", "move", "move", "photo", "move", "record"]
    history = await asset_history(conn, world.elevator)
    assert history is not None
    assert [entry.kind for entry in history.entries] == ["record", "order"]


async def test_what_is_missing_is_named_and_nothing_is_written(conn: AsyncConnection, world: World) -> None:
    order = await at_work(conn, world)
    by = world.by("li")
    bad = Completion(answers=(CheckAnswer(code="door_gap_mm", value=9.5),), labour_minutes=1)
    with pytest.raises(ChecklistIncomplete) as missing:
        await complete(conn, order, by, bad, MORNING + HOUR)
    assert set(missing.value.faults) == {"door_gap_mm", "levelling"}
    for field, wrong in (
        ("result", Completion(GOOD.answers, 1, result="magic")),
        ("labour_minutes", Completion(GOOD.answers, -1)),
        ("parts[0].quantity", Completion(GOOD.answers, 1, (Part("x", float("nan")),))),
        ("parts[0].name", Completion(GOOD.answers, 1, (Part(" ", 1),))),
        ("parts[0].name", Completion(GOOD.answers, 1, (Part("a\0b", 1),))),
        ("words.remark", Completion((CheckAnswer(code="words", remark="\0"),), 1)),
        ("summary.zh", Completion(GOOD.answers, 1, summary=Text(zh="长" * 5000, en=""))),
    ):
        with pytest.raises(BadField) as refused:
            await complete(conn, order, by, wrong, MORNING + HOUR)
        assert refused.value.field == field
    cursor = await conn.execute("SELECT count(*) FROM maintenance_record")
    assert await cursor.fetchone() == (0,)
    card = await job_card(conn, world.technicians["li"], order, MORNING + HOUR)
    assert card is not None
    assert card.job.status == "in_progress"


async def test_a_reopened_order_s_record_corrects_the_earlier_one(
    conn: AsyncConnection, world: World
) -> None:
    order = await at_work(conn, world)
    first = await complete(conn, order, world.by("li"), GOOD, MORNING + HOUR)
    await moves.verify(conn, order, world.office, MORNING + 2 * HOUR)
    await moves.reopen(conn, order, world.office, MORNING + 3 * HOUR, "又坏了")
    await sweep(conn, MORNING + 3 * HOUR)
    for move in (moves.accept, moves.set_off, moves.arrive):
        await move(conn, order, world.by("li"), MORNING + 3 * HOUR)
    second = await complete(conn, order, world.by("li"), GOOD, MORNING + 4 * HOUR)
    view = await record_view(conn, first.record_id)
    assert view is not None
    assert view.superseded_by == second.record_id
    (report,) = await check_chains(conn)
    assert (report.ok, report.good) == (True, 2)


async def test_work_that_could_not_be_done_is_no_evidence(conn: AsyncConnection, world: World) -> None:
    order = await at_work(conn, world)
    not_done = Completion(GOOD.answers, 5, result="not_possible")
    done = await complete(conn, order, world.by("li"), not_done, MORNING + HOUR)
    cursor = await conn.execute("SELECT delivered FROM maintenance_record WHERE id = %s", (done.record_id,))
    assert await cursor.fetchone() == (False,)
    (report,) = await check_chains(conn)
    assert report.ok


async def test_a_verified_order_closes_by_itself(conn: AsyncConnection, world: World) -> None:
    order = await at_work(conn, world)
    await complete(conn, order, world.by("li"), GOOD, MORNING + HOUR)
    await sweep(conn, MORNING + HOUR)
    await sweep(conn, MORNING + 26 * HOUR)
    cursor = await conn.execute("SELECT escalation_cause FROM work_order")
    assert await cursor.fetchone() == ("verify",)
    await moves.verify(conn, order, world.office, MORNING + 27 * HOUR)
    await sweep(conn, MORNING + 27 * HOUR)
    await sweep(conn, MORNING + 27 * HOUR + timedelta(hours=72))
    cursor = await conn.execute("SELECT status, due_at FROM work_order")
    assert await cursor.fetchone() == ("closed", None)


async def test_a_chain_does_not_fork_when_many_finish_at_once(
    conn: AsyncConnection, pool: AsyncConnectionPool, world: World
) -> None:
    orders = [await at_work(conn, world) for _ in range(4)]

    async def finish(order: int) -> None:
        async with pool.connection() as own, own.transaction():
            await complete(own, order, world.by("li"), GOOD, MORNING + HOUR)

    await asyncio.gather(*(finish(order) for order in orders))
    (report,) = await check_chains(conn)
    assert (report.ok, report.good) == (True, 4)


@pytest.mark.parametrize(
    ("tampering", "seq", "words"),
    [
        ("UPDATE maintenance_record SET body = replace(body, '3.2', '3.3') WHERE seq = 2", 2, "was altered"),
        ("UPDATE maintenance_record SET kind = 'cleaning' WHERE seq = 2", 2, "column kind"),
        (
            "UPDATE maintenance_record SET completed_at = completed_at - interval '1 day' WHERE seq = 3",
            3,
            "column completed_at",
        ),
        ("DELETE FROM maintenance_record WHERE seq = 2", 3, "should be 2"),
        ("UPDATE photo SET content = 'x'", 1, "is missing or was altered"),
        ("DELETE FROM maintenance_record WHERE seq = 3", None, "has no record"),
    ],
)
async def test_tampering_is_found_and_named(
    conn: AsyncConnection, world: World, tampering: str, seq: int | None, words: str
) -> None:
    for number in range(3):
        order = await at_work(conn, world)
        if number == 0:
            await photos.add(conn, order, world.by("li"), photos.prepare(picture()), MORNING + HOUR)
        await complete(conn, order, world.by("li"), GOOD, MORNING + HOUR)
    with pytest.raises(psycopg.errors.RestrictViolation):
        await conn.execute("UPDATE maintenance_record SET kind = 'cleaning'")
    # Whoever owns the database can switch the guard off; the chain still tells.
    await conn.execute("SET session_replication_role = replica")
    await conn.execute(tampering.encode())
    (report,) = await check_chains(conn)
    assert report.fault is not None
    assert (report.broken.seq if report.broken else None) == seq
    assert words in report.fault.en


async def test_a_forged_hash_breaks_the_next_link(conn: AsyncConnection, world: World) -> None:
    done = [
        await complete(conn, await at_work(conn, world), world.by("li"), GOOD, MORNING + HOUR)
        for _ in range(2)
    ]
    cursor = await conn.execute("SELECT body FROM maintenance_record WHERE seq = 1")
    (body,) = await cursor.fetchone() or ("",)
    forged = body.replace("3.2", "5.9")
    await conn.execute("SET session_replication_role = replica")
    await conn.execute(
        "UPDATE maintenance_record SET body = %s, hash = %s WHERE seq = 1", (forged, digest(forged))
    )
    (report,) = await check_chains(conn)
    assert report.broken is not None
    assert report.broken.seq == 2
    assert (await chain_status(conn, done[0].record_id)).state == "broken"
    assert json.loads(forged)["checklist"][0]["value"] == 5.9


async def test_photos_are_upright_small_and_bare(conn: AsyncConnection, world: World) -> None:
    order = await at_work(conn, world)
    exif = Image.Exif()
    exif[0x0112] = 6  # taken on its side
    exif[0x010F] = "Maker"
    sha = await photos.add(conn, order, world.by("li"), photos.prepare(picture(exif=exif)), MORNING + HOUR)
    assert sha == await photos.add(
        conn, order, world.by("li"), photos.prepare(picture(exif=exif)), MORNING + HOUR
    )
    kept = await photo(conn, sha)
    assert kept is not None
    assert kept.order_ids == (order,)
    with Image.open(BytesIO(kept.content)) as image:
        assert image.size == (1067, 1600)
        assert not image.getexif()
        red, white = image.getpixel((500, 100)), image.getpixel((500, 1500))
    assert isinstance(red, tuple)
    assert isinstance(white, tuple)
    assert red[1] < 60 < white[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"GIF89a" + bytes(64),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture()[:2000],
        b"\x89PNG\r\n\x1a\n" + bytes(64),
    ],
)
def test_hostile_files_are_refused(content: bytes) -> None:
    with pytest.raises(BadPhoto, match="not a readable JPEG, PNG or WebP photo"):
        photos.prepare(content)


def test_too_large_photos_are_refused() -> None:
    bomb = BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    with pytest.raises(BadPhoto):
        photos.prepare(bomb.getvalue())
    with pytest.raises(BadPhoto, match="MB at most"):
        photos.prepare(bytes(20_000_001))


async def test_too_late_photos_are_refused(conn: AsyncConnection, world: World) -> None:
    order = await at_work(conn, world)
    await complete(conn, order, world.by("li"), GOOD, MORNING + HOUR)
    with pytest.raises(IllegalMove):
        await photos.add(conn, order, world.by("li"), photos.prepare(picture((10, 10))), MORNING + HOUR)
