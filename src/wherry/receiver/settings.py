"""What the operator told the receiver on its command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wherry.boot.machine.users import FIRST_USER
from wherry.client.membership import Membership


class ImageFormat(StrEnum):
    """What a landed server can be had as."""

    RAW = "raw"
    QCOW2 = "qcow2"


class DriverKind(StrEnum):
    """Where a server can land: as disks, or as a virtual machine of this host."""

    IMAGE = "image"
    QEMU = "qemu"


class WorkbenchKind(StrEnum):
    """By what a landed system is opened: a small machine, or this host's own kernel, for systems that are trusted."""

    GUESTFS = "guestfs"
    CHROOT = "chroot"


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """The settings of one receiver.

    Attributes:
        membership: the control plane, and the folder of the credentials.
        images: folder of the replicas, one folder a task.
        listen_host: address to listen on for agents.
        listen_port: port to listen on; 0 lets the kernel choose one.
        data_host: address that agents are told to connect to; empty means *listen_host*.
        max_connections: how many agents' connections are served at the same time.
        heartbeat_s: how often the receiver announces itself, in seconds.
        keep_checkpoints: how many consistent checkpoints of each task are kept as reflinks.
        image_format: with qcow2 each kept checkpoint is converted too, and one at least; without reflinks, the last.
        driver: with qemu, what lands is made to boot, rehearsed and launched; one checkpoint at least is kept.
        workbench: by what a landed system is opened; needed with qemu.
        networks: bridges by the names of the networks that servers can be on; "" for QEMU's user network.
        machine_users: first of the 65,536 users that machines run as; 0: they run as the receiver's own user.
        luks_keys: folder of the keys of encrypted volumes, a file for each by its LUKS UUID.
        landing_workers: how many orders are carried out at the same time.
        poll_wait_s: how long one look at the assignments may hang, in seconds.
    """

    membership: Membership
    images: Path
    listen_host: str
    listen_port: int
    data_host: str = ""
    max_connections: int = 64
    keep_checkpoints: int = 0
    image_format: ImageFormat = ImageFormat.RAW
    driver: DriverKind = DriverKind.IMAGE
    workbench: WorkbenchKind | None = None
    networks: Mapping[str, str] = field(default_factory=dict)
    machine_users: int = FIRST_USER
    luks_keys: Path | None = None
    landing_workers: int = 2
    heartbeat_s: float = 10.0
    poll_wait_s: int = 30
