"""What somebody may have meant by a name that nobody knows."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from config.text import Text

MOST_SHOWN: Final = 8


def nearest(wrong: object, known: Iterable[str]) -> Text:
    """Say what could have been meant: the nearest known name, else the first of them."""
    names: Sequence[str] = sorted(set(known))
    close = get_close_matches(str(wrong), names, n=1)
    if close:
        return Text(zh=f"是否想写 {close[0]}？", en=f"did you mean {close[0]!r}?")
    if not names:
        return Text(zh="目前一个也没有", en="there are none yet")
    shown, more = ", ".join(names[:MOST_SHOWN]), ", …" if len(names) > MOST_SHOWN else ""
    return Text(zh=f"可用的有：{shown}{more}", en=f"known: {shown}{more}")
