"""What the words of a command line mean."""

import pytest

from wherry.cli.choosing import chosen, the_one
from wherry.cli.errors import NameAmbiguous, NothingNamed

ITEMS = [("1", "web-1"), ("2", "web-2"), ("3", "db"), ("4", "db"), ("5", "1")]


def meant(*words: str) -> list[str]:
    return [item[0] for item in chosen(words, ITEMS, lambda item: item, kind="source")]


def test_without_a_word_all_are_meant() -> None:
    assert meant() == ["1", "2", "3", "4", "5"]


def test_ids_names_and_patterns_each_once_and_in_the_order_of_the_items() -> None:
    assert meant("web-2", "web-*", "2") == ["1", "2"]
    assert meant("web-[13]") == ["1"]
    assert meant("d?") == ["3", "4"]
    assert meant("*") == meant()


def test_an_id_comes_before_the_same_name() -> None:
    assert meant("1") == ["1"]


def test_a_name_of_several_is_refused_as_it_may_be_a_mistake() -> None:
    with pytest.raises(NameAmbiguous, match="2 of the kind source"):
        meant("db")


@pytest.mark.parametrize("word", ["mail", "mail-*", "", "WEB-1"])
def test_a_word_that_means_nothing_is_refused_even_beside_others(word: str) -> None:
    with pytest.raises(NothingNamed) as caught:
        meant("web-*", word)
    assert caught.value.exit_status == 3
    assert "wherry source list" in caught.value.fix


def test_the_one_is_one() -> None:
    assert the_one("web-1", ITEMS, lambda item: item, kind="source") == ("1", "web-1")
    with pytest.raises(NameAmbiguous):
        the_one("web-*", ITEMS, lambda item: item, kind="source")
