"""Editing, trying, switching on and going back on the pages, and what two administrators do to each other."""

import asyncio
import html
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from threading import Event
from zoneinfo import ZoneInfo

import pytest
from aiohttp.test_utils import BaseTestServer
from markupsafe import escape
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from clerestory.site import Site
from clerestory.trials import MOST_ATTEMPTS, SILENCE, try_next
from config.settings import Settings
from rules.book import RuleBook
from rules.editing import TEXTS, open_rule
from rules.sources import Source, file_sources
from rules.versions import store, trial_store
from rules.versions.force import InForce, in_force
from rules.versions.switching import check
from tests import town as towns
from tests.integration.gateway_world import one
from tests.integration.test_replay_command import fill
from tests.integration.web_client import Browser
from tests.manual_clock import ManualClock
from tests.rule_trials import changed
from tests.scene import Scene, add_bin
from web import rules_edit, rules_pages
from web.rules_shown import Shown, shown_file

SHANGHAI = ZoneInfo("Asia/Shanghai")
BIN = next(source.text for source in file_sources(None) if source.name == "bin")


@pytest.fixture
async def scene(conn: AsyncConnection, clock: ManualClock) -> Scene:
    scene = Scene(await towns.build(conn))
    await add_bin(conn, scene)
    start = clock.now() - timedelta(days=28)
    levels = [(start + timedelta(hours=n), 85.0 if n % 24 >= 12 else 10.0) for n in range(24 * 28)]
    await fill(conn, scene, levels)
    return scene


@pytest.fixture
async def admin(server: BaseTestServer) -> AsyncIterator[Browser]:
    async with Browser(server) as browser:
        await browser.sign_in("administrator")
        yield browser


@pytest.fixture
def site(pool: AsyncConnectionPool, clock: ManualClock, database_url: str) -> Site:
    return Site(Settings(), clock, pool, database_url, "")


def form(code: str, changes: Mapping[str, str] | None = None, base: int = 0) -> dict[str, str]:
    """The form of a rule of bins as its page has it, with something changed."""
    opened = open_rule(Source("bin", "bin", BIN), code)
    assert opened is not None
    texts = {
        f"{name}.{language}": words for name in TEXTS for language, words in opened.fields.texts[name].items()
    }
    return {**made_from(base), "rule": code, "logic": opened.fields.logic, **texts, **(changes or {})}


def whole(text: str, base: int = 0) -> dict[str, str]:
    return {**made_from(base), "rule": "", "logic": text}


def made_from(base: int) -> dict[str, str]:
    return {"base": str(base), "made_from": in_force(file_sources(None), []).digest("bin")}


async def tried(admin: Browser, fields: dict[str, str], ends: str = "") -> str:
    """Start a trial that ends the one at `ends`; its address."""
    number = ends.rpartition("/")[2] or "0"
    answer = await admin.post("/rules/bin/try", {**fields, "ends": number})
    assert answer.status == 303, await answer.text()
    return answer.headers["Location"]


async def test_from_an_edit_to_what_is_in_force_and_back(
    admin: Browser, site: Site, conn: AsyncConnection
) -> None:
    at = await tried(admin, whole(changed("bin", "default: 90", "default: 80")))
    _, text = await admin.get(at)
    assert "等待中" in text
    await try_next(site, asyncio.Event())
    status, text = await admin.get(at)
    assert status == 200
    assert "新增告警" in text
    assert "王建国、赵海" in text
    async with admin.client.get(f"{at}/series.json") as answer:
        drawn = await answer.json()
    assert {mark["side"] for mark in drawn["alarms"]} == {"new"}
    assert any(line["value"] == 80.0 for line in drawn["lines"])
    refused = await admin.post(f"{at}/switch-on", {"reason": "早一点"})
    assert refused.status == 422
    assert await store.history(conn, "bin") == []
    for none in ("  ", "\0", "太\v早"):
        assert (await admin.post(f"{at}/switch-on", {"reason": none, "sure": "yes"})).status == 409
    answer = await admin.post(f"{at}/switch-on", {"reason": "早一点", "sure": "yes"})
    assert (answer.status, answer.headers["Location"]) == (303, "/rules/bin")
    [version] = await store.history(conn, "bin")
    assert (version.made_by, version.reason) == ("administrator", "早一点")
    status, text = await admin.get("/rules/bin/versions/1")
    assert "default: 80" in text
    assert (await admin.post("/rules/bin/back", {"to": "0", "base": "1", "reason": "\0"})).status == 409
    answer = await admin.post("/rules/bin/back", {"to": "0", "base": "1", "reason": "恢复为文件内容\0"})
    assert answer.status == 303
    assert [each.version for each in await store.history(conn, "bin")] == [2, 1]
    async with admin.client.get("/rules/bin") as answer:
        assert "恢复为文件内容" in await answer.text()


