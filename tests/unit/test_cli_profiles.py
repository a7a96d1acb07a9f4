"""Profiles, and which control plane a command is for."""

import stat
from pathlib import Path

import msgspec
import pytest

from wherry.cli.asking import choose
from wherry.cli.errors import (
    ControlPlaneUnnamed,
    EnvironmentIncomplete,
    FileUnreadable,
    OptionsExclude,
    ProfileNameRefused,
    ProfileUnknown,
)
from wherry.cli.main import run
from wherry.cli.profiles import Profile, Profiles, configuration_folder
from wherry.contract.installation import AdminFile

HOME = Profile(endpoint="https://home.example:8443", access_key="AK-HOME", secret_key="the home secret")
LAB = Profile(endpoint="http://lab.example", access_key="AK-LAB", secret_key="the lab secret")
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
ENVIRONMENT = {"WHERRY_ENDPOINT": "https://ci.example", "WHERRY_ACCESS_KEY": "AK-CI", "WHERRY_SECRET_KEY": "ci secret"}


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    kept = Profiles(tmp_path / "wherry")
    kept.store("home", HOME, CA)
    kept.store("lab", LAB)
    return kept


def test_what_is_kept_comes_back_and_is_for_its_owner_alone(profiles: Profiles) -> None:
    assert (profiles.load("home"), profiles.load("lab")) == (HOME, LAB)
    assert profiles.names() == ["home", "lab"]
    kept = profiles.ca_file("home")
    assert kept is not None
    assert kept.read_text() == CA
    assert profiles.ca_file("lab") is None
    files = [path for path in profiles.folder.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in profiles.folder.glob("profiles/*")} == {0o700}


def test_the_first_one_is_used_until_another_is_chosen(profiles: Profiles) -> None:
    assert profiles.current() == "home"
    profiles.use("lab")
    assert profiles.current() == "lab"
    profiles.remove("lab")
    assert (profiles.current(), profiles.names()) == ("", ["home"])
    with pytest.raises(ProfileUnknown):
        profiles.use("lab")
    with pytest.raises(ProfileUnknown):
        profiles.remove("lab")


def test_a_new_profile_of_the_same_name_forgets_the_ca(profiles: Profiles) -> None:
    profiles.store("home", LAB)
    assert (profiles.load("home"), profiles.ca_file("home")) == (LAB, None)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a\nb", "x" * 65, "ü"])
def test_a_name_that_leads_elsewhere_is_refused(profiles: Profiles, name: str) -> None:
    with pytest.raises(ProfileNameRefused):
        profiles.store(name, LAB)
    with pytest.raises(ProfileNameRefused):
        profiles.load(name)


def test_a_damaged_profile_is_told(profiles: Profiles) -> None:
    (profiles.folder / "profiles/home/profile.json").write_text("{")
    with pytest.raises(FileUnreadable):
        profiles.load("home")
    (profiles.folder / "current").write_text("../../etc\n")
    assert profiles.current() == ""


def test_no_secret_is_ever_shown(profiles: Profiles) -> None:
    access = choose("home", None, {}, profiles)
    assert "secret" not in repr(HOME) + repr(access)


def test_the_folder_is_where_the_specification_says() -> None:
    assert configuration_folder({"XDG_CONFIG_HOME": "/somewhere"}) == Path("/somewhere/wherry")
    assert configuration_folder({"XDG_CONFIG_HOME": "relative"}) == Path.home() / ".config/wherry"
    assert configuration_folder({}) == Path.home() / ".config/wherry"


def test_options_come_first_then_the_environment_then_what_was_chosen(profiles: Profiles, tmp_path: Path) -> None:
    admin_file = tmp_path / "admin.json"
    admin = AdminFile("https://admin.example", "/ca.pem", "d", "default", "p", "admin", "word", "AK-ADMIN", "secret")
    admin_file.write_bytes(msgspec.json.encode(admin))
    both = {**ENVIRONMENT, "WHERRY_PROFILE": "lab"}

    def chosen(profile: str, file: Path | None, environment: dict[str, str]) -> str:
        return choose(profile, file, environment, profiles).endpoint

    assert chosen("", admin_file, both) == "https://admin.example"
    assert chosen("home", None, both) == HOME.endpoint
    assert chosen("", None, both) == "https://ci.example"
    assert chosen("", None, {"WHERRY_PROFILE": "lab"}) == LAB.endpoint
    assert chosen("", None, {}) == HOME.endpoint
    assert choose("", None, {**ENVIRONMENT, "WHERRY_CA_FILE": "/x.pem"}, profiles).ca_file == Path("/x.pem")
    with pytest.raises(OptionsExclude):
        chosen("home", admin_file, {})
    with pytest.raises(ProfileUnknown):
        chosen("", None, {"WHERRY_PROFILE": "gone"})


@pytest.mark.parametrize("missing", ["WHERRY_ACCESS_KEY", "WHERRY_SECRET_KEY"])
def test_half_an_environment_is_refused(profiles: Profiles, missing: str) -> None:
    with pytest.raises(EnvironmentIncomplete, match=missing):
        choose("", None, {**ENVIRONMENT, missing: ""}, profiles)


def test_nothing_named_is_told(tmp_path: Path) -> None:
    with pytest.raises(ControlPlaneUnnamed):
        choose("", None, {}, Profiles(tmp_path))


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    secret = tmp_path / "secret"
    secret.write_text("the secret\n")
    add = ["--endpoint", "https://a.example/", "--access-key", "AK", "--secret-key-file", str(secret)]
    assert run(["profile", "add", "one", *add]) == 0
    assert run(["profile", "add", "two", *add]) == 0
    assert run(["profile", "use", "two"]) == 0
    capsys.readouterr()
    assert run(["profile", "list", "--json"]) == 0
    told = capsys.readouterr().out
    assert msgspec.json.decode(told) == [
        {"name": name, "current": name == "two", "endpoint": "https://a.example", "access_key": "AK", "own_ca": False}
        for name in ("one", "two")
    ]
    assert "the secret" not in told
    assert Profiles(tmp_path / "wherry").load("one").secret_key == "the secret"
    assert run(["profile", "remove", "one", "--yes"]) == 0
    assert run(["profile", "remove", "one", "--yes"]) == 2
    assert "WHERRY.6041" in capsys.readouterr().err


def test_a_ca_that_is_none_is_refused_before_anything_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "ca").write_text("no certificate")
    words = ["profile", "add", "x", "--endpoint", "https://a", "--access-key", "AK", "--ca-file", str(tmp_path / "ca")]
    assert run(words) == 2
    assert "WHERRY.6002" in capsys.readouterr().err
    assert not (tmp_path / "wherry").exists()
