"""Certificates of an authority of one's own, believed for who signed them and not for their dates (ADR 0020).

Whose certificates are still good is decided by the control plane, which renews them and withdraws tasks: one clock.
A source's clock can be years off, and setting it isn't ours.
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
