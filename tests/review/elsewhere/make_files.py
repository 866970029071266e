"""Makes the files of `files/`: what the tools' own packages say of the work that was sent, labelled as a person would.

Not run with the tests, which do not have these packages. Each part runs where its package is installed, on the work
that `send_to` wrote for `small_run` into a folder WORK (``label-studio.json``, ``argilla.json``, ``doccano.jsonl``)::

    python make_files.py label-studio WORK files   # label-studio-sdk 2.1.2
    python make_files.py argilla WORK files        # argilla 2.8.0
    DOCCANO=… python make_files.py doccano WORK files   # doccano 1.8.4

Each part checks first that the package takes what was sent. Prodigy is not public: its file is written by hand after
https://prodi.gy/docs/api-interfaces#choice.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

GOOD, BAD = 'good & "warm", <3', "bad, =cold"
ANN, BOB = "6f1c7a3e-0000-4000-8000-000000000001", "6f1c7a3e-0000-4000-8000-000000000002"


def label_studio(work: Path, files: Path) -> None:
    """JSON as the server exports it, its annotations made and checked by the SDK, and JSON_MIN by its converter."""
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.types.annotation import Annotation

    config = (work / "label-studio-interface.xml").read_text(encoding="utf-8")
    interface = LabelInterface(config)
    interface.validate()
    assert interface.get_control("label").labels == [BAD, GOOD]
    tasks = json.loads((work / "label-studio.json").read_text(encoding="utf-8"))
    for task in tasks:
        assert interface.validate_task({"data": task["data"]})
        for prediction in task["predictions"]:
            assert not interface.validate_prediction(prediction, return_errors=True), prediction

    def annotation(number: int, *regions: dict[str, Any], by: Any = 1, cancelled: bool = False) -> dict[str, Any]:
        at = f"2026-01-31T12:00:{number:02d}.250000Z"
        made = Annotation(
            id=100 + number, result=list(regions), was_cancelled=cancelled, created_at=at, updated_at=at, lead_time=4.5
        )
        entry = json.loads(made.json(exclude_none=True)) | {"completed_by": by, "updated_at": at, "created_at": at}
        assert interface.validate_annotation({"result": entry["result"]})
        return entry

    def choice(value: str, control: str = "label") -> dict[str, Any]:
        region = {"id": "r", "from_name": control, "to_name": "text", "type": "choices", "origin": "manual"}
        return {**region, "value": {"choices": [value]}}

    note = {"id": "n", "from_name": "note", "to_name": "text", "type": "textarea", "value": {"text": ["not sure why"]}}
    said: dict[str, list[dict[str, Any]]] = {
        "k3": [annotation(1, choice(GOOD))],
        "k7": [annotation(2, choice(BAD)), annotation(3, choice(GOOD), by=2)],
        "k9": [annotation(4, cancelled=True)],
        "k5": [annotation(5, choice("Leave it out", "instead"), note)],
        "k2": [annotation(6, choice("Unsure", "instead"))],
        "1e5": [annotation(7)],
        "-5": [annotation(8, choice(GOOD))],
        "007": [annotation(9, choice(GOOD), by={"id": 3, "email": "zoë@example.org", "first_name": "Zoë"})],
    }
    exported = [
        {"id": number, **task, "annotations": said.get(task["data"]["example_id"], []), "drafts": []}
        for number, task in enumerate(tasks, 1)
    ]
    target = files / "label-studio.json"
    target.write_text(json.dumps(exported, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    converter = Converter(config=config, project_dir=None)
    converter.convert_to_json_min(str(target), str(files / "min"), is_dir=False)
    (files / "min" / "result.json").rename(files / "label-studio-min.json")
    (files / "min").rmdir()


def argilla(work: Path, files: Path) -> None:
    """Records by `to_json` and by `to_datasets` as JSON Lines."""
    from unittest import mock

    import argilla.client

    argilla.client.Argilla._get_default = classmethod(lambda cls: mock.MagicMock())  # no server
    import argilla as rg
    from argilla.records._io import HFDatasetsIO, JsonIO

    settings = rg.Settings.from_json(str(work / "argilla-settings.json"))
    settings.validate()
    settings.serialize()
    records = JsonIO._records_from_json(str(work / "argilla.json"))
    values = {option["value"] for option in settings.questions[0]._model.settings.model_dump()["options"]}
    dataset = mock.MagicMock(settings=settings, schema=settings.schema)
    for record in records:
        assert {suggestion.value for suggestion in record.suggestions} <= values
        assert set(record.fields) <= {field.name for field in settings.fields}
        record.api_model()
    said = {
        "k3": [(GOOD, ANN, "submitted")],
        "k7": [(BAD, ANN, "submitted"), (GOOD, BOB, "submitted")],
        "k9": [(GOOD, ANN, "discarded")],
        "k5": [("diet-explorer:exclude", ANN, "submitted")],
        "k2": [("diet-explorer:unsure", BOB, "submitted")],
        "1e5": [(BAD, BOB, "draft")],
        "-5": [(GOOD, BOB, "submitted")],
    }
    for record in records:
        for value, user, status in said.get(record.id, ()):
            record.responses.add(rg.Response("label", value, user, status=status))
    for name in ("argilla.json", "argilla-datasets.jsonl"):
        (files / name).unlink(missing_ok=True)
    kept = [record for record in records if record.id not in ("k9", "1e5")]  # of which `to_json` says no status
    JsonIO.to_json(kept, files / "argilla.json")
    table = HFDatasetsIO.to_datasets(records, dataset)
    table.to_json(str(files / "argilla-datasets.jsonl"), force_ascii=False)


def doccano(work: Path, files: Path) -> None:
    """What a project of two people who label alone exports, by doccano's own parser, formatters and writer.

    These are taken out of its wheel, unpacked into ``$DOCCANO``, since they need no server; its models do.
    """
    import os
    import types
    import zipfile
    from unittest import mock

    import pandas as pd

    sys.path.insert(0, str(Path(os.environ["DOCCANO"]) / "backend"))
    models = types.ModuleType("data_export.models")
    models.DATA = "data"  # type: ignore[attr-defined]
    sys.modules |= {"data_export.models": models}
    for name in ("chardet", "pyexcel", "pyexcel.exceptions", "seqeval", "seqeval.scheme"):
        sys.modules.setdefault(name, mock.MagicMock())
    from data_export.pipeline.formatters import ListedCategoryFormatter, RenameFormatter
    from data_export.pipeline.writers import JsonlWriter
    from data_import.pipeline.parsers import JSONLParser

    parser = JSONLParser(encoding="utf-8")
    rows = list(parser.parse(str(work / "doccano.jsonl")))
    assert not parser.errors
    metas = [{name: row[name] for name in row if name not in ("text", "label", "#line_number")} for row in rows]
    said = {"ann": {"k3": GOOD, "k7": BAD, "-5": GOOD}, "bob": {"k7": GOOD, "007": GOOD, "k6": GOOD}}

    def named(text: str) -> Any:
        return mock.MagicMock(**{"to_string.return_value": text})

    with zipfile.ZipFile(files / "doccano.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for person, labels in said.items():
            table = pd.DataFrame(
                [
                    {
                        "id": number,
                        "data": row["text"],
                        **meta,
                        "categories": [named(labels[meta["example_id"]])] if meta["example_id"] in labels else [],
                        "Comments": [named("obviously")] if (person, meta["example_id"]) == ("ann", "k3") else [],
                    }
                    for number, (row, meta) in enumerate(zip(rows, metas, strict=True), 1)
                ]
            )
            for formatter in (
                ListedCategoryFormatter("categories"),
                ListedCategoryFormatter("Comments"),
                RenameFormatter(data="text", categories="label"),
            ):
                table = formatter.format(table)
            target = files / f"{person}.jsonl"
            JsonlWriter.write(str(target), table)
            archive.write(target, target.name)
            target.unlink()


if __name__ == "__main__":
    part, work, files = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    files.mkdir(exist_ok=True)
    {"label-studio": label_studio, "argilla": argilla, "doccano": doccano}[part](work, files)
