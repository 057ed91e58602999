"""`clerestory alarms` and `clerestory emergency`: look at alarms, and decide for a while who is called."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from getpass import getuser
from typing import Any, TypeVar, get_args

import click
from psycopg import AsyncConnection

from clerestory import alarm_target
from clerestory.acting import act_on_site
from clerestory.alarm_target import NoSuchCode
from clerestory.failures import say_failures
from clerestory.site import Site
from config.duration import parse_duration
from dispatch import acknowledging, quieting
from dispatch.alarm_policy import EmergencyKind
from dispatch.people import Who
from dispatch.policy import shipped_policy
from dispatch.quieting import NewMute
from dispatch.refusals import DispatchRefusal
from dispatch.status import SEVERITIES
from dispatch.store import quiet
from dispatch.store.alarm_lists import STATES, AlarmLine, live_alarms

T = TypeVar("T")
Work = Callable[[Site, AsyncConnection, datetime], Awaitable[T]]
KINDS = get_args(EmergencyKind)


class _Span(click.ParamType[timedelta]):
    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401 - as click has it
        """Read `90m`, `4h`, `7d`."""
        try:
            return parse_duration(value)
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)


SPAN = _Span()
by_option = click.option(
    "--by", metavar="NAME", default=getuser, help="Who says so; your login name by default."
)


def _run(work: Work[T]) -> T:
    """Do it in a transaction of its own; what is refused ends the command with its reason."""
    return act_on_site(lambda conn, site: work(site, conn, site.clock.now()), DispatchRefusal, NoSuchCode)


@click.group()
def alarms() -> None:
    """Live alarms: list them, acknowledge them, mute what nobody should be called about."""


@alarms.command("list")
@click.option("--community", metavar="CODE", help="Only this community's.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only of this severity.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@say_failures
def list_alarms(community: str | None, severity: str | None, state: str | None, *, as_json: bool) -> None:
    """List live alarms, the most severe first, with why nobody was told of those that are held."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> list[AlarmLine]:
        del site, now
        only = None if community is None else [await alarm_target.community(conn, community)]
        found = await live_alarms(conn, only, severity, 10_000)
        return [each for each in found if state in {None, each.state}]

    found = _run(work)
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], ensure_ascii=False))
        return
    for each in found:
        click.echo(
            f"{each.alarm_id}  {each.severity}  {each.raised_at:%Y-%m-%d %H:%M:%S}Z  "
            f"{each.community}/{each.device}  {each.title.en}  [{each.state}]"
            + (f"  order {each.order_number}" if each.order_number else "")
        )
        if each.held_by:
            click.echo(f"    {each.held.en}")
        if each.ack_until:
            late = ", and nobody followed it up" if each.ack_expired else ""
            click.echo(f"    acknowledged by {each.ack_name} until {each.ack_until:%Y-%m-%d %H:%M}Z{late}")
    if not found:
        click.echo("no live alarms")


def _as_json(alarm: AlarmLine) -> dict[str, object]:
    return {
        "alarm": alarm.alarm_id,
        "community": alarm.community,
        "device": alarm.device,
        "rule": alarm.rule,
        "severity": alarm.severity,
        "title": {"zh": alarm.title.zh, "en": alarm.title.en},
        "began": alarm.raised_at.isoformat(),
        "state": alarm.state,
        "held": {"zh": alarm.held.zh, "en": alarm.held.en} if alarm.held_by else None,
        "order": alarm.order_number,
        "acknowledged_by": alarm.ack_name,
        "acknowledged_until": alarm.ack_until.isoformat() if alarm.ack_until else None,
    }


@alarms.command()
@click.argument("alarm", type=click.IntRange(1, 2**63 - 1))
@click.option("--for", "lasting", type=SPAN, help="For how long, e.g. 90m; half an hour by default.")
@click.option("--words", default="", help="What will be done.")
@by_option
@say_failures
def ack(alarm: int, lasting: timedelta | None, words: str, by: str) -> None:
    """Say that somebody is on ALARM: nobody is asked meanwhile, but told again if nobody follows up."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> datetime:
        del site
        return await acknowledging.acknowledge(conn, alarm, Who(by), now, lasting, words)

    click.echo(f"alarm {alarm} is acknowledged by {by} until {_run(work):%Y-%m-%d %H:%M:%S}Z")


@alarms.command()
@click.argument("alarm", type=click.IntRange(1, 2**63 - 1))
@by_option
@say_failures
def unack(alarm: int, by: str) -> None:
    """Take the acknowledgement of ALARM back."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> None:
        del site
        await acknowledging.withdraw(conn, alarm, Who(by), now)

    _run(work)
    click.echo(f"alarm {alarm} is not acknowledged any more")