async def test_mistakes_are_told_at_their_field_and_line(admin: Browser) -> None:
    fields = form("bin_overflow", {"title.en": "", "todo.zh": "\n".join("一二三四")})
    fields["logic"] = fields["logic"].replace("for: 5m", "for: 5 minutes")
    answer = await admin.post("/rules/bin/check", fields)
    problems = (await answer.json())["problems"]
    line = next(n for n, words in enumerate(fields["logic"].split("\n"), 1) if words.startswith("for:"))
    assert {(each["area"], each["line"]) for each in problems} == {("title", 1), ("todo", 1), ("logic", line)}
    answer = await admin.post("/rules/bin/try", fields)
    assert answer.status == 422
    text = await answer.text()
    assert "for: 5 minutes" in text
    assert "is not a duration" in text


async def test_what_says_nothing_wrong_is_said(admin: Browser) -> None:
    answer = await admin.post("/rules/bin/check", form("bin_overflow"))
    checked = await answer.json()
    words = checked.pop("words").replace("\u00a0", " ")
    assert checked == {"problems": [], "overtaken": ""}
    assert "满溢程度低于 70 %（“满溢阈值” − 20 %，可按位置另设）。" in words
    assert "<html" not in words


async def test_who_comes_second_is_told_and_nothing_is_overruled(
    admin: Browser, server: BaseTestServer, conn: AsyncConnection, clock: ManualClock
) -> None:
    first = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    async with Browser(server) as other:
        await other.sign_in("administrator")
        second = await tried(other, form("bin_overflow", {"title.zh": "桶很满"}), ends=first)
        assert (await other.post(f"{second}/switch-on", {"reason": "乙", "sure": "yes"})).status == 303
    answer = await admin.post(f"{first}/switch-on", {"reason": "甲", "sure": "yes"})
    assert answer.status == 409
    # Who it was and when, by the clock of the community.
    told = f"administrator 其间启用了版本 1（{clock.now().astimezone(SHANGHAI):%Y-%m-%d %H:%M}）"
    assert told in await answer.text()
    answer = await admin.post("/rules/bin/check", form("bin_overflow"))
    checked = await answer.json()
    assert told in checked["overtaken"]
    answer = await admin.post("/rules/bin/try", form("bin_overflow"))
    assert answer.status == 409
    assert told in await answer.text()
    assert told in (await admin.get(first))[1]
    answer = await admin.post("/rules/bin/back", {"to": "0", "base": "0", "reason": "甲"})
    assert answer.status == 409
    assert [each.reason for each in await store.history(conn, "bin")] == ["乙"]


