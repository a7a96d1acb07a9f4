"""Service-wide facts, and the privacy agreement of an account."""

from urllib.parse import urlsplit

from wherry.contract.config import PrivacyAgreement, ServiceConfig
from wherry.ledger import accounts
from wherry.ledger.transaction import Transaction
from wherry.server.access import allow
from wherry.server.answers import EMPTY, Answer, json_answer
from wherry.server.call import Call

_REGION = "wherry"
_NOT_HERE = "none"
"""Said of images: Wherry needs none to land a disk, and clients insist on a text."""

_DOMAINS = ("ecs_domain", "evs_domain", "iam_domain", "ims_domain", "obs_domain", "sms_domain", "vpc_domain")
_IMAGES = ("linux_image_id", "linux_uefi_image_id", "windows_image_id", "windows_uefi_image_id")


async def show_config(call: Call) -> Answer:
    """Return the settings of the service: this control plane stands for the one region and all its services."""
    allow(call)
    host = urlsplit(call.services.endpoint).netloc
    region = dict.fromkeys((*_DOMAINS, "kms_address"), host) | dict.fromkeys(_IMAGES, _NOT_HERE)
    region |= {"region_name": _REGION, "project_name": _REGION}
    config = {"mainRegion": _REGION, "obs_domain": host, "disktype": "SSD"}
    return json_answer(ServiceConfig(config=config, regions=[region]))


async def create_privacy_agreement(call: Call) -> Answer:
    """Note that the account agrees; the first agreement counts."""
    allow(call)

    def unit(tx: Transaction) -> None:
        accounts.agree_to_privacy(tx.connection, call.account_id, at=call.at)
        call.record(tx, call.account_id)

    await call.services.ledger.write(unit)
    return EMPTY


async def show_privacy_agreement(call: Call) -> Answer:
    """Tell whether the account has agreed."""
    allow(call)
    account = await call.services.ledger.read(lambda connection: accounts.find(connection, call.account_id))
    return json_answer(PrivacyAgreement(flag=account is not None and account.privacy_agreed_at is not None))
