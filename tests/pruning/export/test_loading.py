"""Exports that the `datasets` library would change are noticed before they are pushed, and pushed in Parquet."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diet_explorer.errors import ChangedByLoadingError
from diet_explorer.pruning.export.loading import check_loading
from diet_explorer.workspace.workspace import Workspace
from tests.loopback_hub import TOKEN, loopback_hub
from tests.pruning.export.exporting import export_whole, imported
from tests.pruning.export.pushing import hub_environment, load_from_hub

ROWS = 12


def code_rows():
    return [
        {
            "id": f"{number:04d}",
            "text": f"0{number}e5",
            "label": ["01", "02"][number % 2],
            "zip": f"{number:05d}",
            "phone": f"+49{number:03d}",
            "day": f"2024-01-{number + 1:02d}",
        }
        for number in range(ROWS)
    ]


@pytest.fixture(scope="module")
def codes(tmp_path_factory):
    """A set of which every column looks like numbers or dates, and holds texts."""
    folder = tmp_path_factory.mktemp("codes")
    with (folder / "codes.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(code_rows()[0]))
        writer.writeheader()
        writer.writerows(code_rows())
    return imported(Workspace(folder / "home"), folder / "codes.csv", id="id")


def checked(run, folder, form):
    export_whole(run, folder, form)
    check_loading(folder, json.loads((folder / "manifest.json").read_bytes()))


@pytest.mark.parametrize(
    ("form", "change"),
    [
        ("csv", '"0000" in row 1 of column \'id\' becomes "0"'),
        ("jsonl", '"2024-01-01" in row 1 of column \'day\' becomes "2024-01-01 00:00:00"'),
    ],
)
def test_texts_that_become_numbers_or_dates(codes, tmp_path, form, change):
    with pytest.raises(ChangedByLoadingError) as found:
        checked(codes, tmp_path / "out", form)
    assert change in found.value.message and found.value.remedy == "Export in Parquet, then push that."


@pytest.mark.parametrize("form", ["parquet", "datasets"])
def test_forms_that_hold_types_load_as_they_are(codes, tmp_path, form):
    checked(codes, tmp_path / "out", form)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_loads_unchanged_is_left_as_it_is(workspace, tmp_path, form):
    rows = [["k1", 'a\n"b", NA', "pos", 0.5, 7, "true"], ["k2", "NA", "neg", 1e-9, -3, "false"]]
    with (tmp_path / "plain.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["id", "text", "label", "share", "stars", "good"], *rows])
    checked(imported(workspace, tmp_path / "plain.csv", id="id"), tmp_path / "out", form)


@pytest.mark.parametrize(
    ("values", "changed"),
    [
        (pa.array([2**60 + 1, None, 1]), ["csv"]),  # whole numbers with gaps are loaded as floats
        (pa.array(["", None, "x"]), ["csv"]),
        (pa.array([b"\0", None, b"x"]), ["csv", "jsonl"]),
        (pa.array([1.5, float("nan"), None]), []),
    ],
)
def test_values_that_text_forms_do_not_hold(workspace, tmp_path, values, changed):
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "v": values}), tmp_path / "v.parquet")
    run = imported(workspace, tmp_path / "v.parquet")
    for form in ("csv", "jsonl"):
        if form in changed:
            with pytest.raises(ChangedByLoadingError):
                checked(run, tmp_path / form, form)
        else:
            checked(run, tmp_path / form, form)


def test_a_push_of_codes_loads_as_they_were(codes, tmp_path, monkeypatch):
    from diet_explorer.pruning.policies import Policy

    with loopback_hub() as hub:
        environment = hub_environment(hub.url, tmp_path / "login", HF_TOKEN=TOKEN)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        export = codes.pruning.plan(Policy("random", keep=100.0)).export(format="csv")
        done = export.push("ann/codes", wait=True)
        assert done.note.startswith('Pushed in Parquet. Loaded by the datasets library, "0000" in row 1 of column')
        assert {"train.parquet", "README.md", "manifest.json"} <= set(hub.files("ann/codes"))
        assert load_from_hub(environment, [["ann/codes"]])[0]["rows"]["train"] == code_rows()
