"""Request signatures: the reference's vectors, what the SDK's own signer makes, and everything malformed."""

import hashlib
import hmac
import time

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import DerivationAKSKSigner, Signer
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from wherry.iam.refusals import AuthenticationFailed
from wherry.iam.signature import (
    Algorithm,
    SignedRequest,
    canonical_head,
    canonical_path,
    canonical_query,
    payload_hashes,
    read_claim,
    verify,
)

SECRET = b"EXAMPLESK"
DATE = b"20260128T093000Z"
NOW = 1769592600.0
BODY = b'{"command_name": "START", "result": "success", "result_detail": {"msg": "ok"}}'
SIGNATURE_1 = "5fe9afcfd92bb230045249538b09e3984cd7ccbf4f28ed83a078d6376b3fe49b"
SIGNATURE_2 = "f08004bef5992366c98513901fb84688d0689ce0adb671775c8bd7a111bc9ab9"
SIGNATURE_V11 = "bd554a25ed750cf85449a45ab5e38b839b0d1718b0d3a87b3bd3e4a2ff43f4c6"
NAMES_1 = "content-type;host;x-project-id;x-sdk-date"


def first(authorization: str = "", **changes: object) -> SignedRequest:
    """Vector 1 of the reference, with another Authorization header if given."""
    if not authorization:
        authorization = f"SDK-HMAC-SHA256 Access=EXAMPLEAK, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1}"
    request = SignedRequest(
        method="POST",
        path=b"/v3/sources/srv-1/command_result",
        query=b"",
        headers=[
            (b"host", b"sms.example.test:8080"),
            (b"user-agent", b"not signed"),
            (b"content-type", b"application/json"),
            (b"x-project-id", b"p1"),
            (b"x-sdk-date", DATE),
            (b"authorization", authorization.encode("latin-1")),
        ],
        body=BODY,
    )
    return replace(request, **changes)


def check(request: SignedRequest, *, secret: bytes = SECRET, now: float = NOW) -> None:
    verify(read_claim(request), request, secret, now)


def with_header(request: SignedRequest, name: bytes, value: bytes) -> SignedRequest:
    return replace(request, headers=[*((n, v) for n, v in request.headers if n != name), (name, value)])


def without_header(request: SignedRequest, name: bytes) -> SignedRequest:
    return replace(request, headers=[(n, v) for n, v in request.headers if n != name])


def sign_again(request: SignedRequest, names: str, *, payload: bytes | None = None) -> SignedRequest:
    """Sign *request* over *names* as a client would, with the canonical request of the module under test."""
    draft = with_header(
        request,
        b"authorization",
        f"SDK-HMAC-SHA256 Access=EXAMPLEAK, SignedHeaders={names}, Signature={'0' * 64}".encode(),
    )
    claim = read_claim(draft)
    whole = canonical_head(claim, draft) + (
        hashlib.sha256(draft.body).hexdigest().encode() if payload is None else payload
    )
    text = b"\n".join((b"SDK-HMAC-SHA256", claim.date, hashlib.sha256(whole).hexdigest().encode()))
    signature = hmac.new(SECRET, text, "sha256").hexdigest()
    return with_header(draft, b"authorization", authorization_with(draft).replace(b"0" * 64, signature.encode()))


def authorization_with(request: SignedRequest) -> bytes:
    return dict(request.headers)[b"authorization"]


def test_vector_1_of_the_reference() -> None:
    request = first()
    claim = read_claim(request)
    assert claim.access_key == "EXAMPLEAK"
    assert canonical_head(claim, request) + payload_hashes(request)[0] == (
        b"POST\n/v3/sources/srv-1/command_result/\n\n"
        b"content-type:application/json\nhost:sms.example.test:8080\nx-project-id:p1\nx-sdk-date:20260128T093000Z\n\n"
        b"content-type;host;x-project-id;x-sdk-date\n"
        b"13079bbb3503e7e017bf0f986ba70490442c92cdeea368963459df5c1b88c3da"
    )
    verify(claim, request, SECRET, NOW)


