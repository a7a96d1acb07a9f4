"""What is typed where a server asks for a passphrase: that of the volume, each once."""

from wherry.boot.unlocking import HIDDEN, Prompt, Unlocker

IDENTITY = "3f2a0d58-7c11-4f0e-9a71-5d0a4a1b9d10"
KNOWN = {"cryptroot": "first", IDENTITY: "first", "data": "second", "another-uuid": "second"}


def prompt(volume: str) -> Prompt:
    return Prompt(f"Please unlock disk {volume}:", volume)


def test_each_volume_gets_its_own_by_whatever_name_it_is_asked_for() -> None:
    for volume, expected in {
        "cryptroot": "first",
        "QEMU_HARDDISK (data)": "second",
        f"luks-{IDENTITY}": "first",
        f"hd0,gpt3 ({IDENTITY.replace('-', '')})": "first",
    }.items():
        assert Unlocker(KNOWN).answer(prompt(volume)) == expected


def test_a_volume_of_which_nobody_knows_gets_all_in_turn_and_each_once() -> None:
    unlocker = Unlocker(KNOWN)
    assert [unlocker.answer(prompt("sda3")) for _ in range(3)] == ["first", "second", None]
    assert (unlocker.asked, unlocker.refused) == ("Please unlock disk sda3:", True)


def test_a_wrong_one_is_typed_once_and_the_next_volume_is_another_matter() -> None:
    unlocker = Unlocker({"cryptroot": "first", "data": "second"})
    assert unlocker.answer(prompt("cryptroot")) == "first"
    assert unlocker.answer(prompt("cryptroot")) is None
    assert unlocker.refused
    assert unlocker.answer(prompt("data")) == "second"
    assert (unlocker.asked, unlocker.refused) == ("", False)


def test_without_any_the_question_stands() -> None:
    unlocker = Unlocker()
    assert unlocker.answer(prompt("cryptroot")) is None
    assert (unlocker.asked, unlocker.refused) == ("Please unlock disk cryptroot:", False)


def test_no_passphrase_is_shown() -> None:
    unlocker = Unlocker(KNOWN)
    assert unlocker.hide("disk cryptroot: first\nsecond") == f"disk cryptroot: {HIDDEN}\n{HIDDEN}"
    assert "first" not in repr(unlocker)
