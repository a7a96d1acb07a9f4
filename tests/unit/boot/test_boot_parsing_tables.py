"""fstab, crypttab, shell assignments, sections and keys: read, changed in one place, else untouched."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.parsing import ini
from wherry.boot.parsing.assignments import quote, read_assignments, remove_variables, set_variable
from wherry.boot.parsing.columns import read_crypttab, read_fstab, replace_devices, replace_specs

FSTAB = """\
# /etc/fstab: do not touch,\tsays the owner
/dev/sda1  /      ext4   errors=remount-ro 0  1
UUID=0c1a  /srv/my\\040data xfs\tdefaults,nofail

/dev/sda5 none swap sw 0 0
"""
text = (
    st.text()
    | st.text(alphabet="ab=[]#;\"'\\ \t\n/$0")
    | st.binary().map(lambda raw: raw.decode(errors="surrogateescape"))
)


def test_fstab_is_read() -> None:
    root, data, swap = read_fstab(FSTAB)
    assert (root.spec, root.mount_point, root.type, root.may_be_missing) == ("/dev/sda1", "/", "ext4", False)
    assert (data.mount_point, data.options, data.may_be_missing) == ("/srv/my data", ("defaults", "nofail"), True)
    assert (swap.mount_point, swap.type) == ("none", "swap")


def test_a_changed_line_of_fstab_keeps_its_shape_and_all_others() -> None:
    changed = replace_specs(FSTAB, lambda entry: "UUID=77" if entry.spec == "/dev/sda1" else None)
    assert changed == FSTAB.replace("/dev/sda1 ", "UUID=77 ")


def test_crypttab_is_read_and_changed() -> None:
    table = 'data "/dev/sdb2" none luks # kept\nswap\t/dev/sda5 /dev/urandom swap\n'
    assert [(each.name, each.device) for each in read_crypttab(table)] == [("data", "/dev/sdb2"), ("swap", "/dev/sda5")]
    changed = replace_devices(table, lambda entry: "UUID=1" if entry.device == "/dev/sdb2" else None)
    assert changed == table.replace('"/dev/sdb2"', "UUID=1")


@given(text)
def test_tables_that_need_no_change_stay_the_same(garbage: str) -> None:
    assert replace_specs(garbage, lambda _: None) == garbage
    assert replace_devices(garbage, lambda _: None) == garbage
    assert len(read_fstab(garbage)) == len(read_crypttab(garbage))


@given(text)
def test_a_table_is_only_changed_in_its_first_column(garbage: str) -> None:
    changed = replace_specs(garbage, lambda _: "X")
    assert [entry.mount_point for entry in read_fstab(changed)] == [entry.mount_point for entry in read_fstab(garbage)]
    assert {entry.spec for entry in read_fstab(changed)} <= {"X"}


def test_assignments_are_read_as_a_shell_would() -> None:
    found = read_assignments('ID=debian\nexport PRETTY_NAME=\'Debian "12"\' # name\n#ID=no\nBROKEN=\'\nX="a b"\n')
    assert found == {"ID": "debian", "PRETTY_NAME": 'Debian "12"', "BROKEN": "'", "X": "a b"}


def test_a_variable_is_set_in_its_place() -> None:
    assert set_variable("A=1 # old\n# B=2\nC=3", "A", "x y") == 'A="x y"\n# B=2\nC=3'
    assert set_variable("A=1", "B", "2") == "A=1\nB=2\n"
    assert remove_variables("A=1\nB=2\n# A=3\n", {"A"}) == "B=2\n# A=3\n"


@given(
    text,
    st.from_regex(r"[A-Z_]{1,8}", fullmatch=True),
    st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Z"])),
)
def test_what_was_set_is_read_back(garbage: str, name: str, value: str) -> None:
    once = set_variable(garbage, name, value)
    assert read_assignments(once)[name] == value
    assert set_variable(once, name, value) == once
    assert shlex.split(quote(value)) == ([value] if value else [])
    without = remove_variables(garbage, {name})
    assert name not in read_assignments(without)


UNIT = """\
# uplink
[Match]
Name=ens3

[Network]
Address=10.0.0.5/24
; second
Address=10.0.0.6/24
"""


def test_sections_and_keys_are_read_and_changed() -> None:
    assert ini.values(UNIT, "Network", "Address") == ["10.0.0.5/24", "10.0.0.6/24"]
    assert ini.value(UNIT, "Match", "Name") == "ens3"
    assert ini.value(UNIT, "Network", "Name") == ""
    assert ini.put(UNIT, "Match", "Name", "en*") == UNIT.replace("ens3", "en*")
    assert ini.put(UNIT, "Network", "Address", "x") == UNIT.replace(
        "10.0.0.5/24\n; second\nAddress=10.0.0.6/24", "x\n; second"
    )
    assert ini.put("[A]", "A", "k", "v") == "[A]\nk=v\n"
    assert ini.put("", "A", "k", "v") == "\n[A]\nk=v\n"


@given(text, st.sampled_from(["A", "Match", "ab"]), st.sampled_from(["k", "Name", "a b"]))
def test_a_key_that_was_put_is_there_once(garbage: str, section: str, key: str) -> None:
    once = ini.put(garbage, section, key, "v")
    assert ini.values(once, section, key) == ["v"]
    assert ini.put(once, section, key, "v") == once
    assert ini.remove(garbage, section, lambda *_: False) == garbage
