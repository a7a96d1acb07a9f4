"""What users choose for the disks of a source: ids that last, choices that are merged, and when they go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.contract.errors import ApiError
from wherry.migration.disk_choice import choose, remaining, shown

NAMES = st.sampled_from(["/dev/vda", "/dev/vdb", "", "data"])
PART = st.fixed_dictionaries({"name": NAMES, "index": st.integers(0, 3)})
DISK = st.fixed_dictionaries({"name": NAMES}, optional={"physical_volumes": st.lists(PART, max_size=3)})
GROUP = st.fixed_dictionaries({"name": NAMES}, optional={"logical_volumes": st.lists(PART, max_size=3)})
DOCUMENT = st.fixed_dictionaries(
    {}, optional={"disks": st.lists(DISK, max_size=4), "volume_groups": st.lists(GROUP, max_size=3)}
)


def ids(document: dict[str, Any], source_id: str = "s") -> list[int]:
    """Return the ids of everything that can be chosen."""
    found = []
    for items in shown(source_id, document, {}).values():
        for item in items:
            parts = item.get("physical_volumes") or item.get("logical_volumes") or []
            found += [item["id"], *(part["id"] for part in parts)]
    return found


@given(DOCUMENT)
def test_ids_are_numbers_of_one_object_each_and_last(document: dict[str, Any]) -> None:
    found = ids(document)
    assert len(set(found)) == len(found)
    assert all(0 <= each < 1 << 53 for each in found)
    assert ids(document) == found
    assert not set(found) & set(ids(document, "another source"))


@given(DOCUMENT, DOCUMENT, st.data())
def test_a_choice_stays_while_its_object_is_there(
    before: dict[str, Any], after: dict[str, Any], data: st.DataObject
) -> None:
    known = ids(before)
    picked = data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []
    choices = {str(each): {"need_migration": False} for each in picked}
    assert remaining("s", before, choices) == choices
    there = {str(each) for each in ids(after)}
    assert remaining("s", after, choices) == {name: each for name, each in choices.items() if name in there}


def test_a_disk_keeps_its_id_when_others_come_and_go_before_it() -> None:
    (last,) = shown("s", {"disks": [{"name": "/dev/vdb"}]}, {})["disks"]
    _, again = shown("s", {"disks": [{"name": "/dev/vda"}, {"name": "/dev/vdb", "size": 5}]}, {})["disks"]
    assert last["id"] == again["id"]


def test_choices_are_merged_and_shown_as_they_were_written() -> None:
    document = {"disks": [{"name": "/dev/vda", "physical_volumes": [{"name": "/dev/vda1"}]}]}
    (disk,) = shown("s", document, {})["disks"]
    assert disk.keys() == {"name", "physical_volumes", "id"}
    part = {"id": str(disk["physical_volumes"][0]["id"]), "adjust_size": 7}
    choices = choose("s", document, {}, {"disks": [{"id": str(disk["id"]), "physical_volumes": [part]}]})
    choices = choose("s", document, choices, {"disks": [{"id": disk["id"], "need_migration": False}]})
    choices = choose("s", document, choices, {"disks": [{"id": disk["id"], "adjust_size": 0}]})
    (now,) = shown("s", document, choices)["disks"]
    assert (now["need_migration"], now["adjust_size"]) == (False, 0)
    assert now["physical_volumes"] == [{"name": "/dev/vda1", "id": disk["physical_volumes"][0]["id"], "adjust_size": 7}]


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ({"disks": [{"id": "7", "need_migration": False}]}, "disks[0].id"),
        ({"disks": [{"need_migration": False}]}, "disks[0].id"),
        ({"volume_groups": [{"id": "/dev/vda"}]}, "volume_groups[0].id"),
    ],
)
def test_an_unknown_id_is_refused(wanted: dict[str, Any], place: str) -> None:
    with pytest.raises(ApiError) as caught:
        choose("s", {"disks": [{"name": "/dev/vda"}]}, {}, wanted)
    assert (caught.value.code, caught.value.params) == ("SMS.9001", (place,))


def test_a_partition_of_another_disk_is_refused() -> None:
    parts = [{"name": "1"}]
    document = {"disks": [{"name": "a", "physical_volumes": parts}, {"name": "b", "physical_volumes": parts}]}
    first, second = shown("s", document, {})["disks"]
    wrong = {"disks": [{"id": first["id"], "physical_volumes": [{"id": second["physical_volumes"][0]["id"]}]}]}
    with pytest.raises(ApiError):
        choose("s", document, {}, wrong)
