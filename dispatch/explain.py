"""The matching's choice in words, and why there was nobody to choose. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from config.text import Text
from dispatch.matching import Barrier, Need, barrier
from dispatch.policy import Policy
from dispatch.roster import Technician, next_on_shift


@dataclass(frozen=True, slots=True)
class Why:
    """An explanation with the figures behind it, as kept with an offer."""

    text: Text
    eligible: int
    load: int | None = None


def why_chosen(
    need: Need, chosen: Technician, technicians: Sequence[Technician], now: datetime, policy: Policy
) -> Why:
    """Say what spoke for the technician who is offered the order."""
    capacity = policy.matching.capacity[need.severity]
    eligible = [t for t in technicians if barrier(need, t, now, capacity) is None]
    zh, en = [f"{len(eligible)} 人符合条件"], [f"{len(eligible)} eligible"]
    for text in _merits(need, chosen, min((t.load for t in eligible), default=chosen.load)):
        zh.append(text.zh)
        en.append(text.en)
    return Why(Text(zh="；".join(zh), en="; ".join(en)), len(eligible), chosen.load)


def why_nobody(need: Need, technicians: Sequence[Technician], now: datetime, policy: Policy) -> Text:
    """Say why there is nobody to offer the order to, and from when on there may be."""
    skill = policy.skill_name(need.skill)
    capacity = policy.matching.capacity[need.severity]
    found = [(t, barrier(need, t, now, capacity)) for t in technicians]
    holders = [(t, b) for t, b in found if b not in ("skill", "left")]
    if not holders:
        return Text(zh=f"无人具备“{skill.zh}”技能", en=f"nobody holds the skill “{skill.en}”")
    zh = [f"{len(holders)} 人具备“{skill.zh}”技能"]
    en = [f"{len(holders)} hold the skill “{skill.en}”"]
    counted = Counter(b for _, b in holders if b is not None)
    for name in ("licence", "area", "excluded", "full"):
        if counted[name]:
            text = _counted(name, counted[name], len(holders))
            zh.append(text.zh)
            en.append(text.en)
    if counted["shift"]:
        away = [t for t, b in holders if b == "shift"]
        who = Text(zh=f"{len(away)} 人未当班", en=f"{len(away)} off shift")
        if len(away) == len(holders):
            who = Text(zh="均未当班", en="none on shift")
        text = _off_shift(need, away, now, who)
        zh.append(text.zh)
        en.append(text.en)
    if eligible := len(holders) - sum(counted.values()):
        zh.append(f"{eligible} 人可用，但已派给更紧急的工单")
        en.append(f"{eligible} eligible, but more urgent orders go first")
    return Text(zh="，".join(zh), en=", ".join(en))


def standing(need: Need, technician: Technician, now: datetime, policy: Policy) -> Text:
    """Say what speaks for or against one technician, for the desk."""
    hindered = barrier(need, technician, now, policy.matching.capacity[need.severity])
    if hindered is None:
        merits = _merits(need, technician, technician.load)
        return Text(zh="；".join(m.zh for m in merits), en="; ".join(m.en for m in merits))
    if hindered == "shift":
        return _off_shift(need, [technician], now, Text(zh="未当班", en="off shift"))
    return _ALONE[hindered]


_ALONE: dict[Barrier, Text] = {
    "skill": Text(zh="不具备所需技能", en="lacks the skill"),
    "left": Text(zh="已离职", en="has left"),
    "licence": Text(zh="证书已过期", en="licence expired"),
    "area": Text(zh="不负责该区域", en="does not cover the area"),
    "excluded": Text(zh="本轮已拒单或未应答", en="was already asked in this round"),
    "full": Text(zh="手头工单已满", en="has as many orders as allowed"),
}


def _merits(need: Need, technician: Technician, lowest: int) -> list[Text]:
    load = technician.load
    merits = [
        Text(zh=f"负荷最低（{load} 单）", en=f"lowest load ({load} in hand)")
        if load == lowest
        else Text(zh=f"手头 {load} 单", en=f"{load} in hand")
    ]
    if (need.community_id, need.area_id) in technician.at:
        merits.append(Text(zh="就在同一区域", en="same area"))
    elif technician.at:
        merits.append(Text(zh="从其他区域赶来", en="comes from another area"))
    else:
        merits.append(Text(zh="负责该区域", en="covers the area"))
    if technician.staff_id in need.familiar:
        merits.append(Text(zh="熟悉该设备", en="knows this asset"))
    return merits


def _counted(name: Barrier, count: int, of: int) -> Text:
    everyone = count == of and of > 1
    zh = "均" if everyone else f"{count} 人"
    en = "all" if everyone else str(count)
    match name:
        case "licence":
            return Text(zh=f"{zh}证书已过期", en=f"{en} with an expired licence")
        case "area":
            return Text(zh=f"{zh}不负责该区域", en=f"{en} not covering the area")
        case "excluded":
            return Text(zh=f"{zh}本轮已拒单或未应答", en=f"{en} declined or did not answer in this round")
        case _:
            return Text(zh=f"{zh}手头工单已满", en=f"{en} with as many orders as allowed")


def _off_shift(need: Need, technicians: Sequence[Technician], now: datetime, who: Text) -> Text:
    starts = [s for t in technicians if (s := next_on_shift(t, need.zone, now)) is not None]
    if not starts:
        return who
    local = min(starts).astimezone(need.zone)
    days = (local.date() - now.astimezone(need.zone).date()).days
    clock = f"{local:%H:%M}"
    if days == 0:
        return Text(zh=f"{who.zh}，{clock} 起当班", en=f"{who.en} until {clock}")
    if days == 1:
        return Text(zh=f"{who.zh}，明日 {clock} 起当班", en=f"{who.en} until {clock} tomorrow")
    return Text(zh=f"{who.zh}，{local:%m-%d} {clock} 起当班", en=f"{who.en} until {local:%m-%d} {clock}")
