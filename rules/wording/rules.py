"""A rule in words: what raises it and what does not, what ends it, how severe, when it flaps. Pure."""

from dataclasses import dataclass
from typing import Final

from config.text import Text
from rules.during import During
from rules.rule import LATE_AFTER, Flapping, Happens, Holds, Offline, Rule, Rung, Severity, Silent, Trigger
from rules.wording.conditions import condition_text
from rules.wording.names import Names
from rules.wording.parts import NOTHING, OR, both, listed, plain, put, quoted, run, sentence, span_text

_FOR: Final = Text(zh="，并持续 {span}", en=", and this lasts {span}")
_OFTEN: Final = Text(zh="，{span}内出现 {times} 次", en=", and this begins {times} times within {span}")
_REPORTED_OFTEN: Final = Text(zh="，{span}内共 {times} 次", en=", {times} times within {span} taken together")
_REPORTS: Final = Text(zh="设备上报{events}", en="the device reports {events}")
_AND_THEN: Final = Text(zh="，且当时{when}", en=", and at that moment {when}")
_UNLESS: Final = Text(zh="；{unless}时除外", en="; not while {unless}")
_ONLY: Final = Text(zh="，仅限{time}", en=", only {time}")
_BOTH_TIMES: Final = Text(zh="且", en=" and ")
_NOT_AT: Final = Text(zh="非{time}", en="not {time}")
_SILENT: Final = Text(zh="设备超过 {span}没有任何上报", en="nothing is heard from the device for {span}")
_SILENT_BY_PROFILE: Final = Text(
    zh="设备没有任何上报的时间超过其型号规定",
    en="nothing is heard from the device for longer than devices of its kind may be silent",
)
_OFFLINE: Final = Text(zh="设备断开连接", en="the device is offline")
_HEARD_AGAIN: Final = Text(zh="设备重新上报", en="the device is heard again")
_NO_LONGER: Final = Text(zh="上述情形不再成立", en="that is no longer so")
_NONE_ANY_LONGER: Final = Text(zh="上述情形都不再成立", en="none of that is so any longer")
_QUIET_FOR: Final = Text(zh="{span}内没有再出现上述情形", en="it has not happened again for {span}")
_KEEP: Final = Text(
    zh="须保持 {span}才算恢复；其间再次出现，告警继续",
    en="that has to last {span}; if it starts again before, the alarm goes on",
)
_RUNG_AFTER: Final = Text(zh="告警持续 {span}后", en="once the alarm has lasted {span}")
_RUNG_AT_ONCE: Final = Text(zh="从告警开始", en="from the alarm's beginning")
_RUNG_WHILE: Final = Text(zh="{when}{hold}时{during}", en="while {when}{hold}{during}")
_RUNG_DOWN: Final = Text(zh="；不再如此满 {span}后降回", en="; back once it has not been so for {span}")
_RUNG_CALM: Final = Text(
    zh="，直到 {span}内没有再出现；再次出现即再次升级",
    en=", until it has not happened again for {span}; once more as soon as it does",
)
_FLAPPING: Final = Text(
    zh="{within}内出现超过 {times} 次即视为反复告警：合为一条告警，不再派单和通知，直到平静满 {quiet}",
    en="more than {times} times within {within} it flaps: it stays one alarm without further orders or calls"
    " until it has been quiet for {quiet}",
)
_LATE: Final = Text(
    zh="迟到超过 {span}的消息，若已恢复则只记录、不通知",
    en="what is heard more than {span} late calls nobody if it is over by then",
)
_USUALLY: Final = Text(zh="规则未另行规定时：{late}", en="unless a rule says otherwise, {late}")


@dataclass(frozen=True, slots=True)
class RungWords:
    """One step of the severity: what it becomes, and when."""

    severity: Severity
    when: Text


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule's logic as sentences. Of `raises` and `ends` any one is enough; what does not apply is None."""

    raises: tuple[Text, ...]
    not_while: Text | None  # for all that raises
    ends: tuple[Text, ...]
    keep: Text | None
    steps: tuple[RungWords, ...]
    flapping: Text | None
    late: Text | None


