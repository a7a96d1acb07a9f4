"""The client's signatures: the reference's vectors, and the server's verification of whatever it signs."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.client.signing import sdk_date, sign
from wherry.iam.signature import SignedRequest, read_claim, verify

BODY = b'{"command_name": "START", "result": "success", "result_detail": {"msg": "ok"}}'


def signature(authorization: str) -> str:
    return authorization.rpartition("Signature=")[2]


def test_vector_1_of_the_reference() -> None:
    authorization = sign(
        method="POST",
        path="/v3/sources/srv-1/command_result",
        query="",
        headers={
            "x-sdk-date": "20260128T093000Z",
            "host": "sms.example.test:8080",
            "content-type": "application/json",
            "x-project-id": "p1",
        },
        body=BODY,
        access_key="EXAMPLEAK",
        secret_key="EXAMPLESK",
    )
    assert authorization == (
        "SDK-HMAC-SHA256 Access=EXAMPLEAK, SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
        "Signature=5fe9afcfd92bb230045249538b09e3984cd7ccbf4f28ed83a078d6376b3fe49b"
    )


def test_vector_2_of_the_reference() -> None:
    authorization = sign(
        method="GET",
        path="/v3/sources",
        query="limit=10&name=a%20b%2F%C3%BC&connected=true",
        headers={
            "content-type": "application/json",
            "host": "sms.example.test:8080",
            "x-sdk-date": "20260128T093000Z",
        },
        body=b"",
        access_key="EXAMPLEAK",
        secret_key="EXAMPLESK",
    )
    assert signature(authorization) == "f08004bef5992366c98513901fb84688d0689ce0adb671775c8bd7a111bc9ab9"


def test_the_date_is_utc() -> None:
    assert sdk_date(1769592600.9) == "20260128T093000Z"


encoded = st.text(st.sampled_from("abz09-_.~%/=&+ é"), max_size=20).map(
    lambda text: "".join(c if c.isascii() and c not in "% " else "%C3%A9" if c == "é" else "%20" for c in text)
)


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]), path=encoded, query=encoded, body=st.binary(max_size=50)
)
@settings(max_examples=300, deadline=None)
def test_whatever_it_signs_the_server_accepts(method: str, path: str, query: str, body: bytes) -> None:
    now = time.time()
    headers = {"host": "host:1", "x-sdk-date": sdk_date(now)}
    authorization = sign(
        method=method, path="/" + path, query=query, headers=headers, body=body, access_key="AK", secret_key="SK"
    )
    seen = SignedRequest(
        method,
        b"/" + path.encode(),
        query.encode(),
        [
            *((name.encode(), value.encode()) for name, value in headers.items()),
            (b"authorization", authorization.encode()),
        ],
        body,
    )
    verify(read_claim(seen), seen, b"SK", now)
