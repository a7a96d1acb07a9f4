"""Service-wide facts that agents and Terraform read, and the privacy agreement."""

from wherry.contract.values import Wire


class ServiceConfig(Wire, frozen=True, kw_only=True):
    """Answer of ShowConfig. The maps hold text only, which clients insist on."""

    config: dict[str, str]
    regions: list[dict[str, str]]


class PrivacyAgreement(Wire, frozen=True, kw_only=True):
    """Answer of ShowPrivacyAgreements."""

    flag: bool
