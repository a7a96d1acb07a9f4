"""Networks by the operator's names, and the cards that are on them."""

import pytest
from msgspec import structs

from wherry.boot.machine.hardware import BridgeNetwork, UserNetwork
from wherry.contract.landing import TargetMachine
from wherry.receiver.drivers.qemu.hardware import MOST_NICS, cards, made_up_mac
from wherry.receiver.drivers.qemu.networks import Networks, parse_networks
from wherry.receiver.errors import NetworkMisnamed, NetworkUnknown

MACS = ["52:54:00:AA:00:01", "52:54:00:AA:00:02"]


def test_networks_are_told_on_the_command_line() -> None:
    told = parse_networks(["lan=bridge:br0", "default=bridge:br-x.1", "way-out=user"])
    networks = Networks(told)
    assert networks.find("lan") == BridgeNetwork("br0")
    assert networks.find("default") == BridgeNetwork("br-x.1")
    assert networks.find("way-out") == UserNetwork()
    assert networks.find("isolated") == UserNetwork(isolated=True)


def test_without_a_word_cards_go_out_through_their_host() -> None:
    assert Networks().find("default") == UserNetwork()
    with pytest.raises(NetworkUnknown, match="default, isolated"):
        Networks().find("lan")


@pytest.mark.parametrize(
    "options",
    [
        ["lan"], ["lan="], ["lan=br0"], ["lan=bridge:"], ["lan=bridge:a-name-too-long-"], ["=user"], ["a b=user"],
        ["lan=bridge:../x"], ["lan=user", "lan=user"], ["isolated=bridge:br0"], ["lan=bridge:br0,script=x"],
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(options: list[str]) -> None:
    with pytest.raises(NetworkMisnamed):
        parse_networks(options)


def test_each_card_is_on_the_network_that_is_named_for_it() -> None:
    machine = TargetMachine(macs=MACS, networks=["lan", "dmz"])
    assert cards("vm", machine) == [("52:54:00:aa:00:01", "lan"), ("52:54:00:aa:00:02", "dmz")]
    assert [on for _, on in cards("vm", structs.replace(machine, networks=["lan"]))] == ["lan", "lan"]
    assert [on for _, on in cards("vm", structs.replace(machine, networks=[]))] == ["default", "default"]


def test_further_networks_get_cards_with_addresses_of_their_own() -> None:
    told = cards("vm", TargetMachine(macs=MACS[:1], networks=["lan", "dmz", "lan"]))
    assert [on for _, on in told] == ["lan", "dmz", "lan"]
    assert len({mac for mac, _ in told}) == 3
    assert cards("vm", TargetMachine()) == [(made_up_mac("vm"), "default")]
    assert len(cards("vm", TargetMachine(networks=["lan"] * 32))) == MOST_NICS