def rule_words(rule: Rule, names: Names) -> RuleWords:
    """Put a rule into words. Passages without words stand as written, see `rules.wording.parts.passages`."""
    unless = {each.unless for each in rule.triggers}
    shared = next(iter(unless)) if len(unless) == 1 else None
    not_while = sentence(condition_text(shared, names)) if shared is not None else None
    return RuleWords(
        raises=tuple(sentence(_raises(trigger, names, alone=shared is None)) for trigger in rule.triggers),
        not_while=not_while,
        ends=tuple(sentence(each) for each in _ends(rule, names)),
        keep=sentence(put(_KEEP, span=span_text(rule.keep))) if rule.keep else None,
        steps=tuple(RungWords(rung.severity, sentence(_rung(rung, names))) for rung in rule.ladder),
        flapping=sentence(_flapping(rule.flapping)) if rule.flapping is not None else None,
        late=sentence(put(_LATE, span=span_text(rule.late_after))) if rule.late_after != LATE_AFTER else None,
    )


def usual_lateness() -> Text:
    """Say how late is too late for rules that do not say it."""
    return sentence(put(_USUALLY, late=put(_LATE, span=span_text(LATE_AFTER))))


def _raises(trigger: Trigger, names: Names, *, alone: bool) -> Text:
    """Say what a trigger waits for; with `alone` also what keeps it from raising."""
    match trigger:
        case Holds():
            said = _with_times(trigger, _lasting(condition_text(trigger.when, names), trigger.hold), _OFTEN)
        case Happens(codes=codes, when=when):
            said = _with_times(trigger, _reports(codes, names), _REPORTED_OFTEN)
            if when is not None:
                said = run((said, put(_AND_THEN, when=condition_text(when, names))), NOTHING)
        case Silent(after=after):
            said = put(_SILENT, span=span_text(after)) if after is not None else _SILENT_BY_PROFILE
        case Offline(hold=hold):
            said = _lasting(_OFFLINE, hold)
    if alone and trigger.unless is not None:
        said = run((said, put(_UNLESS, unless=condition_text(trigger.unless, names))), NOTHING)
    return said


def _with_times(trigger: Holds | Happens, said: Text, often: Text) -> Text:
    if trigger.times > 1:
        times = put(often, times=both(str(trigger.times)), span=span_text(trigger.within))
        said = run((said, times), NOTHING)
    return run((said, _only(trigger.during)), NOTHING)


def _lasting(said: Text, hold: int) -> Text:
    return run((said, put(_FOR, span=span_text(hold))), NOTHING) if hold else said


def _reports(codes: frozenset[str], names: Names) -> Text:
    return put(_REPORTS, events=listed([quoted(names.event(code)) for code in sorted(codes)], OR))


def _only(during: During | None) -> Text:
    if during is None:
        return NOTHING
    times = (
        plain(term.schedule.name) if term.wanted else put(_NOT_AT, time=plain(term.schedule.name))
        for term in during.terms
    )
    return put(_ONLY, time=run(times, _BOTH_TIMES))


def _ends(rule: Rule, names: Names) -> tuple[Text, ...]:
    ends = [condition_text(rule.clear, names)] if rule.clear is not None else []
    if rule.clear_on:
        ends.append(_reports(rule.clear_on, names))
    if rule.clear_after is not None:
        ends.append(put(_QUIET_FOR, span=span_text(rule.clear_after)))
    if ends:
        return tuple(ends)
    if all(isinstance(each, Silent | Offline) for each in rule.triggers):
        return (_HEARD_AGAIN,)
    return (_NO_LONGER if len(rule.triggers) == 1 else _NONE_ANY_LONGER,)


def _rung(rung: Rung, names: Names) -> Text:
    if rung.when is not None:
        said = put(
            _RUNG_WHILE,
            when=condition_text(rung.when, names),
            hold=_lasting(NOTHING, rung.hold),
            during=_only(rung.during),
        )
        if rung.down_after is not None:
            said = run((said, put(_RUNG_DOWN, span=span_text(rung.down_after))), NOTHING)
        return said
    said = put(_RUNG_AFTER, span=span_text(rung.after)) if rung.after else _RUNG_AT_ONCE
    if rung.down_after is not None:
        said = run((said, put(_RUNG_CALM, span=span_text(rung.down_after))), NOTHING)
    return said


def _flapping(flapping: Flapping) -> Text:
    return put(
        _FLAPPING,
        times=both(str(flapping.times)),
        within=span_text(flapping.within),
        quiet=span_text(flapping.quiet),
    )
