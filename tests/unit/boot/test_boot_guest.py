"""The landed system in memory keeps the promises of a Guest; paths never leave its root."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.boot.memory_guest import MemoryGuest
from wherry.boot.errors import LinkLoop, WorkbenchFailed
from wherry.boot.guest import FileKind
from wherry.boot.paths import parents, resolve


def test_links_are_followed_inside_of_the_root_only() -> None:
    links = {"/etc/mtab": "/proc/mounts", "/a": "../../../etc", "/b": "a/mtab"}
    assert resolve("/etc/mtab", links.get) == "/proc/mounts"
    assert resolve("/a/passwd", links.get) == "/etc/passwd"
    assert resolve("/b", links.get) == "/proc/mounts"
    assert resolve("/b", links.get, follow_last=False) == "/b"
    assert resolve("//x/./y/../z", links.get) == "/x/z"


def test_a_circle_of_links_is_an_error() -> None:
    with pytest.raises(LinkLoop, match="/a/file"):
        resolve("/a/file", {"/a": "/b", "/b": "/a"}.get)


names = st.sampled_from(["..", ".", "", *string.ascii_lowercase[:4]])
paths = st.lists(names, max_size=6).map("/".join)


@given(path=paths, links=st.dictionaries(st.sampled_from(["/a", "/b", "/a/b", "/c/d"]), paths))
def test_whatever_the_links_the_result_is_a_plain_path_or_a_loop(path: str, links: dict[str, str]) -> None:
    try:
        found = resolve(path, links.get)
    except LinkLoop:
        return
    assert found.startswith("/")
    assert not {"..", ".", ""} & set(found[1:].split("/")) or found == "/"


def test_the_directories_above_a_path_come_from_the_top() -> None:
    assert list(parents("/etc/default/grub")) == ["/etc", "/etc/default"]
    assert list(parents("/vmlinuz")) == []


def test_files_directories_and_links_of_a_guest() -> None:
    guest = MemoryGuest({"/etc/hostname": "web\n"})
    guest.write_text("/etc/hostname", "db\n", 0o600)
    guest.set_owner("/etc/hostname", 5, 6)
    guest.make_link("/etc/name", "hostname")
    status = guest.status("/etc/hostname")
    assert status is not None
    assert (status.kind, status.mode, status.owner, status.group, status.size) == (FileKind.FILE, 0o600, 5, 6, 3)
    assert guest.read_text("/etc/name") == "db\n"
    assert guest.readlink("/etc/name") == "hostname"
    assert guest.list("/etc") == ["hostname", "name"]
    assert guest.list("/") == ["etc"]
    assert guest.read_bytes("/etc") is None
    guest.remove("/etc/name")
    assert guest.exists("/etc/hostname")
    assert not guest.exists("/etc/name")
    with pytest.raises(WorkbenchFailed, match="isn't empty"):
        guest.remove("/etc")


def test_bytes_that_are_no_text_survive_being_read_and_written() -> None:
    guest = MemoryGuest({"/x": b"caf\xe9\n"})
    text = guest.read_text("/x")
    assert text is not None
    guest.write_text("/y", text)
    assert guest.read_bytes("/y") == b"caf\xe9\n"


def test_a_guest_that_is_only_read_refuses_changes_and_programs() -> None:
    guest = MemoryGuest({"/x": ""}, writable=False)
    for change in (lambda: guest.write("/x", b""), lambda: guest.remove("/x"), lambda: guest.run(["true"])):
        with pytest.raises(WorkbenchFailed, match="read only"):
            change()
