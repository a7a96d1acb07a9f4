"""Addresses of the command line."""

import pytest

from wherry.cli.address import parse_address
from wherry.cli.errors import AddressUnreadable


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("host.example:0", ("host.example", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "host", ":8443", "host:", "host:x", "host:65536", "host:-1", "::1:80", "[host]:80", "[]:80", "host:²"]
)
def test_anything_else_is_explained(text: str) -> None:
    with pytest.raises(AddressUnreadable) as caught:
        parse_address(text)
    assert caught.value.exit_status == 2
    assert "fix:" in caught.value.explain()
