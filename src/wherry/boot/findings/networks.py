"""The files of network configuration, of all programs that may read them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from wherry.boot.guest import Guest
from wherry.boot.parsing import ifcfg, ifupdown, netplan, networkd, networkmanager, udev_names
from wherry.boot.parsing.interfaces import Addressing, Interface
from wherry.boot.system import NetworkFile

_FOLDERS: Final = (
    ("/etc/network/interfaces.d", "", "ifupdown"),
    ("/etc/netplan", ".yaml", "netplan"),
    ("/etc/systemd/network", ".network", "networkd"),
    ("/etc/systemd/network", ".link", "link"),
    ("/etc/NetworkManager/system-connections", "", "networkmanager"),
    ("/etc/sysconfig/network-scripts", "", "ifcfg"),
    ("/etc/sysconfig/network", "", "ifcfg"),
    ("/etc/udev/rules.d", ".rules", "udev"),
)
_NOT_READ: Final = (".bak", ".orig", ".rpmsave", ".rpmnew", ".dpkg-old", ".dpkg-dist", "~")


def find_network(guest: Guest) -> tuple[tuple[NetworkFile, ...], dict[str, str], frozenset[str]]:
    """Return the files that name network cards, the text of each, and the names of virtual interfaces.

    With the texts are those of all .link files: one may match any card, and yet name it.
    """
    texts = {path: (kind, guest.read_text(path) or "") for path, kind in _paths(guest)}
    files = tuple(NetworkFile(path, kind, tuple(_READERS[kind](path, text))) for path, (kind, text) in texts.items())
    named = tuple(file for file in files if file.interfaces)
    folder = "/etc/systemd/network"
    netdevs = (guest.read_text(f"{folder}/{name}") or "" for name in guest.list(folder) if name.endswith(".netdev"))
    virtual = frozenset(name for name in map(networkd.netdev_name, netdevs) if name)
    told = {path: text for path, (kind, text) in texts.items() if kind == "link"}
    return named, told | {file.path: texts[file.path][1] for file in named}, virtual


def _paths(guest: Guest) -> Iterator[tuple[str, str]]:
    if guest.exists("/etc/network/interfaces"):
        yield "/etc/network/interfaces", "ifupdown"
    for folder, ending, kind in _FOLDERS:
        for name in guest.list(folder):
            path = f"{folder}/{name}"
            fits = name.startswith("ifcfg-") if kind == "ifcfg" else name.endswith(ending)
            if fits and not name.endswith(_NOT_READ) and not name.startswith(".") and not guest.is_dir(path):
                yield path, kind


def _read_link(text: str) -> list[Interface]:
    return [Interface(networkd.link_name(text), mac, Addressing.NONE) for mac in networkd.match_macs(text)]


_READERS: Final[Mapping[str, Callable[[str, str], list[Interface]]]] = {
    "ifupdown": lambda _, text: ifupdown.read_interfaces(text),
    "netplan": lambda _, text: netplan.read_netplan(text),
    "networkd": lambda _, text: networkd.read_network(text),
    "link": lambda _, text: _read_link(text),
    "networkmanager": lambda _, text: networkmanager.read_profile(text),
    "ifcfg": lambda path, text: ifcfg.read_ifcfg(text, path.rpartition("/ifcfg-")[2]),
    "udev": lambda _, text: udev_names.read_rules(text),
}
