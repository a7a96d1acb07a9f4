"""Command lines of kernels in GRUB's configuration, in loader entries and in GRUB's environment block."""

from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.parsing import cmdline

GRUB = """\
menuentry 'Debian' --class debian {
\tsearch --no-floppy --fs-uuid --set=root 11-22
\tlinux\t/boot/vmlinuz-6.1.0 root=/dev/sda1 ro  "quiet=a b" root=/dev/sda2
\tinitrd\t/boot/initrd.img-6.1.0
}
set linux=no
"""
ENTRY = "title Fedora\nlinux /vmlinuz-6\ninitrd /initramfs-6.img $tuned\noptions root=/dev/vda3 ro rhgb\n"
text = st.text(alphabet="linuxtroe=/\"' \t\n#\\$") | st.text()


def by_uuid(name: str, value: str) -> str | None:
    return "UUID=9" if name == "root" and value.startswith("/dev/") else None


def test_arguments_keep_their_quotes() -> None:
    line = 'root=/dev/sda1 dyndbg="file a +p" ro'
    assert cmdline.arguments(line) == ["root=/dev/sda1", 'dyndbg="file a +p"', "ro"]
    assert cmdline.value_of(line, "dyndbg") == "file a +p"
    assert cmdline.value_of(line, "ro") is None
    assert cmdline.replace_arguments(line, by_uuid) == line.replace("/dev/sda1", "UUID=9")


def test_grub_cfg_is_read_and_changed() -> None:
    (entry,) = cmdline.read_grub(GRUB)
    assert entry.kernel == "/boot/vmlinuz-6.1.0"
    assert entry.initramfs == ("/boot/initrd.img-6.1.0",)
    assert entry.arguments[0] == "root=/dev/sda1"
    changed = cmdline.replace_in_grub(GRUB, by_uuid)
    assert changed == GRUB.replace("/dev/sda1", "UUID=9").replace("/dev/sda2", "UUID=9")


def test_a_loader_entry_is_read_and_changed() -> None:
    entry = cmdline.read_loader_entry(ENTRY)
    assert entry == cmdline.BootEntry("/vmlinuz-6", ("root=/dev/vda3", "ro", "rhgb"), ("/initramfs-6.img", "$tuned"))
    assert cmdline.replace_in_loader_entry(ENTRY, by_uuid) == ENTRY.replace("/dev/vda3", "UUID=9")
    assert cmdline.read_loader_entry("title nothing\n") is None


def test_the_environment_block_keeps_its_size() -> None:
    block = cmdline.write_environment({"kernelopts": "root=/dev/sda1 a\\b", "boot_success": "1"})
    assert block is not None
    assert len(block) == 1024
    assert cmdline.read_environment(block) == {"kernelopts": "root=/dev/sda1 a\\b", "boot_success": "1"}
    assert cmdline.write_environment({"a": "x" * 1024}) is None


@given(text)
def test_nothing_raises_and_nothing_changes_unasked(garbage: str) -> None:
    cmdline.read_grub(garbage)
    cmdline.read_loader_entry(garbage)
    cmdline.read_environment(garbage)
    for replace in (cmdline.replace_arguments, cmdline.replace_in_grub, cmdline.replace_in_loader_entry):
        assert replace(garbage, lambda *_: None) == garbage
