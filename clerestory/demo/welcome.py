"""What the demo says when it is ready: where, as whom, and what to look at first."""

from clerestory.demo.prepare import RESIDENT_UNIT, ZONE, Prepared
from clerestory.demo.secrets import Secrets
from clerestory.site import Site
from dispatch.roster import on_shift
from dispatch.store.staff import technicians


async def welcome(site: Site, prepared: Prepared, secrets: Secrets, seconds: float) -> list[str]:
    """The lines to print."""
    url = site.settings.public_url
    cleaners = await on_duty(site, "cleaning")
    return [
        "",
        f"明楼演示已就绪（{seconds:.1f} 秒） / Clerestory demo is ready ({seconds:.1f} s)",
        "",
        f"  {url}",
        "",
        f"  密码 / password (all accounts): {secrets.password}",
        "",
        "  登录 / sign in as",
        "    dispatcher        调度台 / the desk: alarms, orders, who is free and why",
        *(f"    {each:<17} 在班保洁 / cleaner on duty: the next job, one big button" for each in cleaners),
        f"    {prepared.resident:<17} 住户 / {RESIDENT_UNIT}: last month's bill, and what stands behind it",
        "    finance           财务 / bills, payments, ledger",
        "    admin, manager    管理员、经理 / everything",
        "",
        "  先看什么 / what to look at first",
        "    1. /desk   一分钟内垃圾桶满溢、倾倒 / within a minute a bin overflows, one tips over",
        f"    2. /work   以 {' 或 '.join(cleaners)} 接单并完成 / take the job and finish it",
        "    3. /bills  展开收费项，打开维保记录 / open a line of the bill, and the record behind it",
        f"    4. clerestory simulate kiosk --unit {RESIDENT_UNIT}   缴费机付款 / pays it at a kiosk",
        "",
        f"  MQTT {site.mqtt_url}    数据 / data {site.settings.data_dir}",
        "  Ctrl-C 停止 / stops everything; 再次运行继续 / the next run continues.",
        "",
    ]


async def on_duty(site: Site, skill: str) -> list[str]:
    """The logins of the technicians who have a skill and are on shift now, else of all who have it."""
    now = site.clock.now()
    async with site.pool.connection() as conn:
        people = await technicians(conn, on_hold_counts=False)
    able = [person for person in people if skill in person.skills]
    working = [person for person in able if on_shift(person, ZONE, now)]
    return [person.code for person in working or able]
