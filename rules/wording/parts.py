"""What sentences about rules are put together from: names, numbers, spans, passages as written. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from config.text import Text
from rules.moments import DAY, HOUR, MINUTE, SECOND

# Around a passage that stands as it is written; private characters, which no name of ours has.
_BEGINS, _ENDS = "\ue000", "\ue001"
_MARKS: Final = str.maketrans("", "", _BEGINS + _ENDS)
_PASSAGE: Final = re.compile(f"{_BEGINS}([^{_ENDS}]*){_ENDS}")
_SPANS: Final = (
    (DAY, Text(zh="天", en="days"), Text(zh="天", en="day")),
    (HOUR, Text(zh="小时", en="h"), Text(zh="小时", en="h")),
    (MINUTE, Text(zh="分钟", en="min"), Text(zh="分钟", en="min")),
    (SECOND, Text(zh="秒", en="s"), Text(zh="秒", en="s")),
)
_LONGEST_NUMBER: Final = 1e15
_TOGETHER: Final = "\u00a0"  # a space at which no line ends
NOTHING: Final = Text(zh="", en="")
OR: Final = Text(zh="或", en=" or ")


def both(words: str) -> Text:
    """Say the same in both languages: a number, a unit."""
    return Text(zh=words, en=words)


def plain(text: Text) -> Text:
    """Take a name or title into a sentence: without characters that mark passages as written."""
    return Text(zh=text.zh.translate(_MARKS), en=text.en.translate(_MARKS))


def put(pattern: Text, /, **parts: Text) -> Text:
    """Fill a sentence's gaps, `{name}`, in each language with its own."""
    return Text(
        zh=pattern.zh.format(**{name: part.zh for name, part in parts.items()}),
        en=pattern.en.format(**{name: part.en for name, part in parts.items()}),
    )


def listed(texts: Sequence[Text], last: Text) -> Text:
    """Say several in a row, `last` before the last one: A, B or C; A、B或C."""
    *first, end = texts
    if not first:
        return end
    return Text(
        zh="、".join(text.zh for text in first) + last.zh + end.zh,
        en=", ".join(text.en for text in first) + last.en + end.en,
    )


def run(texts: Iterable[Text], between: Text) -> Text:
    """Join texts with one between each two."""
    each = tuple(texts)
    return Text(zh=between.zh.join(text.zh for text in each), en=between.en.join(text.en for text in each))


def quoted(text: Text) -> Text:
    """Say a name as a name."""
    return put(Text(zh="“{name}”", en="“{name}”"), name=plain(text))


def within(name: Text) -> Text:
    """Take a name into a sentence: elevator repair; an abbreviation keeps its capitals."""
    name = plain(name)
    words = name.en if name.en[1:2].isupper() else name.en[:1].lower() + name.en[1:]
    return Text(zh=name.zh, en=words)


def the(label: Text) -> Text:
    """Say a signal's label within a sentence: the fill level."""
    label = within(label)
    return Text(zh=label.zh, en=f"the {label.en}")


def bracketed(text: Text) -> Text:
    """Put it into brackets."""
    return Text(zh=f"（{text.zh}）", en=f"({text.en})")


def number_text(value: float) -> Text:
    """Say a number: 1,200; 2.875; −5. What is beyond all measure is said by its power of ten."""
    if not abs(value) < _LONGEST_NUMBER:
        return both(f"{value:g}".replace("-", "−"))
    written = f"{round(value, 6) + 0.0:,.6f}".rstrip("0").removesuffix(".")  # + 0.0: never "-0"
    return both(written.replace("-", "−"))


def with_unit(number: Text, unit: Text) -> Text:
    """Say a number with its unit, on one line; without one where there is none."""
    return Text(
        zh=f"{number.zh}{_TOGETHER}{unit.zh}" if unit.zh else number.zh,
        en=f"{number.en}{_TOGETHER}{unit.en}" if unit.en else number.en,
    )


def span_text(length: int, *, days: bool = True) -> Text:
    """Say a length of time, in microseconds, whole: 1 h 30 min; 3 天. Without `days`, from hours on."""
    parts: list[Text] = []
    rest = length
    for size, many, one in _SPANS if days else _SPANS[1:]:
        count, rest = divmod(rest, size)
        if count:
            unit = one if count == 1 else many
            parts.append(with_unit(both(str(count)), unit))
    return run(parts, both(" ")) if parts else with_unit(both("0"), _SPANS[-1][1])


def spaced(text: Text) -> Text:
    """Take figures and Latin letters into Chinese with a space before them, Chinese without."""
    return Text(zh=f" {text.zh}" if text.zh[:1].isascii() or text.zh[:1] == "−" else text.zh, en=text.en)


def as_written(source: str) -> Text:
    """Let a passage stand as it is written; `passages` finds it again."""
    return both(f"{_BEGINS}{source.translate(_MARKS)}{_ENDS}")


def passages(words: str) -> Iterator[tuple[str, bool]]:
    """Take a sentence apart: (text, whether it stands as it is written)."""
    for n, part in enumerate(_PASSAGE.split(words)):
        if part:
            yield part, n % 2 == 1


def sentence(text: Text) -> Text:
    """Begin with a capital letter and end with a full stop, where it is words that stand there."""
    english = text.en[:1].upper() + text.en[1:]
    return Text(zh=_stopped(text.zh, "。"), en=_stopped(english, "."))


def _stopped(words: str, stop: str) -> str:
    return words if words.endswith((stop, "…")) else words + stop
