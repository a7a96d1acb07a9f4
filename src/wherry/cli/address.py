"""Addresses as the command line writes them: HOST:PORT, with brackets around an IPv6 address."""

from wherry.cli.errors import AddressUnreadable


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``127.0.0.1:8443`` or ``[::1]:8443``. Raises AddressUnreadable."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    sound = colon and host and port.isascii() and port.isdigit() and int(port) <= 65535
    if not sound or (":" in host) != bracketed:
        raise AddressUnreadable(text=text)
    return host, int(port)