@pytest.mark.parametrize("kept", ["0" * 64, None], ids=["another file", "an earlier release's trial"])
async def test_what_was_tried_before_an_upgrade_is_not_switched_on_over_it(
    admin: Browser, conn: AsyncConnection, kept: str | None
) -> None:
    words = BIN.replace("for: 5m", "for: 6m", 1)
    trial = await tried(admin, whole(words))
    await conn.execute("UPDATE rule_trial SET made_from = %(kept)s", {"kept": kept})
    told, undone = "此后新版本带来了另一份规则文件", "未作任何更改，请查看后再试。"
    answer = await admin.post(f"{trial}/switch-on", {"reason": "甲", "sure": "yes"})
    assert answer.status == 409
    text = await answer.text()
    assert told in text
    assert undone in text
    assert await store.history(conn, "bin") == []
    _, shown = await admin.get(trial)
    assert told in shown
    assert "/switch-on" not in shown
    assert 'href="/rules/bin/edit"' in shown

    # A form begun before is as old; the way on tries the same words against what there is now.
    form_of_before = whole(words) | {"made_from": kept or ""}
    checked = await (await admin.post("/rules/bin/check", form_of_before)).json()
    assert told in checked["overtaken"]
    assert (await admin.post("/rules/bin/try", form_of_before)).status == 409
    fields = dict(re.findall(r'<input type="hidden" name="(base|made_from|rule)" value="([^"]*)"', shown))
    assert fields == {**made_from(0), "rule": ""}
    found = re.search(r'<input type="hidden" name="logic" value="([^"]*)"', shown)
    assert found is not None
    again = await tried(admin, {**fields, "logic": html.unescape(found[1])}, ends=trial)
    answer = await admin.post(f"{again}/switch-on", {"reason": "甲", "sure": "yes"})
    assert answer.status == 303
    assert [each.text for each in await store.history(conn, "bin")] == [words]


async def test_a_trial_can_be_cancelled_and_a_new_one_ends_the_old(
    admin: Browser, site: Site, conn: AsyncConnection
) -> None:
    _, before = await admin.get("/rules/bin/edit?rule=bin_overflow")
    first = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    _, warned = await admin.get("/rules/bin/edit?rule=bin_overflow")
    assert ("试运行还未结束" in before, "试运行还未结束" in warned) == (False, True)
    assert f'href="{first}"' in warned
    second = await tried(admin, form("bin_overflow", {"title.zh": "桶很满"}), ends=first)
    assert await one(conn, "SELECT count(*) FROM rule_trial WHERE status = 'cancelled'") == 1
    assert first != second
    await admin.post(f"{second}/cancel", {})
    assert await try_next(site, asyncio.Event()) is None
    _, text = await admin.get(second)
    assert "已取消" in text
    assert "没有完成" in text  # and says so where it may be switched on all the same


async def test_a_stale_tab_ends_no_trial_it_does_not_know(admin: Browser, conn: AsyncConnection) -> None:
    """The tab was opened before the trial began, or knows an older one: it is told which, and asked."""
    first = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    second = await tried(admin, form("bin_overflow", {"title.zh": "桶很满"}), ends=first)
    for stale in ("0", first.rpartition("/")[2]):
        answer = await admin.post(
            "/rules/bin/try", form("bin_overflow", {"title.zh": "桶太满"}) | {"ends": stale}
        )
        text = await answer.text()
        assert answer.status == 409
        assert f'href="{second}"' in text
        assert f'name="ends" value="{second.rpartition("/")[2]}"' in text  # sending it again says yes
        assert "桶太满" in text  # and what was typed is still there
        assert "未开始试运行" in text
    live = "SELECT id FROM rule_trial WHERE status = 'waiting'"
    assert f"/rules/trials/{await one(conn, live)}" == second
    assert await one(conn, "SELECT count(*) FROM rule_trial") == 2


