"""Who fails too often is locked out, and nobody else."""

import time

import pytest

from wherry.iam.lockout import LOCKED_S, MOST_FAILURES, TRUSTED_S, WITHIN_S, Lockout, network_of

ATTACKER, VICTIM = "203.0.113.9", "192.0.2.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(lockout: Lockout, times: int, peer: str = ATTACKER, name: str = "AK1") -> None:
    for _ in range(times):
        lockout.failed(name, peer)


def test_the_last_of_too_many_failures_locks_for_a_while(clock: Clock) -> None:
    lockout = Lockout(clock)
    fail(lockout, MOST_FAILURES - 1)
    assert lockout.locked_s("AK1", ATTACKER) == 0
    fail(lockout, 1)
    assert lockout.locked_s("AK1", ATTACKER) == LOCKED_S
    clock.now += LOCKED_S - 1
    assert lockout.locked_s("AK1", ATTACKER) == 1
    clock.now += 1
    assert lockout.locked_s("AK1", ATTACKER) == 0
    fail(lockout, 1)
    assert lockout.locked_s("AK1", ATTACKER) == 0  # it starts anew


def test_nobody_else_is_locked_out(clock: Clock) -> None:
    lockout = Lockout(clock)
    fail(lockout, 10 * MOST_FAILURES)
    assert lockout.locked_s("AK1", VICTIM) == 0
    assert lockout.locked_s("AK2", ATTACKER) == 0


def test_failures_that_are_far_apart_do_not_add_up(clock: Clock) -> None:
    lockout = Lockout(clock)
    for _ in range(3 * MOST_FAILURES):
        fail(lockout, 1)
        clock.now += WITHIN_S / 10
    assert lockout.locked_s("AK1", ATTACKER) == 0


def test_a_success_starts_anew(clock: Clock) -> None:
    lockout = Lockout(clock)
    fail(lockout, MOST_FAILURES - 1)
    lockout.succeeded("AK1", ATTACKER)
    clock.now += TRUSTED_S
    fail(lockout, MOST_FAILURES - 1)
    assert lockout.locked_s("AK1", ATTACKER) == 0


def test_a_stranger_behind_the_same_proxy_cannot_lock_a_colleague_out(clock: Clock) -> None:
    keys, passwords = Lockout(clock), Lockout(clock, most=10, most_trusted=100)
    keys.succeeded("AK1", VICTIM)
    fail(keys, 1000, VICTIM)
    assert keys.locked_s("AK1", VICTIM) == 0
    passwords.succeeded("anna", VICTIM)
    fail(passwords, 99, VICTIM, "anna")
    assert passwords.locked_s("anna", VICTIM) == 0
    fail(passwords, 1, VICTIM, "anna")  # and still nobody can guess for ever
    assert passwords.locked_s("anna", VICTIM) == LOCKED_S


def test_trust_ends_after_an_hour_without_a_success(clock: Clock) -> None:
    lockout = Lockout(clock)
    lockout.succeeded("AK1", VICTIM)
    clock.now += TRUSTED_S
    fail(lockout, MOST_FAILURES, VICTIM)
    assert lockout.locked_s("AK1", VICTIM) == LOCKED_S


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("/run/socket:1", "/run/socket:1"),
    ],
)
def test_an_ipv6_address_counts_as_its_network(peer: str, network: str) -> None:
    assert network_of(peer) == network


def test_a_lock_goes_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    lockout = Lockout()
    fail(lockout, MOST_FAILURES)
    now = time.time()
    for jump_s in (-10 * 365 * 86400, 10 * 365 * 86400):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: now + jump_s)
        assert 0 < lockout.locked_s("AK1", ATTACKER) <= LOCKED_S


def test_the_memory_is_bounded(clock: Clock) -> None:
    lockout = Lockout(clock)
    for number in range(20_000):
        lockout.failed("AK1", f"198.51.{number // 256}.{number % 256}")
        lockout.succeeded("AK2", f"198.51.{number // 256}.{number % 256}")
    assert len(lockout._failures._entries) <= 8192
    assert len(lockout._trusted._entries) <= 8192
