"""Where a redirect may lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from web.security import safe_next


@pytest.mark.parametrize("path", ["/", "/bills", "/bills/2026-10-x?y=1#z", "/records/3"])
def test_our_own_paths_are_kept(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "value",
    [None, "", "bills", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example",
     "\\\\evil.example", "/a\\b", "javascript:alert(1)", "/\n/evil.example", "///evil.example"],
)  # fmt: skip
def test_anything_else_leads_home(value: str | None) -> None:
    assert safe_next(value) == "/"


@given(st.text(alphabet="/\\.:@?#%abc \t\n", max_size=20))
def test_no_text_leads_to_another_host(value: str) -> None:
    assert URL("http://ours.example/sign-in").join(URL(safe_next(value), encoded=True)).host == "ours.example"