async def test_of_two_tabs_in_one_moment_one_trial_begins(admin: Browser, conn: AsyncConnection) -> None:
    fields = form("bin_overflow", {"title.zh": "桶满了"})
    answers = await asyncio.gather(*(admin.post("/rules/bin/try", fields) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [303, 409, 409, 409]
    assert await one(conn, "SELECT count(*) FROM rule_trial") == 1


async def test_a_trial_whose_worker_died_is_taken_up_by_another(
    admin: Browser, site: Site, conn: AsyncConnection, clock: ManualClock
) -> None:
    at = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    async with conn.transaction():
        dead = await trial_store.claim(conn, clock.now(), SILENCE)
    assert dead is not None
    assert await try_next(site, asyncio.Event()) is None
    clock.advance(SILENCE + timedelta(seconds=1))
    await try_next(site, asyncio.Event())
    _, text = await admin.get(at)
    assert "没有告警会变化" in text
    assert await one(conn, "SELECT attempts FROM rule_trial") == 2


async def test_a_worker_that_stops_gives_its_trial_back(
    admin: Browser, site: Site, conn: AsyncConnection
) -> None:
    await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    stop = asyncio.Event()
    stop.set()
    await try_next(site, stop)
    assert await one(conn, "SELECT status FROM rule_trial") in {"waiting", "done"}


async def test_a_trial_that_fails_says_why(admin: Browser, site: Site, conn: AsyncConnection) -> None:
    at = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    await conn.execute("ALTER TABLE event RENAME TO events")
    await try_next(site, asyncio.Event())
    _, text = await admin.get(at)
    assert "失败" in text
    assert "relation &#34;event&#34; does not exist" in text


async def test_a_trial_ends_whatever_keeps_its_result_from_being_kept(
    admin: Browser, site: Site, conn: AsyncConnection
) -> None:
    at = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    await conn.execute("ALTER TABLE rule_trial ADD CHECK (status <> 'done')")
    await try_next(site, asyncio.Event())
    _, text = await admin.get(at)
    assert "失败" in text
    assert "CheckViolation" in text


async def test_a_trial_whose_rules_are_switched_on_says_so(admin: Browser, conn: AsyncConnection) -> None:
    at = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    assert (await admin.post(f"{at}/switch-on", {"reason": "急", "sure": "yes"})).status == 303
    _, text = await admin.get(at)
    assert "这些规则在试运行完成前已启用" in text
    assert "已取消" not in text
    assert await one(conn, "SELECT status FROM rule_trial") == "cancelled"


@pytest.mark.parametrize("action", ["check", "try"])
async def test_other_pages_are_answered_while_a_long_file_is_checked(
    admin: Browser, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """The check waits for another answer: on the event loop neither would ever come."""
    answered = Event()

    def slow(known: InForce, file: str, text: str) -> RuleBook:
        assert answered.wait(20), "nobody else was answered meanwhile"
        return check(known, file, text)

    monkeypatch.setattr(rules_edit, "check", slow)
    checking = asyncio.create_task(
        admin.post(f"/rules/bin/{action}", form("bin_overflow", {"title.zh": "桶"}))
    )
    status, _ = await admin.get("/rules")
    assert not checking.done()
    answered.set()
    assert status == 200
    assert (await checking).status in {200, 303}


@pytest.mark.parametrize("path", ["/rules", "/rules/bin"])
async def test_other_pages_are_answered_while_a_long_file_is_put_into_words(
    admin: Browser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    answered = Event()

    def slow(known: InForce, file: str) -> Shown:
        assert answered.wait(20), "nobody else was answered meanwhile"
        return shown_file(known, file)

    monkeypatch.setattr(rules_pages, "shown_file", slow)
    showing = asyncio.create_task(admin.get(path))
    status, _ = await admin.get("/alarms")
    assert not showing.done()
    answered.set()
    assert status == 200
    assert (await showing)[0] == 200


async def test_a_trial_that_nobody_lives_to_end_is_given_up(
    admin: Browser, site: Site, conn: AsyncConnection, clock: ManualClock
) -> None:
    at = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    for _ in range(MOST_ATTEMPTS):
        async with conn.transaction():
            dead = await trial_store.claim(conn, clock.now(), SILENCE)
        assert dead is not None
        clock.advance(SILENCE + timedelta(seconds=1))
    assert await try_next(site, asyncio.Event()) is None
    _, text = await admin.get(at)
    assert "已放弃" in text


async def test_a_worker_that_stops_often_uses_up_no_trial(
    admin: Browser, site: Site, conn: AsyncConnection
) -> None:
    at = await tried(admin, form("bin_overflow", {"title.zh": "桶满了"}))
    for _ in range(MOST_ATTEMPTS + 1):
        async with conn.transaction():
            claimed = await trial_store.claim(conn, site.clock.now(), SILENCE)
            assert claimed is not None
            await trial_store.give_back(conn, claimed.id)
    await try_next(site, asyncio.Event())
    _, text = await admin.get(at)
    assert "没有告警会变化" in text


@pytest.mark.parametrize(
    "path",
    ["/rules/lamp", "/rules/bin/edit?rule=nothing", "/rules/lamp/edit", "/rules/bin/versions/9",
     "/rules/bin/versions/x", "/rules/trials/999", "/rules/trials", "/rules/bin/versions/1%00"],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(admin: Browser, path: str) -> None:
    assert (await admin.get(path))[0] == 404


async def test_a_rule_is_shown_in_words(admin: Browser) -> None:
    for path in ("/rules", "/rules/bin"):
        text = (await admin.get(path))[1].replace("\u00a0", " ")
        for words in (
            "满溢程度不低于 90 %（“满溢阈值”，可按位置另设），并持续 5 分钟。",
            "30 分钟内接单，2 小时内到场，4 小时内完成。",
            "告警恢复时若还无人接单，工单自动取消。",
            "告警持续 3 天后。",
            "清运重量（0 至 500 kg，选填）",
            "规则未另行规定时：迟到超过 15 分钟的消息，若已恢复则只记录、不通知。",
        ):
            assert words in text, f"{path} does not say {words}"


async def test_what_has_no_sentence_is_shown_as_it_is_written(admin: Browser, conn: AsyncConnection) -> None:
    odd = "tilted && tilted == (fill_percent > 97.0 && '<b>' != '{x}')"
    text = BIN.replace("- when: tilted\n", f'- when: "{odd}"\n')
    async with conn.transaction():
        new = store.NewVersion("bin", 0, text, BIN, None, "r", None, "chen")
        await store.insert(conn, new, datetime(2026, 1, 1, tzinfo=UTC))
    _, shown = await admin.get("/rules")
    assert f"<code>{escape(odd)}</code>，并持续" in shown


async def test_a_rule_is_shown_whole(admin: Browser) -> None:
    for path in ("/rules", "/rules/bin"):
        _, text = await admin.get(path)
        for words in ("ladder:", "cancel_on_clear: true", "respond:"):
            assert words in text, f"{path} leaves out {words}"


async def test_pages_of_all_rules_open(admin: Browser) -> None:
    status, text = await admin.get("/rules")
    assert status == 200
    assert "电梯困人" in text
    for path in ("/rules/elevator", "/rules/bin/edit", "/rules/bin/edit?rule=bin_overflow"):
        assert (await admin.get(path))[0] == 200


async def test_pages_follow_a_switch_made_elsewhere(
    admin: Browser, site: Site, conn: AsyncConnection
) -> None:
    """Another process switched; this one shows what is in force without a restart."""
    async with conn.transaction():
        new = store.NewVersion("bin", 0, BIN.replace("垃圾桶满溢", "桶满溢了"), BIN, None, "r", None, "chen")
        await store.insert(conn, new, datetime(2026, 1, 1, tzinfo=UTC))
    assert site.rules.book.rule("bin_overflow").title.zh == "垃圾桶满溢"
    _, text = await admin.get("/rules")
    assert "桶满溢了" in text


async def test_a_trial_says_in_words_what_would_change(admin: Browser) -> None:
    text = changed("bin", "default: 90", "default: 80").replace("  bin_tilted:", "  bin_toppled:")
    at = await tried(admin, whole(text))
    _, page = await admin.get(at)
    words = page.replace("\u00a0", " ")
    start = words.index("规则含义的改动")
    said = words[start : words.index("规则原文的改动")]
    for part in (
        "满溢程度不低于 90 %（“满溢阈值”，可按位置另设），并持续 5 分钟。",
        "满溢程度不低于 80 %（“满溢阈值”，可按位置另设），并持续 5 分钟。",
        "垃圾桶已倾倒，并持续 2 分钟。",  # the new rule, whole
    ):
        assert part in said
    assert said.count("垃圾桶倾倒") == 2
    assert "电池电量低于" not in said, "what stays as it is is not said"
    at = await tried(admin, whole(changed("bin", "rules:\n", "# a remark\nrules:\n")), ends=at)
    assert "规则含义没有变化" in (await admin.get(at))[1]
