"""Which buttons a visitor sees: by the same table of permissions that decides when he presses one."""

from wherry.iam.permissions import NOTHING, Resource, why_not
from wherry.iam.principals import Principal


def may(principal: Principal, operation: str, resource: Resource = NOTHING) -> bool:
    """Tell whether *principal* may call *operation*; without a resource: on one that has no label of its own."""
    return not why_not(principal, operation, resource)


def rights_of(principal: Principal) -> tuple[object, ...]:
    """Return what two visitors must have in common to see the same live page, as far as it isn't about themselves."""
    return (principal.domain_id, principal.account_owner, principal.operator, principal.policies)
