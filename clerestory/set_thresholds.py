"""Whether the thresholds that are set can hold under the rules in force, for `clerestory doctor`. Pure.

A community file and the page refuse what cannot hold when it is set; but rules change afterwards. What no
longer fits is passed over, and the next outer value holds: that must be said.
"""

from collections.abc import Iterable, Iterator

from clerestory.store import Threshold
from rules.book import RuleBook


def passed_over(found: Iterable[Threshold], book: RuleBook) -> Iterator[str]:
    """What cannot hold, in words. Attributes of assets that no rule reads only describe them."""
    for each in found:
        rule = book.attributes(each.asset_class).get(each.name)
        if rule is not None:
            problem = rule.problem(each.value)
            if problem is not None:
                yield f"{each.place}: {problem}"
        elif not each.place.startswith("asset "):
            yield f"{each.place}: {each.name} is read by no rule of {each.asset_class}"
