"""A thing of the workspace is found by its id, its name or the beginning of its id, and by nothing else."""

from __future__ import annotations

import pytest

from diet_explorer import Workspace
from diet_explorer.errors import BadInputError, NotFoundError
from diet_explorer.pruning.policies import Policy
from diet_explorer.training.config import RunConfig
from diet_explorer.workspace.finding import find
from tests.tiny_runs import save_sentences


class Thing:
    def __init__(self, id: str, name: str = "") -> None:
        self.id, self.name = id, name


THINGS = [Thing("ab-1", "ab-2"), Thing("ab-2", "x"), Thing("ab-22", "twice"), Thing("c-3", "twice"), Thing("d-4", "c")]


def found(given: str) -> str:
    return find("thing", given, lambda: THINGS, is_called=lambda thing: thing.name == given, remedy="Things here").id


def test_a_whole_id_comes_before_a_name_and_a_name_before_the_beginning_of_an_id():
    assert found("ab-2") == "ab-2"
    assert found("c") == "d-4"
    assert found("c-") == "c-3" and found("ab-22") == "ab-22" and found("ab-1") == "ab-1"


@pytest.mark.parametrize(("given", "ids"), [("ab", "ab-1, ab-2, ab-22"), ("twice", "ab-22, c-3")])
def test_what_means_several_is_refused_with_their_ids(given, ids):
    with pytest.raises(BadInputError, match=f"'{given}' means several things") as refused:
        found(given)
    assert refused.value.remedy == f"Give one of the ids: {ids}."


@pytest.mark.parametrize("given", ["", "e", "ab-222"])
def test_what_is_not_there_is_an_error_that_names_what_is(given):
    with pytest.raises(NotFoundError, match=f"There is no thing '{given}'") as refused:
        found(given)
    assert refused.value.remedy == "Things here: ab-1, ab-2, ab-22, c-3, d-4."


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finding")
    workspace = Workspace(folder / "home")
    dataset = workspace.import_dataset(
        save_sentences(folder / "s.csv"), text="sentence", label="mood", id="key", name="Moods"
    )
    run = workspace.create_run(RunConfig(dataset_id=dataset.id), name="never trained", origin="job")
    run.pruning.plan(Policy("random", keep=50.0)).export(folder / "half")
    run.pruning.save_policy("a half", Policy("random", keep=50.0))
    return workspace


def test_every_kind_is_found_alike(workspace):
    (dataset,), (run,), (export,) = workspace.datasets(), workspace.runs(), workspace.exports()
    for name in (dataset.id, "Moods", dataset.id[:-1]):
        assert workspace.dataset(name).id == dataset.id
        assert [entry.id for entry in workspace.runs(name)] == [run.id]
    for name in (run.id, "never trained", run.id[:-1]):
        assert workspace.run(name).id == run.id
        assert [entry.id for entry in workspace.exports(name)] == [export.id]
    for name in (export.id, export.folder, f"{export.folder}/", export.id[:-1]):
        assert workspace.export(name).id == export.id
    for name in ("a half", "a h"):
        assert run.pruning.saved_policy(name).policy == Policy("random", keep=50.0)


def test_nothing_is_deleted_by_the_beginning_of_its_name(workspace):
    (run,) = workspace.runs()
    with pytest.raises(NotFoundError, match="no saved policy 'a h'"):
        run.pruning.delete_policy("a h")
    assert [saved.name for saved in run.pruning.policies()] == ["a half"]


def test_an_id_never_leads_out_of_its_folder(workspace):
    (dataset,), (run,), (export,) = workspace.datasets(), workspace.runs(), workspace.exports()
    workspace.context.files.write_json(workspace.context.files.path("proofs", "cells", "inner.json"), {})
    for ask, name in [
        (workspace.dataset, f"../datasets/{dataset.id}"),
        (workspace.run, f"../runs/{run.id}"),
        (workspace.export, f"../exports/{export.id}"),
        (workspace.proof, "cells/inner"),
    ]:
        for given in (name, "..", ".", "", "/", "a\0b"):
            with pytest.raises(NotFoundError, match="There is no "):
                ask(given)
