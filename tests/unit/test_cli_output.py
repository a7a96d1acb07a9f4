"""Tables and JSON: what people and programs read."""

import io
import json
from collections.abc import Sequence

import pytest
from rich.console import Console, RenderableType

from wherry.cli.batch import Outcome, do_each, tell
from wherry.cli.confirming import confirm, read_secret
from wherry.cli.errors import ConfirmationMissing, SecretUnread
from wherry.cli.output import Column, as_json, facts, moment, printable, size, table
from wherry.client.errors import ControlPlaneError, ControlPlaneUnreachable

Pair = tuple[str, object]
COLUMNS = (Column[Pair]("name", lambda pair: pair[0]), Column[Pair]("value", lambda pair: pair[1], numeric=True))


def printed(what: RenderableType, width: int = 40) -> list[str]:
    written = io.StringIO()
    Console(file=written, width=width, force_terminal=False, highlight=False).print(what)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_table_of_fixed_width() -> None:
    assert printed(table(COLUMNS, [("one", 1), ("many", 1000), ("none", None), ("yes", True)])) == [
        "name  value",
        "one       1",
        "many   1000",
        "none",
        "yes     yes",
    ]


def test_a_narrow_terminal_folds_and_loses_nothing() -> None:
    lines = printed(table(COLUMNS, [("a-very-long-name", "12345678")]), width=14)
    assert "".join(line[:8].strip() for line in lines[1:]).startswith("a-very")
    assert "".join("".join(lines[1:]).split()).count("8") == 1


def test_facts_leave_out_what_is_not_known() -> None:
    assert printed(facts(("a", 1), ("b", None), ("c", ""), ("longer", False))) == ["a       1", "longer  no"]


def test_a_hostile_name_moves_no_cursor() -> None:
    hostile = "x\x1b[2J\r\n\u202e\x9b"
    shown = "\n".join(printed(table(COLUMNS, [(hostile, 0)])))
    assert printable(hostile) == "x\ufffd[2J\ufffd\ufffd\ufffd\ufffd"
    assert not set(shown) & {"\x1b", "\r", "\u202e", "\x9b"}
    document = as_json({"name": hostile})
    assert not set(document) & {"\x1b", "\r", "\u202e", "\x9b"}
    assert json.loads(document) == {"name": hostile}


@pytest.mark.parametrize("text", ["ü 网 😀", 'quotes " and \\', "tab\t", "\x7f", "\U000e0001", "\u2028"])
def test_json_says_what_it_was_given(text: str) -> None:
    assert json.loads(as_json([text])) == [text]


def test_sizes_and_moments() -> None:
    assert [size(count) for count in (None, 0, 1023, 1024, 21 << 30, 1 << 60)] == [
        "", "0 B", "1023 B", "1.0 KiB", "21.0 GiB", "1024.0 PiB",
    ]  # fmt: skip
    assert (moment(None), moment(0)) == ("", "")
    assert moment(1_769_592_600_000).startswith("2026-01-28 ")


def refuse(item: str) -> str:
    if item == "b":
        raise ControlPlaneError("SMS.7602", "no such source", status=404)
    return item.upper()


def named(item: str) -> tuple[str, str]:
    return item, f"name of {item}"


def test_one_refusal_stops_nobody_else(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = do_each(["a", "b", "c"], refuse, named)
    assert [(each.id, each.done, each.result, each.code) for each in outcomes] == [
        ("a", True, "A", ""), ("b", False, "", "SMS.7602"), ("c", True, "C", ""),
    ]  # fmt: skip
    assert tell(outcomes, json=False) == 3
    shown = capsys.readouterr().out
    assert "SMS.7602 no such source" in shown
    assert shown.count("  cause: ") == shown.count("  fix: ") == 1
    assert tell(outcomes, json=True) == 3
    assert [each["done"] for each in json.loads(capsys.readouterr().out)] == [True, False, True]
    assert tell([Outcome(id="a", name="a", done=True)], json=True) == 0


def test_a_control_plane_that_is_gone_ends_it() -> None:
    def lose(item: str) -> str:
        raise ControlPlaneUnreachable(endpoint="https://x", reason=item)

    with pytest.raises(ControlPlaneUnreachable):
        do_each(["a", "b"], lose, named)


class Terminal(io.StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "confirmed"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
def test_a_question_is_answered(
    typed: str, confirmed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    if confirmed:
        confirm("Deleting the source(s)", ["a"], yes=False)
    else:
        with pytest.raises(ConfirmationMissing):
            confirm("Deleting the source(s)", ["a"], yes=False)
    assert capsys.readouterr().err == "Deleting the source(s) a. Go on? [y/N] "


def question(names: Sequence[str]) -> str:
    with pytest.raises(ConfirmationMissing) as caught:
        confirm("Deleting", names, yes=False)
    return caught.value.message


def test_where_nobody_can_be_asked_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert question(["a", "b\x1b"]).startswith("Deleting 2: a, b\ufffd was not confirmed")
    assert "and 2 more" in question([str(number) for number in range(12)])
    confirm("Deleting", ["a"], yes=True)


def test_secrets_come_by_files_and_pipes(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("secrets") / "secret"
    file.write_text("first line \nsecond\n")
    assert read_secret("password", file, option="--x") == "first line "
    monkeypatch.setattr("sys.stdin", io.StringIO("piped\n"))
    assert read_secret("password", type(file)("-"), option="--x") == "piped"
    for stdin, path in ((io.StringIO(), None), (io.StringIO("\n"), type(file)("-")), (io.StringIO(), file.parent)):
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(SecretUnread, match="password") as caught:
            read_secret("password", path, option="--password-file")
        assert "--password-file" in caught.value.fix
