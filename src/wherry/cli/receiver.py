"""`wherry receiver`: the program where disks land, and what the control plane knows of such programs."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from wherry.boot.machine.users import FIRST_USER, USERS
from wherry.cli.address import parse_address
from wherry.cli.joining import Joining
from wherry.cli.program import run_until_signalled
from wherry.client.state_folder import private_folder
from wherry.receiver.drivers.qemu.networks import parse_networks
from wherry.receiver.main import run_receiver
from wherry.receiver.settings import DriverKind, ImageFormat, ReceiverSettings, WorkbenchKind

app = App(name="receiver")
app.command("wherry.cli.receivers:list_receivers", name="list", help="List the receivers that the control plane knows.")
app.command("wherry.cli.receivers:show_receiver", name="show", help="Show a receiver, and what can land there.")

_LAST_FIRST_USER = (1 << 32) - 2 - USERS

app.command(
    "wherry.cli.receiver_doctor:receiver_doctor",
    name="doctor",
    help="Tell whether a receiver could land and boot servers on this machine.",
)


@app.default
def receiver(
    *,
    membership: Joining,
    images: Path,
    listen: str = "127.0.0.1:8899",
    data_host: Annotated[str, Parameter(show_default=False)] = "",
    max_connections: Annotated[int, Parameter(validator=Number(gte=1, lte=4096))] = 64,
    keep_checkpoints: Annotated[int, Parameter(validator=Number(gte=0, lte=1000))] = 0,
    image_format: ImageFormat = ImageFormat.RAW,
    driver: DriverKind = DriverKind.IMAGE,
    workbench: Annotated[WorkbenchKind | None, Parameter(show_default=False)] = None,
    network: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    machine_users: Annotated[int, Parameter(validator=Number(gte=0, lte=_LAST_FIRST_USER))] = FIRST_USER,
    luks_keys: Annotated[Path | None, Parameter(show_default=False)] = None,
) -> None:
    """Run a receiver: it takes the disks of migrating servers, keeps them as raw images, and launches what has landed.

    Parameters
    ----------
    images:
        Folder of the replicas, one folder a task; it's made when it's missing.
    listen:
        HOST:PORT of the data port; an IPv6 address stands in brackets, port 0 takes a free one.
    data_host:
        Address that agents connect to, where it differs from the host of --listen (0.0.0.0, NAT).
    max_connections:
        How many connections of agents are served at the same time; one task may have a quarter of them.
    keep_checkpoints:
        How many consistent checkpoints of each task to keep beside its images, as reflinks (xfs, btrfs).
    image_format:
        With qcow2 (needs `qemu-img`, package qemu-utils) each kept checkpoint is converted too, one at least, and on
        filesystems without reflinks the image of a finished task. The raw images stay.
    driver:
        With qemu (needs QEMU and --workbench) what lands is made to boot, rehearsed in a virtual machine without
        network, and launched as a virtual machine of this host; one checkpoint at least is kept.
    workbench:
        What opens a landed system: guestfs, a small virtual machine; or chroot, this host's own kernel, which is much
        faster and for servers only that you trust.
    network:
        A network that servers can be on, as NAME=bridge:BRIDGE, a bridge of this host, or NAME=user, the host's own
        way out through QEMU; may be given several times. Cards that name none are on `default`, user unless it's given.
    machine_users:
        First of the 65,536 numbers of users that virtual machines run as, each as one of its own; nobody else on this
        host may have them. 0: they run as the receiver's own user.
    luks_keys:
        Folder with the keys of encrypted volumes, for guestfs: a file for each, called by its LUKS UUID, which nobody
        else may read. A key that can be typed is typed where a rehearsed server asks for it.
    """
    host, port = parse_address(listen)
    settings = ReceiverSettings(
        membership=membership,
        images=private_folder(images),
        listen_host=host,
        listen_port=port,
        data_host=data_host,
        max_connections=max_connections,
        keep_checkpoints=keep_checkpoints,
        image_format=image_format,
        driver=driver,
        workbench=workbench,
        networks=parse_networks(network),
        machine_users=machine_users,
        luks_keys=luks_keys,
    )
    run_until_signalled(lambda stop: run_receiver(settings, stop))
