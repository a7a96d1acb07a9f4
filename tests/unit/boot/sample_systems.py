"""Landed systems in memory, as distributions make them."""

from collections.abc import Mapping, Sequence

from tests.unit.boot.cpio_archive import cpio
from tests.unit.boot.memory_guest import MemoryGuest, Program
from wherry.boot.guest import GuestDisk, GuestFilesystem, GuestPartition, Output

ROOT_UUID, SWAP_UUID, BOOT_UUID, ESP_UUID = "1111-aa", "2222-bb", "3333-cc", "44AB-CDEF"
KERNEL, RED_HAT_KERNEL = "6.1.0-30-amd64", "5.14.0-503.el9.x86_64"
GRUB_INSTALL = "/usr/sbin/grub-install"
MODULES = "virtio_pci virtio_blk virtio_scsi sd_mod ahci nvme"

DEBIAN_FSTAB = """\
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
/dev/sda1       /               ext4    errors=remount-ro 0       1
/dev/sda5       none            swap    sw              0       0
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
"""
DEBIAN_GRUB = f"""\
menuentry 'Debian' {{
\tlinux\t/boot/vmlinuz-{KERNEL} root=/dev/sda1 ro quiet resume=/dev/sda5
\tinitrd\t/boot/initrd.img-{KERNEL}
}}
"""
DEBIAN_INTERFACES = """\
auto lo
iface lo inet loopback
allow-hotplug ens192
iface ens192 inet static
\taddress 192.0.2.10/24
\tgateway 192.0.2.1
"""


def debian(
    carried: str = "ext4 sd_mod mptspi", changes: Mapping[str, str | bytes | None] | None = None, table: str = "dos"
) -> MemoryGuest:
    """Return a Debian 12 from a VMware host: BIOS, devices by name, an initramfs for that host only, cloud-init."""
    files: dict[str, str | bytes | None] = {
        "/etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "/etc/hostname": "web1\n",
        "/etc/fstab": DEBIAN_FSTAB,
        "/etc/default/grub": 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="resume=/dev/sda5"\n',
        "/boot/grub/grub.cfg": DEBIAN_GRUB,
        "/boot/grub/device.map": "(hd0)\t/dev/disk/by-id/scsi-36000c29\n",
        f"/boot/vmlinuz-{KERNEL}": b"kernel",
        f"/boot/initrd.img-{KERNEL}": initramfs(carried),
        f"/boot/config-{KERNEL}": "CONFIG_BLK_DEV_SD=m\n",
        **modules(KERNEL),
        "/etc/initramfs-tools/modules": "# modules\n",
        "/etc/initramfs-tools/conf.d/resume": "RESUME=/dev/sda5\n",
        f"/var/lib/initramfs-tools/{KERNEL}": "0123  /boot/initrd.img\n",
        "/usr/sbin/mkinitramfs": "",
        GRUB_INSTALL: "",
        "/usr/lib/grub/i386-pc/boot.img": b"boot",
        "/sbin/init": "",
        "/etc/network/interfaces": DEBIAN_INTERFACES,
        "/usr/bin/cloud-init": "",
        "/etc/cloud/cloud.cfg": "users: [default]\n",
        "/etc/cloud/cloud.cfg.d/90_dpkg.cfg": "datasource_list: [ VMware, OVF ]\n",
        "/lib/systemd/system/open-vm-tools.service": "[Unit]\nConditionVirtualization=vmware\n",
        "/etc/systemd/system/multi-user.target.wants/open-vm-tools.service": "",
        "/lib/systemd/system/vmware-tools.service": "[Unit]\nDescription=old tools\n",
        "/etc/systemd/system/multi-user.target.wants/vmware-tools.service": "",
        **(changes or {}),
    }
    disk = GuestDisk(
        "/dev/loop0",
        10 << 30,
        table,
        (
            GuestPartition(1, "83", 9 << 30, "/dev/loop0p1", "aa-01", 1 << 20),
            GuestPartition(5, "82", 1 << 30, "/dev/loop0p5", "aa-05", 9 << 30),
        ),
        boot_code="grub",
    )
    filesystems = (
        GuestFilesystem("/dev/loop0p1", "ext4", ROOT_UUID, "", 0, 1, "aa-01", "/"),
        GuestFilesystem("/dev/loop0p5", "swap", SWAP_UUID, "", 0, 5, "aa-05"),
    )
    return guest(files, [disk], filesystems)


