"""Certificates of an authority of one's own, whose dates aren't compared with this machine's clock (ADR 0020).

A source's clock can be years off, and setting it isn't ours. What time it is, the control plane tells.
"""

import ssl
from typing import Final

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h, for which `ssl` has no name."""


def ignore_dates(context: ssl.SSLContext) -> None:
    """Have *context* accept a peer's certificates before and after their time. All else is checked as before.

    Only for contexts that trust nothing but the control plane's authority.
    """
    context.verify_flags = ssl.VerifyFlags(context.verify_flags | _NO_CHECK_TIME)
