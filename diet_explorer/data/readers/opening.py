"""Open whatever a user names as a source."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from diet_explorer.data.readers.data_file import DataFile
from diet_explorer.data.readers.datasets_folder import HUB_PREFIX, open_hub, open_saved, was_saved
from diet_explorer.data.readers.folders import Tree, open_files, open_tree, tree_of_archive, tree_of_folder
from diet_explorer.data.readers.foreign_files import is_zip, refuse_foreign, refuse_other_documents
from diet_explorer.data.readers.formats import format_of, formats_in_words
from diet_explorer.data.readers.locations import (
    STDIN,
    as_path,
    check_is_location,
    cleaned,
    downloaded,
    from_hub_page,
    from_pipe,
    from_stdin,
    is_url,
    matches_of,
    nothing_there,
    selection,
)
from diet_explorer.data.readers.options import DEFAULT_OPTIONS, ReadingOptions
from diet_explorer.data.readers.source import Source
from diet_explorer.data.readers.tar_archives import is_tar, tree_of_tar
from diet_explorer.data.readers.unpacking import members_of
from diet_explorer.errors import BadInputError
from diet_explorer.store.reach import EVERYWHERE, Reach

__all__ = ["Source", "open_source", "open_upload"]

_WORKBOOK = "xl/workbook.xml"


def open_source(
    location: str | Path | Sequence[str | Path],
    options: ReadingOptions = DEFAULT_OPTIONS,
    reach: Reach = EVERYWHERE,
) -> Source:
    """Open a data file, a folder or a glob of them, what is piped in, a URL, or a dataset of the Hub.

    Parameters
    ----------
    location : str, Path, or sequence of these
        A file of any format of `all_formats`, also compressed or in a zip archive; a folder that `datasets` saved, or
        one of data files whose names are splits, or a glob or a list of such files; ``-`` for standard input; a URL;
        ``hub:NAME``, ``hub:NAME:CONFIG``. With ``[SPLIT]`` at its end only that split is read, with ``:CONFIG`` at the
        end of a folder only that configuration.
    options : ReadingOptions, optional
        How it is to be read.
    reach : Reach, optional
        What may be read; by default all that this process may. `Workspace.open_source` gives the right one.

    Raises
    ------
    BadInputError
        There is nothing there, or what is there is empty, of a kind that is not known, in another encoding, damaged, or
        out of reach; the message has the location and the remedy.
    """
    if not isinstance(location, str | Path):
        check_is_location(location)
        if len(location) == 1:
            return open_source(location[0], options, reach)
        paths = [_existing(as_path(str(path), reach)) for path in location]
        return _open_named(paths, ", ".join(map(str, location)), options, reach)
    text = str(location)
    place = from_hub_page(cleaned(text))
    if place.startswith(HUB_PREFIX):
        options.check("a dataset of the Hub")
        open_folder = partial(_open_existing, options=options)
        return _called(place, open_hub(*selection(place), open_folder, with_token=reach.private))
    try:
        if place == STDIN:
            return _open_file(from_stdin(reach), options)
        if is_url(place):
            return _open_file(downloaded(place, reach), options)
        return _open_path(text, options, reach)
    except PermissionError as error:
        raise BadInputError(f"{location} may not be read.", "Give this user the right to read it.") from error
    except OSError as error:
        raise BadInputError(
            f"{location} cannot be read: {error.strerror or error}.", "Check the path and the disk."
        ) from error


def open_upload(path: Path, options: ReadingOptions = DEFAULT_OPTIONS) -> Source:
    """Open a file that somebody brought, by its name alone: where it lies meanwhile is not told.

    Raises
    ------
    BadInputError
        It cannot be read; as for `open_source`.
    """
    return _open_file(DataFile(path, location=path.name, reach=Reach((path,))), options)


def _open_path(text: str, options: ReadingOptions, reach: Reach) -> Source:
    """Open what a path means: a file or folder; else a glob; else a part of a folder or an archive."""
    path = as_path(text, reach)
    if path.exists():
        return _open_existing(path, options=options, reach=reach)
    matches = matches_of(str(path), reach)
    if matches:
        return _open_named(matches, str(path), options, reach)
    base, splits = selection(cleaned(text))
    path_of_base, config = as_path(base, reach), None
    if not path_of_base.exists() and ":" in base:
        folder, _, config = base.rpartition(":")
        path_of_base = as_path(folder, reach)
    if (config or splits) and path_of_base.exists():
        return _called(cleaned(text), _open_existing(path_of_base, config, splits, options=options, reach=reach))
    matches = matches_of(str(path_of_base), reach) if splits else []
    if matches:
        return _called(cleaned(text), _open_named(matches, str(path_of_base), options, reach, splits))
    raise nothing_there(path)


def _called(location: str, source: Source) -> Source:
    """A part of a source, under the name with which it was asked for."""
    source.location = location
    return source


def _open_existing(
    path: Path,
    config: str | None = None,
    splits: Sequence[str] = (),
    *,
    options: ReadingOptions,
    reach: Reach = EVERYWHERE,
) -> Source:
    if path.is_dir():
        if was_saved(path) and config is None:
            options.check("a folder of datasets")
            return open_saved(path, splits, reach)
        return _open_tree(tree_of_folder(path, reach), config, splits, options)
    file = DataFile(path, reach=reach) if path.is_file() else from_pipe(path, reach)
    return _open_file(file, options, config, splits)


def _open_tree(tree: Tree, config: str | None, splits: Sequence[str], options: ReadingOptions) -> Source:
    open_file = partial(_open_file, options=options)
    return open_tree(tree, open_file, config=config, splits=splits, encoding=options.encoding)


def _open_named(
    paths: Sequence[Path], location: str, options: ReadingOptions, reach: Reach, splits: Sequence[str] = ()
) -> Source:
    return open_files(paths, partial(_open_file, options=options), location, splits, reach)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise nothing_there(path)
    return path


def _open_file(
    file: DataFile, options: ReadingOptions, config: str | None = None, splits: Sequence[str] = ()
) -> Source:
    """Open a single file, which may be an archive of several."""
    if not file.beginning:
        raise BadInputError(f"The file {file.location} is empty.", "Give a file with a header and rows.")
    refuse_foreign(file)
    if file.member is None and is_zip(file.path):
        members = members_of(file.path, file.location)
        refuse_other_documents(file, members)
        if _WORKBOOK not in members:
            return _open_tree(tree_of_archive(file), config, splits, options)
    if file.member is None and is_tar(file.beginning):
        return _open_tree(tree_of_tar(file), config, splits, options)
    known = format_of(file)
    if known is None:
        raise BadInputError(
            f"The kind of {file.location} is known neither from its ending nor from its first lines.",
            f"Give one of these: {formats_in_words()}.",
        )
    source = known.open(file, options)
    if splits or config is not None:
        raise BadInputError(f"{file.location} is a single file without splits.", "Leave out what is behind its name.")
    return source