def red_hat(carried: str = "xfs virtio_pci virtio_blk") -> MemoryGuest:
    """Return a CentOS Stream 9 from a KVM host: UEFI, entries by the Boot Loader Specification, SELinux enforcing."""
    entry = (
        f"title CentOS\nlinux /vmlinuz-{RED_HAT_KERNEL}\ninitrd /initramfs-{RED_HAT_KERNEL}.img\n"
        "options root=/dev/vda3 ro crashkernel=1G\n"
    )
    files: dict[str, str | bytes | None] = {
        "/etc/os-release": 'ID="centos"\nVERSION_ID="9"\nID_LIKE="rhel fedora"\nPRETTY_NAME="CentOS Stream 9"\n',
        "/etc/hostname": "db1\n",
        "/etc/fstab": f"UUID={ROOT_UUID} / xfs defaults 0 0\nUUID={ESP_UUID} /boot/efi vfat umask=0077 0 2\n"
        "UUID=9999-ee /data xfs defaults 0 0\n",
        "/boot/grub2/grub.cfg": "blscfg\n",
        "/boot/loader/entries/1.conf": entry,
        f"/boot/vmlinuz-{RED_HAT_KERNEL}": b"kernel",
        f"/boot/initramfs-{RED_HAT_KERNEL}.img": initramfs(carried),
        **modules(RED_HAT_KERNEL),
        "/usr/bin/dracut": "",
        "/usr/sbin/init": "",
        "/usr/lib/systemd/systemd": "",
        "/boot/efi/EFI/centos/shimx64.efi": b"shim",
        "/boot/efi/EFI/centos/grubx64.efi": b"grub",
        "/boot/efi/EFI/centos/mmx64.efi": b"keys",
        "/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        "/etc/NetworkManager/system-connections/enp1s0.nmconnection": "[connection]\ntype=ethernet\n"
        "interface-name=enp1s0\n\n[ipv4]\nmethod=manual\naddress1=192.0.2.20/24,192.0.2.1\n",
    }
    disk = GuestDisk(
        "/dev/loop0",
        20 << 30,
        "gpt",
        (
            GuestPartition(1, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", 1 << 30, "/dev/loop0p1", "bb-01", 1 << 20),
            GuestPartition(3, "0fc63daf-8483-4772-8e79-3d69d8477de4", 18 << 30, "/dev/loop0p3", "bb-03", 2 << 30),
        ),
    )
    filesystems = (
        GuestFilesystem("/dev/loop0p1", "vfat", ESP_UUID, "", 0, 1, "bb-01", "/boot/efi"),
        GuestFilesystem("/dev/loop0p3", "xfs", ROOT_UUID, "", 0, 3, "bb-03", "/"),
    )
    return guest(files, [disk], filesystems)


def guest(
    files: Mapping[str, str | bytes | None], disks: Sequence[GuestDisk], filesystems: Sequence[GuestFilesystem]
) -> MemoryGuest:
    """Return a guest with what is not None of *files*, and with programs that do what the real ones do to files."""
    made = MemoryGuest(
        {path: content for path, content in files.items() if content is not None},
        disks=disks,
        filesystems=filesystems,
        programs=PROGRAMS,
    )
    made.set_owner("/etc/fstab", 0, 7)
    made.set_mode("/etc/fstab", 0o640)
    return made


def initramfs(names: str) -> bytes:
    """Return an initramfs that carries the modules *names*."""
    return cpio([f"usr/lib/modules/x/kernel/{name}.ko" for name in names.split()])


def modules(kernel: str) -> dict[str, str]:
    """Return the lists of modules of a kernel with all drivers."""
    lines = "".join(f"kernel/drivers/{name}.ko.xz: kernel/x.ko.xz\n" for name in MODULES.split())
    return {f"/lib/modules/{kernel}/modules.dep": lines, f"/lib/modules/{kernel}/modules.builtin": "kernel/fs/y.ko\n"}


def _ok(words: str = "") -> Output:
    return Output(0, words, "")


def _remove(made: MemoryGuest, argv: Sequence[str], _: str) -> Output:
    for path in [each for each in made.nodes if each == argv[-1] or each.startswith(argv[-1] + "/")]:
        del made.nodes[path]
    return _ok()


def _copy(made: MemoryGuest, argv: Sequence[str], _: str) -> Output:
    source, place = argv[-2:]
    for path, node in list(made.nodes.items()):
        if path == source or path.startswith(source + "/"):
            made.nodes[place + path.removeprefix(source)] = node
    return _ok()


def _mkinitramfs(made: MemoryGuest, argv: Sequence[str], _: str) -> Output:
    folder, result = argv[argv.index("-d") + 1], argv[argv.index("-o") + 1]
    wanted = [line for line in (made.read_text(f"{folder}/modules") or "").split("\n") if line[:1] not in {"#", ""}]
    made.write(result, initramfs(" ".join(["ext4", *wanted])))
    return _ok()


def _dracut(made: MemoryGuest, argv: Sequence[str], _: str) -> Output:
    made.write(argv[-2], initramfs("xfs " + argv[argv.index("--add-drivers") + 1]))
    return _ok()


def _grub_install(made: MemoryGuest, argv: Sequence[str], _: str) -> Output:
    made.write("/boot/grub/i386-pc/core.img", b"core")
    made.write("/boot/grub/grubenv", b"env")
    if argv[1] == "--target=i386-pc":
        made.write_disk(0, 0, b"\xebGRUB")
    return _ok()


PROGRAMS: Mapping[str, Program] = {
    "rm": _remove,
    "cp": _copy,
    "mkinitramfs": _mkinitramfs,
    "dracut": _dracut,
    "setfiles": lambda *_: _ok(),
    GRUB_INSTALL: _grub_install,
}
