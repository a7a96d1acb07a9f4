"""The router and the route table: no path is swallowed, no operation is missing."""

from itertools import combinations

import pytest

from wherry.iam.permissions import OPERATIONS, SMS_OPERATIONS
from wherry.iam.principals import Kind
from wherry.server.answers import EMPTY, Answer
from wherry.server.call import Call
from wherry.server.route import Route
from wherry.server.routes import ROUTES
from wherry.server.routing import Found, OtherMethod, Router

ROUTER = Router(ROUTES)


async def nothing(_call: Call) -> Answer:
    return EMPTY


def filled(path: str) -> bytes:
    """Return *path* with something in place of its parameters that no fixed segment is called."""
    return "/".join("4711" if segment.startswith("{") else segment for segment in path.split("/")).encode()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found_by_its_own_path(route: Route) -> None:
    found = ROUTER.find(route.method, filled(route.path))
    assert isinstance(found, Found)
    assert found.route is route
    assert set(found.parameters) == set(route.parameter_names)
    assert set(found.parameters.values()) <= {"4711"}


def test_no_fixed_path_is_swallowed_by_a_parameter() -> None:
    for one, other in combinations(ROUTES, 2):
        if one.method == other.method:
            assert filled(one.path) != filled(other.path) or one.path == other.path, (one.path, other.path)


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/v3/sources/overview", "ShowOverview"),
        ("GET", "/v3/sources/overvie", "ShowServer"),
        ("POST", "/v3/sources/delete", "DeleteServers"),
        ("POST", "/v3/tasks/delete", "DeleteTasks"),
        ("DELETE", "/v3/tasks/delete", "DeleteTask"),
        ("POST", "/v3/vm/templates/delete", "DeleteTemplates"),
        ("POST", "/v3/tasks/update-network-check-info", "UpdateNetworkCheckInfo"),
        ("GET", "/v3", "ShowApiVersion"),
        ("GET", "/", "ListApiVersion"),
        ("GET", "/readyz", "Ready"),
    ],
)
def test_neighbours_are_told_apart(method: str, path: str, operation: str) -> None:
    found = ROUTER.find(method, path.encode())
    assert isinstance(found, Found)
    assert found.route.operation == operation


def test_a_known_path_with_another_method_tells_the_methods() -> None:
    assert ROUTER.find("PATCH", b"/v3/sources") == OtherMethod(("GET", "POST"))


@pytest.mark.parametrize(
    "path",
    [b"/v3/nothing", b"/v3/sources/", b"/v3/sources//command", b"/v3/sources/1/2/3", b"", b"*", b"/v3/sources/%ff"],
)
def test_what_is_no_path_is_not_found(path: bytes) -> None:
    assert ROUTER.find("GET", path) is None


def test_an_encoded_slash_belongs_to_the_value() -> None:
    found = ROUTER.find("GET", b"/v3/sources/a%2Fb%20%C3%BC/command")
    assert isinstance(found, Found)
    assert found.parameters == {"server_id": "a/b ü"}


def test_two_routes_of_the_same_place_are_a_fault() -> None:
    with pytest.raises(ValueError, match="two routes"):
        Router(
            [Route("One", "GET", "/{a}", nothing, anonymous=True), Route("Two", "GET", "/{b}", nothing, anonymous=True)]
        )


def test_the_operations_of_sms_are_all_there() -> None:
    served = {route.operation for route in ROUTES}
    assert set(SMS_OPERATIONS) <= served


def test_every_operation_that_changes_something_has_a_name_in_the_audit_log() -> None:
    silent = {route.operation for route in ROUTES if route.method != "GET" and route.audit is None}
    # The figures of a replication are a reading that comes every second; they change nothing else. Decoding only reads.
    assert silent == {"UpdateReplication", "DecodeRefusal"}


def test_routes_know_their_action_and_their_callers() -> None:
    routes = {route.operation: route for route in ROUTES}
    result = routes["UpdateCommandResult"]
    assert result.action == "sms:server:updateCommandResult"
    assert result.callers == {Kind.USER, Kind.AGENT}
    assert routes["ListAssignments"].callers >= {Kind.RECEIVER}
    assert routes["DeleteServer"].callers == {Kind.USER}
    assert routes["Join"].callers == frozenset()
    for route in ROUTES:
        assert route.anonymous or route.operation in OPERATIONS or route.operation == "ShowToken"
