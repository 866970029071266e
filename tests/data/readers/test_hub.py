"""Datasets of the Hub, from a server on this machine, each test in a process of its own since `datasets` reads the
address of the Hub when it is imported."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from tests.loopback_hub import TOKEN, loopback_hub

ROOT = Path(__file__).parents[3]
SCRIPT = """
import json, os, sys
from diet_explorer.data.columns import ColumnMapping
from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import DietExplorerError
from diet_explorer.store.files import Files
from diet_explorer.store.reach import EVERYWHERE, Reach

results = []
for location in sys.argv[2:]:
    try:
        source = open_source(location, reach=Reach((), private=False) if os.environ.get("SHARED") else EVERYWHERE)
        split = next((column for column in source.columns() if column.startswith("split")), None)
        mapping = ColumnMapping(text="text", label="label", split=split)
        manifest = import_examples(source, mapping, Files(sys.argv[1]))
        results.append({"manifest": manifest.to_json(), "columns": source.columns()})
    except DietExplorerError as error:
        results.append({"error": [type(error).__name__, error.message, error.remedy]})
print("RESULT" + json.dumps(results))
"""


def import_from(endpoint: str, folder: Path, *locations: str, **environment: str) -> list[dict[str, Any]]:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder / "workspace"), *locations],
        env={
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(folder / "cache"),
            "PYTHONPATH": str(ROOT),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, result.stderr
    found: list[dict[str, Any]] = json.loads(lines[0].removeprefix("RESULT"))
    return found


def parquet_of(texts: list[str], labels: list[int]) -> bytes:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    stream = io.BytesIO()
    Dataset.from_dict({"text": texts, "label": labels}, features=features).to_parquet(stream)
    return stream.getvalue()


CARD = b"""---
configs:
- config_name: small
  data_files: small.csv
- config_name: large
  data_files: large.csv
---
# Two of them
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    repositories = {
        "someone/parquet": {
            "data/train-00000-of-00001.parquet": parquet_of(["a", "b", "c"], [0, 1, 0]),
            "data/test-00000-of-00001.parquet": parquet_of(["d"], [1]),
        },
        "someone/csv": {"train.csv": b"text,label\none,x\ntwo,y\n,x\n", "README.md": b"# A dataset\n"},
        "someone/jsonl": {"train.jsonl": b'{"text": "one", "label": 1}\n{"text": "two", "label": 0}\n'},
        "someone/configs": {
            "README.md": CARD,
            "small.csv": b"text,label\na,x\nb,y\n",
            "large.csv": b"text,label\nc,x\n",
        },
        "someone/uneven": {"train.csv": b"text,label,zip\none,x,007\ntwo,NA,1\n", "test.csv": b"text\nthree\n"},
        "someone/nothing": {"README.md": b"# Empty\n"},
    }
    locations = [*(f"hub:{name}" for name in repositories), "hub:someone/configs:small", "hub:someone/unknown"]
    locations += ["hub:someone/parquet[train]", "hub:someone/parquet[dev]", "hub:someone/configs:small[train]"]
    with loopback_hub() as server:
        for name, files in repositories.items():
            server.create(name, files)
        found = import_from(server.url, tmp_path_factory.mktemp("hub"), *locations)
    return dict(zip(locations, found, strict=True))


def test_parquet_with_splits_and_class_names(results: dict[str, dict[str, Any]]) -> None:
    manifest = results["hub:someone/parquet"]["manifest"]
    assert results["hub:someone/parquet"]["columns"] == ["text", "label", "split"]
    assert manifest["classes"] == ["neg", "pos"]
    assert manifest["splits"] == {"train": 3, "test": 1}
    assert manifest["name"] == "parquet"
    assert manifest["source"]["kind"] == "hub"
    assert manifest["source"]["location"] == "hub:someone/parquet"
    assert len(manifest["source"]["sha256"]) == 64


def test_csv(results: dict[str, dict[str, Any]]) -> None:
    manifest = results["hub:someone/csv"]["manifest"]
    assert (manifest["rows"], manifest["classes"]) == (2, ["x", "y"])
    assert manifest["report"]["set_aside"] == {"empty text": 1}


