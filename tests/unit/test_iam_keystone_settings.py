"""The settings file of the Keystone back end."""

from pathlib import Path

import pytest

from wherry.iam.keystone_settings import AccountIs, KeystoneSettingsUnusable, read_settings
from wherry.iam.permissions import ADMINISTRATOR, SMS_READ_ONLY_ACCESS

LEAST = 'url = "https://keystone.example.test:5000"\n[service]\nuser = "wherry"\npassword = "se\'cret"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "keystone.toml"
    path.write_text(text)
    return path


def test_url_and_service_user_are_enough(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, LEAST))
    assert settings.base_url == "https://keystone.example.test:5000/v3"
    assert (settings.account, settings.service.project) == (AccountIs.PROJECT, "service")
    assert settings.policies()["admin"] == ADMINISTRATOR
    assert not settings.in_clear


def test_every_key_counts(tmp_path: Path) -> None:
    text = LEAST.replace(
        "[service]", 'account = "domain"\nremember_s = 5\n[roles]\nAuditor = "SMS ReadOnlyAccess"\n[service]'
    )
    settings = read_settings(written(tmp_path, text))
    assert settings.account is AccountIs.DOMAIN
    assert settings.remember_s == 5
    assert settings.policies() == {"auditor": SMS_READ_ONLY_ACCESS}


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://h", "http://h/v3"),
        ("http://h/identity/v3/", "http://h/identity/v3"),
        ("http://h/identity/", "http://h/identity/v3"),
    ],
)
def test_the_url_may_or_may_not_say_v3(tmp_path: Path, url: str, base: str) -> None:
    settings = read_settings(written(tmp_path, LEAST.replace("https://keystone.example.test:5000", url)))
    assert settings.base_url == base
    assert settings.in_clear


def test_secrets_stay_out_of_representations(tmp_path: Path) -> None:
    assert "se'cret" not in repr(read_settings(written(tmp_path, LEAST)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url = ", "Invalid value"),
        ("", "url"),
        (LEAST.replace("password", "pass_word"), "pass_word"),
        (LEAST.replace("https://keystone.example.test:5000", "keystone:5000"), "url is not"),
        (LEAST.replace("https://keystone.example.test:5000", "https://[half"), "url"),
        (LEAST + '[roles]\nadmin = "Everything"\n', "Everything"),
        ('ca_file = "/nowhere/ca.pem"\n' + LEAST, "ca_file"),
        ('account = "user"\n' + LEAST, "account"),
        ("remember_s = 3600\n" + LEAST, "remember_s"),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(KeystoneSettingsUnusable, match=words.replace("[", r"\[")) as refusal:
        read_settings(written(tmp_path, text))
    assert refusal.value.code == "WHERRY.5108"
    assert "se'cret" not in str(refusal.value)


def test_a_missing_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(KeystoneSettingsUnusable, match="No such file"):
        read_settings(tmp_path / "absent.toml")


def test_a_file_that_is_not_text_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "keystone.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(KeystoneSettingsUnusable):
        read_settings(path)