@alarms.command()
@click.argument("community", metavar="COMMUNITY")
@click.option("--rule", metavar="CODE", help="Only alarms of this rule.")
@click.option("--asset", metavar="CODE", help="Only alarms of this asset.")
@click.option("--area", metavar="CODE", help="Only alarms of this area.")
@click.option("--for", "lasting", type=SPAN, required=True, help="For how long, e.g. 4h; at most 30d.")
@click.option("--why", required=True, help="The reason; it is shown with every alarm it holds.")
@by_option
@say_failures
def mute(
    community: str,
    rule: str | None,
    asset: str | None,
    area: str | None,
    lasting: timedelta,
    why: str,
    by: str,
) -> None:
    """Call nobody about alarms of COMMUNITY for a while; they are recorded, and told if they outlast it."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> int:
        community_id = await alarm_target.community(conn, community)
        new = NewMute(
            community_id=community_id,
            why=why,
            until=now + lasting,
            rule=rule,
            asset_id=await alarm_target.asset(conn, community_id, asset),
            area_id=await alarm_target.area(conn, community_id, area),
        )
        return await quieting.mute(conn, new, Who(by), now, {each.code for each in site.book.rules})

    number = _run(work)
    click.echo(f"mute {number} is in force; lift it with: clerestory alarms unmute {number}")


@alarms.command()
@click.argument("mute", type=click.IntRange(1, 2**31 - 1))
@by_option
@say_failures
def unmute(mute: int, by: str) -> None:
    """Lift MUTE before its time: people are told of what still lives."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> None:
        del site
        await quieting.lift(conn, mute, Who(by), now)

    _run(work)
    click.echo(f"mute {mute} is lifted")


@alarms.command()
@click.option("--community", metavar="CODE", help="Only this community's.")
@say_failures
def mutes(community: str | None) -> None:
    """List the mutes in force."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> list[quiet.MuteRow]:
        del site
        only = None if community is None else [await alarm_target.community(conn, community)]
        return await quiet.mutes(conn, only, now, standing=True, most=10_000)

    found = _run(work)
    for each in found:
        about = " ".join(
            part for part in (each.rule, each.area and each.area.en, each.asset and each.asset.en) if part
        )
        click.echo(
            f"{each.id}  {each.community}  {about or 'all alarms'}  until {each.until:%Y-%m-%d %H:%M}Z  "
            f"by {each.name}: {each.why}  ({each.holding} held)"
        )
    if not found:
        click.echo("nothing is muted")


@click.group()
def emergency() -> None:
    """Declare a whole community in an emergency: only critical alarms call people until it ends."""


@emergency.command()
@click.argument("community", metavar="COMMUNITY")
@click.option("--kind", type=click.Choice(KINDS), required=True)
@click.option("--reason", required=True, help="Why; it is shown with every alarm that waits.")
@by_option
@say_failures
def declare(community: str, kind: str, reason: str, by: str) -> None:
    """Declare COMMUNITY in an emergency. Other alarms are recorded, and wait until it ends."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> None:
        del site
        await quieting.declare(
            conn, await alarm_target.community(conn, community), kind, reason, Who(by), now
        )

    _run(work)
    click.echo(f"{community} is in an emergency ({shipped_policy().alarms.emergency.kinds[_kind(kind)].en})")


def _kind(kind: str) -> EmergencyKind:
    return next(each for each in KINDS if each == kind)


@emergency.command()
@click.argument("community", metavar="COMMUNITY")
@click.option("--reason", required=True, help="Why it is over.")
@by_option
@say_failures
def end(community: str, reason: str, by: str) -> None:
    """End the emergency of COMMUNITY: people are told of what waited and still lives."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> None:
        del site
        await quieting.end_emergency(
            conn, await alarm_target.community(conn, community), reason, Who(by), now
        )

    _run(work)
    click.echo(f"the emergency of {community} is over")


@emergency.command("list")
@say_failures
def list_emergencies() -> None:
    """List emergencies, those in force first."""

    async def work(site: Site, conn: AsyncConnection, now: datetime) -> list[quiet.EmergencyRow]:
        del site, now
        return await quiet.emergencies(conn, None)

    found = _run(work)
    for each in found:
        over = "in force" if each.ended_at is None else f"ended {each.ended_at:%Y-%m-%d %H:%M}Z"
        click.echo(
            f"{each.community}  {each.kind}  since {each.declared_at:%Y-%m-%d %H:%M}Z  {over}  "
            f"by {each.name}: {each.reason}"
            + (f"  ({each.holding} alarms wait)" if not each.ended_at else "")
        )
    if not found:
        click.echo("no community was ever in an emergency")


COMMANDS = [alarms, emergency]
