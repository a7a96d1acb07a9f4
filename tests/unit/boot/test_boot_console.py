"""What consoles say: texts as firmware, GRUB, initramfs, Linux and systemd print them, whole and in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.console import MOST_TEXT, Console, Stage, Trouble, plain, reasons_in

SEABIOS = "\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2-debian-1.16.2-1)\r\nBooting from Hard Disk..."
GRUB = "\x1b[2J\x1b[01;01HGRUB loading..\r\nWelcome to GRUB!\r\n\r\n"
KERNEL = (
    "Loading Linux 6.1.0-13-amd64 ...\r\nLoading initial ramdisk ...\r\n[    0.000000] Linux version 6.1.0-13-amd64\r\n"
)
SYSTEMD = (
    "[    9.1] systemd[1]: systemd 252.38-1 running in system mode (+PAM)\r\n"
    "Welcome to \x1b[1mDebian GNU/Linux 12 (bookworm)\x1b[0m!\r\n"
)
UP = (
    "[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m - Multi-User System.\r\n"
    "\r\nDebian GNU/Linux 12 source ttyS0\r\n\r\nsource login: "
)
SOUND = SEABIOS + GRUB + KERNEL + SYSTEMD + UP

RESCUE = (
    SEABIOS
    + "GRUB loading.\r\nWelcome to GRUB!\r\n\r\nerror: no such device: 1f0c.\r\n"
    + "Entering rescue mode...\r\ngrub rescue> "
)
NO_ROOT = (
    SEABIOS + GRUB + KERNEL + "Begin: Waiting for root file system ... done.\r\n"
    "Gave up waiting for root file system device.  Common problems:\r\n - Boot args (cat /proc/cmdline)\r\n"
    "ALERT!  UUID=3f2a0d58-7c11-4f0e-9a71-5d0a4a1b9d10 does not exist.  Dropping to a shell!\r\n\r\n"
    "BusyBox v1.35.0 built-in shell (ash)\r\n(initramfs) "
)
PANIC = (
    SEABIOS + GRUB + KERNEL + '[    2.1] VFS: Cannot open root device "UUID=3f" or unknown-block(0,0): error -6\r\n'
    "[    2.2] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
)
INIT_DIED = KERNEL + "[    3.3] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n"
EMERGENCY = (
    SEABIOS + GRUB + KERNEL + SYSTEMD + "[ TIME ] Timed out waiting for device /dev/disk/by-uuid/0000-1111.\r\n"
    "[DEPEND] Dependency failed for /data.\r\n[DEPEND] Dependency failed for Local File Systems.\r\n"
    'You are in emergency mode. After logging in, type "journalctl -xb" to view\r\n'
    "Press Enter for maintenance\r\n"
)
DRACUT = (
    KERNEL + "[  190.1] dracut-initqueue[300]: Warning: /dev/disk/by-uuid/3f2a0d58 does not exist\r\n"
    "Entering emergency mode. Exit the shell to continue.\r\ndracut:/# "
)
NO_DISK = "SeaBIOS\r\nBooting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nNo bootable device.\r\n"
NO_OPTION = (
    'BdsDxe: failed to load Boot0001 "UEFI Misc Device": Not Found\r\n'
    "BdsDxe: No bootable option or device was found.\r\n"
)


def read(text: str) -> Console:
    console = Console()
    console.feed(text)
    return console


def test_a_sound_server_goes_through_all_stages() -> None:
    console = Console()
    seen = []
    for piece in (SEABIOS, GRUB, KERNEL, SYSTEMD, UP):
        console.feed(piece)
        seen.append(console.stage)
    assert seen == [Stage.FIRMWARE, Stage.BOOT_LOADER, Stage.KERNEL, Stage.INIT, Stage.LOGIN]
    assert console.trouble is None


@pytest.mark.parametrize(
    ("text", "trouble", "words", "stage"),
    [
        (RESCUE, Trouble.BOOT_LOADER_FAILED, "grub rescue>", Stage.BOOT_LOADER),
        (SEABIOS + GRUB + "\r\ngrub> ", Trouble.BOOT_LOADER_FAILED, "grub>", Stage.BOOT_LOADER),
        (NO_ROOT, Trouble.ROOT_NOT_FOUND, "UUID=3f2a0d58-7c11-4f0e-9a71-5d0a4a1b9d10", Stage.KERNEL),
        (PANIC, Trouble.ROOT_NOT_FOUND, "Cannot open root device", Stage.KERNEL),
        (INIT_DIED, Trouble.KERNEL_PANIC, "Attempted to kill init", Stage.KERNEL),
        (EMERGENCY, Trouble.EMERGENCY_MODE, "emergency mode", Stage.INIT),
        (DRACUT, Trouble.ROOT_NOT_FOUND, "/dev/disk/by-uuid/3f2a0d58", Stage.KERNEL),
        (KERNEL + "(initramfs) ", Trouble.INITRAMFS_FAILED, "(initramfs)", Stage.KERNEL),
        (NO_DISK, Trouble.NO_BOOTABLE_DISK, "No", Stage.FIRMWARE),
        (NO_OPTION, Trouble.NO_BOOTABLE_DISK, "No bootable option", Stage.STARTED),
        ("\x1b[01;01HUEFI Interactive Shell v2.2\r\n", Trouble.NO_BOOTABLE_DISK, "Shell", Stage.STARTED),
    ],
)
def test_each_trouble_is_seen_with_its_words(text: str, trouble: Trouble, words: str, stage: Stage) -> None:
    console = read(text)
    assert console.trouble is not None
    assert (console.trouble.trouble, console.stage) == (trouble, stage)
    assert words in console.trouble.words or words in console.text


@given(st.sampled_from([SOUND, RESCUE, NO_ROOT, PANIC, EMERGENCY, DRACUT, NO_DISK]), st.lists(st.integers(1, 60)))
def test_pieces_say_the_same_as_the_whole(text: str, lengths: list[int]) -> None:
    console = Console()
    left = text
    for length in lengths:
        console.feed(left[:length])
        left = left[length:]
    console.feed(left)
    whole = read(text)
    assert (console.stage, console.trouble and console.trouble.trouble) == (
        whole.stage,
        whole.trouble and whole.trouble.trouble,
    )


@given(st.text(max_size=2000))
def test_any_text_can_be_read(text: str) -> None:
    assert "\x1b[2J" not in plain(read(text + "\x1b[2J").text)


ASKS = "Please unlock disk cryptroot: "
ASKS_AGAIN = ASKS + "\r\ncryptsetup: ERROR: cryptroot: cryptsetup failed, bad password or options?\r\n" + ASKS
SYSTEMD_ASKS = "\r\U0001f510 \x1b[0;1;39mPlease enter passphrase for disk QEMU_DISK (luks-3f2a):\x1b[0m (press TAB for"


@pytest.mark.parametrize(
    ("text", "volumes"),
    [
        (ASKS, ["cryptroot"]),
        (ASKS_AGAIN, ["cryptroot", "cryptroot"]),
        (SYSTEMD_ASKS, ["QEMU_DISK (luks-3f2a)"]),
        ("Enter passphrase for hd0,gpt3 (3f2a0d58): ", ["hd0,gpt3 (3f2a0d58)"]),
        ("cryptsetup: Waiting for encrypted source device UUID=3f2a0d58...", []),
        ("Please unlock disk ", []),
    ],
)
def test_each_question_for_a_passphrase_counts_once(text: str, volumes: list[str]) -> None:
    assert [each.volume for each in read(KERNEL + text).prompts] == volumes
    piecemeal = Console()
    for character in KERNEL + text:
        piecemeal.feed(character)
    assert piecemeal.prompts == read(KERNEL + text).prompts


def test_reasons_name_what_systemd_waited_for() -> None:
    reasons = read(EMERGENCY).reasons
    assert "Timed out waiting for device /dev/disk/by-uuid/0000-1111" in reasons
    assert "Dependency failed for /data" in reasons


def test_a_flood_is_kept_in_part_and_its_end_still_counts() -> None:
    console = read(SEABIOS + GRUB)
    for _ in range(4):
        console.feed("x" * MOST_TEXT)
    console.feed("Kernel panic - not syncing: flood\n")
    assert len(console.text) < 2 * MOST_TEXT
    assert console.text.startswith("SeaBIOS")
    assert console.trouble is not None


@pytest.mark.parametrize("text", ["Welcome to GRUB!\n", "my panic login: x", "grub>x", "it does not exist"])
def test_harmless_words_are_no_sign(text: str) -> None:
    console = read(text)
    assert console.trouble is None
    assert console.stage <= Stage.BOOT_LOADER


def test_a_unit_is_called_by_its_description() -> None:
    line = "Timed out waiting for device dev-disk-by\\x2duuid-00\\x2d11.device - /dev/disk/by-uuid/00-11.\n"
    assert reasons_in(line) == ["Timed out waiting for device /dev/disk/by-uuid/00-11"]


def test_a_colour_that_systemd_cut_off_is_left_out() -> None:
    assert read("Timed out waiting for device \x1b[0;1;\u202600-1111.\n").reasons == [
        "Timed out waiting for device \u202600-1111"
    ]
