"""A question is answered anew exactly when what it rests on has changed."""

from __future__ import annotations

import pytest

from diet_explorer.analysis.filters import ExampleFilter, ScoreRange
from diet_explorer.errors import WorkspaceError
from diet_explorer.ui.shell.asking import asked, landed
from diet_explorer.workspace.run import Run


@pytest.fixture
def answered() -> list[object]:
    return []


def test_equal_filters_are_one_question_and_others_are_not(filled, answered):
    @asked()
    def count(run: Run, where: ExampleFilter) -> int:
        answered.append(where)
        return run.count(where)

    ranges = [ScoreRange("el2n", low=low) for low in (-1.0, -2.0)]  # hash(-1.0) == hash(-2.0)
    for where in (*ranges, *ranges):
        again = filled.workspace.run(filled.run.id)
        assert count(again, ExampleFilter(scores=(where,))) == filled.run.count(ExampleFilter(scores=(where,)))
    assert answered == [ExampleFilter(scores=(where,)) for where in ranges]


def test_a_decision_counts_for_what_rests_on_decisions_alone(own, answered):
    where = ExampleFilter(decided=("exclude",))

    @asked()
    def count(run: Run) -> int:
        answered.append("count")
        return run.count(where)

    @asked(landed)
    def names(run: Run) -> list[str]:
        answered.append("names")
        return run.score_names()

    assert count(own.run) == 0 and names(own.run)
    own.run.review.decide(ExampleFilter(ids=("k000",)), "exclude", annotator="ann")
    assert count(own.run) == 1 and names(own.run)
    assert answered == ["count", "names", "count"]


def test_a_copy_is_given_unless_the_answer_is_shared(filled):
    @asked()
    def copied(run: Run) -> list[str]:
        return []

    @asked(shared=True)
    def shared(run: Run) -> list[str]:
        return []

    assert copied(filled.run) is not copied(filled.run)
    assert shared(filled.run) is shared(filled.run)


def test_what_a_stamp_raises_reaches_the_page(filled):
    def broken(run: Run) -> str:
        raise WorkspaceError("The database is gone.", "Start it.")

    @asked(broken)
    def never(run: Run) -> int:
        return 1

    with pytest.raises(WorkspaceError, match="is gone"):
        never(filled.run)
