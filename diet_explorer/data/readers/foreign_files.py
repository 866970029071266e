"""Files that are not read, by their first bytes, and what to do with them instead."""

from __future__ import annotations

from pathlib import Path

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.errors import BadInputError

_LFS = b"version https://git-lfs.github.com/spec/"
_UNPACK = "Unpack it, and give the file or folder in it."
_SIGNATURES = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an Excel workbook of the old kind (.xls), or one with a password",
        "In Excel, save it as .xlsx without a password, or save the sheet as CSV UTF-8.",
    ),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"%PDF", "a PDF document", "Give a table, such as a CSV file."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89HDF\r\n", "an HDF5 file", "Write the table as Parquet, for instance with pandas: to_parquet(path)."),
    (b"\x80\x04\x95", "a Python pickle", "Write the table as Parquet, for instance with pandas: to_parquet(path)."),
    (b"\x93NUMPY", "a NumPy array", "Write texts and labels as a table, such as CSV or Parquet."),
    (b"Obj\x01", "an Avro file", "Write the table as Parquet or JSON Lines."),
    (b"ORC", "an ORC file", "Write the table as Parquet."),
    (b"<!doctype html", "a web page", "Give the data file itself; save a table of the page as CSV."),
    (b"<html", "a web page", "Give the data file itself; save a table of the page as CSV."),
    (b"<?xml", "an XML document", "Give a table, such as CSV or JSON Lines."),
)


def refuse_foreign(file: DataFile) -> None:
    """Say what a file is that is none of the formats.

    Raises
    ------
    BadInputError
        It is one of a known other kind, or only the pointer that Git LFS leaves in the place of a file.
    """
    beginning = file.beginning
    if beginning.startswith(_LFS):
        raise BadInputError(
            f"{file.location} is only a pointer of Git LFS; the data itself was not downloaded.",
            "In that folder run: git lfs pull",
        )
    lowered = beginning.lstrip()[:20].lower()
    for signature, what, remedy in _SIGNATURES:
        if beginning.startswith(signature) or (signature.startswith(b"<") and lowered.startswith(signature)):
            raise BadInputError(f"The file {file.location} is {what}.", remedy)


def is_zip(path: Path) -> bool:
    """Whether a file is a zip archive: also those that office programs write."""
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def refuse_other_documents(file: DataFile, members: list[str]) -> None:
    """Say what a document of an office program is that is no Excel workbook."""
    if "mimetype" in members and any(name == "content.xml" for name in members):
        what, remedy = "an OpenDocument file (.ods)", "In LibreOffice, save it as .xlsx or as CSV UTF-8."
    elif any(name.startswith("word/") for name in members):
        what, remedy = "a Word document", "Copy its table to a spreadsheet, and save that as CSV UTF-8."
    elif "xl/workbook.bin" in members:
        what, remedy = "a binary Excel workbook (.xlsb)", "In Excel, save it as .xlsx or as CSV UTF-8."
    else:
        return
    raise BadInputError(f"The file {file.location} is {what}.", remedy)
