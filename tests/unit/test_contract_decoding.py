"""Whatever a peer sends becomes a struct or SMS.9001 that names the field."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.contract.commands import CommandReport
from wherry.contract.decoding import decode, decode_id, decode_query, encode
from wherry.contract.errors import ApiError
from wherry.contract.operations import OPERATIONS
from wherry.contract.sources import ListServersQuery, Registration
from wherry.contract.tasks import TaskAction, TaskCreation, TaskProgress
from wherry.contract.values import Wire

T = TypeVar("T")
BODIES = sorted({shape.body for shape in OPERATIONS.values() if shape.body}, key=lambda kind: kind.__name__)
QUERIES = sorted({shape.query for shape in OPERATIONS.values() if shape.query}, key=lambda kind: kind.__name__)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)


def refused(body: bytes, kind: type[Wire]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decode(body, kind)
    assert caught.value.code == "SMS.9001"
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"os_type": "LINUX"}', "name"),
        (b'{"name": "", "os_type": "LINUX"}', "name"),
        (b'{"name": null, "os_type": "LINUX"}', "name"),
        (b'{"name": "a", "os_type": "BEOS"}', "os_type"),
        (b'{"name": "a\\u0000", "os_type": "LINUX"}', "name"),
        (b'{"name": "a", "os_type": "LINUX", "disks": [{"size": -1}]}', "disks[0].size"),
        (b'{"name": "a", "os_type": "LINUX", "disks": [{}, {"name": "\\u0000"}]}', "disks[1].name"),
        (b'{"name": "a", "os_type": "LINUX", "io_read_wait": "nan"}', "io_read_wait"),
        (b'{"name": "a", "os_type": "LINUX", "io_read_wait": "inf"}', "io_read_wait"),
        (b'{"name": "a", "os_type": "LINUX", "memory": 99999999999999999999}', "memory"),
        (b'{"name": "a", "os_type": "LINUX", "memory": ' + b"9" * 10_000 + b"}", "memory"),
        (b'{"name": "a", "os_type": "LINUX", "ip": "' + b"1" * 256 + b'"}', "ip"),
    ],
)
def test_the_refusal_names_the_field(body: bytes, field: str) -> None:
    error = refused(body, Registration)
    assert error.params == (field,)
    assert field in error.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"{}{}",
        b'{"name": NaN}',
        b"\xef\xbb\xbf{}",
        b'{"name": "\xff"}',
        b'{"unknown": "\xff", "name": "a", "os_type": "LINUX"}',
        b'{"name": "\\ud800", "os_type": "LINUX"}',
        b'{"unknown": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"disks": ' + b"[" * 200_000,
        b'{"unknown": ' + b'{"a":' * 200_000,
    ],
)
def test_a_body_that_is_no_object_of_json_is_refused(body: bytes) -> None:
    refused(body, Registration)


def test_numbers_and_booleans_may_come_as_texts() -> None:
    body = b'{"name": "a", "os_type": "LINUX", "memory": "2048", "has_rsync": "true", "io_read_wait": "1.5"}'
    registered = decode(body, Registration)
    assert (registered.memory, registered.has_rsync, registered.io_read_wait) == (2048, True, 1.5)


def test_null_is_absent_and_unknown_fields_are_ignored() -> None:
    body = b'{"name": "a", "os_type": "LINUX", "ip": null, "virtualization_type": 3, "btrfs_list": []}'
    assert encode(decode(body, Registration)) == b'{"name":"a","os_type":"LINUX","btrfs_list":[]}'


def test_reads_give_back_what_was_written() -> None:
    sent = {
        "name": "MigrationTask",
        "type": "MIGRATE_BLOCK",
        "region_name": "r",
        "region_id": "r",
        "project_name": "p",
        "project_id": "p",
        "source_server": {"id": "s"},
        "target_server": {"disks": [{"disk_id": "", "name": "disk 0", "size": 0, "physical_volumes": []}]},
        "migration_ip": "",
        "syncing": False,
        "over_speed_threshold": 50.0,
    }
    assert json.loads(encode(decode(json.dumps(sent).encode(), TaskCreation))) == sent


@pytest.mark.parametrize(
    "detail", [b'{"msg" :  "started", "n": 1.00}', b'"text"', b"[1, 2]", b"0", b"false", b'"\\u0000"']
)
def test_a_result_detail_is_kept_byte_for_byte(detail: bytes) -> None:
    body = b'{"command_name": "START", "result": "success", "result_detail": ' + detail + b"}"
    report = decode(body, CommandReport)
    assert bytes(report.result_detail) == detail
    assert detail in encode(report)


@pytest.mark.parametrize("field", ["command_name", "result", "result_detail"])
def test_all_three_fields_of_a_command_result_are_needed(field: str) -> None:
    body: dict[str, Any] = {"command_name": "START", "result": "success", "result_detail": {}}
    assert field in refused(json.dumps({**body, field: None}).encode(), CommandReport).message
    del body[field]
    assert refused(json.dumps(body).encode(), CommandReport).params == (field,)


@pytest.mark.parametrize("field", ["command_name", "result"])
def test_texts_of_a_command_result_have_255_characters_at_most(field: str) -> None:
    body: dict[str, Any] = {"command_name": "START", "result": "success", "result_detail": {}}
    assert decode(json.dumps({**body, field: "ü" * 255}).encode(), CommandReport) is not None
    assert refused(json.dumps({**body, field: "ü" * 256}).encode(), CommandReport).params == (field,)


def test_an_unknown_operation_is_a_bad_request() -> None:
    assert refused(b'{"operation": "collect_log"}', TaskAction).params == ("operation",)
    assert decode(b'{"operation": "cutover"}', TaskAction).operation == "cutover"


def test_a_subtask_outside_the_enumeration_is_refused() -> None:
    body = b'{"subtask_name": "X", "progress": 1, "replicatesize": 0, "totalsize": 0, "process_trace": ""}'
    assert refused(body, TaskProgress).params == ("subtask_name",)
    assert decode(body.replace(b'"X"', b'"CHECK_CONSISTENCY"'), TaskProgress).progress == 1


def test_empty_and_unknown_query_parameters_are_ignored() -> None:
    query = decode_query({"id": "", "limit": "10", "connected": "true", "x": "y"}, ListServersQuery)
    assert (query.id, query.limit, query.connected) == (None, 10, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "201"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("limit", "9" * 5000),
        ("offset", "65536"),
        ("state", "nowhere"),
        ("connected", "maybe"),
        ("name", "a\0"),
        ("name", "n" * 256),
    ],
)
def test_a_bad_query_names_its_parameter(name: str, value: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode_query({name: value}, ListServersQuery)
    assert (caught.value.code, caught.value.params) == ("SMS.9001", (name,))


def test_ids_of_paths_have_1_to_36_characters() -> None:
    assert decode_id("x" * 36, "server_id") == "x" * 36
    for bad in ("", "x" * 37, "a\0"):
        with pytest.raises(ApiError, match="server_id"):
            decode_id(bad, "server_id")


def outcome(call: Callable[[], T]) -> T | str:
    """Return what *call* returns, or the code of its refusal."""
    try:
        return call()
    except ApiError as error:
        return error.code


@given(body=st.binary(max_size=200), kind=st.sampled_from(BODIES))
def test_no_bytes_end_in_another_exception(body: bytes, kind: type[Wire]) -> None:
    result = outcome(lambda: decode(body, kind))
    assert result == "SMS.9001" or isinstance(result, kind)


@given(value=JSON_VALUES, kind=st.sampled_from(BODIES), data=st.data())
def test_no_json_ends_in_another_exception(value: Any, kind: type[Wire], data: st.DataObject) -> None:
    fields = list(kind.__struct_encode_fields__)
    document = {name: data.draw(JSON_VALUES) for name in data.draw(st.lists(st.sampled_from(fields), unique=True))}
    for sent in (value, document):
        body = json.dumps(sent).encode()
        result = outcome(lambda body=body: decode(body, kind))  # type: ignore[misc]
        assert result == "SMS.9001" or decode(encode(result), kind) == result


@given(query=st.dictionaries(st.text(max_size=12), st.text(max_size=40), max_size=5), kind=st.sampled_from(QUERIES))
def test_no_query_ends_in_another_exception(query: dict[str, str], kind: type[Wire]) -> None:
    result = outcome(lambda: decode_query(query, kind))
    assert result == "SMS.9001" or isinstance(result, kind)
