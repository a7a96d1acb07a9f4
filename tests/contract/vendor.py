"""The vendor's SDK client against a server of the tests, and its model objects made from plain documents."""

from typing import Any
from urllib.parse import quote, urlencode

from huaweicloudsdkcore.auth.credentials import BasicCredentials, Credentials, GlobalCredentials
from huaweicloudsdkcore.client import ClientBuilder
from huaweicloudsdkcore.http.http_client import HttpClient
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract.running import Server


class TokenCredentials(BasicCredentials):  # type: ignore[misc]
    """Sends a token instead of a signature: what the vendor's SDK leaves to others, and every other client does."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def process_auth_request(self, request: SdkRequest, http_client: HttpClient) -> Any:
        """Return the future of *request* with the token, without asking anybody for a key."""
        return http_client.executor.submit(self.sign_request, request)

    def sign_request(self, request: SdkRequest) -> SdkRequest:
        """Return *request* with the token, ready to be sent."""
        query = urlencode(request.query_params or [], quote_via=quote)
        request.uri = f"{request.resource_path}?{query}" if query else request.resource_path
        request.header_params["X-Auth-Token"] = self._token
        return request


_KINDS = ",".join(kind.__name__ for kind in (BasicCredentials, GlobalCredentials, TokenCredentials))


def vendor_client(server: Server, credentials: Credentials) -> SmsClient:
    """Return the vendor's client, pinned to the server's CA. It takes any kind of credentials."""
    config = HttpConfig.get_default_config()
    config.ssl_ca_cert = str(server.ca_file)
    builder = ClientBuilder(SmsClient, _KINDS).with_http_config(config).with_credentials(credentials)
    return builder.with_endpoint(server.endpoint).build()


def build(model: type[Any], document: dict[str, Any]) -> Any:
    """Return *document* as an object of a model class of the SDK, nested models included."""
    wire_to_python = {wire: python for python, wire in model.attribute_map.items()}
    values: dict[str, Any] = {}
    for wire, value in document.items():
        python = wire_to_python[wire]
        kind = model.openapi_types[python]
        nested = getattr(v3, kind.removeprefix("list[").removesuffix("]"), None)
        if nested is None:
            values[python] = value
        elif kind.startswith("list["):
            values[python] = [build(nested, item) for item in value]
        else:
            values[python] = build(nested, value)
    return model(**values)
