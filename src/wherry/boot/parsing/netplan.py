"""netplan's YAML. Changes are made in the text, at the places that the YAML parser names, so that comments stay.

Source: netplan-yaml(5). What hides behind anchors or in a flow style is read, and changed only where it has lines of
its own.
"""

from collections.abc import Callable, Iterator
from typing import Final

import yaml

from wherry.boot.parsing.interfaces import Addressing, Interface, read_mac

_MOST_CHARACTERS: Final = 256 << 10
_ADDRESS_KEYS: Final = frozenset(
    {"addresses", "gateway4", "gateway6", "routes", "nameservers", "dhcp4", "dhcp6", "dhcp4-overrides"}
)
_TRUE: Final = frozenset({"true", "yes", "on"})

Chosen = Callable[[Interface], bool]


def read_netplan(text: str) -> list[Interface]:
    """Return the network cards that a netplan file names; none where it can't be read."""
    return [_interface(name, mapping) for name, mapping in _ethernets(text)]


def with_dhcp(text: str, chosen: Chosen) -> str:
    """Return the file with DHCP in the place of the addresses of the *chosen* interfaces."""
    lines = text.splitlines(keepends=True)
    for name, mapping in reversed(list(_ethernets(text))):
        interface = _interface(name, mapping)
        if mapping is None or mapping.flow_style or not mapping.value or not chosen(interface):
            continue
        indent = " " * mapping.value[0][0].start_mark.column
        for key, content in reversed(mapping.value):
            if key.value in _ADDRESS_KEYS:
                del lines[key.start_mark.line : _end(content, key)]
        lines.insert(mapping.start_mark.line, f"{indent}dhcp4: true\n")
    return "".join(lines)


def with_mac(text: str, old: str, new: str) -> str:
    """Return the file with *new* where it matches the card with the MAC address *old*."""
    for _, mapping in _ethernets(text):
        place = _mac_node(mapping)
        if place is not None and read_mac(place.value) == old:
            begin, end = place.start_mark.index, place.end_mark.index
            return with_mac(f'{text[:begin]}"{new}"{text[end:]}', old, new) if new != old else text
    return text


def with_match_by_name(text: str, old: str) -> str:
    """Return the file with a match by name where it matches the MAC address *old*.

    It's the name that the card had; where it had none from here, any name of an Ethernet card.
    """
    for _, mapping in _ethernets(text):
        match = _child(mapping, "match")
        pairs = match.value if isinstance(match, yaml.MappingNode) else []
        for key, content in pairs:
            if _scalar(key) == "macaddress" and read_mac(_scalar(content)) == old:
                name = _scalar(_child(mapping, "set-name")) or _scalar(_child(match, "name")) or "e*"
                begin, end = key.start_mark.index, content.end_mark.index
                return with_match_by_name(f'{text[:begin]}name: "{name}"{text[end:]}', old)
    return text


def _interface(name: str, mapping: yaml.MappingNode | None) -> Interface:
    mac = read_mac(_scalar(_mac_node(mapping)))
    given = _scalar(_child(mapping, "set-name")) or _scalar(_child(_child(mapping, "match"), "name"))
    has_match = _child(mapping, "match") is not None
    return Interface(given or ("" if has_match else name), mac, _addressing(mapping))


def _addressing(mapping: yaml.MappingNode | None) -> Addressing:
    addresses = _child(mapping, "addresses")
    if isinstance(addresses, yaml.SequenceNode) and addresses.value:
        return Addressing.STATIC
    asks = {_scalar(_child(mapping, key)).lower() for key in ("dhcp4", "dhcp6")}
    return Addressing.DHCP if asks & _TRUE else Addressing.NONE


def _ethernets(text: str) -> Iterator[tuple[str, yaml.MappingNode | None]]:
    if len(text) > _MOST_CHARACTERS:
        return
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    cards = _child(_child(root, "network"), "ethernets")
    if isinstance(cards, yaml.MappingNode):
        for key, node in cards.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, node if isinstance(node, yaml.MappingNode) else None


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((content for key, content in node.value if _scalar(key) == name), None)


def _mac_node(mapping: yaml.MappingNode | None) -> yaml.Node | None:
    return _child(_child(mapping, "match"), "macaddress")


def _scalar(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _end(content: yaml.Node, key: yaml.Node) -> int:
    """Return the line after a key's value. A block's end mark stands at the start of what follows it."""
    last = content.end_mark
    within = last.column > 0 and isinstance(content, yaml.ScalarNode | yaml.CollectionNode) and _ends_inside(content)
    return max(last.line + (1 if within else 0), key.start_mark.line + 1)


def _ends_inside(content: yaml.Node) -> bool:
    """Whether the end mark lies on the value's own last line: for plain words and flow style, not for blocks."""
    return isinstance(content, yaml.ScalarNode) or bool(getattr(content, "flow_style", False))
