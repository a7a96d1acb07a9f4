"""Units that have failed, from what systemctl writes."""

from pathlib import Path

import pytest

from wherry.agent.failed_units import MOST_UNITS, failed_units_in, read_failed_units

TABLE = """\
● old.service      loaded failed failed An old service
srv-data.mount     loaded failed failed /srv/data

"""


def test_names_are_the_first_column_with_or_without_a_dot() -> None:
    assert failed_units_in(TABLE) == ["old.service", "srv-data.mount"]
    assert failed_units_in("") == []


def test_a_server_where_everything_fails_stays_within_the_limits() -> None:
    table = "".join(f"unit-{number}.service loaded failed\n" for number in range(MOST_UNITS + 1))
    assert len(failed_units_in(table + "x" * 400)) == MOST_UNITS
    assert len(failed_units_in("x" * 400)[0]) == 255


def test_without_systemd_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_failed_units() is None
