"""Named refusals of the dispatch room; each carries its data and says in zh and en what would be right."""

from config.text import Text
from dispatch.status import STATUS_LABELS, Status


class DispatchRefusal(Exception):
    """Something asked of a work order that cannot be done. `text` can be shown to a person."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class NoSuchOrder(DispatchRefusal):
    """No work order has this id."""

    def __init__(self, order_id: int) -> None:
        super().__init__(Text(zh=f"没有编号为 {order_id} 的工单", en=f"there is no work order {order_id}"))
        self.order_id = order_id


class IllegalMove(DispatchRefusal):
    """The order's status does not allow the move; somebody else may have been faster."""

    def __init__(self, order_id: int, before: Status, after: Status) -> None:
        was, to = STATUS_LABELS[before], STATUS_LABELS[after]
        super().__init__(
            Text(
                zh=f"工单现为“{was.zh}”，不能变为“{to.zh}”",
                en=f"the order is {was.en}; it cannot become {to.en} from there",
            )
        )
        self.order_id = order_id
        self.before: Status = before
        self.to: Status = after


class NotYours(DispatchRefusal):
    """A technician tried to move an order that somebody else holds."""

    def __init__(self, order_id: int) -> None:
        super().__init__(
            Text(
                zh="这张工单现由他人负责",
                en="somebody else holds this order; only they or the office move it",
            )
        )
        self.order_id = order_id


class OfferGone(DispatchRefusal):
    """The offer was answered, withdrawn or ran out before this tap arrived."""

    def __init__(self, order_id: int, text: Text) -> None:
        super().__init__(text)
        self.order_id = order_id


class AlarmHasOrder(DispatchRefusal):
    """The alarm has another order that is not over: one live order an alarm."""

    def __init__(self, about: int) -> None:
        super().__init__(
            Text(
                zh="该告警已有另一张未结束的工单，请在那张工单上继续",
                en="the alarm has another order that is not over; go on with that one",
            )
        )
        self.about = about  # the order that was to be reopened, or the alarm an order was to be opened for


class NoSuchAlarm(DispatchRefusal):
    """No alarm has this id."""

    def __init__(self, alarm_id: int) -> None:
        super().__init__(Text(zh=f"没有编号为 {alarm_id} 的告警", en=f"there is no alarm {alarm_id}"))
        self.alarm_id = alarm_id


class AlarmOver(DispatchRefusal):
    """The alarm has ended: there is nothing to be on any more."""

    def __init__(self, alarm_id: int) -> None:
        super().__init__(Text(zh=f"告警 {alarm_id} 已恢复", en=f"alarm {alarm_id} is over already"))
        self.alarm_id = alarm_id


class NotAcknowledged(DispatchRefusal):
    """There is no standing acknowledgement to take back."""

    def __init__(self, alarm_id: int) -> None:
        super().__init__(
            Text(
                zh=f"告警 {alarm_id} 没有有效的确认",
                en=f"nobody's acknowledgement of alarm {alarm_id} stands",
            )
        )
        self.alarm_id = alarm_id


class NoSuchMute(DispatchRefusal):
    """No mute of this id stands."""

    def __init__(self, mute_id: int) -> None:
        super().__init__(
            Text(zh=f"没有编号为 {mute_id} 的有效静音", en=f"there is no mute {mute_id} that stands")
        )
        self.mute_id = mute_id


class EmergencyStands(DispatchRefusal):
    """The community is in a declared emergency already."""

    def __init__(self, community_id: int) -> None:
        super().__init__(
            Text(
                zh="该小区已处于紧急状态，请先结束再宣布",
                en="the community is in a declared emergency already; end that one first",
            )
        )
        self.community_id = community_id


class NoEmergency(DispatchRefusal):
    """There is no declared emergency to end."""

    def __init__(self, community_id: int) -> None:
        super().__init__(Text(zh="该小区没有宣布紧急状态", en="the community is in no declared emergency"))
        self.community_id = community_id


class RequestReused(DispatchRefusal):
    """A request id that already named one move came back asking for another."""

    def __init__(self, order_id: int, request_id: str) -> None:
        super().__init__(
            Text(
                zh=f"请求编号 {request_id} 已用于另一操作，请刷新后重试",
                en=f"request {request_id} already named another move of this order; reload and try again",
            )
        )
        self.order_id = order_id
        self.request_id = request_id


class BadField(DispatchRefusal):
    """A value that cannot be taken: names the field, the value and what would be right."""

    def __init__(self, field: str, value: object, right: Text) -> None:
        super().__init__(
            Text(zh=f"{field} = {value!r}：{right.zh}", en=f"{field} = {value!r}: {right.en}"),
        )
        self.field = field
        self.value = value
        self.right = right


class BadPhoto(DispatchRefusal):
    """A file that is no photo we can keep."""


class ChecklistIncomplete(DispatchRefusal):
    """Completing needs every item answered, and a remark for each value out of its range."""

    def __init__(self, faults: "dict[str, Text]") -> None:
        super().__init__(
            Text(
                zh="检查表未完成：" + "；".join(text.zh for text in faults.values()),
                en="the checklist is not complete: " + "; ".join(text.en for text in faults.values()),
            )
        )
        self.faults = faults
