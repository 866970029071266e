"""What does not grow with a set: memory of a page, and memory and statements of a decision. Counts, not times."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import Engine, create_engine, event

from diet_explorer.analysis.filters import ExampleFilter, ScoreRange
from diet_explorer.analysis.ranking import Ranking
from diet_explorer.data.example_order import read_example_order
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import WorkspaceError
from diet_explorer.review.decisions import Ledger
from diet_explorer.review.queue import ReviewQueue
from diet_explorer.scoring import rank_order
from diet_explorer.store.files import Files
from diet_explorer.store.scores import ScoreFiles
from diet_explorer.store.tables import Base
from tests.synthetic import write_dataset, write_scores

SMALL, LARGE = 4_000, 40_000
SIMPLE = {
    "all": ExampleFilter(),
    "a class": ExampleFilter(labels=("a",)),
    "given ≠ predicted": ExampleFilter(disagree=True),
    "a range of the score": ExampleFilter(scores=(ScoreRange("el2n", 0.2, 0.9),)),
    "undecided": ExampleFilter(decided=("undecided",)),
    "all of these": ExampleFilter(labels=("a", "b"), disagree=False, scores=(ScoreRange("el2n", 0.1, None),)),
}


@pytest.fixture(scope="module")
def rankings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ranking]:
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rank_order, "BUCKET", 256)
        for rows in (SMALL, LARGE):
            files, random = Files(tmp_path_factory.mktemp("workspace")), np.random.default_rng(0)
            splits = np.where(np.arange(rows) % 10 == 0, "test", "train")
            manifest = write_dataset(files, ["text"] * rows, random.integers(0, 3, rows), ["a", "b", "c"], splits)
            for seed in (0, 1):
                write_scores(files, manifest, "r", seed, 1.0, random.normal(0, 2, (rows, 3)))
            decided = pa.table({"row": pa.array(range(5, 905, 9), pa.int32()), "state": ["keep"] * 100})
            ledger = SimpleNamespace(table=lambda table=decided: table, table_of=lambda _, table=decided[:0]: table)
            made[rows] = Ranking(ScoreFiles(files, "r"), manifest, 1.0, None, decisions=ledger)
    return made


def allocated(work: Callable[[], object]) -> int:
    """The most bytes that work holds at once, of what Python and numpy allocate, after it was done once; of three times
    the least, since threads of other tests may allocate too."""
    work()
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        work()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return min(peaks)


@pytest.mark.parametrize("where", SIMPLE.values(), ids=SIMPLE)
def test_a_page_and_its_histogram_take_the_memory_of_some_buckets(
    rankings: dict[int, Ranking], where: ExampleFilter
) -> None:
    def peak(rows: int) -> int:
        ranking = rankings[rows]
        some = int(ranking.page("el2n", where, 1)["row"].iloc[0])

        def work() -> None:
            count = ranking.count(where)
            ranking.page("el2n", where, 50, count // 2)
            ranking.histogram("el2n", where, 20)
            ranking.position(some, "el2n", where)
            ranking.percentiles(some)

        return allocated(work)

    assert peak(LARGE) < peak(SMALL) + LARGE // 2  # not even a byte for each of the rows


def new_ledger(rows: int) -> Ledger:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    return Ledger(engine, manifest_of(rows))


def manifest_of(rows: int) -> DatasetManifest:
    kept: dict[str, object] = {"name": "made-up", "created_at": "", "source": {}, "content_hash": "", "report": {}}
    return DatasetManifest(
        id="made-up", rows=rows, classes=["a"], label_type="string", mapping=None, columns=[], splits={}, **kept
    )


def statements(engine: Engine, work: Callable[[], object]) -> list[str]:
    """The SQL statements that work sends."""
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    work()
    return sent


def test_a_decision_costs_the_same_at_a_thousand_times_the_rows_and_decisions() -> None:
    peaks, sent = [], []
    for rows, bulk in ((2_000, 20), (2_000_000, 200_000)):
        ledger = new_ledger(rows)
        ledger.decide(range(1_000, 1_000 + bulk), "exclude", annotator="bob")
        queue = ReviewQueue(ledger, np.arange(rows)[::-1], "ann")
        assert queue.current is not None

        def work(ledger: Ledger = ledger, queue: ReviewQueue = queue) -> None:
            queue.decide("keep")
            queue.progress()
            queue.errors_left()
            ledger.undo("ann")
            ledger.decide([7], "keep", annotator="ann", expected=ledger.last_event(7))
            ledger.table_of(np.array([3, 7]))
            ledger.history(7)
            ledger.counts()

        peaks.append(allocated(work))
        sent.append(statements(ledger.engine, work))
    assert sent[0] == sent[1]
    assert peaks[1] < peaks[0] + 40_000  # two million rows, of which a tenth are decided


def test_another_datasets_decisions_change_no_key_of_what_is_kept() -> None:
    ledger = new_ledger(100)
    other = Ledger(ledger.engine, replace(ledger.manifest, id="other"))
    ledger.decide([1], "keep", annotator="ann")
    with ledger.replay() as before:
        kept, position = len(before.changes.values), ledger.position()
    other.decide([2], "exclude", annotator="bob")
    with ledger.replay() as after:
        assert after is before
        assert (len(after.changes.values), ledger.position()) == (kept, position)


def test_orders_of_other_values_are_not_used_and_older_files_are_named(tmp_path: Path) -> None:
    files, random = Files(tmp_path), np.random.default_rng(0)
    manifest = write_dataset(files, ["text"] * 60, random.integers(0, 2, 60), ["a", "b"])
    write_scores(files, manifest, "r", 0, 1.0, random.normal(0, 2, (60, 2)))
    store = ScoreFiles(files, "r")
    expected = Ranking(store, manifest, 1.0, 0).page("el2n", ExampleFilter(), None)
    ranking = store.read_ranking(0, 1.0)
    order = read_example_order(files, manifest.id)
    turned = {name: ranking.column(name)[::-1] for name in ("label", "predicted", "el2n")}
    columns = {"row": ranking.rows, **turned}
    store.write_ranking(1, 1.0, columns, (), lambda: rank_order.orders_of(turned, ["el2n"], order, 2))
    for other in (store.paths.ranking_order(1, 1.0), None):
        if other is None:
            files.remove_file(store.paths.ranking_order(0, 1.0))
        else:
            files.write_bytes(store.paths.ranking_order(0, 1.0), files.read_bytes(other))
        assert Ranking(store, manifest, 1.0, 0).page("el2n", ExampleFilter(), None).equals(expected)
    old = pa.record_batch({"row": pa.array([0], pa.int32())})
    with files.atomic_writer(store.paths.ranking(0, 1.0)) as stream, pa.ipc.new_file(stream, old.schema) as writer:
        writer.write_batch(old)
    with pytest.raises(WorkspaceError, match="another version"):
        Ranking(store, manifest, 1.0, 0)
