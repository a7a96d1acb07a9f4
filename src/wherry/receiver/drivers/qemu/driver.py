"""The qemu driver: replicas are raw images, as with the image driver, and servers are made of what lands."""

from collections.abc import Sequence
from pathlib import Path

from wherry.contract.wherry import AnnouncedDisk, AnnouncedServer
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.drivers.qemu.servers import QemuServers

SERVERS_FOLDER = ".servers"
"""Where the servers are, in the images folder; no task's id looks like this."""


class QemuDriver(ImageDriver):
    """Raw sparse files under *folder*, and virtual machines in a folder beside them."""

    names: Sequence[str] = ("image", "qemu")

    def __init__(self, folder: Path, machines: QemuServers) -> None:
        super().__init__(folder)
        self._servers = machines

    def servers(self) -> Sequence[AnnouncedServer]:
        """Return the servers that were made here, running or not."""
        return [
            AnnouncedServer(
                id=note.id,
                name=note.name,
                runs=self._servers.running(note.id),
                disks=[
                    AnnouncedDisk(size=size, name=f"disk {index}", device_use="NORMAL" if index else "BOOT")
                    for index, size in enumerate(note.sizes)
                ],
            )
            for note in self._servers.every()
        ]