def test_vector_2_of_the_reference() -> None:
    authorization = (
        f"SDK-HMAC-SHA256 Access=EXAMPLEAK, SignedHeaders=content-type;host;x-sdk-date, Signature={SIGNATURE_2}"
    )
    request = first(
        authorization,
        method="GET",
        path=b"/v3/sources",
        query=b"connected=true&limit=10&name=a%20b%2F%C3%BC",
        body=b"",
    )
    check(request)
    # The order of the parameters on the wire is the client's business.
    check(replace(request, query=b"name=a+b/%c3%bc&limit=10&connected=true"))


def test_derived_key_vector_of_the_reference() -> None:
    authorization = (
        "V11-HMAC-SHA256 Credential=EXAMPLEAK/20260128/region-1/sms, "
        f"SignedHeaders={NAMES_1}, Signature={SIGNATURE_V11}"
    )
    request = first(authorization)
    claim = read_claim(request)
    assert claim.algorithm is Algorithm.V11_HMAC_SHA256
    assert claim.scope == b"20260128/region-1/sms"
    verify(claim, request, SECRET, NOW)


@pytest.mark.parametrize("other", ["20260127/region-1/sms", "20260128/region-1", "20260128//sms", "20260128/r/s/t", ""])
def test_derived_key_with_another_scope_is_refused(other: str) -> None:
    authorization = f"V11-HMAC-SHA256 Credential=EXAMPLEAK/{other}, SignedHeaders={NAMES_1}, Signature={SIGNATURE_V11}"
    with pytest.raises(AuthenticationFailed):
        check(first(authorization))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": b"/v3/sources/srv-2/command_result"},
        {"query": b"a=1"},
        {"body": BODY + b"\n"},
        {"body": b""},
    ],
)
def test_any_change_of_what_was_signed_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(AuthenticationFailed, match="does not match"):
        check(replace(first(), **change))


@pytest.mark.parametrize("name", [b"host", b"content-type", b"x-project-id", b"x-sdk-date"])
def test_a_changed_missing_or_repeated_signed_header_is_refused(name: bytes) -> None:
    request = first()
    changed = b"20260128T093001Z" if name == b"x-sdk-date" else b"changed"
    with pytest.raises(AuthenticationFailed):
        check(with_header(request, name, changed))
    with pytest.raises(AuthenticationFailed):
        check(without_header(request, name))
    twice = replace(request, headers=[*request.headers, (name, dict(request.headers)[name])])
    with pytest.raises(AuthenticationFailed, match="twice"):
        check(twice)


def test_unsigned_headers_may_change_on_the_way() -> None:
    check(with_header(first(), b"user-agent", b"rewritten by a proxy"))


def test_a_wrong_secret_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="does not match"):
        check(first(), secret=b"EXAMPLESL")


@pytest.mark.parametrize("skew", [-900, -1, 0, 1, 900])
def test_fifteen_minutes_of_skew_are_allowed(skew: int) -> None:
    check(first(), now=NOW + skew)


@pytest.mark.parametrize("skew", [-901, 901, 10**9])
def test_more_skew_is_refused(skew: int) -> None:
    with pytest.raises(AuthenticationFailed, match="15 minutes"):
        check(first(), now=NOW + skew)


