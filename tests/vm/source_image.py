"""Builds the disk of a source server, and keeps it: the next who asks for the same gets the same file. For root.

``python -m tests.vm.source_image`` builds the default one and prints where it lies.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.mounting import unmount
from tests.vm.debian_root import debian_root
from tests.vm.disk import (
    ROOT_SUBVOLUME,
    SWAP_FILE,
    Devices,
    ServerDisks,
    fill_esp,
    finish_disks,
    make_disks,
    mounted_server,
)
from tests.vm.recipe import Initramfs, Layout, Recipe, RootFilesystem, digest, recipe_digest
from wherry.process import run

CACHE: Final = Path(__file__).resolve().parents[2] / "build" / "vm-cache"
PASSWORD: Final = "wherry-test"
"""Of root and of the user, at the console of a guest without a network."""
USER: Final = "ferry"
INTERFACE: Final = "enp0s16"
"""The name of the first card of our machines, which the server configures by DHCP."""

_TOOLS: Final = {
    Layout.LVM: ["lvcreate"],
    Layout.THIN: ["lvcreate", "thin_restore"],
    Layout.LUKS: ["cryptsetup", "qemu-img"],
}
_KERNEL_ROOT: Final = re.compile(r"^(\s*linux\s.*\sroot=)\S+", re.MULTILINE)
_SWAP_FILE_SIZE: Final = 16 << 20
_STEP_S: Final = 900.0
_SATA_DRIVERS: Final = ("ahci", "sd_mod", "ext4", "xfs", "btrfs")


@dataclass(frozen=True, slots=True)
class SourceImage:
    """A source server's disks. They're shared: before a machine writes, copy them or put overlays over them."""

    disks: tuple[Path, ...]
    recipe: Recipe
    key: Path
    """A private key with which root is reached by SSH."""

    @property
    def path(self) -> Path:
        """The first disk, which most servers have alone."""
        return self.disks[0]


def source_image(recipe: Recipe | None = None, cache: Path = CACHE) -> SourceImage:
    """Return the disks of a server made by *recipe*, from the cache or made now, which takes a minute or more."""
    wanted = Recipe() if recipe is None else recipe
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache):
        key = _key(cache)
        same = f"{wanted.name}-{recipe_digest(wanted)}"
        folder = cache / f"{same}-{_builders()}"
        if not folder.exists():
            for old in cache.glob(f"{same}-*"):
                shutil.rmtree(old)  # made by the builders as they were before
            fresh = folder.with_suffix(".new")
            fresh.mkdir()
            _build(fresh, wanted, cache, key.with_suffix(".pub").read_text())
            fresh.replace(folder)
    return SourceImage(tuple(sorted(folder.glob("disk-*.raw"))), wanted, key)


def _build(folder: Path, recipe: Recipe, cache: Path, public_key: str) -> None:
    tarball = debian_root(recipe.suite, recipe.packages, cache)
    disks = make_disks(folder, recipe)
    with tempfile.TemporaryDirectory(prefix="wherry-image-") as place:
        root = Path(place) / "root"
        with mounted_server(disks, root) as devices:
            run(
                ["tar", "--extract", "--numeric-owner", "--file", str(tarball), "--directory", str(root)], timeout_s=600
            )
            _configure(root, disks, public_key)
            with _inside(root, devices, disks):
                _make_initramfs(root, recipe)
                _install_grub(root, devices, disks)
    finish_disks(disks)


def _configure(root: Path, disks: ServerDisks, public_key: str) -> None:
    """Write what makes the packages a server of its own."""
    recipe = disks.recipe
    files = {
        **disks.files,
        "etc/hostname": f"{recipe.hostname}\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {recipe.hostname}\n",
        "etc/fstab": "".join(f"{line}\n" for line in _fstab(disks)),
        "etc/network/interfaces": (
            f"auto lo\niface lo inet loopback\n\nallow-hotplug {INTERFACE}\niface {INTERFACE} inet dhcp\n"
        ),
        "etc/default/grub": (
            'GRUB_DEFAULT=0\nGRUB_TIMEOUT=1\nGRUB_DISTRIBUTOR=Debian\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'
            'GRUB_CMDLINE_LINUX=""\nGRUB_DISABLE_OS_PROBER=true\n'
        ),
        "etc/initramfs-tools/update-initramfs.conf": "update_initramfs=yes\nbackup_initramfs=no\n",
        "root/.ssh/authorized_keys": public_key,
        "etc/apt/sources.list": "",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(content)
    for listed in (root / "etc/apt/sources.list.d").glob("*"):
        listed.unlink()
    (root / "etc/machine-id").write_text(f"{os.urandom(16).hex()}\n")
    (root / "boot/efi").mkdir(exist_ok=True)
    if recipe.layout is Layout.SPREAD:
        _make_swap_file(root / SWAP_FILE)
    run(["chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", USER])
    passwords = f"root:{PASSWORD}\n{USER}:{PASSWORD}\n"
    run(["chroot", str(root), "chpasswd"], stdin=passwords.encode())


def _make_swap_file(path: Path) -> None:
    path.touch(mode=0o600)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, _SWAP_FILE_SIZE)
    run(["mkswap", "-q", str(path)])


def _fstab(disks: ServerDisks) -> Iterator[str]:
    options = {
        RootFilesystem.EXT4: "errors=remount-ro 0 1",
        RootFilesystem.XFS: "defaults 0 0",
        RootFilesystem.BTRFS: f"defaults,subvol={ROOT_SUBVOLUME} 0 0",
    }
    yield f"{disks.root_source} / {disks.recipe.root} {options[disks.recipe.root]}"
    if disks.boot_uuid:
        yield f"UUID={disks.boot_uuid} /boot ext4 defaults 0 2"
    yield f"UUID={disks.esp_uuid} /boot/efi vfat umask=0077 0 1"
    yield from disks.fstab


def _make_initramfs(root: Path, recipe: Recipe) -> None:
    kernel = next((root / "lib/modules").iterdir()).name
    configuration = root / "etc/initramfs-tools/conf.d/modules"
    if recipe.initramfs is Initramfs.SATA_ONLY:
        configuration.write_text("MODULES=list\n")
        with (root / "etc/initramfs-tools/modules").open("a") as modules:
            modules.write("".join(f"{driver}\n" for driver in _SATA_DRIVERS))
    run(["chroot", str(root), "update-initramfs", "-c", "-k", kernel], timeout_s=_STEP_S)


def _install_grub(root: Path, devices: Devices, disks: ServerDisks) -> None:
    """Put GRUB for BIOS into the BIOS-boot partition, and the signed one for UEFI into the ESP, under both paths."""
    run(["chroot", str(root), "grub-install", "--target=i386-pc", str(devices.disk)], timeout_s=_STEP_S)
    run(["chroot", str(root), "grub-mkconfig", "-o", "/boot/grub/grub.cfg"], timeout_s=_STEP_S)
    configuration = root / "boot/grub/grub.cfg"
    # What grub-mkconfig writes by itself where it sees the volumes by their names.
    configuration.write_text(_KERNEL_ROOT.sub(rf"\1{disks.root_source}", configuration.read_text()))
    shim = root / "usr/lib/shim/shimx64.efi.signed"
    grub = root / "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"
    leading = root / "boot/grub/leading-on.cfg"
    leading.write_text(
        f"search.fs_uuid {disks.boot_uuid or disks.root_uuid} root\n"
        f"set prefix=($root)'{_grub_folder(disks)}'\nconfigfile $prefix/grub.cfg\n"
    )
    # A machine whose firmware hasn't been told of EFI/debian boots from the fallback path.
    fill_esp(
        disks.images[0],
        {
            "EFI/debian/shimx64.efi": shim,
            "EFI/debian/grubx64.efi": grub,
            "EFI/debian/grub.cfg": leading,
            "EFI/BOOT/BOOTX64.EFI": shim,
            "EFI/BOOT/grubx64.efi": grub,
        },
    )
    leading.unlink()


def _grub_folder(disks: ServerDisks) -> str:
    """Return where GRUB's files lie in the filesystem that GRUB reads."""
    if disks.boot_uuid:
        return "/grub"
    return f"/{ROOT_SUBVOLUME}/boot/grub" if disks.recipe.root is RootFilesystem.BTRFS else "/boot/grub"


