"""What is not as it should be, in words, and what to do about it. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from config.text import Text
from gateway.refusals import REASONS
from web.operations_store import House, Process

LONG_HELD: Final = 30.0
OLD_OUTBOX: Final = 300.0
OLD_TIMER: Final = 30.0

Tone = Literal["critical", "major", "minor"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and what to do about it."""

    tone: Tone
    what: Text
    todo: Text
    href: str = ""


_NOBODY: Final = {
    "gateway": (
        Text(
            zh="没有网关在运行，传感器和缴费机的消息无人接收。",
            en="No gateway runs: nobody hears the sensors and kiosks.",
        ),
        Text(
            zh="启动 clerestory gateway（或 up）。在此期间消息保存在消息代理中，不会丢失。",
            en="Start clerestory gateway (or up). Until then messages wait at the broker; none is lost.",
        ),
    ),
    "worker": (
        Text(
            zh="没有后台进程在运行：不派单、不升级、不发通知。",
            en="No worker runs: nobody dispatches, escalates or sends notices.",
        ),
        Text(
            zh="启动 clerestory worker（或 up）。到期的工作都在数据库里，会补做。",
            en="Start clerestory worker (or up). What is due stands in the database and is caught up on.",
        ),
    ),
}


def missing_roles(live: Sequence[Process]) -> Iterator[Finding]:
    """Name the work that no process does."""
    running = {role for process in live for role in process.roles}
    for role, (what, todo) in _NOBODY.items():
        if role not in running:
            yield Finding("critical", what, todo)


def fallen_silent(silent: Sequence[Process]) -> Iterator[Finding]:
    """Name who went without a goodbye."""
    for process in silent:
        name = f"{' + '.join(process.roles)} {process.name or process.pid}@{process.host}"
        yield Finding(
            "major",
            Text(
                zh=f"{name} 没有道别就停止了心跳。",
                en=f"{name} fell silent without a goodbye.",
            ),
            Text(
                zh="查看它的日志和所在机器；它未确认的消息会由消息代理重发。",
                en="Look at its log and its machine; what it had not acknowledged comes again.",
            ),
        )


def of_gateway(process: Process) -> Iterator[Finding]:
    """Understand what a gateway says of itself."""
    said = process.figures.get("gateway")
    if said is None:
        return
    name = process.name or process.host
    if not said["connected"]:
        yield Finding(
            "critical",
            Text(zh=f"网关 {name} 连不上消息代理。", en=f"Gateway {name} does not reach the broker."),
            Text(
                zh="检查消息代理是否运行，以及 CLERESTORY_MQTT_URL；网关会自己重连。",
                en="Check that the broker runs, and CLERESTORY_MQTT_URL; the gateway connects by itself.",
            ),
        )
    if said["held"] > LONG_HELD:
        why = f": {said['trouble']}" if said["trouble"] else ""
        yield Finding(
            "critical",
            Text(
                zh=f"网关 {name} 的一批消息已等待 {said['held']:.0f} 秒未能入库{why}",
                en=f"Gateway {name} could not store a batch for {said['held']:.0f} s{why}",
            ),
            Text(
                zh="检查数据库（磁盘、只读、连接数）。未入库的消息不会被确认，因此不会丢失。",
                en="Check the database (disk, read-only, connections). Nothing is acknowledged before it is"
                " stored, so nothing is lost.",
            ),
        )
    if said["missing"]:
        yield Finding(
            "critical",
            Text(
                zh=f"网关 {name} 有 {said['missing']} 条消息对不上账，这是本系统的错误。",
                en=f"Gateway {name} lost track of {said['missing']} messages: our fault.",
            ),
            Text(
                zh="保留日志并报告；重启网关后，未确认的消息会重发。",
                en="Keep its log and report it; after a restart what was not acknowledged comes again.",
            ),
        )
    if said["paused"]:
        yield Finding(
            "major",
            Text(
                zh=f"网关 {name} 的队列已满，暂停接收，消息在消息代理中排队。",
                en=f"Gateway {name} has its hands full and reads no more; messages queue at the broker.",
            ),
            Text(
                zh="若持续，增加一个网关（同一 CLERESTORY_MQTT_SHARE），或检查数据库是否变慢。",
                en="If it lasts, add a gateway (same CLERESTORY_MQTT_SHARE), or see if the database is slow.",
            ),
        )
    if said["lost"]:
        yield Finding(
            "minor",
            Text(
                zh=f"网关 {name} 断线时丢了 {said['lost']} 条以 QoS 0 发送的消息。",
                en=f"Gateway {name} lost {said['lost']} messages sent with QoS 0 when its connection broke.",
            ),
            Text(
                zh="请让设备以 QoS 1 发布；QoS 0 的消息没有人承诺送达。",
                en="Let devices publish with QoS 1; nobody promises to deliver QoS 0.",
            ),
        )


