"""How topics are packed into the notices that processes send each other, and in which order locks are taken."""

import re

from hypothesis import given
from hypothesis import strategies as st

from wherry.ledger.notices import _LONGEST, _notices
from wherry.ledger.postgresql import lock_key
from wherry.ledger.postgresql_batch import _AUDIT, _LEDGER, _locks

TOPICS = st.lists(st.from_regex(r"[a-z]{1,10}:[A-Za-z0-9-]{1,64}", fullmatch=True), min_size=1, max_size=400)


@given(TOPICS)
def test_every_topic_is_in_one_notice_and_none_is_too_long(topics: list[str]) -> None:
    found: list[str] = []
    for notice in _notices("process", topics):
        assert len(notice.encode()) <= _LONGEST
        process, *rest = notice.split(" ")
        assert process == "process"
        assert rest
        found += rest
    assert found == topics


@given(st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=64))
def test_scopes_are_locked_once_each_and_always_in_the_same_order(scopes: list[str]) -> None:
    statement = _locks(scopes)
    assert f"pg_advisory_xact_lock_shared({_LEDGER})" in statement
    [listed] = re.findall(r"\{([0-9,]+)\}", statement)
    keys = [int(key) for key in listed.split(",")]
    assert keys == sorted({lock_key(scope) for scope in scopes})
    assert statement == _locks(scopes[::-1])


@given(st.lists(st.sampled_from(["", "source:1", "source:2"]), min_size=1).filter(lambda scopes: "" in scopes))
def test_one_unit_without_a_scope_makes_the_batch_exclusive(scopes: list[str]) -> None:
    assert _locks(scopes) == f"SELECT pg_advisory_xact_lock({_LEDGER})"


def test_lock_keys_are_what_postgresql_takes_and_differ() -> None:
    keys = {lock_key(f"source:{number}") for number in range(10_000)} | {_LEDGER, _AUDIT}
    assert len(keys) == 10_002
    assert all(0 <= key < 2**63 for key in keys)
