"""Which requests count as sent by a page of the console."""

import pytest

from wherry.console.cookies import cookie, read_cookies
from wherry.console.same_origin import check_same_origin
from wherry.contract.errors import ApiError

HOST = (b"host", b"wherry.example:8443")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"sec-fetch-site", b"same-origin")],
        [(b"origin", b"https://wherry.example:8443")],
        [(b"origin", b"http://WHERRY.example:8443")],
        [(b"sec-fetch-site", b"same-origin"), (b"origin", b"null")],
    ],
)
def test_own_pages_may(headers: list[tuple[bytes, bytes]]) -> None:
    check_same_origin([HOST, *headers])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"origin", b"null")],
        [(b"origin", b"")],
        [(b"origin", b"https://wherry.example")],
        [(b"origin", b"https://evil.example:8443")],
        [(b"origin", b"https://wherry.example:8443.evil.example")],
        [(b"sec-fetch-site", b"same-site"), (b"origin", b"https://wherry.example:8443")],
        [(b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"none")],
        [(b"referer", b"https://wherry.example:8443/")],
    ],
)
def test_others_may_not(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ApiError) as refused:
        check_same_origin([HOST, *headers])
    assert (refused.value.code, refused.value.status) == ("WHERRY.5513", 403)


def test_of_two_cookies_the_first_counts() -> None:
    assert read_cookies([(b"cookie", b"a=1; b=x=y; a=2"), (b"cookie", b"c=3")]) == {"a": "1", "b": "x=y", "c": "3"}


def test_cookies_are_strict() -> None:
    made = cookie("name", "value", secure=True)
    assert made == "name=value; Path=/; SameSite=Strict; HttpOnly; Secure"