@pytest.mark.parametrize(
    "date",
    [
        b"",
        b"2026-01-28T09:30:00Z",
        b"20260128T093000",
        b"20260128t093000Z",
        b"20260128 093000Z",
        b"20261328T093000Z",
        b"20260230T093000Z",
        b"00000128T093000Z",
        b"20260128T243000Z",
        b"+0260128T093000Z",
        b"2026 128T093000Z",
        "２０２６0128T093000Z".encode(),
    ],
)
def test_a_date_that_is_none_is_refused(date: bytes) -> None:
    with pytest.raises(AuthenticationFailed, match="X-Sdk-Date"):
        check(with_header(first(), b"x-sdk-date", date))


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("Basic dXNlcjpwYXNz", "not supported"),
        ("SDK-HMAC-SM3 Access=A, SignedHeaders=x-sdk-date, Signature=" + "0" * 64, "not supported"),
        ("SDK-HMAC-SHA256", "malformed"),
        ("SDK-HMAC-SHA256 Access=A", "must carry"),
        ("SDK-HMAC-SHA256 Access=A, SignedHeaders=x-sdk-date", "must carry"),
        (f"SDK-HMAC-SHA256 Credential=A, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1}", "must carry"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1}, More=1", "must carry"),
        (f"SDK-HMAC-SHA256 Access=A, Access=B, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1}", "malformed"),
        (f"SDK-HMAC-SHA256 Access=, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1}", "access key"),
        (f"SDK-HMAC-SHA256 Access=ü, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1}", "access key"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders=, Signature={SIGNATURE_1}", "SignedHeaders"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders=Host;x-sdk-date, Signature={SIGNATURE_1}", "SignedHeaders"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders=host;host;x-sdk-date, Signature={SIGNATURE_1}", "SignedHeaders"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature={SIGNATURE_1}", "X-Sdk-Date"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1[:-1]}", "64"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1[:-1]}é", "64"),
        (f"SDK-HMAC-SHA256 Access=A, SignedHeaders={NAMES_1}, Signature={SIGNATURE_1.upper()}", "64"),
        ("SDK-HMAC-SHA256 " + "x" * 9000, "too long"),
    ],
)
def test_a_malformed_authorization_header_is_refused_in_words(authorization: str, reason: str) -> None:
    with pytest.raises(AuthenticationFailed, match=reason):
        check(first(authorization))


def test_no_authentication_at_all_is_refused_in_words() -> None:
    with pytest.raises(AuthenticationFailed, match="neither X-Auth-Token nor Authorization"):
        check(without_header(first(), b"authorization"))


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_authorization_header_gives_a_refusal_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        check(with_header(first(), b"authorization", garbage))


PIECES = st.sampled_from(
    [
        *(b"SDK-HMAC-SHA256", b"V11-HMAC-SHA256", b"Access=", b"Credential=", b"SignedHeaders=", b"Signature="),
        *(b"EXAMPLEAK", b"x-sdk-date", b"host", b"f" * 64, b"20260128/region-1/sms"),
        *(b" ", b",", b";", b"=", b"/", b"\xff", b"\x00"),
    ]
)


@given(st.lists(PIECES, max_size=20), st.binary(max_size=40), st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_header_grammar_in_any_order_gives_a_refusal(pieces: list[bytes], query: bytes, path: bytes) -> None:
    request = first(query=query, path=b"/" + path)
    with pytest.raises(AuthenticationFailed):
        check(with_header(request, b"authorization", b"".join(pieces)))


@given(st.binary(max_size=60), st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_canonical_forms_exist_for_any_bytes_and_are_stable(path: bytes, query: bytes) -> None:
    once = canonical_path(path)
    assert once.endswith(b"/")
    assert once.isascii()
    assert canonical_path(once) == once
    pairs = canonical_query(query)
    assert pairs.isascii()
    assert canonical_query(pairs) == pairs


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        (b"/", b"/"),
        (b"/v3/sources", b"/v3/sources/"),
        (b"/v3/a%20b", b"/v3/a%20b/"),
        (b"/v3/a b", b"/v3/a%20b/"),
        (b"/v3/%C3%BC/", b"/v3/%C3%BC/"),
        (b"/v3/%c3%bc", b"/v3/%C3%BC/"),
        (b"/v3/a%2Fb", b"/v3/a/b/"),
        (b"/v3/~x._-", b"/v3/~x._-/"),
        (b"/v3/%7Ex", b"/v3/~x/"),
    ],
)
def test_canonical_path(path: bytes, canonical: bytes) -> None:
    assert canonical_path(path) == canonical


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"", b""),
        (b"id&limit=10", b"id=&limit=10"),
        (b"b=2&a=1", b"a=1&b=2"),
        (b"a=2&a=10&a=1", b"a=1&a=10&a=2"),
        (b"a=&b", b"a=&b="),
        (b"a=1&&b=2&", b"a=1&b=2"),
        (b"a=b=c", b"a=b%3Dc"),
        (b"a=x+y", b"a=x%20y"),
        (b"a=x%2By", b"a=x%2By"),
        (b"name=%C3%BC", b"name=%C3%BC"),
        (b"name=\xc3\xbc", b"name=%C3%BC"),
        (b"name=%FF", b"name=%FF"),
        (b"a=*~()", b"a=%2A~%28%29"),
    ],
)
def test_canonical_query(query: bytes, canonical: bytes) -> None:
    assert canonical_query(query) == canonical


