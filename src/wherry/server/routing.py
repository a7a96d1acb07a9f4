"""Finding the route of a request: exact segments first, so that no parameter ever swallows a fixed path."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import msgspec

from wherry.server.route import Route


class Found(msgspec.Struct, frozen=True):
    """The route of a request and the values of its parameters."""

    route: Route
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OtherMethod:
    """The path exists, with these methods only."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Node:
    fixed: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    methods: dict[str, Route] = field(default_factory=dict)


class Router:
    """A tree of path segments. A path of a route is written with parameters in braces: ``/v3/tasks/{task_id}``."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def find(self, method: str, raw_path: bytes) -> Found | OtherMethod | None:
        """Return the route of a request, by the path as it came (still percent-encoded); None: there's no such path.

        A path may fit several branches (``/v3/tasks/delete`` and ``/v3/{task_id}/...``); one that has the method wins.
        """
        segments = _segments(raw_path)
        if segments is None:
            return None
        first, found = _first_match(self._root, segments)
        if first is not None and (route := first.methods.get(method)) is not None:
            return Found(route, dict(zip(route.parameter_names, found, strict=True)))
        allowed: set[str] = set()
        for node, values in _matches(self._root, segments):
            route = node.methods.get(method)
            if route is not None:
                return Found(route, dict(zip(route.parameter_names, values, strict=True)))
            allowed.update(node.methods)
        return OtherMethod(tuple(sorted(allowed))) if allowed else None

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.path.split("/")[1:]:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.fixed.setdefault(segment, _Node())
        if route.method in node.methods:
            message = f"two routes for {route.method} {route.path}"
            raise ValueError(message)
        node.methods[route.method] = route


def _segments(raw_path: bytes) -> list[str] | None:
    """Split first, decode afterwards: an encoded slash belongs to the value. None: it isn't UTF-8."""
    try:
        if b"%" not in raw_path:
            return raw_path.decode().split("/")[1:]
        return [unquote_to_bytes(segment).decode() for segment in raw_path.split(b"/")[1:]]
    except UnicodeDecodeError:
        return None


def _first_match(root: _Node, segments: Iterable[str]) -> tuple[_Node | None, list[str]]:
    """Return the first of `_matches`, where it's found without turning back, as it nearly always is; None: it isn't."""
    node, values = root, list[str]()
    for segment in segments:
        fixed = node.fixed.get(segment)
        if fixed is not None:
            node = fixed
        else:
            parameter = node.parameter
            if parameter is None or not segment:
                return None, values
            node = parameter
            values.append(segment)
    return node, values


def _matches(root: _Node, segments: Iterable[str]) -> list[tuple[_Node, tuple[str, ...]]]:
    """Return where *segments* lead and the values on the way, fixed segments first."""
    places: list[tuple[_Node, tuple[str, ...]]] = [(root, ())]
    for segment in segments:
        further: list[tuple[_Node, tuple[str, ...]]] = []
        for node, values in places:
            if segment in node.fixed:
                further.append((node.fixed[segment], values))
            if node.parameter is not None and segment:
                further.append((node.parameter, (*values, segment)))
        places = further
    return places