@contextlib.contextmanager
def _inside(root: Path, devices: Devices, disks: ServerDisks) -> Iterator[None]:
    """Make *root* a place where programs of the server can run: with /proc, /sys and a few devices of its own.

    The device files are made by hand, with the names by UUID that udev would make: else grub-mkconfig writes the name
    of the loop device into the kernel's line.
    """
    partitions = devices.disk.parent.glob(f"{devices.disk.name}p*")
    few = (Path("/dev/null"), Path("/dev/zero"), Path("/dev/urandom"))
    nodes = {*few, devices.disk, devices.root, *partitions}
    named = {disks.root_uuid: devices.root, disks.boot_uuid: devices.third, disks.encrypted_uuid: devices.last}
    named.pop("", None)
    with contextlib.ExitStack() as stack:
        for kind, name in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "dev")):
            run(["mount", "-t", kind, kind, str(root / name)])
            stack.callback(unmount, root / name)
        for node in nodes:
            status = node.stat()
            os.mknod(root / "dev" / node.name, stat.S_IFMT(status.st_mode) | 0o600, status.st_rdev)
        by_uuid = root / "dev/disk/by-uuid"
        by_uuid.mkdir(parents=True)
        for identity, node in named.items():
            (by_uuid / identity).symlink_to(f"../../{node.name}")
        (root / "dev/null").chmod(0o666)
        yield


def _key(cache: Path) -> Path:
    key = cache / "id_ed25519"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "wherry-test", "-f", str(key)])
    return key


def _builders() -> str:
    """Return what stands for the code that builds, so that a change of it builds anew."""
    here = Path(__file__).resolve().parent
    return digest([(here / name).read_text() for name in ("disk.py", "source_image.py", "storage.py")])


@contextlib.contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Have one process at a time build in *cache*."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob("*.new"):
            shutil.rmtree(left)
        yield


def copy_of(image: SourceImage, target: Path) -> Path:
    """Copy the disk to *target*, sharing blocks where the filesystem can do that, sparse anyway; return *target*."""
    run(["cp", "--reflink=auto", "--sparse=always", str(image.path), str(target)], timeout_s=_STEP_S)
    return target


def obstacle(recipe: Recipe | None = None) -> str:
    """Return why no disks can be built here, "" when they can."""
    if os.geteuid() != 0:
        return "needs root for loop devices and mounts"
    wanted = Recipe() if recipe is None else recipe
    tools = ["mmdebstrap", "mformat", "mcopy", "sfdisk", "partx", "losetup", "ssh-keygen", f"mkfs.{wanted.root}"]
    tools += _TOOLS.get(wanted.layout, [])
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"missing programs: {', '.join(missing)}" if missing else ""


if __name__ == "__main__":
    print(source_image().path)  # noqa: T201 (a command line tool prints)
