"""What a receiver says of itself: its room, where it listens, and the servers of its driver."""

from collections.abc import Sequence
from pathlib import Path

from wherry.client.membership import Membership
from wherry.contract.wherry import AnnouncedDisk, AnnouncedServer
from wherry.receiver.announcing import describer
from wherry.receiver.drivers.image import ImageDriver
from wherry.receiver.settings import ReceiverSettings

SERVER = AnnouncedServer(id="vm-1", name="waits for disks", disks=[AnnouncedDisk(size=1 << 30)])


class Hypervisor(ImageDriver):
    """A place that has servers, of which one more comes up with each look."""

    name = "hypervisor"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.found: list[AnnouncedServer] = []

    def servers(self) -> Sequence[AnnouncedServer]:
        self.found.append(SERVER)
        return self.found


def settings(folder: Path) -> ReceiverSettings:
    membership = Membership("https://192.0.2.1:8443", folder, name="hall")
    return ReceiverSettings(membership, folder, "192.0.2.9", 0)


def test_images_are_no_servers(tmp_path: Path) -> None:
    said = describer(settings(tmp_path), ImageDriver(tmp_path), 7443)()
    assert (said.name, said.data_host, said.data_port, said.drivers) == ("hall", "192.0.2.9", 7443, ["image"])
    assert said.servers == []
    assert said.free_bytes > 0


def test_the_servers_of_a_driver_are_announced_as_they_are_each_time(tmp_path: Path) -> None:
    describe = describer(settings(tmp_path), Hypervisor(tmp_path), 7443)
    assert describe().servers == [SERVER]
    assert describe().servers == [SERVER, SERVER]
