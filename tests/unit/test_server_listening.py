"""Addresses to listen on, and what an address is called in URLs and certificates."""

import socket

import pytest

from wherry.server.errors import AddressMalformed, ListenRefused
from wherry.server.listening import Address, certificate_names, endpoint, listen, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8443", Address("127.0.0.1", 8443)),
        ("[::1]:0", Address("::1", 0)),
        ("migrate.example.test:65535", Address("migrate.example.test", 65535)),
        ("0.0.0.0:443", Address("0.0.0.0", 443)),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8443", ":8443", "host:", "host:x", "host:-1", "host:65536", "::1:8443", "host:١"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressMalformed):
        parse_address(text)


def test_the_endpoint_has_the_port_that_was_given() -> None:
    with listen(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert endpoint(Address("127.0.0.1", 0), listener, tls=True) == f"https://127.0.0.1:{port}"
        assert endpoint(Address("::1", 0), listener, tls=False) == f"http://[::1]:{port}"


def test_who_listens_everywhere_is_reached_on_this_machine() -> None:
    with listen(Address("0.0.0.0", 0)) as listener:
        assert endpoint(Address("0.0.0.0", 0), listener, tls=True).startswith("https://127.0.0.1:")


def test_the_certificate_names_this_machine_in_every_way() -> None:
    names = certificate_names(Address("migrate.example.test", 1))
    assert names[0] == "migrate.example.test"
    assert {"localhost", "127.0.0.1", "::1", socket.gethostname()} <= set(names)
    assert "0.0.0.0" not in certificate_names(Address("0.0.0.0", 1))
    further = certificate_names(Address("0.0.0.0", 1), ["migrate.example.test", "192.0.2.1"])
    assert {"migrate.example.test", "192.0.2.1", "localhost"} <= set(further)


def test_a_port_that_is_taken_is_told_with_its_number() -> None:
    with listen(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenRefused, match=str(port)) as refusal:
            listen(Address("127.0.0.1", port))
        assert "in use" in refusal.value.message


def test_a_host_that_does_not_exist_is_told() -> None:
    with pytest.raises(ListenRefused, match="cannot be resolved"):
        listen(Address("a..b", 1))
