"""`wherry account`: accounts, for the operator of the control plane."""

from typing import Final

from cyclopts import App

from wherry.cli.asking import USUAL, Asking
from wherry.cli.confirming import SecretFile, read_secret
from wherry.cli.output import Column, facts, moment, show, table
from wherry.cli.paging import every
from wherry.contract.accounts import Account, AccountCreation, AccountList

app = App(name="account")

_PAGE: Final = 200
_COLUMNS: Final = (
    Column[Account]("name", lambda each: each.name),
    Column[Account]("id", lambda each: each.id),
    Column[Account]("administrator", lambda each: each.administrator.name if each.administrator else ""),
    Column[Account]("operator", lambda each: each.operator),
    Column[Account]("created", lambda each: moment(each.created_at)),
)


@app.command(name="list")
def list_accounts(*, asking: Asking = USUAL) -> None:
    """List all accounts of the control plane."""
    with asking.connect() as plane:
        found = every(lambda at: plane.list_accounts(limit=_PAGE, offset=at).accounts, _PAGE)
    show(AccountList(count=len(found), accounts=found), table(_COLUMNS, found), json=asking.json)


@app.command
def create(
    name: str, /, *, administrator: str = "admin", password_file: SecretFile = None, asking: Asking = USUAL
) -> None:
    """Make an account with its administrator, whose secrets are shown this once.

    Parameters
    ----------
    name:
        Name of the account.
    administrator:
        Name of the user who may do everything in it.
    password_file:
        File with his password as its first line, - for standard input; without it he gets one.
    """
    password = None if password_file is None else read_secret("password", password_file, option="--password-file")
    with asking.connect() as plane:
        made = plane.create_account(AccountCreation(name=name, administrator=administrator, password=password))
    shown = facts(
        ("account", made.name),
        ("id", made.id),
        ("user", made.user_name),
        ("password", made.password),
        ("access key", made.access_key),
        ("secret key", made.secret_key),
    )
    show(made, shown, json=asking.json)
