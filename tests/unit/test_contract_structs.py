"""Every published operation and field has its place in the structs, with its type and limits."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from wherry.contract.operations import OPERATIONS, OperationShape
from wherry.contract.values import Empty

FACTS = Path(__file__).parent.parent / "contract"
PUBLISHED = json.loads((FACTS / "operations.json").read_text())
LIMITS = json.loads((FACTS / "constraints.json").read_text())
MODELS: Mapping[str, Mapping[str, Any]] = PUBLISHED["models"]
PUBLISHED_OPERATIONS = {operation["id"]: operation for operation in PUBLISHED["operations"]}
INT64_MAX = 2**63 - 1

# What is decided differently from the newest definition, and why.
OTHER_TYPE = {
    "ShowConsistencyResultResponse.result_list": "objects, which Terraform and the Python SDK read",
}
EXTRA_IN_REQUESTS = {
    "TargetPhysicalVolumes": {"inode_size"},  # CreateTask takes it, and reads give it back
    "PhysicalVolumes": set(),
}
LOOSER = {
    "PostSourceServerBody.name": "0-255 until 2026-01",
    "PostSourceServerBody.hostname": "older agents send up to 255",
    "PostSourceServerBody.state": "text; the rules refuse unknown ones",
    "ListServersRequest.state": "takes premiging too, which sources can be in",
    "PostTask.name": "its fault has the code SMS.7711",
    "PostTask.type": "its fault has the code SMS.7712",
    "PostTask.os_type": "its fault has the code SMS.6601",
    "PutCopyStateReq.copystate": "a guarded source accepts any word",
    "PutCopyStateReq.migrationcycle": "a guarded source accepts any word",
    "ConfigBody.config_key": "later and older keys are stored as given",
    "PublicIp.bandwidth_size": "0 comes from clients that set none",
    "TargetPhysicalVolumes.device_use": "mirrors the source's, which is free text",
    "PhysicalVolumes.device_use": "mirrors the source's, which is free text",
    "VpcObject.cidr": "may come empty",
    "UpdateTaskSpeedReq.subtask_name": "takes CHECK_CONSISTENCY too, seen in the field",
    "UpdateTaskStatusReq.operation": "takes the two actions that stand in the text only",
}
OPTIONAL_ALL_THE_SAME = {
    "PostSourceServerBody.os_version",
    "PostSourceServerBody.networks",
    "PostSourceServerBody.agent_version",
    "NetWork.mac",
    "PostTask.source_server",
    "PostTask.target_server",
    "SourceServerByTask.id",
    "TargetServerByTask.name",
    "TargetServerByTask.vm_id",
    "Nics.id",
    "Nics.name",
    "Nics.cidr",
    "SgObject.id",
    "SgObject.name",
    "PublicIp.type",
    "PublicIp.bandwidth_size",
    "ListErrorServersRequest.offset",
}


def struct_of(kind: Any) -> inspect.StructType:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info


def fields_of(info: inspect.StructType) -> dict[str, inspect.Field]:
    return {field.encode_name: field for field in info.fields}


def bare(info: inspect.Type) -> inspect.Type:
    """Return the type without null and without its metadata; of an id that may be a number too, the published text."""
    if isinstance(info, inspect.Metadata):
        return bare(info.type)
    if isinstance(info, inspect.UnionType):
        left = [bare(member) for member in info.types if not isinstance(member, inspect.NoneType)]
        (only,) = [member for member in left if isinstance(member, inspect.StrType)] if len(left) > 1 else left
        return only
    return info


KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (inspect.StrType, inspect.EnumType, inspect.LiteralType),
    "int": (inspect.IntType,),
    "float": (inspect.FloatType,),
    "bool": (inspect.BoolType,),
    "object": (inspect.RawType,),
    "dict(str, str)": (inspect.DictType,),
}


def walk(model: str, info: inspect.StructType) -> Iterator[tuple[str, str, Any, inspect.Field, inspect.Type]]:
    """Yield every published field below *model* with our field: model, name, published type, field, bare type."""
    ours = fields_of(info)
    for name, published in MODELS[model].items():
        assert name in ours, f"{model}.{name} is missing in {info.cls.__name__}"
        found = bare(ours[name].type)
        kind = published["type"]
        yield model, name, kind, ours[name], found
        if f"{model}.{name}" in OTHER_TYPE:
            continue
        while kind.startswith("list["):
            assert isinstance(found, inspect.ListType), f"{model}.{name}"
            kind, found = kind[5:-1], bare(found.item_type)
        if kind in MODELS:
            assert isinstance(found, inspect.StructType), f"{model}.{name}"
            yield from walk(kind, found)
        else:
            assert isinstance(found, KINDS[kind]), f"{model}.{name}: {kind} is {found}"


def requests() -> list[tuple[str, str, Any]]:
    bodies = [
        (name, published["body_model"], OPERATIONS[name].body)
        for name, published in PUBLISHED_OPERATIONS.items()
        if published["body_model"]
    ]
    queries = [
        (name, published["request_model"], OPERATIONS[name].query)
        for name, published in PUBLISHED_OPERATIONS.items()
        if published["query_params"]
    ]
    return bodies + queries


def answers() -> list[tuple[str, str, OperationShape]]:
    return [(name, published["response_model"], OPERATIONS[name]) for name, published in PUBLISHED_OPERATIONS.items()]


def test_there_are_the_49_operations_called_as_published() -> None:
    published = {name: (operation["method"], operation["path"]) for name, operation in PUBLISHED_OPERATIONS.items()}
    assert {name: (shape.method, shape.path) for name, shape in OPERATIONS.items()} == published
    assert len(published) == 49


@pytest.mark.parametrize(("operation", "model", "kind"), requests())
def test_requests_have_every_field_and_no_other(operation: str, model: str, kind: Any) -> None:
    del operation
    info = struct_of(kind)
    if model in {published["request_model"] for published in PUBLISHED_OPERATIONS.values()}:
        wanted = set(MODELS[model]) - {name for name in MODELS[model] if name in {"task_id", "body"}}
        assert set(fields_of(info)) == wanted
        return
    seen: dict[str, set[str]] = {}
    for owner, name, *_ in walk(model, info):
        seen.setdefault(owner, set()).add(name)
    assert seen
    assert set(fields_of(info)) == seen[model] | EXTRA_IN_REQUESTS.get(model, set())


@pytest.mark.parametrize(("operation", "model", "shape"), answers())
def test_answers_have_every_field(operation: str, model: str, shape: OperationShape) -> None:
    if set(MODELS[model]) == {"body"}:
        assert shape.answer is Empty
    elif operation == "ExportConsistencyResults":
        assert shape.answer is None
    else:
        assert list(walk(model, struct_of(shape.answer)))


def limited_fields() -> list[tuple[str, Any, inspect.Field, inspect.Type]]:
    found = {}
    for _, model, kind in requests():
        if model.endswith("Request"):
            ours = fields_of(struct_of(kind))
            for name, field in ours.items():
                found[f"{model}.{name}"] = (LIMITS[model][name], field, bare(field.type))
            continue
        for owner, name, _, field, info in walk(model, struct_of(kind)):
            found[f"{owner}.{name}"] = (LIMITS[owner][name], field, info)
    return [(name, *facts) for name, facts in sorted(found.items())]


@pytest.mark.parametrize(("name", "limits", "field", "info"), limited_fields())
def test_limits_of_requests_are_the_published_ones(name: str, limits: Any, field: inspect.Field, info: Any) -> None:
    if name in LOOSER:
        return
    match info:
        case inspect.StrType():
            assert "enum" not in limits or name.split(".")[1] == "device_use"
            assert info.max_length == limits.get("maxLength", info.max_length)
        case inspect.IntType() | inspect.FloatType():
            assert (info.ge, info.le) == (limits["minimum"], min(limits["maximum"], INT64_MAX))
        case inspect.EnumType():
            assert {member.value for member in info.cls} == set(limits["enum"])
        case inspect.LiteralType():
            assert set(info.values) - {""} == set(limits["enum"])
        case inspect.ListType() if "maxItems" in limits:
            assert info.max_length == limits["maxItems"]
            assert (info.min_length or 0) == limits["minItems"]
        case _:
            assert not {"maxLength", "minimum", "enum"} & set(limits)
    if limits.get("required") and name not in OPTIONAL_ALL_THE_SAME:
        assert field.required


def test_nothing_is_required_that_the_newest_definition_leaves_open() -> None:
    asked = {name for name, _, field, _ in limited_fields() if field.required}
    published = {
        name
        for name, limits, *_ in limited_fields()
        if limits.get("required") or MODELS[name.split(".")[0]][name.split(".")[1]].get("required")
    }
    assert asked <= published


def test_deviations_name_fields_that_exist() -> None:
    for name in {*OTHER_TYPE, *LOOSER, *OPTIONAL_ALL_THE_SAME}:
        model, field = name.split(".")
        assert field in MODELS[model], name


def test_no_number_of_a_request_is_unbounded() -> None:
    """A float without bounds would let NaN through, which comes as a text."""
    for name, _, _, info in limited_fields():
        if isinstance(info, inspect.FloatType):
            assert info.le is not None, name


def test_structs_forget_what_was_not_sent() -> None:
    for shape in OPERATIONS.values():
        for kind in (shape.body, shape.query):
            if kind is not None:
                assert all(field.required or field.default is None for field in msgspec.structs.fields(kind)), (
                    f"{kind.__name__} fills in a default"
                )
