"""The machine that a landed system is made for."""

from typing import Any

import pytest
from msgspec import convert, structs

from tests.unit.server_harness import registration
from wherry.contract.enumerations import DiskBus, Firmware
from wherry.contract.landing import TargetMachineWish
from wherry.contract.sources import Registration
from wherry.migration.target_machine import of_clone, of_flavor, recommend

NO_WISH = TargetMachineWish()


def source(**changes: Any) -> Registration:
    macs = [{"name": "eth0", "mac": "52:54:00:00:00:01"}, {"name": "tun0", "mac": "none"}]
    return convert(registration(**{"networks": macs, **changes}), Registration)


def test_without_a_word_it_is_as_large_as_the_source() -> None:
    machine = recommend(source(cpu_quantity=3, memory=5000), "", NO_WISH)
    assert (machine.vcpus, machine.memory_mb, machine.firmware) == (3, 5000, Firmware.BIOS)
    assert machine.macs == ["52:54:00:00:00:01"]


def test_a_clone_meets_nobody_unless_the_user_says_so() -> None:
    wish = TargetMachineWish(networks=["lan"])
    machine = recommend(source(), "", wish)
    assert machine.networks == ["lan"]
    assert of_clone(machine, wish) == structs.replace(machine, macs=[], networks=["isolated"])
    told = TargetMachineWish(networks=["lan"], clone_networks=["test"])
    assert recommend(source(), "", told) == machine
    assert of_clone(machine, told).networks == ["test"]


def test_a_source_that_says_little_gets_something_that_boots() -> None:
    machine = recommend(source(cpu_quantity=None, memory=None, networks=None, firmware=None), "", NO_WISH)
    assert (machine.vcpus, machine.memory_mb, machine.macs) == (1, 2048, [])
    assert recommend(source(memory=10), "", NO_WISH).memory_mb == 512


def test_firmware_follows_the_source() -> None:
    assert recommend(source(firmware="UEFI"), "", NO_WISH).firmware is Firmware.UEFI


def test_a_wish_goes_before_the_flavor_and_that_before_the_source() -> None:
    assert recommend(source(), "s3.2xlarge.4", NO_WISH).vcpus == 8
    wished = recommend(source(), "s3.2xlarge.4", TargetMachineWish(vcpus=1, disk_bus=DiskBus.NVME, macs=[]))
    assert (wished.vcpus, wished.memory_mb, wished.disk_bus, wished.macs) == (1, 32768, DiskBus.NVME, [])


@pytest.mark.parametrize(
    ("flavor", "size"),
    [
        ("s3.medium.2", (1, 2048)),
        ("c6.large.4", (2, 8192)),
        ("m7n.xlarge.8", (4, 32768)),
        ("s6.16xlarge.2", (64, 131072)),
        ("autoCreate", None),
        ("s3.huge.2", None),
        ("s3.0xlarge.2", None),
        ("s3.medium.0", None),
        ("", None),
    ],
)
def test_flavors(flavor: str, size: tuple[int, int] | None) -> None:
    assert of_flavor(flavor) == size
