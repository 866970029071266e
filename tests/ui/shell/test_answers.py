"""What is kept of answers: so many bytes for a dataset, so many in all; nobody's pages push out another's."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from diet_explorer.ui.shell.answers import Answers

KILOBYTE = b"x" * 1000


class Asker:
    """Asks with answers of about a kilobyte, and knows what had to be found."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.found: list[tuple[str, Hashable]] = []

    def __call__(
        self, dataset: str, key: Hashable, stamp: str = "", *, size: int = 1, entries: int = 512, shared: bool = False
    ) -> bytes:
        def answer() -> bytes:
            self.found.append((dataset, key))
            return size * KILOBYTE

        value: bytes = self.answers.get(dataset, key, stamp, answer, entries=entries, shared=shared)
        return value


@pytest.fixture
def ask() -> Asker:
    return Asker(Answers(of_dataset=20_000, in_all=50_000))


def test_a_dataset_pushes_out_its_own_answers_only(ask: Asker) -> None:
    ask("small", "count")
    for number in range(1000):
        ask("busy", ("page", number), str(number))
    assert ask.answers.size < 22_500
    ask.found.clear()
    ask("small", "count")
    ask("busy", ("page", 999), "999")
    assert ask.found == []


def test_decisions_leave_one_answer_of_a_question(ask: Asker) -> None:
    for position in range(1000):
        ask("decided", "counts", f"at {position}")
    assert len(ask.found) == 1000 and ask.answers.size < 1_200


def test_of_too_much_in_all_the_dataset_with_most_gives_way(ask: Asker) -> None:
    ask("small", "count")
    for dataset in "abcdef":
        for number in range(15):
            ask(dataset, ("page", number))
    assert ask.answers.size <= 50_000
    ask.found.clear()
    ask("small", "count")
    assert ask.found == []


def test_the_latest_used_of_a_question_are_kept_and_of_others_all(ask: Asker) -> None:
    ask("d", ("name", 0))
    for number in (0, 1, 0, 2):
        ask("d", ("map", number), entries=2)
    ask.found.clear()
    for key in (("name", 0), ("map", 0), ("map", 2)):
        ask("d", key, entries=2)
    assert ask.found == []
    ask("d", ("map", 1), entries=2)
    assert ask.found == [("d", ("map", 1))]


def test_an_answer_too_large_is_given_and_not_kept(ask: Asker) -> None:
    ask("d", "small")
    assert len(ask("d", "whole table", size=100)) == 100_000
    assert ask.answers.size < 1_200
    ask.answers.clear()
    assert ask.answers.size == 0


def test_an_error_is_no_answer(ask: Asker) -> None:
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        ask.answers.get("d", "q", None, fails, entries=1, shared=False)
    assert ask("d", "q") == KILOBYTE


def test_who_asks_the_same_meanwhile_waits_for_the_one_answer() -> None:
    answers, begun, go_on, found = Answers(), Event(), Event(), []

    def slow() -> int:
        found.append(1)
        begun.set()
        assert go_on.wait(10)
        return 7

    def ask() -> object:
        return answers.get("d", "q", None, slow, entries=1, shared=True)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask)
        assert begun.wait(10)
        second = pool.submit(ask)
        go_on.set()
        assert (first.result(), second.result(), found) == (7, 7, [1])
