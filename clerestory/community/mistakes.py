"""A mistake in a community file, said so that its author can mend it."""

from collections.abc import Iterable
from dataclasses import dataclass

from config import nearest as names

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
    return names.nearest(wrong, known).en


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004 - as much as fits a line
