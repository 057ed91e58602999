"""What became of a job that was offered or held, in words for the technician who no longer has it. Pure."""

from config.text import Text
from web.work_store import Standing


def gone_words(stand: Standing) -> Text:
    """Say why the job is not theirs any more."""
    if stand.record_id is not None:
        return Text(zh="您已完成这张工单，记录已保存。", en="You finished this job; its record is kept.")
    if stand.status in {"cancelled", "merged"}:
        return Text(
            zh="这张工单已取消，不必再去。谢谢。", en="This job was cancelled; nobody needs to go. Thank you."
        )
    if stand.taken_by_other:
        return Text(zh="这张工单已由同事接单。", en="A colleague has taken this job.")
    if stand.offer == "declined":
        return Text(zh="您已拒单，已转问其他同事。", en="You declined this job; colleagues are asked now.")
    if stand.offer == "expired":
        return Text(
            zh="答复时间已过，已转问其他同事。",
            en="The time to answer ran out; colleagues are asked now.",
        )
    return Text(zh="调度已收回这张工单。", en="The desk has taken this job back.")
