"""Errors of the way in: the gateway's codes and authentication."""

from wherry.contract.error_entry import ErrorEntry

ENTRIES = (
    ErrorEntry(
        "APIGW.0101",
        404,
        "There is no such API",
        "The path isn't one that this service answers, or the operation was taken out of the protocol.",
        "Check path and method; the operations are listed in the documentation.",
    ),
    ErrorEntry(
        "APIGW.0106",
        400,
        "The request is malformed",
        "The Authorization header or a parameter doesn't have the form that the protocol asks for.",
        "Compare the header with the protocol's signature description, or use a current SDK.",
    ),
    ErrorEntry(
        "APIGW.0201",
        400,
        "The request was refused before it reached the service",
        "The body is larger than 12 MB, the address longer than 32 K, the headers too large, or the service is away.",
        "Send less in one request; when the size is fine, look whether the control plane runs and try again.",
    ),
    ErrorEntry(
        "APIGW.0204",
        400,
        "This version of TLS is not accepted",
        "The client offers an outdated version of TLS.",
        "Let the client use TLS 1.2 or newer.",
    ),
    ErrorEntry(
        "APIGW.0301",
        401,
        "The authentication information is not correct",
        "The signature doesn't match, the token can't be read or has expired, the access key is unknown or disabled, "
        "or the client's clock is more than 15 minutes off.",
        "Check access key, secret key and clock of the client, or ask for a new token.",
    ),
    ErrorEntry(
        "APIGW.0302",
        403,
        "This user may not call the API",
        "The user is disabled or shut out from this API.",
        "Let an administrator of the account enable the user.",
    ),
    ErrorEntry(
        "APIGW.0303",
        401,
        "The app authentication information is not correct",
        "The request carries app credentials that don't fit.",
        "Sign with an access key of the account, or send a token.",
    ),
    ErrorEntry(
        "APIGW.0304",
        403,
        "This app may not call the API",
        "App credentials have no rights here.",
        "Sign with an access key of the account, or send a token.",
    ),
    ErrorEntry(
        "APIGW.0305",
        401,
        "The request carries no usable authentication",
        "Neither an Authorization header of a known algorithm nor X-Auth-Token came with the request.",
        "Sign the request with an access key, or send a token in X-Auth-Token.",
    ),
    ErrorEntry(
        "APIGW.0306",
        403,
        "Access to the API is refused",
        "A rule of this installation shuts the caller out.",
        "Ask the operator of the control plane.",
    ),
    ErrorEntry(
        "APIGW.0307",
        401,
        "The token has to be renewed",
        "The token has expired, was withdrawn, or the rights it was made for have changed.",
        "Ask for a new token by POST /v3/auth/tokens.",
    ),
    ErrorEntry(
        "APIGW.0308",
        429,
        "Too many requests",
        "The caller sends more requests than this installation allows.",
        "Wait as long as Retry-After says, then go on more slowly.",
    ),
    ErrorEntry(
        "APIGW.0310",
        403,
        "The project is not available",
        "The project that the request names is disabled.",
        "Use another project of the account, or none.",
    ),
    ErrorEntry(
        "Common.0013",
        403,
        "The token doesn't fit the project",
        "The token was made for a project of another region.",
        "Ask for a token in the scope of the account or of a project of this service.",
    ),
)
