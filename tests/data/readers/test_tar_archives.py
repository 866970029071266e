"""Tar archives: their members are read like those of a zip archive, and what leads out of them is refused."""

from __future__ import annotations

import io
import tarfile

import pytest

from diet_explorer.data.importing import import_examples
from diet_explorer.data.readers.opening import open_source
from diet_explorer.errors import BadInputError
from tests.data.importer import MAPPING, Importer

TRAIN, TEST = "text,label\none two,a\nthree,b\n", "text,label\nlast,a\n"


def tarred(*members: tuple[str, str] | tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1].encode())
            archive.addfile(info, io.BytesIO(member[1].encode()))
    return stream.getvalue()


def link(name: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.xz", "w:xz"), ("a", "w:bz2")]
)
def test_members_with_names_of_splits_are_one_source(importer: Importer, name: str, mode: str) -> None:
    members = (("set/train.csv", TRAIN), ("set/test.csv", TEST), ("set/._train.csv", "?"), ("set/README.md", "Hi"))
    source = importer.open(name, tarred(*members, mode=mode))
    assert [table["split"].to_pylist() for table, _ in source.batches()] == [["train", "train"], ["test"]]
    assert source.place(2)[0] == "set/train.csv"


def test_a_single_file_and_a_part_of_an_archive(importer: Importer) -> None:
    manifest = import_examples(importer.open("reviews.tar.gz", tarred(("table.csv", TRAIN))), MAPPING, importer.files)
    assert (manifest.rows, manifest.classes) == (2, ["a", "b"])
    path = importer.write("both.tgz", tarred(("train.csv", TRAIN), ("test.csv", TEST)))
    assert [table.num_rows for table, _ in open_source(f"{path}[test]").batches()] == [1]


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (("../train.csv", TRAIN), "leads out of it"),
        (("/tmp/train.csv", TRAIN), "leads out of it"),
        (link("train.csv"), "is a link"),
        (link("train.csv", tarfile.LNKTYPE), "is a link"),
        (link("train.csv", tarfile.FIFOTYPE), "or a device"),
    ],
)
def test_what_leads_out_of_an_archive_is_refused(
    importer: Importer, member: tuple[str, str] | tarfile.TarInfo, words: str
) -> None:
    with pytest.raises(BadInputError, match=words) as caught:
        importer.open("a.tar.gz", tarred(("ok.csv", TEST), member))
    assert caught.value.remedy


def test_a_cut_archive_is_told(importer: Importer) -> None:
    content = tarred(("train.csv", TRAIN * 999), mode="w")
    with pytest.raises(BadInputError, match=r"a\.tar cannot be read"):
        importer.open("a.tar", content[:5000])
