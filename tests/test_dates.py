"""Days are checked in words."""

from __future__ import annotations

import pytest

from memoir.dates import day, today
from memoir.errors import BadInput


@pytest.mark.parametrize("text", ["2026-12-31", "2024-02-29"])
def test_a_day_is_kept_as_it_is(text: str) -> None:
    assert day(text, "--expires") == text


def test_today_is_a_day() -> None:
    assert day(today(), "today") == today()


@pytest.mark.parametrize("text", ["", "31.12.2026", "2026-12", "20261231", "2026-W01-1", "soon"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        day(text, "--expires")
    assert str(refused.value) == (
        f"--expires takes a day such as 2026-12-31 (year, month, day), not '{text}'."
    )


@pytest.mark.parametrize("text", ["2026-02-29", "2026-13-01"])
def test_a_day_that_no_calendar_has_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        day(text, "--since")
    assert str(refused.value).startswith(
        f"--since takes a day such as 2026-12-31 (year, month, day), not '{text}': "
    )
