"""The house's words for stored keys, in both languages; the glossary of the design is binding.

In a template: `{{ order.status | word("status") }}`.
"""

from collections.abc import Mapping
from typing import Final

from config.text import Language, Text
from dispatch.status import STATUS_LABELS

WORDS: Final[Mapping[str, Mapping[str, Text]]] = {
    "status": dict(STATUS_LABELS.items()),
    "offer": {
        "offered": Text(zh="已派", en="offered"),
        "accepted": Text(zh="已接单", en="accepted"),
        "declined": Text(zh="已拒单", en="declined"),
        "expired": Text(zh="超时未接", en="not answered in time"),
        "withdrawn": Text(zh="已撤回", en="withdrawn"),
    },
    "severity": {
        "critical": Text(zh="紧急", en="critical"),
        "major": Text(zh="重要", en="major"),
        "minor": Text(zh="一般", en="minor"),
        "info": Text(zh="提示", en="info"),
    },
    "alarm_state": {
        "told": Text(zh="已通知", en="people were told"),
        "acknowledged": Text(zh="已确认", en="acknowledged"),
        "held": Text(zh="暂缓通知", en="held"),
        "muted": Text(zh="已静音", en="muted"),
        "late": Text(zh="补报，未通知", en="reported late"),
        "over": Text(zh="已恢复", en="over"),
    },
    "alarm_event": {
        "raised": Text(zh="告警开始", en="Alarm began"),
        "paged": Text(zh="通知有关人员", en="People were told"),
        "held": Text(zh="暂缓通知", en="Held back"),
        "muted": Text(zh="静音", en="Muted"),
        "severity": Text(zh="级别变化", en="Severity changed"),
        "ordered": Text(zh="转为工单", en="Became an order"),
        "acknowledged": Text(zh="确认", en="Acknowledged"),
        "ack_withdrawn": Text(zh="撤回确认", en="Acknowledgement taken back"),
        "ack_expired": Text(zh="确认到期，再次通知", en="Acknowledgement expired, people told again"),
        "followed_up": Text(zh="已跟进", en="Followed up"),
        "corrected": Text(zh="迟到的消息更正了时间", en="Corrected by a message that came late"),
        "reminded": Text(zh="再次提醒", en="Reminded again"),
        "cleared": Text(zh="告警恢复", en="Alarm cleared"),
        "ended": Text(zh="告警终止", en="Alarm ended"),
    },
    "mute_scope": {
        "rule_asset": Text(zh="仅此设备的这种告警", en="this alarm of this asset"),
        "asset": Text(zh="此设备的全部告警", en="all alarms of this asset"),
        "rule": Text(zh="全小区的这种告警", en="this alarm in the whole community"),
        "area": Text(zh="此区域的全部告警", en="all alarms of this area"),
        "community": Text(zh="全小区的全部告警", en="all alarms of the community"),
    },
    "role": {
        "administrator": Text(zh="管理员", en="administrator"),
        "manager": Text(zh="经理", en="manager"),
        "dispatcher": Text(zh="调度", en="dispatcher"),
        "technician": Text(zh="维修师傅", en="technician"),
        "finance": Text(zh="财务", en="finance"),
        "resident": Text(zh="住户", en="resident"),
    },
    "process": {
        "gateway": Text(zh="网关", en="gateway"),
        "worker": Text(zh="后台进程", en="worker"),
        "web": Text(zh="页面", en="pages"),
    },
    "basis": {
        "area": Text(zh="按建筑面积", en="by floor area"),
        "unit": Text(zh="按户", en="per unit"),
        "parking_space": Text(zh="按车位", en="per parking space"),
        "metered": Text(zh="按表计量", en="metered"),
        "credit": Text(zh="抵扣", en="credit"),
    },
    "measure": {
        "area": Text(zh="m²", en="m²"),
        "unit": Text(zh="户", en="unit"),
        "parking_space": Text(zh="个车位", en="space"),
        "metered": Text(zh="", en=""),
        "credit": Text(zh="次", en="times"),
    },
    "method": {
        "cash": Text(zh="现金", en="cash"),
        "card": Text(zh="银行卡", en="card"),
        "wechat": Text(zh="微信", en="WeChat"),
        "alipay": Text(zh="支付宝", en="Alipay"),
    },
    "paid": {
        "unpaid": Text(zh="待缴", en="unpaid"),
        "partial": Text(zh="部分缴纳", en="partly paid"),
        "paid": Text(zh="已缴清", en="paid"),
        "overpaid": Text(zh="已缴清，有预存", en="paid, with prepayment"),
        "void": Text(zh="已作废", en="cancelled"),
        "credit_note": Text(zh="红冲单", en="credit note"),
    },
    "refusal": {
        "bad_signature": Text(zh="签名不符", en="wrong signature"),
        "transaction_conflict": Text(zh="同一交易号内容不同", en="known transaction id, other content"),
        "bad_transaction_id": Text(zh="交易号不符", en="transaction id not accepted"),
        "bad_amount": Text(zh="金额不符", en="amount not accepted"),
        "unknown_bill": Text(zh="查无此账单", en="unknown bill"),
        "wrong_unit": Text(zh="房号不符", en="bill of another unit"),
    },
    "request": {
        "repair": Text(zh="报修", en="repair"),
        "complaint": Text(zh="投诉", en="complaint"),
        "enquiry": Text(zh="咨询", en="enquiry"),
    },
    "channel": {
        "page": Text(zh="网页", en="by this page"),
        "phone": Text(zh="电话", en="by phone"),
        "front_desk": Text(zh="前台", en="at the front desk"),
    },
    "request_state": {
        "waiting": Text(zh="待首次答复", en="waiting for an answer"),
        "taken": Text(zh="已有人接手", en="somebody has it"),
        "answered": Text(zh="跟进中", en="being followed up"),
        "closed": Text(zh="已办结", en="closed"),
    },
    "satisfaction": {
        "5": Text(zh="很满意", en="very satisfied"),
        "4": Text(zh="满意", en="satisfied"),
        "3": Text(zh="一般", en="neither"),
        "2": Text(zh="不满意", en="dissatisfied"),
        "1": Text(zh="很不满意", en="very dissatisfied"),
    },
    "account": {
        "receivable": Text(zh="应收", en="receivable"),
        "income": Text(zh="收入", en="income"),
        "cash": Text(zh="收款", en="cash received"),
        "prepayment": Text(zh="预存", en="prepayment"),
        "discount": Text(zh="优惠", en="discount"),
        "voucher_liability": Text(zh="代金券", en="vouchers"),
        "public_revenue": Text(zh="公共收益", en="public revenue"),
        "maintenance_fund": Text(zh="维修资金", en="maintenance fund"),
    },
}


def say(group: str, key: str, language: Language) -> str:
    """Say a stored key; a key the house has no word for is shown readable, never as an error."""
    text = WORDS[group].get(key)
    return text[language] if text is not None else key.replace("_", " ")
