"""The files under deploy/ are what their programs read; test_seeing.py asks /metrics for all they name."""

from tests.deployment import alert_rules, dashboard, expressions


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "look"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "todo"}, rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}


def test_every_expression_closes_its_brackets() -> None:
    for where, expression in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), where


def test_no_panel_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
