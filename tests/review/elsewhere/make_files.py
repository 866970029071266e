"""Makes the files of `files/`: what the tools' own packages say of the work that was sent, labelled as a person would.

Not run with the tests, which do not have these packages. Each part runs where its package is installed, on the work
that `send_to` wrote for `small_run` into a folder WORK (``label-studio.json``, ``argilla.json``, ``doccano.jsonl``)::

    python make_files.py label-studio WORK files   # label-studio-sdk 2.1.2
    python make_files.py argilla WORK files        # argilla 2.8.0
    python make_files.py doccano WORK files        # doccano 1.8.4

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
    """A project in which two people label alone, filled by doccano's importer and written by its exporter."""
    import os
    import tempfile
    import zipfile

    import backend

    sys.path.insert(0, str(Path(backend.__file__).parent))
    folder = tempfile.mkdtemp()
    os.environ |= {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3", "DJANGO_SETTINGS_MODULE": "config.settings.base"}
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command

    settings.MEDIA_ROOT = folder
    call_command("migrate", verbosity=0)
    from data_export.celery_tasks import export_dataset
    from data_import.datasets import load_dataset
    from data_import.pipeline.catalog import JSONL
    from data_import.pipeline.parsers import JSONLParser
    from data_import.pipeline.readers import FileName, Reader
    from examples.models import Comment, Example
    from label_types.models import CategoryType
    from labels.models import Category
    from projects.models import Member, Project, TextClassificationProject  # noqa: F401
    from roles.models import Role

    call_command("create_roles", verbosity=0)
    people = {name: User.objects.create_user(name, password="x") for name in ("ann", "bob")}
    project = TextClassificationProject.objects.create(
        name="awkward", description="x", project_type="DocumentClassification", created_by=people["ann"]
    )
    for user in people.values():
        Member.objects.create(project=project, user=user, role=Role.objects.get(name="project_admin"))
    for label in json.loads((work / "doccano-labels.json").read_text(encoding="utf-8")):
        CategoryType.objects.create(
            project=project,
            text=label["text"],
            suffix_key=label["suffixKey"],
            background_color=label["backgroundColor"],
            text_color=label["textColor"],
        )
    source = str(work / "doccano.jsonl")
    reader = Reader([FileName(source, source, "doccano.jsonl")], JSONLParser())
    loaded = load_dataset(JSONL, [], reader, project) if False else _text_classification(reader, project)
    loaded.save(people["ann"])
    assert not loaded.errors, loaded.errors
    examples = {example.meta["example_id"]: example for example in Example.objects.filter(project=project)}
    types = {entry.text: entry for entry in CategoryType.objects.filter(project=project)}
    said = {"ann": {"k3": GOOD, "k7": BAD, "-5": GOOD}, "bob": {"k7": GOOD, "007": GOOD, "k6": GOOD}}
    for name, labels in said.items():
        for example, label in labels.items():
            Category.objects.create(example=examples[example], label=types[label], user=people[name])
    Comment.objects.create(example=examples["k3"], user=people["ann"], text="obviously")
    archive = Path(export_dataset(project.id, "JSONL"))
    (files / "doccano.zip").write_bytes(archive.read_bytes())
    with zipfile.ZipFile(archive) as inside:
        (files / "ann.jsonl").write_bytes(inside.read("ann.jsonl"))


def _text_classification(reader: Any, project: Any) -> Any:
    from data_import.datasets import TextClassificationDataset

    return TextClassificationDataset(reader, project)


if __name__ == "__main__":
    part, work, files = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    files.mkdir(exist_ok=True)
    {"label-studio": label_studio, "argilla": argilla, "doccano": doccano}[part](work, files)
