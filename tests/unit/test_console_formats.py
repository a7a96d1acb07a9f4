"""Numbers as the console shows them."""

import pytest

from wherry.console import formats
from wherry.console.languages import languages

ENGLISH, CHINESE = languages()["en"], languages()["zh-CN"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1536 * 2**20, "1.50 GiB"),
        (1023.9 * 2**30, "1.00 TiB"),
        (500 * 2**30, "500 GiB"),
        (None, "–"),
        (2**63 - 1, "8.00 EiB"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(count: float | None, shown: str) -> None:
    assert formats.size(count) == shown


@pytest.mark.parametrize(
    ("mbit", "shown"), [(0.0, "0.00 Mbit/s"), (94.4, "94.4 Mbit/s"), (940, "940 Mbit/s"), (9500, "9.50 Gbit/s")]
)
def test_rates(mbit: float, shown: str) -> None:
    assert formats.rate(mbit) == shown


@pytest.mark.parametrize(("part", "shown"), [(0, 0), (999, 99), (1000, 100), (1200, 100), (-5, 0)])
def test_a_hundred_per_cent_is_all_of_it(part: int, shown: int) -> None:
    assert formats.percent(part, 1000) == shown
    assert formats.percent(part, 0) == 0


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "0 s", "0 秒"),
        (59.6, "1 min", "1 分钟"),
        (3600, "1 h", "1 小时"),
        (3660, "1 h 1 min", "1 小时 1 分钟"),
        (3605, "1 h", "1 小时"),
        (200_000, "2 d 7 h", "2 天 7 小时"),
    ],
)
def test_durations_have_two_units(seconds: float, english: str, chinese: str) -> None:
    assert formats.duration(seconds, ENGLISH) == english
    assert formats.duration(seconds, CHINESE) == chinese


def test_moments_are_utc_for_who_has_no_scripts() -> None:
    assert str(formats.moment(1_700_000_000_000)) == '<time datetime="2023-11-14T22:13:20Z">2023-11-14 22:13 UTC</time>'
    assert formats.moment(0) == formats.moment(None) == "–"