def test_json_lines(results: dict[str, dict[str, Any]]) -> None:
    manifest = results["hub:someone/jsonl"]["manifest"]
    assert (manifest["rows"], manifest["classes"], manifest["label_type"]) == (2, ["0", "1"], "integer")


def test_configurations_must_be_named(results: dict[str, dict[str, Any]]) -> None:
    kind, message, remedy = results["hub:someone/configs"]["error"]
    assert kind == "BadInputError"
    assert message == "The dataset someone/configs of the Hub has several configurations."
    assert remedy == "Name one as hub:someone/configs:CONFIG; there are ['small', 'large']."
    assert results["hub:someone/configs:small"]["manifest"]["rows"] == 2


def test_one_split(results: dict[str, dict[str, Any]]) -> None:
    assert results["hub:someone/parquet[train]"]["columns"] == ["text", "label"]
    assert results["hub:someone/parquet[train]"]["manifest"]["rows"] == 3
    assert results["hub:someone/parquet[train]"]["manifest"]["source"]["location"] == "hub:someone/parquet[train]"
    assert results["hub:someone/configs:small[train]"]["manifest"]["rows"] == 2
    kind, message, remedy = results["hub:someone/parquet[dev]"]["error"]
    assert (kind, message) == ("BadInputError", "hub:someone/parquet has no split 'dev'.")
    assert remedy == "It has train, test."


def test_splits_with_other_columns(results: dict[str, dict[str, Any]]) -> None:
    assert results["hub:someone/uneven"].get("error") is None
    manifest = results["hub:someone/uneven"]["manifest"]
    assert (manifest["classes"], manifest["splits"]) == (["NA", "x"], {"train": 2})
    assert manifest["report"]["set_aside"] == {"empty label": 1}
    assert manifest["columns"][2] == {"name": "zip", "role": "metadata", "type": "string"}
    assert (manifest["source"]["kind"], manifest["source"]["location"]) == ("hub", "hub:someone/uneven")


def test_unknown_dataset(results: dict[str, dict[str, Any]]) -> None:
    kind, message, remedy = results["hub:someone/unknown"]["error"]
    assert kind == "BadInputError"
    assert message == "There is no dataset someone/unknown on the Hub, or it is private."
    assert "Check the name" in remedy


def test_dataset_without_data(results: dict[str, dict[str, Any]]) -> None:
    kind, message, _ = results["hub:someone/nothing"]["error"]
    assert kind == "BadInputError"
    assert message.startswith("The dataset someone/nothing of the Hub")
    assert "\n" not in message


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_OFFLINE": "1"}], ids=["no connection", "offline by setting"])
def test_no_hub(tmp_path: Path, environment: dict[str, str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        (found,) = import_from(endpoint, tmp_path, "hub:someone/parquet", **environment)
    kind, message, remedy = found["error"]
    assert kind == "BadInputError"
    reason = "HF_HUB_OFFLINE or HF_DATASETS_OFFLINE is set" if environment else "the connection is refused"
    assert message == f"The Hub cannot be reached to load the dataset someone/parquet: {reason}."
    assert remedy.endswith("Or give a file or a folder on this machine.")


def test_the_servers_token_opens_nothing_for_people_of_a_shared_app(tmp_path: Path) -> None:
    with loopback_hub() as server:
        server.create("ann/secret", {"train.csv": b"text,label\none,x\ntwo,y\n"}, private=True)
        server.create("ann/open", {"train.csv": b"text,label\none,x\ntwo,y\n"})
        (own,) = import_from(server.url, tmp_path, "hub:ann/secret", HF_TOKEN=TOKEN)
        server.headers_seen.clear()
        shared = import_from(server.url, tmp_path, "hub:ann/secret", "hub:ann/open", HF_TOKEN=TOKEN, SHARED="1")
        assert server.headers_seen and not any(server.headers_seen)
    assert own["manifest"]["rows"] == shared[1]["manifest"]["rows"] == 2
    kind, message, remedy = shared[0]["error"]
    assert (kind, message) == ("BadInputError", "There is no dataset ann/secret on the Hub that everybody may read.")
    assert "DIET_EXPLORER_PRIVATE_SOURCES" in remedy
