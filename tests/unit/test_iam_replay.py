"""Signatures are used once: the grace, the memory and what it forgets."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.replay import GRACE_S, ReplayGuard
from wherry.iam.signature import MAX_SKEW_S, Algorithm, Claim

NOON = 1_769_592_600
HOME, ABROAD = "192.0.2.1", "192.0.2.2"


class Clock:
    def __init__(self) -> None:
        self.now = float(NOON)

    def __call__(self) -> float:
        return self.now


def claim(what: str, signed_at: int = NOON, access_key: str = "AK1") -> Claim:
    signature = hashlib.sha256(f"{what} {signed_at} {access_key}".encode()).hexdigest().encode()
    return Claim(Algorithm.SDK_HMAC_SHA256, access_key, b"", (b"x-sdk-date",), b"x-sdk-date", signature, b"", signed_at)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refused(guard: ReplayGuard, what: Claim, peer: str = HOME) -> bool:
    try:
        guard.use(what, peer)
    except AuthenticationFailed:
        return True
    return False


def test_the_same_request_may_come_twice_in_a_moment_from_one_address(clock: Clock) -> None:
    guard = ReplayGuard(clock, clock)
    guard.use(claim("delete"), HOME)
    clock.now += GRACE_S
    guard.use(claim("delete"), HOME)
    clock.now += 0.1
    with pytest.raises(AuthenticationFailed, match="used before"):
        guard.use(claim("delete"), HOME)


def test_from_elsewhere_it_is_a_replay_at_once(clock: Clock) -> None:
    guard = ReplayGuard(clock, clock)
    guard.use(claim("delete"), HOME)
    with pytest.raises(AuthenticationFailed, match="used before"):
        guard.use(claim("delete"), ABROAD)


@pytest.mark.parametrize("skew_s", [-MAX_SKEW_S, -1, 0, 1, MAX_SKEW_S])
def test_a_replay_is_refused_for_as_long_as_the_date_is_good(clock: Clock, skew_s: int) -> None:
    guard = ReplayGuard(clock, clock)
    used = claim("delete", NOON + skew_s)
    guard.use(used, HOME)
    while clock.now <= used.signed_at + MAX_SKEW_S:
        clock.now += 7
        guard.use(claim(f"other {clock.now}", int(clock.now)), HOME)  # sweeping happens on the way
        assert refused(guard, used) or clock.now > used.signed_at + MAX_SKEW_S


def test_what_is_too_old_for_any_signature_is_forgotten(clock: Clock) -> None:
    guard = ReplayGuard(clock, clock)
    for number in range(1000):
        guard.use(claim("report", NOON, f"AK{number}"), HOME)
    assert len(guard) == 1000
    clock.now += MAX_SKEW_S + 120
    guard.use(claim("report", int(clock.now)), HOME)
    assert len(guard) == 1


def test_a_key_that_floods_harms_itself_only(clock: Clock) -> None:
    guard = ReplayGuard(clock, clock, most_of_key=100)
    quiet = claim("delete", NOON - 600, "AK2")
    guard.use(quiet, HOME)
    used = [claim("report", NOON - 300 + number) for number in range(300)]
    for each in used:
        guard.use(each, HOME)
    assert len(guard) <= 101
    clock.now += GRACE_S + 1
    assert all(refused(guard, each) for each in used)
    assert refused(guard, quiet)
    assert not refused(guard, claim("another", NOON - 600, "AK2"))
    with pytest.raises(AuthenticationFailed, match="before the oldest"):
        guard.use(claim("never used", NOON - 300), HOME)


def test_one_date_for_everything_does_not_defeat_the_limit(clock: Clock) -> None:
    guard = ReplayGuard(clock, clock, most_of_key=10)
    used = [claim(f"report {number}") for number in range(11)]
    for each in used:
        guard.use(each, HOME)
    assert len(guard) == 0
    assert all(refused(guard, each) for each in used)


def test_all_keys_together_are_limited_by_the_largest(clock: Clock) -> None:
    guard = ReplayGuard(clock, clock, most=100)
    small = [claim("delete", NOON, f"small{number}") for number in range(20)]
    for each in small:
        guard.use(each, HOME)
    for number in range(500):
        guard.use(claim("report", NOON - 500 + number, "large"), HOME)
        assert len(guard) <= 100
    clock.now += GRACE_S + 1
    assert all(refused(guard, each) for each in small)
    assert not refused(guard, claim("another", NOON - 600, "small1"))


def test_what_one_process_has_used_another_refuses(clock: Clock) -> None:
    here, there = ReplayGuard(clock, clock), ReplayGuard(clock, clock)
    used = claim("delete")
    here.use(used, "2001:db8::1")
    notice = here.notice(used, "2001:db8::1")
    assert " " not in notice
    there.hear(notice)
    here.hear(notice)
    assert len(here) == len(there) == 1
    there.use(used, "2001:db8::1")  # the same client, which a proxy sent to another process
    assert refused(there, used, ABROAD)
    clock.now += GRACE_S + 1
    assert refused(there, used, "2001:db8::1")


@pytest.mark.parametrize("jump_s", [-3600.0, -10 * 365 * 86400.0, 3600.0, 10 * 365 * 86400.0])
def test_a_clock_that_is_set_and_set_back_lets_no_replay_in(jump_s: float) -> None:
    wall, steady = Clock(), Clock()
    guard = ReplayGuard(wall, steady)
    used = claim("delete")
    guard.use(used, HOME)
    wall.now += jump_s
    for _ in range(10):
        for each in (wall, steady):
            each.now += 61
        assert not refused(guard, claim("another", int(wall.now)))  # sweeping happens on the way
    wall.now -= jump_s
    assert refused(guard, used)


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_the_grace_does_not_last_longer_for_a_clock_that_is_set(jump_s: float) -> None:
    wall, steady = Clock(), Clock()
    guard = ReplayGuard(wall, steady)
    used = claim("delete")
    guard.use(used, HOME)
    wall.now += jump_s
    steady.now += GRACE_S
    guard.use(used, HOME)
    steady.now += 0.1
    assert refused(guard, used)


def test_a_key_that_flooded_under_a_clock_that_was_ahead_is_not_locked_out_for_years() -> None:
    wall, steady = Clock(), Clock()
    wall.now += 10 * 365 * 86400
    guard = ReplayGuard(wall, steady, most_of_key=10)
    for number in range(20):
        guard.use(claim("report", int(wall.now) + number), HOME)
    wall.now = NOON
    assert refused(guard, claim("another"))
    for _ in range(20):
        for each in (wall, steady):
            each.now += 61
        refused(guard, claim("yet another", int(wall.now)))
    assert not refused(guard, claim("the last", int(wall.now)))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(0, 3), st.integers(-20, 20), st.sampled_from([0.0, 0.5, 3.0, 40.0])
        ),
        max_size=60,
    )
)
def test_no_signature_is_accepted_again_after_its_grace(uses: list[tuple[str, int, int, float]]) -> None:
    first: dict[bytes, float] = {}
    clock = Clock()
    guard = ReplayGuard(clock, clock, most_of_key=6, most=9)
    for key, what, skew_s, pause_s in uses:
        clock.now += pause_s
        used = claim(str(what), NOON + skew_s, key)
        if not refused(guard, used):
            first.setdefault(used.signature, clock.now)
            assert clock.now - first[used.signature] <= GRACE_S
        assert len(guard) <= 10
