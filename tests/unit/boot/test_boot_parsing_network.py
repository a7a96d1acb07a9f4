"""Network configuration of five kinds: which cards it names, and the same with DHCP or another card."""

import textwrap
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wherry.boot.parsing import cloudinit, ifcfg, ifupdown, netplan, networkd, networkmanager, udev_names
from wherry.boot.parsing.interfaces import Addressing, Interface, is_physical, natural_order, read_mac

OLD, NEW = "00:50:56:aa:bb:cc", "52:54:00:12:34:56"
INTERFACES = """\
source /etc/network/interfaces.d/*
auto lo
iface lo inet loopback

# the uplink
auto ens3
iface ens3 inet static
    address 10.0.0.5/24
    gateway 10.0.0.1
    up ip route add 10.9.0.0/16 via 10.0.0.2
iface ens3 inet6 static
    address fe80::5
auto br0
iface br0 inet static
    address 10.1.0.1/24
    bridge_ports ens4
"""
NETPLAN = """\
network:
  version: 2
  ethernets:
    ens3:            # uplink
      addresses:
        - 10.0.0.5/24
      routes:
        - to: default
          via: 10.0.0.1
      # kept
      mtu: 1400
    lan:
      match:
        macaddress: 00:50:56:AA:BB:CC
      set-name: lan0
      dhcp4: true
    any: {match: {name: "en*"}, dhcp4: true}
  bridges:
    br0:
      interfaces: [ens3]
"""
PROFILE = f"""\
[connection]
id=uplink
type=ethernet
interface-name=ens192

[ethernet]
mac-address={OLD.upper()}

[ipv4]
method=manual
address1=10.0.0.5/24,10.0.0.1
dns=10.0.0.53;
route-metric=7
may-fail=false
"""
IFCFG = f"""\
TYPE=Ethernet
DEVICE=eth0
HWADDR={OLD.upper()}
BOOTPROTO=none
IPADDR=10.0.0.5
PREFIX=24
GATEWAY=10.0.0.1
ONBOOT=yes
"""
NETWORK = f"""\
[Match]
MACAddress={OLD}

[Network]
Address=10.0.0.5/24
Gateway=10.0.0.1
IPForward=yes

[Route]
Destination=10.9.0.0/16
"""
RULES = f'# PCI device\nSUBSYSTEM=="net", ATTR{{address}}=="{OLD}", KERNEL=="eth*", NAME="eth0"\n'


def test_interfaces_of_ifupdown() -> None:
    assert ifupdown.read_interfaces(INTERFACES) == [
        Interface("ens3", "", Addressing.STATIC),
        Interface("ens4", "", Addressing.NONE),
    ]
    changed = ifupdown.with_dhcp(INTERFACES, lambda interface: interface.name == "ens3")
    assert changed == (
        INTERFACES.replace("iface ens3 inet static", "iface ens3 inet dhcp")
        .replace("iface ens3 inet6 static", "iface ens3 inet6 auto")
        .replace("    address 10.0.0.5/24\n    gateway 10.0.0.1\n", "")
        .replace("    address fe80::5\n", "")
    )


def test_netplan() -> None:
    assert netplan.read_netplan(NETPLAN) == [
        Interface("ens3", "", Addressing.STATIC),
        Interface("lan0", OLD, Addressing.DHCP),
        Interface("en*", "", Addressing.DHCP),
    ]
    assert yaml.safe_load(netplan.with_mac(NETPLAN, OLD, NEW))["network"]["ethernets"]["lan"]["match"] == {
        "macaddress": NEW
    }
    by_name = netplan.with_match_by_name(NETPLAN, OLD)
    assert by_name == NETPLAN.replace("macaddress: 00:50:56:AA:BB:CC", 'name: "lan0"')
    dhcp = netplan.with_dhcp(NETPLAN, lambda interface: interface.name == "ens3")
    assert yaml.safe_load(dhcp)["network"]["ethernets"]["ens3"] == {"dhcp4": True, "mtu": 1400}
    assert "# uplink" in dhcp
    assert dhcp.endswith(NETPLAN[NETPLAN.index("      mtu") :])


def test_networkd() -> None:
    assert networkd.read_network(NETWORK) == [Interface("", OLD, Addressing.STATIC)]
    assert networkd.read_network("[Match]\nName=ens3 en*\n[Network]\nDHCP=ipv4\n") == [
        Interface("ens3", "", Addressing.DHCP),
        Interface("en*", "", Addressing.DHCP),
    ]
    assert networkd.read_network("[Match]\nName=br0\n") == []
    assert networkd.with_dhcp(NETWORK) == f"[Match]\nMACAddress={OLD}\n\n[Network]\nDHCP=yes\nIPForward=yes\n\n"
    assert networkd.with_mac(NETWORK, OLD, NEW) == NETWORK.replace(OLD, NEW)
    assert networkd.with_mac(NETWORK, OLD, "") == NETWORK.replace(f"MACAddress={OLD}", "Path=pci-* virtio-pci-*")
    link = f"[Match]\nMACAddress={OLD}\n[Link]\nName=up0\n"
    assert (networkd.match_macs(link), networkd.link_name(link)) == ([OLD], "up0")


