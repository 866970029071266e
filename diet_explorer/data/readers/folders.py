"""Folders, archives and lists of data files as one source, whose file or folder names are splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from diet_explorer.data.limits import current_limits
from diet_explorer.data.readers.data_file import CONTAINER_ENDINGS, DataFile
from diet_explorer.data.readers.dataset_card import NO_CARD, Configuration, DatasetCard, read_card
from diet_explorer.data.readers.formats import all_formats, format_by_looks, formats_in_words
from diet_explorer.data.readers.source import Source
from diet_explorer.data.readers.split_names import NamedFile, chosen_names, in_order_of_splits, missing_part, named
from diet_explorer.data.readers.split_sources import Part, SplitsSource
from diet_explorer.data.readers.text_folders import find_text_folders
from diet_explorer.data.readers.unpacking import members_of
from diet_explorer.data.report import Notice
from diet_explorer.data.splits import TRAIN, split_role
from diet_explorer.errors import BadInputError
from diet_explorer.store.reach import EVERYWHERE, Reach

_CARD = PurePosixPath("README.md")
_NO_DATA = {"readme", "license", "licence", "changelog", "citation", "notice", "requirements", "dataset_info"}
_NO_DATA |= {"dataset_infos", "dataset_dict", "state", "config", "makefile", "dockerfile", "authors", "copying"}
_NO_DATA_ENDINGS = {".md", ".rst", ".py", ".ipynb", ".yaml", ".yml", ".toml", ".cfg", ".log", ".pdf", ".html", ".sh"}
Open = Callable[[DataFile], Source]


@dataclass(frozen=True)
class Tree:
    """Files below one root: those of a folder, or the members of an archive."""

    location: str
    name: str
    kind: str
    files: dict[PurePosixPath, Callable[[], DataFile]]


def tree_of_folder(folder: Path, reach: Reach = EVERYWHERE) -> Tree:
    """All files below a folder; BadInputError where one is a link to what is out of reach."""
    limits, paths = current_limits(), []
    for path in folder.rglob("*"):
        if not is_hidden(path.relative_to(folder).parts) and reach.check(path).is_file():
            paths.append(path)
            limits.check_files(len(paths), str(folder))
    files = {PurePosixPath(path.relative_to(folder)): _opener(path, reach) for path in sorted(paths)}
    return Tree(str(folder), folder.resolve().name, "folder", files)


def tree_of_archive(file: DataFile) -> Tree:
    """All members of a zip archive."""
    members = members_of(file.path, file.location)
    files = {
        PurePosixPath(member): _member(file, member)
        for member in sorted(members)
        if not is_hidden(PurePosixPath(member).parts)
    }
    return Tree(file.location, file.stem, "zip", files)


def open_tree(
    tree: Tree,
    open_file: Open,
    *,
    config: str | None = None,
    splits: Sequence[str] = (),
    encoding: str | None = None,
) -> Source:
    """Read the data files of a folder or an archive as one source.

    Parameters
    ----------
    tree : Tree
    open_file : callable
        Opens one of the files.
    config : str, optional
        Which of the sets that the folder's ``README.md`` describes.
    splits : sequence of str
        The splits to be read; all of them if it is empty.
    encoding : str, optional
        Codec of the texts, where each is a file by itself in a folder with the name of its class.

    Raises
    ------
    BadInputError
        There are no data files, or several sets of them, or no such configuration or split.
    """
    card = read_card(tree.files[_CARD]()) if _CARD in tree.files else NO_CARD
    configuration = _configuration(tree, card, config)
    if configuration is None and not any(map(_has_known_ending, tree.files)):
        texts = find_text_folders(tree.files, tree.location, tree.name, splits, encoding)
        if texts is not None:
            return texts
    if configuration is not None and configuration.patterns:
        files = _of_patterns(tree, configuration)
    else:
        files = _by_names(tree, None if configuration is None else configuration.folder)
    missing = missing_part(files)
    if missing is not None:
        raise BadInputError(
            f"{tree.location} lacks the file {missing}.", "Download it too; or give the files that are there by a glob."
        )
    source = united([(file, tree.files[file.path]()) for file in files], open_file, tree, splits)
    source.described_classes = card.classes_of(None if configuration is None else configuration.name)
    read = {file.path for file in files}
    unread = [str(path) for path in tree.files if _has_known_ending(path) and path not in read]
    if unread and (configuration is None or not configuration.patterns):
        some = ", ".join(unread[:3]) + (f" and {len(unread) - 3:,} more" if len(unread) > 3 else "")
        source.notices.append(
            Notice(f"Not read, since the names say no split: {some}.", "Give them by name or by a glob.")
        )
    return source


def open_files(
    paths: Sequence[Path], open_file: Open, location: str, splits: Sequence[str] = (), reach: Reach = EVERYWHERE
) -> Source:
    """Read files that were named one by one, or by a glob, as one source; every one of them is read."""
    known = [named(PurePosixPath(path.name)) for path in paths]
    if len({split_role(file.split) for file in known if file.split}) < 2:
        folders = [named(PurePosixPath(*path.parts[-3:])) for path in paths]
        known = folders if all(file.split for file in folders) else known
    if any(file.split for file in known):
        known = [file if file.split else NamedFile(file.path, _title(file.path), "") for file in known]
    ordered = in_order_of_splits(
        [NamedFile(PurePosixPath(p), k.split, k.group) for p, k in zip(paths, known, strict=True)]
    )
    tree = Tree(location, Path(paths[0]).resolve().parent.name, "files", {})
    return united([(file, DataFile(Path(file.path), reach=reach)) for file in ordered], open_file, tree, splits)


def united(files: list[tuple[NamedFile, DataFile]], open_file: Open, tree: Tree, splits: Sequence[str]) -> Source:
    """One source of several files; a single file without a split is a source by itself."""
    if splits:
        there = list(dict.fromkeys(file.split for file, _ in files if file.split))
        names = chosen_names(there, splits, tree.location)
        files = [(file, data) for file, data in files if file.split in names]
    if len(files) == 1 and (files[0][0].split is None or splits):
        source = open_file(files[0][1])
        source.name = tree.name if splits else source.name
        return source
    only = len(splits) == 1
    parts = [Part(open_file(data), None if only else file.split, _title_of(file, tree)) for file, data in files]
    if all(file.split is None for file, _ in files):
        _check_alike(parts, tree.location)
    kinds = {part.source.kind for part in parts}
    return SplitsSource(parts, tree.location, tree.name, kinds.pop() if len(kinds) == 1 else tree.kind)


def _configuration(tree: Tree, card: DatasetCard, config: str | None) -> Configuration | None:
    """The set that was asked for among those of the card; None where the names of the files have to tell."""
    known = card.configurations
    if config is not None:
        if config not in known:
            there = f"It has {', '.join(known)}." if known else "Its README.md names none; leave it out."
            raise BadInputError(f"{tree.location} has no configuration {config!r}.", there)
        return known[config]
    if len(known) > 1:
        default = [entry for entry in known.values() if entry.is_default] or [*filter(None, [known.get("default")])]
        if not default:
            raise BadInputError(
                f"{tree.location} has several configurations: {', '.join(known)}.",
                f"Name one as {tree.location}:{next(iter(known))}.",
            )
        return default[0]
    return next(iter(known.values()), None)


def _of_patterns(tree: Tree, configuration: Configuration) -> list[NamedFile]:
    files: list[NamedFile] = []
    for split, patterns in configuration.patterns.items():
        for pattern in patterns:
            there = [path for path in tree.files if configuration.matches(path, pattern)]
            if not there:
                raise BadInputError(
                    f"{tree.location} has no file {pattern}, which its README.md names for {split}.",
                    "Download it too, or give the files that are there by a glob.",
                )
            files += in_order_of_splits([NamedFile(path, split, "") for path in there])
    return list(dict.fromkeys(files))


def _by_names(tree: Tree, folder: str | None) -> list[NamedFile]:
    """The data files that belong together, by their names."""
    below = [path for path in tree.files if folder is None or path.is_relative_to(folder)]
    paths = [path for path in below if _has_known_ending(path)] or [
        path for path in below if _looks_readable(tree, path)
    ]
    files = [named(path) for path in paths]
    if not files:
        raise BadInputError(
            f"There is no data file in {tree.location}.",
            f"Give a folder of datasets' save_to_disk, or one with files of these formats: {formats_in_words()}.",
        )
    with_splits = [file for file in files if file.split is not None]
    if not with_splits:
        _refuse_several_sets({file.group for file in files}, tree)
        return in_order_of_splits(files)
    _refuse_several_sets({file.group for file in with_splits if split_role(file.split or "") == TRAIN}, tree)
    return in_order_of_splits(with_splits)


def _refuse_several_sets(groups: set[str], tree: Tree) -> None:
    if len(groups) > 1:
        some = ", ".join(sorted(group or "." for group in groups)[:5])
        raise BadInputError(
            f"{tree.location} holds several sets of files: {some}.",
            "Give one of the folders in it, or the files of one set by a glob such as folder/*.csv.",
        )


def _check_alike(parts: Sequence[Part], location: str) -> None:
    """Refuse files without splits that have other columns: they are hardly parts of one table."""
    first = parts[0].source.columns()
    for part in parts[1:]:
        if set(part.source.columns()) != set(first):
            raise BadInputError(
                f"{part.title} of {location} has other columns than {parts[0].title}, and their names are no splits.",
                "Give one of the files; or call them train, validation and test.",
            )


def _opener(path: Path, reach: Reach) -> Callable[[], DataFile]:
    return lambda: DataFile(path, reach=reach)


def _member(file: DataFile, member: str) -> Callable[[], DataFile]:
    location = f"{file.location}/{member}"
    return lambda: DataFile(file.path, member=member, location=location, keep=file, reach=file.reach)


def _title_of(file: NamedFile, tree: Tree) -> str:
    return str(file.path) if tree.files else file.path.name


def _title(path: PurePosixPath) -> str:
    return path.name.split(".")[0]


def is_hidden(parts: Sequence[str]) -> bool:
    """Whether a path is one of those that systems hide."""
    return any(part.startswith((".", "__")) for part in parts)


def _inner(path: PurePosixPath) -> PurePosixPath:
    return path.with_suffix("") if path.suffix.lower() in CONTAINER_ENDINGS else path


def _has_known_ending(path: PurePosixPath) -> bool:
    inner = _inner(path)
    return inner.stem.lower() not in _NO_DATA and any(inner.suffix.lower() in f.endings for f in all_formats())


def _looks_readable(tree: Tree, path: PurePosixPath) -> bool:
    inner = _inner(path)
    if inner.stem.lower() in _NO_DATA or inner.suffix.lower() in _NO_DATA_ENDINGS:
        return False
    return format_by_looks(tree.files[path]().beginning) is not None
