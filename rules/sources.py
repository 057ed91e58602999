"""Where rules come from: the files that are shipped, and those of a site's own folder, each under a name.

By that name versions refer to it that are switched on later: `bin` is the shipped `bin.yaml`, `site.own` the
`own.yaml` of the site's folder.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rules.compile import compile_text
from rules.document import Problem, RuleFileError

SITE = "site."


@dataclass(frozen=True, slots=True)
class Source:
    """The words of one rule file. `place` says in messages where they stand."""

    name: str
    place: str
    text: str


def shipped_rules() -> tuple[Path, ...]:
    """The rule files that come with the house."""
    folder = Path(str(files("config"))) / "rules"
    return tuple(sorted(folder.glob("*.yaml")))


def file_sources(directory: Path | None) -> tuple[Source, ...]:
    """The shipped files and those of a site's folder; raises RuleFileError for one that cannot be read."""
    own = () if directory is None else sorted(directory.glob("*.yaml"))
    return (
        *(_read(path, path.stem) for path in shipped_rules()),
        *(_read(path, f"{SITE}{path.stem}") for path in own),
    )


def read_sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    """Any rule files, each under its own address."""
    return tuple(_read(path, str(path)) for path in paths)


def _read(path: Path, name: str) -> Source:
    try:
        return Source(name, str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RuleFileError([Problem(str(path), 1, 1, f"cannot be read: {error}")]) from error


def put_in(sources: Iterable[Source], changed: Source) -> tuple[Source, ...]:
    """The same sources with one changed, or added where none has its name."""
    listed = tuple(sources)
    if all(source.name != changed.name for source in listed):
        return (*listed, changed)
    return tuple(changed if source.name == changed.name else source for source in listed)


def class_of(source: Source) -> str | None:
    """The asset class a rule file says it is for, whatever else is wrong with it."""
    content = compile_text(source.text, source.place).document.content
    found = content.get("asset_class") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def file_for_class(sources: Iterable[Source], asset_class: str) -> str | None:
    """The name of the file with an asset class's rules: the shipped one, else the first of the site's."""
    names = [source.name for source in sources if class_of(source) == asset_class]
    return min(names, key=lambda name: name.startswith(SITE), default=None)