def of_work(process: Process) -> Iterator[Finding]:
    """Name the kinds of work that fail."""
    for work, said in sorted(process.figures.get("work", {}).items()):
        if said["trouble"]:
            yield Finding(
                "major",
                Text(
                    zh=f"后台工作“{work}”出错：{said['trouble']}",
                    en=f"The work “{work}” fails: {said['trouble']}",
                ),
                Text(
                    zh="它会自动重试；若持续，查看后台进程日志。",
                    en="It is tried again by itself; if it lasts, look at the worker's log.",
                ),
            )


def of_timers(process: Process) -> Iterator[Finding]:
    """Name the devices whose timers do not run."""
    said = process.figures.get("timers")
    if said is None:
        return
    some = "; ".join(f"{name}: {why}" for name, why in said["some"].items())
    more = ", …" if said["failing"] > len(said["some"]) else ""
    yield Finding(
        "major",
        Text(
            zh=f"{said['failing']} 个设备的定时规则执行失败（{some}{more}）。",
            en=f"The timers of {said['failing']} devices fail ({some}{more})."
            if said["failing"] > 1
            else f"The timers of one device fail ({some}).",
        ),
        Text(
            zh="其他设备不受影响，这些设备几分钟后会再试；原因见后台进程日志。",
            en="No other device waits for them, and they are tried again every few minutes;"
            " the worker's log says why.",
        ),
    )


def of_house(house: House) -> Iterator[Finding]:
    """Name what waits too long."""
    late = sum(house.late.values())
    if late:
        yield Finding(
            "major",
            Text(
                zh=f"{late} 张工单已超时。", en=f"{late} orders are late." if late > 1 else "1 order is late."
            ),
            Text(zh="到工作台处理。", en="See to them at the desk."),
            "/desk",
        )
    if house.outbox_age > OLD_OUTBOX:
        minutes = int(house.outbox_age // 60)
        yield Finding(
            "major",
            Text(
                zh=f"{house.outbox} 条通知或回执未送达，最早的已等 {minutes} 分钟。",
                en=f"{house.outbox} notices or receipts are not delivered, the oldest for {minutes} min.",
            ),
            Text(
                zh="检查消息代理和后台进程；它们会一直重发，直到送达。",
                en="Check the broker and the worker; they are sent until they are delivered.",
            ),
        )
    if house.timers and house.timer_age > OLD_TIMER:
        yield Finding(
            "major",
            Text(
                zh=f"{house.timers} 个设备的定时规则过期未执行。",
                en=f"The timers of {house.timers} devices are overdue.",
            ),
            Text(
                zh="检查后台进程是否运行，必要时再启动一个。",
                en="See whether the worker runs; start another one where one is not enough.",
            ),
        )


_RETRY: Final = Text(
    zh="用 clerestory deadletters list 看原因，改正后 clerestory deadletters retry。",
    en="See why with clerestory deadletters list, mend it, then clerestory deadletters retry.",
)
_ADOPT: Final = Text(
    zh="未登记的设备可在设备页认领，其消息随后入库；其余用 clerestory deadletters list 查看。",
    en="Adopt devices that are not registered; their messages are then taken."
    " For the others see clerestory deadletters list.",
)


def of_refusals(live: Sequence[Process], letters: int) -> Iterator[Finding]:
    """Say that messages were refused, and why most of them were."""
    if not letters:
        return
    reasons: Counter[str] = Counter()
    for process in live:
        reasons.update(process.figures.get("gateway", {}).get("reasons", {}))
    known = [(REASONS[reason], count) for reason, count in reasons.most_common(3) if reason in REASONS]
    zh = "，".join(f"{text.zh} {count}" for text, count in known)
    en = ", ".join(f"{text.en} {count}" for text, count in known)
    yield Finding(
        "minor",
        Text(
            zh=f"{letters} 条消息未被接受，已原样保存" + (f"（最近：{zh}）。" if zh else "。"),
            en=f"{letters} messages were refused and are kept" + (f" (lately: {en})." if en else "."),
        ),
        _ADOPT if "unknown_device" in reasons else _RETRY,
        "/devices/strangers" if "unknown_device" in reasons else "",
    )


def of_versions(live: Sequence[Process]) -> Iterator[Finding]:
    """Say that an upgrade is half done."""
    versions = sorted({process.version for process in live})
    if len(versions) > 1:
        listed = ", ".join(versions)
        yield Finding(
            "minor",
            Text(zh=f"运行着不同的版本：{listed}。", en=f"Different versions run: {listed}."),
            Text(
                zh="完成升级：逐个重启旧版本的进程。", en="Finish the upgrade: restart the older processes."
            ),
        )
