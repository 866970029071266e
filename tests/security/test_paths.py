"""Attacks on what the app reads: paths beside its roots, links, globs, crafted folders, names of the Hub, addresses."""

from __future__ import annotations

import ast
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datasets
import pytest

from diet_explorer import Workspace
from diet_explorer.config import load_settings
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError, DietExplorerError, ModelError, PermissionDeniedError
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.annotators import Identity
from diet_explorer.store import public_web
from diet_explorer.store.reach import Reach, reach_of_app
from diet_explorer.training.config import RunConfig

ROWS = "text,label\n" + "".join(f"a film of number {number},{'good' if number % 2 else 'bad'}\n" for number in range(8))
ROOT = Path(__file__).parents[2]


class Place:
    """A folder that may be read, one beside it that may not, and a workspace that is opened as the app opens it."""

    def __init__(self, folder: Path) -> None:
        self.allowed, self.secret = folder / "allowed", folder / "secret"
        for here in (self.allowed, self.secret):
            here.mkdir()
            (here / "train.csv").write_text(ROWS)
        self.home = folder / "home"
        self.reach = Reach((self.allowed,), (self.home / "uploads",), private=False)
        self.workspace = Workspace(self.home).reading_within(self.reach)

    def refusal(self, location: object) -> str:
        with pytest.raises(BadInputError) as caught:
            self.workspace.open_source(location)  # type: ignore[arg-type]
        return f"{caught.value.message} {caught.value.remedy}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError(f"a request: {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("role", ["viewer", "annotator"])
def test_who_may_not_import_learns_nothing_of_any_path(place: Place, role: str, no_network: None) -> None:
    workspace = place.workspace.acting_as(Identity("ann", role, signed_in=True))
    there, missing = place.allowed / "train.csv", place.allowed / "nothing.csv"
    words = set()
    for location in (there, missing, "/etc/passwd", "hub:someone/private", "https://example.org/x.csv", "-", [there]):
        for verb in (
            workspace.open_source,
            lambda at: workspace.import_dataset(at, text="text", label="label"),
            lambda at: workspace.import_cartography("any", str(at)),
        ):
            with pytest.raises(PermissionDeniedError) as caught:
                verb(location)
            words.add(caught.value.message)
    with pytest.raises(PermissionDeniedError) as caught:
        workspace.open_upload(there)
    assert {*words, caught.value.message} == {
        f"ann is {'an' if role == 'annotator' else 'a'} {role} here and may not import data."
    }
    for path in (there, missing):
        with pytest.raises(PermissionDeniedError, match="may not write an export"):
            workspace.export_again(path)
        with pytest.raises(PermissionDeniedError, match="may not choose a model"):
            workspace.model(str(path))


LOCATIONS = (
    "{secret}/{name}",
    "file://{secret}/{name}",
    "FILE:{secret}/{name}",
    "'{secret}/{name}'",
    "  {secret}/{name}  ",
    "{allowed}/../secret/{name}",
    "{allowed}/x/../../secret/{name}",
    "{secret}/{name}[train]",
    "{secret}:train",
    "{allowed}/link/{name}",
    "{allowed}/link-to-file-{name}",
    "{allowed}/link",
    "{secret}/*.csv",
    "{secret}/{name}*",
    "{allowed}/link/*",
    "{allowed}/*/../../secret/{name}",
    "{secret}",
    "local://{secret}/{name}",
    "zip://x::file://{secret}/{name}",
    "simplecache::file://{secret}/{name}",
    "/proc/self/root{secret}/{name}",
    "{secret}/{name}\0",
)


@pytest.mark.parametrize("form", LOCATIONS)
def test_what_lies_beside_the_roots_is_refused_in_the_same_words_be_it_there_or_not(place: Place, form: str) -> None:
    (place.allowed / "link").symlink_to(place.secret)
    (place.allowed / "link-to-file-NAME").symlink_to(place.secret / "NAME")
    refusals = []
    for name in ("train.csv", "other.csv"):
        (place.allowed / f"link-to-file-{name}").symlink_to(place.secret / name)
        location = form.format(allowed=place.allowed, secret=place.secret, name=name)
        refusals.append(place.refusal(location).replace(name, "NAME"))
        refusals.append(place.refusal([location, place.allowed / "train.csv"]).replace(name, "NAME"))
    shutil.rmtree(place.secret)
    refusals.append(place.refusal(form.format(allowed=place.allowed, secret=place.secret, name="NAME")))
    assert refusals[0] == refusals[2] == refusals[4] and refusals[1] == refusals[3]
    assert "a film" not in "".join(refusals)


@pytest.mark.parametrize(
    "location", ["-", "~root/x.csv", "~nobody-at-all/x.csv", "/dev/stdin", "/proc/self/environ", "."]
)
def test_what_is_no_file_of_the_roots(place: Place, location: str) -> None:
    assert "in a folder that may be used here" in place.refusal(location) or location == "-"


def test_what_lies_in_the_roots_is_read(place: Place) -> None:
    (place.allowed / "sub").mkdir()
    (place.allowed / "sub" / "test.csv").write_text(ROWS)
    (place.allowed / "inner").symlink_to(place.allowed / "sub")
    file = place.allowed / "train.csv"
    for location in (file, f"file://{file}", f"{place.allowed}/*.csv", place.allowed / "inner" / "test.csv", [file]):
        assert place.workspace.open_source(location).columns()[:2] == ["text", "label"]
    assert place.workspace.open_source(place.allowed).columns() == ["text", "label", "split"]
    assert place.refusal(place.allowed / "tran.csv").startswith("There is no file or folder")


def test_a_folder_with_a_link_out_of_the_roots(place: Place) -> None:
    (place.allowed / "test.csv").symlink_to(place.secret / "train.csv")
    refused = place.refusal(place.allowed)
    (place.secret / "train.csv").unlink()
    assert refused == place.refusal(place.allowed)
    assert "not in a folder that may be used here" in refused


def test_a_glob_finds_nothing_through_links_out_of_the_roots(place: Place) -> None:
    (place.allowed / "link").symlink_to(place.secret)
    assert place.refusal(f"{place.allowed}/*/train.csv").startswith("There is no file or folder")


def test_a_link_that_changes_after_the_preview(place: Place) -> None:
    link = place.allowed / "now.csv"
    link.symlink_to(place.allowed / "train.csv")
    source = place.workspace.open_source(link)
    (place.secret / "train.csv").write_text(ROWS.replace("film", "secret"))
    link.unlink()
    link.symlink_to(place.secret / "train.csv")
    with pytest.raises(BadInputError, match="not in a folder that may be used here"):
        place.workspace.import_dataset(source, text="text", label="label")
    assert place.workspace.datasets() == []


def test_a_named_pipe_holds_nobody_up(place: Place) -> None:
    os.mkfifo(place.allowed / "pipe.csv")
    assert "is no file" in place.refusal(place.allowed / "pipe.csv")


def saved(folder: Path, parts: dict[str, str]) -> Path:
    data = datasets.DatasetDict(
        {split: datasets.Dataset.from_dict({"text": [word], "label": [0]}) for split, word in parts.items()}
    )
    data.save_to_disk(str(folder))
    return folder


@pytest.mark.parametrize("limited", [True, False])
def test_saved_datasets_name_no_file_beside_their_folder(place: Place, limited: bool) -> None:
    saved(place.secret / "saved", {"train": "secret"})
    workspace = place.workspace if limited else Workspace(place.home)

    def attack(name: str, split: str, change: dict[str, object]) -> None:
        folder = saved(place.allowed / name, {"train": "open"})
        if split == "both":
            shutil.copy(folder / "train" / "dataset_info.json", folder)
            shutil.copy(folder / "train" / "state.json", folder)
        file = folder / ("state.json" if split == "both" else "train/state.json" if split else "dataset_dict.json")
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
        with pytest.raises(BadInputError, match="names files that lie beside it"):
            workspace.open_source(folder)

    arrow = str(place.secret / "saved" / "train" / "data-00000-of-00001.arrow")
    attack("one", "train", {"_data_files": [{"filename": "../../../secret/saved/train/data-00000-of-00001.arrow"}]})
    attack("two", "train", {"_data_files": [{"filename": arrow}]})
    attack("three", "", {"splits": ["train", "../../secret/saved/train"]})
    attack("four", "", {"splits": [str(place.secret / "saved" / "train")]})
    attack("five", "both", {"_data_files": [{"filename": "../x.arrow"}]})
    attack("six", "", {"splits": ["train/.."]})


def test_saved_datasets_with_links_out_of_the_roots(place: Place) -> None:
    saved(place.secret / "saved", {"train": "secret"})
    folder = saved(place.allowed / "saved", {"train": "open"})
    assert place.workspace.open_source(folder).columns() == ["text", "label", "split"]
    arrow = folder / "train" / "data-00000-of-00001.arrow"
    arrow.unlink()
    arrow.symlink_to(place.secret / "saved" / "train" / arrow.name)
    assert "not in a folder that may be used here" in place.refusal(folder)


@pytest.mark.parametrize(
    "name",
    [
        "hub:..",
        "hub:.",
        "hub:../secret",
        "hub:a/..",
        "hub:/etc",
        "hub:a/b/c",
        "hub:~",
        "hub:a--b/c",
        "hub:",
        "hub:text",
        "hub:csv",
    ],
)
def test_a_name_of_the_hub_is_no_path(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.chdir(place.secret)
    for workspace in (place.workspace, Workspace(place.home)):
        with pytest.raises(BadInputError, match=r"does not name a dataset of the Hub|There is no dataset") as caught:
            workspace.open_source(name)
        assert "film" not in str(caught.value)


def test_a_dataset_of_the_hub_is_no_folder_of_that_name(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    (tmp_path / "owner" / "name" / "train.csv").write_text(ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("hub:owner/name", "hub:owner"):
        with pytest.raises(BadInputError, match="Hub"):
            place.workspace.open_source(name)


def test_models_lie_in_the_roots_or_on_the_hub(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def model(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"")
        return folder

    inside = model(place.allowed / "model")
    assert place.workspace.model(str(inside)).location == str(inside)
    dataset = place.workspace.import_dataset(place.allowed / "train.csv", text="text", label="label")
    outside = model(place.secret / "model")
    (place.allowed / "link").symlink_to(outside)
    words = set()
    for name in (
        str(outside),
        str(place.secret / "none"),
        f"{place.allowed}/../secret/model",
        str(place.allowed / "link"),
    ):
        for verb in (
            place.workspace.model,
            lambda given: place.workspace.score(dataset, model=given),
            lambda given: place.workspace.estimate(dataset, RunConfig(dataset.id, model=given)),
            lambda given: place.workspace.measure(dataset, RunConfig(dataset.id, model=given)),
            lambda given: place.workspace.create_run(RunConfig(dataset.id, model=given), name="x", origin="job"),
        ):
            with pytest.raises(BadInputError) as caught:
                verb(name)
            words.add(caught.value.message.replace(name, "NAME"))
    assert words == {"NAME is not in a folder that may be used here."}
    monkeypatch.chdir(tmp_path)
    assert not place.workspace.model("secret/model").is_local
    (inside / "model.safetensors").rename(inside / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickled format"):
        place.workspace.model(str(inside))


@pytest.mark.parametrize("way", ["{secret}", "{allowed}/link", "{allowed}/../secret"])
def test_ledgers_manifests_dynamics_and_targets_lie_in_the_roots(place: Place, way: str) -> None:
    dataset = place.workspace.import_dataset(place.allowed / "train.csv", text="text", label="label")
    run = place.workspace.create_run(RunConfig(dataset.id), name="a run", origin="job")
    (place.secret / "manifest.json").write_text("{}")
    (place.allowed / "link").symlink_to(place.secret)
    folder = Path(way.format(allowed=place.allowed, secret=place.secret))
    attacks = (
        lambda: dataset.import_decisions(folder / "train.csv"),
        lambda: dataset.export_decisions(folder / "new.jsonl"),
        lambda: place.workspace.import_cartography(dataset, folder),
        lambda: place.workspace.export_again(folder),
        lambda: place.workspace.export_again(folder / "manifest.json"),
        lambda: run.pruning.plan(Policy(kind="decisions")).export(folder / "new"),
        lambda: run.pruning.plan(Policy(kind="decisions")).submit_export(folder / "new"),
        lambda: run.export_scores(folder / "new.csv"),
        lambda: run.dynamics.export_cartography(folder / "new"),
    )
    for attack in attacks:
        with pytest.raises(BadInputError, match="not in a folder that may be used here"):
            attack()
    for address in ("s3://bucket/folder", "file:///etc/x", "memory://x", "local:///x"):
        with pytest.raises(DietExplorerError):
            run.pruning.plan(Policy(kind="decisions")).export(address)
    assert sorted(path.name for path in place.secret.iterdir()) == ["manifest.json", "train.csv"]


def test_uploads_of_others_are_no_files_of_the_roots(place: Place) -> None:
    upload = place.home / "uploads" / "0a1b" / "train.csv"
    upload.parent.mkdir(parents=True)
    upload.write_text(ROWS)
    workspace = place.workspace.reading_within(Reach((place.home,), (place.home / "uploads",)))
    for location in (upload, f"{place.home}/uploads/*/*", place.home / "uploads"):
        with pytest.raises(BadInputError) as caught:
            workspace.open_source(location)
        assert "film" not in str(caught.value)
    source = workspace.open_upload(upload)
    dataset = workspace.import_dataset(source, text="text", label="label")
    assert "uploads" not in json.dumps(dataset.manifest.to_json())
    with pytest.raises(BadInputError, match=r"The upload train\.csv is not there any more"):
        workspace.open_upload(place.secret / "train.csv")


def test_defaults_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIET_EXPLORER_DATA_ROOTS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings(home=str(tmp_path / "workspace"))
    assert reach_of_app(settings, shared=True).roots == ()
    assert not reach_of_app(settings, shared=True).private
    assert reach_of_app(settings, shared=False).roots == (tmp_path,)
    monkeypatch.setenv("DIET_EXPLORER_DATA_ROOTS", f"/data{os.pathsep}~/sets")
    for shared in (True, False):
        assert reach_of_app(load_settings(), shared=shared).roots == (Path("/data"), tmp_path / "sets")
    monkeypatch.setenv("DIET_EXPLORER_DATA_ROOTS", "s3://bucket")
    with pytest.raises(BadInputError, match="folders of this machine"):
        load_settings()


class Served:
    """A web server on this machine, and how many requests came."""

    def __init__(self, redirect: str | None = None) -> None:
        self.requests = 0
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.requests += 1
                self.send_response(200 if redirect is None else 302)
                if redirect is not None:
                    self.send_header("Location", redirect)
                self.end_headers()
                if redirect is None:
                    self.wfile.write(ROWS.encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


@contextmanager
def served(redirect: str | None = None) -> Iterator[Served]:
    served = Served(redirect)
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.server.shutdown()
        served.server.server_close()


NOT_PUBLIC = "cannot be found, or is none of the public internet"


def test_addresses_of_this_machine_and_its_network_are_not_asked(place: Place) -> None:
    with served() as server:
        port = server.port
        hosts = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"]
        for host in hosts:
            assert NOT_PUBLIC in place.refusal(f"http://{host}:{port}/train.csv")
        assert server.requests == 0
        for url in (
            "http://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/x.csv",
            "http://[fd00::1]/x",
            "http://nothing.invalid/x",
        ):
            assert NOT_PUBLIC in place.refusal(url)
        assert open_source(f"http://127.0.0.1:{port}/train.csv").columns() == ["text", "label"]  # one's own command
        allowed = place.workspace.reading_within(Reach((), private=True))
        assert allowed.open_source(f"http://127.0.0.1:{port}/train.csv").columns() == ["text", "label"]
    for url in ("ftp://127.0.0.1/x.csv", "s3://bucket/x.csv", "memory://x", "github://a:b@/x", "gopher://127.0.0.1/"):
        assert "are not read here" in place.refusal(url)


def test_redirects_are_checked_like_addresses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_web, "is_public", lambda address: address == "127.0.0.1")
    for target in ("http://127.0.0.2:{}/x.csv", "http://localhost.invalid:{}/x", "http://[::1]:{}/x"):
        with served() as inner, served(target.format(inner.port)) as outer:
            assert NOT_PUBLIC in place.refusal(f"http://127.0.0.1:{outer.port}/train.csv")
            assert (outer.requests, inner.requests) == (1, 0)
    for target in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        with served(target) as outer:
            assert place.refusal(f"http://127.0.0.1:{outer.port}/train.csv").startswith("http")
            assert outer.requests == 1


def test_a_name_whose_address_changes_between_look_up_and_request(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, *rest, **more: real(next(answers), port, *rest, **more)
    )
    with served() as server:
        assert NOT_PUBLIC in place.refusal(f"http://rebinding.example:{server.port}/train.csv")
        assert server.requests == 0


def test_pages_open_nothing_but_through_the_workspace() -> None:
    """The functions that read a location without asking who wants it stay below the workspace."""
    forbidden = {
        "open_source",
        "open_upload",
        "open_hub",
        "open_saved",
        "locate_model",
        "recorded_model",
        "import_examples",
    }
    forbidden |= {"tree_of_folder", "DataFile", "downloaded", "read_manifest"}
    files = [*(ROOT / "pages").glob("*.py"), *(ROOT / "diet_explorer" / "ui").rglob("*.py")]
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert not names & forbidden, file
