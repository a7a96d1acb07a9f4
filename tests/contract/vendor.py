"""The vendor's SDK client against a server of the tests, and its model objects made from plain documents."""

from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdksms import v3
from huaweicloudsdksms.v3 import SmsClient

from tests.contract.running import Server


def vendor_client(server: Server, credentials: BasicCredentials) -> SmsClient:
    """Return the vendor's client, pinned to the server's CA."""
    config = HttpConfig.get_default_config()
    config.ssl_ca_cert = str(server.ca_file)
    builder = SmsClient.new_builder().with_http_config(config).with_credentials(credentials)
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
