"""Disks of a small made-up system, built without a mount: a boot loader's sector, an ESP, a root, a swap, data."""

import re
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wherry.process import run

MIB = 1 << 20
TOOLS = ("mke2fs", "mkswap", "sfdisk", "mformat", "mmd", "mcopy", "losetup", "partx", "unshare", "setpriv", "qemu-img")
ESP_AT, ROOT_AT, DATA_AT, SWAP_AT, END = 2 * MIB, 6 * MIB, 46 * MIB, 54 * MIB, 60 * MIB
ROOT_UUID, DATA_UUID = "0c8f4e66-6b8a-4f5d-9a55-0b6f3c9f2a11", "5b1a7c3e-1111-4222-8333-444455556666"
FSTAB = (
    f"/dev/sda2 / ext4 defaults 0 1\nUUID=CAFE-F00D /boot/efi vfat umask=0077 0 1\nUUID={DATA_UUID} /srv ext4 rw 0 2\n"
)
PROGRAMS = ("sh", "cat", "ls", "sleep")


@dataclass(frozen=True)
class LandedDisk:
    """An image file with the system on it."""

    image: Path
    tree: Path
    """What its root filesystem was made from."""


def make_landed_disk(folder: Path) -> LandedDisk:
    """Make the disk in *folder*."""
    tree, image = folder / "tree", folder / "landed, disk.raw"
    _make_tree(tree)
    with image.open("wb") as file:
        file.truncate(END + MIB)
    lines = [
        "label: gpt",
        f"start={ESP_AT // 512}, size={(ROOT_AT - ESP_AT) // 512}, type=uefi",
        f"start={ROOT_AT // 512}, size={(DATA_AT - ROOT_AT) // 512}, type=linux",
        f"start={DATA_AT // 512}, size={(SWAP_AT - DATA_AT) // 512}, type=linux",
        f"start={SWAP_AT // 512}, size={(END - SWAP_AT) // 512}, type=swap",
    ]
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)], stdin="\n".join(lines).encode())
    with image.open("r+b") as file:
        file.write(b"\xeb\x63\x90GRUB ")
    _make_esp(image, folder)
    _make_ext4(image, ROOT_AT, DATA_AT, ROOT_UUID, tree)
    data = folder / "data"
    (data / "deep").mkdir(parents=True)
    (data / "deep/file").write_text("data\n")
    _make_ext4(image, DATA_AT, SWAP_AT, DATA_UUID, data)
    _make_swap(image, folder / "swap")
    return LandedDisk(image, tree)


def content(image: Path) -> bytes:
    """Return all bytes of a raw image."""
    return image.read_bytes()


def _make_tree(tree: Path) -> None:
    for name in ("etc", "usr/bin", "usr/sbin", "boot/efi", "srv", "proc", "sys", "dev", "run", "tmp", "var/lib"):
        (tree / name).mkdir(parents=True)
    for name in ("bin", "sbin"):
        (tree / name).symlink_to(f"usr/{name}")
    files = {
        "etc/fstab": FSTAB,
        "etc/os-release": 'ID=madeup\nVERSION_ID="1"\nPRETTY_NAME="Made up 1"\n',
        "etc/hostname": "landed\n",
        "usr/sbin/init": "#!/bin/sh\n",
    }
    for name, text in files.items():
        (tree / name).write_text(text)
    (tree / "etc/outside").symlink_to("../../../../../../etc/hostname")
    (tree / "etc/absolute").symlink_to("/etc/hostname")
    (tree / "etc/hostname").chmod(stat.S_IRUSR | stat.S_IWUSR)
    for program in PROGRAMS:
        _put_program(tree, Path(shutil.which(program) or ""))


def _put_program(tree: Path, program: Path) -> None:
    """Copy a program of this machine and the libraries that it needs."""
    shutil.copy(program.resolve(), tree / "usr/bin" / program.name)
    for library in _libraries(run(["ldd", str(program)]).decode()):
        place = tree / library.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            shutil.copy(library.resolve(), place)


def _libraries(words: str) -> Iterable[Path]:
    return (Path(match) for match in re.findall(r"(/\S+) \(0x", words))


def _make_esp(image: Path, folder: Path) -> None:
    esp = f"{image}@@{ESP_AT}"
    run(["mformat", "-i", esp, "-T", str((ROOT_AT - ESP_AT) // 512), "-h", "64", "-s", "32", "-N", "CAFEF00D", "::"])
    loader = folder / "loader"
    loader.write_bytes(b"MZ loader")
    run(["mmd", "-i", esp, "::EFI", "::EFI/madeup"])
    run(["mcopy", "-i", esp, str(loader), "::EFI/madeup/grubx64.efi"])


def _make_ext4(image: Path, start: int, end: int, uuid: str, tree: Path) -> None:
    size = f"{(end - start) // 1024}k"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-U", uuid, "-E", f"offset={start}", "-d", str(tree)]
    run([*command, str(image), size])


def _make_swap(image: Path, swap: Path) -> None:
    with swap.open("wb") as file:
        file.truncate(END - SWAP_AT)
    run(["mkswap", "--quiet", str(swap)])
    with image.open("r+b") as file:
        file.seek(SWAP_AT)
        file.write(swap.read_bytes()[:4096])
