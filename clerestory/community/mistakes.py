"""A mistake in a community file, said so that its author can mend it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong where: the path inside the document, the value found, and what would be right."""

    place: Place
    path: Path
    value: object
    right: str

    def __str__(self) -> str:
        return f"{self.place}: {written(self.path)}: {_shortened(self.value)}: {self.right}"


class MistakesFound(ValueError):
    """A community file that must not be loaded; `mistakes` are all of them, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: mistake.place))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def written(path: Path) -> str:
    """Write a path as people do: `buildings[2].area`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "(whole file)"


def nearest(wrong: object, known: Iterable[str]) -> str:
    """Say what could have been meant: the nearest known name, else the first of them."""
    names: Sequence[str] = sorted(set(known))
    close = get_close_matches(str(wrong), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return "there are none yet"
    shown = ", ".join(names[:8])
    return f"known: {shown}{', …' if len(names) > 8 else ''}"  # noqa: PLR2004 - as many as fit a line


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - as much as fits a line