def test_declared_payload_hash_must_be_true() -> None:
    true = hashlib.sha256(BODY).hexdigest().encode()
    check(with_header(first(), b"x-sdk-content-sha256", true))
    with pytest.raises(AuthenticationFailed, match="not the hash of the body"):
        check(with_header(first(), b"x-sdk-content-sha256", b"0" * 64))


def test_unsigned_payload_covers_any_body_but_must_be_signed_as_such() -> None:
    request = with_header(first(), b"x-sdk-content-sha256", b"UNSIGNED-PAYLOAD")
    with pytest.raises(AuthenticationFailed, match="does not match"):
        check(request)
    signed = sign_again(request, "x-sdk-content-sha256;x-sdk-date", payload=b"UNSIGNED-PAYLOAD")
    check(signed)
    check(replace(signed, body=b"another"))


def test_empty_body_with_unsigned_payload_is_accepted_in_both_forms() -> None:
    request = replace(with_header(first(), b"x-sdk-content-sha256", b"UNSIGNED-PAYLOAD"), body=b"")
    check(sign_again(request, "x-sdk-date", payload=b"UNSIGNED-PAYLOAD"))
    check(sign_again(request, "x-sdk-date"))


def test_header_values_are_trimmed_and_kept_as_bytes() -> None:
    request = with_header(first(), b"user-agent", "  küche/1.0 ".encode())
    check(sign_again(request, "user-agent;x-sdk-date"))


def sdk_request(method: str, path: str, query: list[tuple[str, object]], body: str) -> SdkRequest:
    headers = {"Content-Type": "application/json", "X-Project-Id": "p1", "User-Agent": "test/1 (ü)"}
    return SdkRequest(method, "https", "host:8443", path, "", query, headers, body)


def as_seen_by_the_server(signed: SdkRequest) -> SignedRequest:
    path, _, query = signed.uri.partition("?")
    return SignedRequest(
        signed.method,
        path.encode(),
        query.encode(),
        [(name.lower().encode(), value.encode("latin-1")) for name, value in signed.header_params.items()],
        signed.body or b"",
    )


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
values = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.integers(), st.booleans())


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    query=st.dictionaries(names, values, max_size=4),
    body=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    derived=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_whatever_the_vendors_signer_signs_is_accepted(
    method: str, query: dict[str, object], body: str, *, derived: bool
) -> None:
    credentials = BasicCredentials("EXAMPLEAK", "EXAMPLESK")
    request = sdk_request(method, "/v3/sources/srv-1", list(query.items()), body)
    if derived:
        signed = DerivationAKSKSigner(credentials).sign(request, "sms", "region-1")
    else:
        signed = Signer(credentials).sign(request)
    seen = as_seen_by_the_server(signed)
    check(seen, now=time.time())
    with pytest.raises(AuthenticationFailed):
        check(replace(seen, body=seen.body + b"x"), now=time.time())


def test_too_many_parameters_are_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="too many parameters"):
        check(first(query=b"&".join(b"a=%d" % n for n in range(2000))))