def test_networkmanager() -> None:
    assert networkmanager.read_profile(PROFILE) == [Interface("ens192", OLD, Addressing.STATIC)]
    assert networkmanager.read_profile("[connection]\ntype=bridge\ninterface-name=br0\n") == []
    changed = networkmanager.with_dhcp(PROFILE)
    assert networkmanager.read_profile(changed) == [Interface("ens192", OLD, Addressing.DHCP)]
    assert "10.0.0" not in changed
    assert changed.endswith("[ipv4]\nmethod=auto\nmay-fail=false\n")
    assert "mac-address" not in networkmanager.with_mac(PROFILE, "")
    assert networkmanager.with_mac(PROFILE, NEW) == PROFILE.replace(OLD.upper(), NEW)


def test_ifcfg() -> None:
    assert ifcfg.read_ifcfg(IFCFG, "eth0") == [Interface("eth0", OLD, Addressing.STATIC)]
    assert ifcfg.read_ifcfg("BOOTPROTO=dhcp\n", "ens5") == [Interface("ens5", "", Addressing.DHCP)]
    assert ifcfg.read_ifcfg("TYPE=Bridge\nDEVICE=eth9\n", "br0") == []
    assert ifcfg.with_dhcp(IFCFG) == IFCFG.replace(
        "BOOTPROTO=none\nIPADDR=10.0.0.5\nPREFIX=24\nGATEWAY=10.0.0.1", "BOOTPROTO=dhcp"
    )
    assert ifcfg.with_mac(IFCFG, NEW) == IFCFG.replace(OLD.upper(), NEW)
    assert "HWADDR" not in ifcfg.with_mac(IFCFG, "")


def test_old_rules_of_udev() -> None:
    assert udev_names.read_rules(RULES) == [Interface("eth0", OLD, Addressing.NONE)]
    assert udev_names.with_mac(RULES, OLD, NEW) == RULES.replace(OLD, NEW)
    assert udev_names.with_mac(RULES, OLD, "") == "# PCI device\n"


def test_the_data_sources_of_cloud_init() -> None:
    assert cloudinit.datasources("# dpkg\ndatasource_list: [ NoCloud, None ]\n") == ["NoCloud", "None"]
    assert cloudinit.datasources("datasource_list: [\n") is None
    assert cloudinit.datasources("users: []\n") is None


def test_names_of_cards() -> None:
    assert all(map(is_physical, ["eth0", "ens3", "enp1s0f0", "eno1", "enx0050569c1b2a", "em1", "p2p1"]))
    assert not any(map(is_physical, ["lo", "br0", "bond0", "eth0.5", "docker0", "wg0", "en*", ""]))
    assert sorted(["eth10", "eth2", "ens3"], key=natural_order) == ["ens3", "eth2", "eth10"]
    assert read_mac(' "52-54-00-AB-CD-EF" ') == "52:54:00:ab:cd:ef"
    assert read_mac("00:00") == ""


words = (
    st.text()
    | st.text(alphabet="iface static\n\\[]=:{}-'\"#n:0&*")
    | st.binary().map(lambda raw: raw.decode(errors="surrogateescape"))
)


@given(words)
def test_garbage_is_never_an_error(garbage: str) -> None:
    for read in (ifupdown.read_interfaces, netplan.read_netplan, networkd.read_network, networkmanager.read_profile):
        read(garbage)
    ifcfg.read_ifcfg(garbage, "eth0")
    udev_names.read_rules(garbage)
    cloudinit.datasources(garbage)
    networkd.with_dhcp(garbage)
    ifcfg.with_dhcp(garbage)


UNCHANGED: tuple[Callable[[str], str], ...] = (
    lambda text: ifupdown.with_dhcp(text, lambda _: False),
    lambda text: netplan.with_dhcp(text, lambda _: False),
    lambda text: netplan.with_mac(text, OLD, NEW),
    lambda text: netplan.with_match_by_name(text, OLD),
    lambda text: udev_names.with_mac(text, OLD, NEW),
)


@pytest.mark.parametrize("same", UNCHANGED)
@given(garbage=words)
def test_what_isnt_chosen_stays_the_same(same: Callable[[str], str], garbage: str) -> None:
    assert same(garbage) == garbage


@given(
    st.lists(
        st.sampled_from(
            [
                "addresses:\n  - 10.0.0.1/8\n",
                "addresses: [10.0.0.1/8]\n",
                "gateway4: 10.0.0.254\n",
                "mtu: 1500\n",
                "routes:\n- to: default\n  via: 1.1.1.1\n",
                "# comment\n",
                "nameservers:\n  addresses:\n  - 1.1.1.1\n\n",
                "dhcp6: no\n",
                "critical: true\n",
            ]
        ),
        unique=True,
        min_size=1,
    ),
    st.booleans(),
)
def test_netplan_with_dhcp_is_what_it_was_without_addresses(pieces: list[str], last: bool) -> None:
    card = textwrap.indent("".join(pieces), "      ")
    text = f"network:\n  ethernets:\n    ens3:\n{card}" + ("" if last else "    ens4:\n      dhcp4: no\n")
    before = yaml.safe_load(text)["network"]["ethernets"]
    after = yaml.safe_load(netplan.with_dhcp(text, lambda interface: interface.name == "ens3"))["network"]["ethernets"]
    kept = {key: value for key, value in (before["ens3"] or {}).items() if key in {"mtu", "critical"}}
    wanted = {**kept, "dhcp4": True} if before["ens3"] else None
    assert after == {**before, "ens3": wanted}
