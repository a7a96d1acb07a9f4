"""What a new password must be, and a user who changes his own."""

from wherry.contract.accounts import PasswordChange
from wherry.contract.errors import ApiError
from wherry.ledger import accounts
from wherry.ledger.transaction import Transaction
from wherry.server.answers import EMPTY, Answer
from wherry.server.call import Call
from wherry.server.hashing import hashed, matches
from wherry.server.subjects import user_of, void_tokens

_TELLING = 4
"""Characters of a user's name that a password mustn't hold; shorter names are in any text."""


def check_new_password(password: str, user_name: str, *, original: str = "") -> None:
    """Raise ApiError WHERRY.5811 for a password that is the old one or tells the user's name."""
    if password == original:
        raise ApiError("WHERRY.5811", "it is the original one", params=("password",))
    if len(user_name) >= _TELLING and user_name.casefold() in password.casefold():
        raise ApiError("WHERRY.5811", "it holds the user's name", params=("password",))


async def change_password(call: Call) -> Answer:
    """Let a user change his own password. All his tokens die, the one of this call too."""
    change = call.decode(PasswordChange)
    user = await call.services.ledger.read(lambda connection: user_of(connection, call))
    if user.id != call.principal.user_id:
        raise ApiError("WHERRY.5811", "it's another user's; administrators use PUT /wherry/v1/users/{user_id}")
    logins = call.services.logins
    if logins.locked_s(user.id, call.peer):
        raise ApiError("WHERRY.5811", "too many wrong passwords; try again later")
    if not await matches(user.password_hash, change.original_password):
        logins.failed(user.id, call.peer)
        raise ApiError("WHERRY.5811", "the original password is wrong", params=("original_password",))
    check_new_password(change.password, user.name, original=change.original_password)
    password_hash = await hashed(change.password)

    def unit(tx: Transaction) -> None:
        row = user_of(tx.connection, call)
        if row.password_hash != user.password_hash:
            raise ApiError("WHERRY.5811", "the password was changed meanwhile", params=("original_password",))
        accounts.change_user(tx.connection, row.id, {"password_hash": password_hash})
        void_tokens(tx, call, [row.id])
        call.record(tx, row.id)

    await call.services.ledger.write(unit)
    return EMPTY
