"""What people write and paste for where their data is."""

from __future__ import annotations

import functools
import http.server
import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict
from fsspec.registry import _registry

from diet_explorer.data.readers.locations import downloaded, from_hub_page
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from tests.data.importer import Importer

ROWS = b"text,label\none,a\ntwo,b\n"


@pytest.mark.parametrize("form", ['"{}"', "'{}'", " {} ", "“{}”", "\t{}\n", ' "{} "', "file://{}", '"file://{}"'])
def test_a_path_with_something_around_it(importer: Importer, form: str) -> None:
    path = importer.write("my reviews.csv", ROWS)
    assert open_source(form.format(path)).columns() == ["text", "label"]


def test_an_escaped_file_url(importer: Importer) -> None:
    assert open_source(importer.write("my reviews.csv", ROWS).as_uri()).columns() == ["text", "label"]


def test_a_name_that_has_quotes_is_found(importer: Importer) -> None:
    assert open_source(importer.write("'quoted'", ROWS)).columns() == ["text", "label"]


@pytest.mark.parametrize(
    ("location", "remedy"),
    [
        ("reviews.cvs", "Did you mean {}/reviews.csv?"),
        ("C:\\Users\\ann\\reviews.csv", "a path of Windows"),
        ("nowhere/*.csv", "Check the path"),
    ],
)
def test_nothing_there(importer: Importer, monkeypatch: pytest.MonkeyPatch, location: str, remedy: str) -> None:
    importer.write("reviews.csv", ROWS)
    monkeypatch.chdir(importer.folder)
    with pytest.raises(BadInputError, match="There is no file or folder") as caught:
        open_source(location if location.startswith("C:") else importer.folder / location)
    assert remedy.format(importer.folder) in caught.value.remedy


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ROWS)))
    source = open_source("-")
    assert (source.name, source.location) == ("stdin", "standard input")
    assert [table.num_rows for _ in range(2) for table, _ in source.batches()] == [2, 2]


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(BadInputError, match="Nothing is piped"):
        open_source("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(ROWS,))
    writer.start()
    assert open_source(pipe).columns() == ["text", "label"]
    writer.join()


@pytest.fixture
def web(importer: Importer) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *given: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(importer.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_url(importer: Importer, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    importer.write("my reviews.csv", ROWS)
    importer.write("page.html", "<html></html>")
    source = open_source(f"{web}/my%20reviews.csv?download=1")
    assert (source.name, source.columns()) == ("my reviews", ["text", "label"])
    for location, message in ((f"{web}/no.csv", "answers 404"), (f"{web}/page.html", "is a web page")):
        with pytest.raises(BadInputError, match=message):
            open_source(location)


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("https://huggingface.co/datasets/imdb", "hub:imdb"),
        ("https://huggingface.co/datasets/nyu-mll/glue/", "hub:nyu-mll/glue"),
        ("https://huggingface.co/datasets/nyu-mll/glue/viewer/sst2/train?row=3", "hub:nyu-mll/glue:sst2"),
        ("https://huggingface.co/datasets/a/b/tree/v1", "hub:a/b@v1"),
        (
            "https://huggingface.co/datasets/a/b/blob/main/x.csv",
            "https://huggingface.co/datasets/a/b/resolve/main/x.csv",
        ),
        ("https://example.org/datasets/a", "https://example.org/datasets/a"),
    ],
)
def test_the_page_of_a_dataset_means_the_dataset(address: str, location: str) -> None:
    assert from_hub_page(address) == location


def test_other_urls() -> None:
    with fsspec.open("memory://folder/reviews.csv", "wb") as stream:
        stream.write(ROWS)
    assert open_source("memory://folder/reviews.csv").name == "reviews"
    with pytest.raises(BadInputError, match="Protocol not known"):
        open_source("nosuch://reviews.csv")
    with pytest.raises(BadInputError, match=r"There is no file memory://folder/none\.csv\."):
        open_source("memory://folder/none.csv")


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (pd.DataFrame({"text": ["a"]}), "frame.to_parquet"),
        (Dataset.from_dict({"text": ["a"]}), "save_to_disk"),
        (DatasetDict(), "save_to_disk"),
        (pa.table({"text": ["a"]}), "write_table"),
        ([{"text": "a"}], "pandas.DataFrame"),
        ([], "Give a path"),
        (None, "Give a path"),
        (b"data.csv", "Give a path"),
        (io.StringIO("text,label"), "Give a path"),
    ],
)
def test_data_in_memory_are_no_paths(given: Any, remedy: str) -> None:
    with pytest.raises(BadInputError, match="no file") as caught:
        open_source(given)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://bucket/a.csv", "s3fs", "s3"),
        ("gs://bucket/a.csv", "gcsfs", "gcs"),
        ("abfs://container/a.csv", "adlfs", "azure"),
    ],
)
def test_what_the_address_of_a_file_needs_is_named(monkeypatch, url, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(_registry, url.partition(":")[0], raising=False)  # once loaded it is kept
    with pytest.raises(BadInputError) as caught:
        downloaded(url)
    assert f"pip install 'diet-explorer[{extra}]'" in caught.value.remedy


def test_a_store_that_cannot_be_read_from_is_told(monkeypatch):
    class NoCredentialsError(Exception):
        """As botocore has it: of no kind that others know."""

    def refuse(*_: object) -> None:
        raise NoCredentialsError("no credentials\nfor ann:ma-rked7secret@bucket")

    monkeypatch.setattr(fsspec, "open", refuse)
    with pytest.raises(BadInputError, match=r"cannot be reached: no credentials for ann:\*\*\*@bucket\.") as caught:
        downloaded("memory://ann:ma-rked7secret@bucket/a.csv")
    assert "credentials" in caught.value.remedy
