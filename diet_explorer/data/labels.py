"""What the labels of a source mean: lists, placeholders, numbers written in two ways, names that look the same."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from diet_explorer.data.report import Notice
from diet_explorer.data.set_aside import Reason

_NO_LABEL_WORDS = """
    nan null none nil na n/a n.a. n.a #n/a <na> - -- --- ? ?? . _ \\n tbd todo missing undefined unlabeled
    unlabelled unannotated unassigned untagged no_label nolabel no-label not_labeled not_labelled (blank)
"""
_NO_LABEL_PHRASES = {"no label", "not labeled", "not labelled", "not annotated", "not available", "not assigned"}
_NO_LABELS = frozenset(_NO_LABEL_WORDS.split()) | _NO_LABEL_PHRASES
_NO_LABEL_NUMBERS = frozenset({-1.0, -100.0, -99.0, -999.0})
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d*)?")
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.?0*")
_WITHOUT_COMMA = re.compile(r"""['"]\s+['"]""")  # numpy writes no commas between the entries of an array
# Cyrillic and Greek letters that look like Latin ones.
_HOMOGLYPHS = str.maketrans("аеіјорсухѕһԁԛԝвкмнтαινορτυχ", "aeijopcyxshdqwbkmhtaivoptux")
# NumPy's numbers without commas, and Python's nan, which is no literal.
_NUMBERS_ONLY = re.compile(r"\[\s*(?:-?[\d.]+|nan)(?:\s+(?:-?[\d.]+|nan))*\s*\]")
_BARE_NAN = re.compile(r"(?<=[\[,\s])nan(?=\s*[,\]])")
_SEPARATORS = "|;,"
_SHOWN = 5


@dataclass(frozen=True)
class LabelReading:
    """What was made of the distinct labels of a source, in the order in which they were given."""

    names: list[str]  # of classes, without repetition
    codes: npt.NDArray[np.int32]  # per given label: its position in `names`; −1 where it is none
    reasons: list[Reason | None]  # per given label: why its rows are set aside
    read_as: list[str]  # what was guessed, in sentences
    doubts: list[Notice]


def read_labels(given: Sequence[str], skipped: Collection[str], *, has_lists: bool) -> LabelReading:
    """Say which class each label stands for.

    Parameters
    ----------
    given : sequence of str
        The distinct labels, trimmed; none is empty.
    skipped : collection of str
        Labels whose rows are left out.
    has_lists : bool
        Whether a label in brackets is a list for certain; if not, it is one where all labels are.
    """
    lists = [parse_list(label) for label in given]
    if not has_lists and not all(entries is not None for entries in lists):
        lists = [None] * len(given)
    vectors = _vectors(given) if any(map(_is_list, lists)) else None
    if vectors is not None:
        lists = [[str(position) for position, value in enumerate(vector) if value] for vector in vectors]
    texts: list[str] = []
    reasons: list[Reason | None] = []
    for label, entries in zip(given, lists, strict=True):
        text = label if entries is None else "".join(entries[:1])
        texts.append(text)
        several = entries is not None and len(entries) > 1
        reasons.append(Reason.SEVERAL_LABELS if several else None if text else Reason.EMPTY_LABEL)
    for position, text in enumerate(texts):
        if reasons[position] is None and any(_is_same(text, label) for label in skipped):
            reasons[position] = Reason.SKIPPED_LABEL
    read_as = ["Labels are lists; those of one label were unpacked."] if any(map(_is_list, lists)) else []
    if vectors is not None:
        read_as = ["Labels are lists of 0 and 1 (one-hot): the class is the place of the 1, counted from 0."]
    usable = {text for text, reason in zip(texts, reasons, strict=True) if reason is None}
    merged, doubts = _merge_numbers(usable)
    texts = [merged.get(text, text) if reason is None else "" for text, reason in zip(texts, reasons, strict=True)]
    names = list(dict.fromkeys(text for text in texts if text))
    position_of = {name: position for position, name in enumerate(names)}
    codes = np.array([position_of.get(text, -1) for text in texts], dtype=np.int32)
    absent = [label for label in skipped if not any(_is_same(text, label) for text in _all_texts(given, lists))]
    if absent:
        doubts.append(
            Notice(
                f"No row has the label {absent[0]!r}, which was to be left out.", "Check its spelling.", "skip_labels"
            )
        )
    return LabelReading(names, codes, reasons, read_as, doubts)


def parse_list(label: str) -> list[str] | None:
    """The distinct labels in a list as JSON, Python or NumPy writes it; None if the label is no list."""
    entries = list_entries(label)
    return None if entries is None else list(dict.fromkeys(filter(None, entries)))


def list_entries(label: str) -> list[str] | None:
    """All entries of such a list, each as often as it is there, those that are none as empty texts."""
    if not (label.startswith("[") and label.endswith("]")):
        return None
    entries = _parsed(label)
    while isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], list):
        entries = entries[0]
    if isinstance(entries, list) and all(isinstance(entry, list) and len(entry) < 2 for entry in entries):
        entries = [entry[0] if entry else None for entry in entries]
    if not isinstance(entries, list) or any(isinstance(entry, list | dict | set | tuple) for entry in entries):
        return None
    return ["" if entry is None or entry != entry else _written(entry) for entry in entries]


def _parsed(label: str) -> object:
    """What a list holds, as JSON, Python, NumPy or pandas writes it; None for what is none."""
    if _NUMBERS_ONLY.fullmatch(label):
        label = f"[{', '.join(label[1:-1].split())}]"
    elif _WITHOUT_COMMA.search(label):
        label = _WITHOUT_COMMA.sub("', '", label)
    entries = _literal(label)
    return _literal(_BARE_NAN.sub("None", label)) if entries is None else entries


def _vectors(given: Sequence[str]) -> list[list[float]] | None:
    """The labels as vectors of 0 and 1 with a place for each class; None where they are anything else."""
    vectors = [_literal(label) for label in given]
    width = len(vectors[0]) if vectors and isinstance(vectors[0], list) else 0
    if width < 2 or not all(isinstance(vector, list) and len(vector) == width for vector in vectors):
        return None
    if not all(isinstance(value, int | float) and value in (0, 1) for vector in vectors for value in vector):  # type: ignore[attr-defined]
        return None
    return vectors  # type: ignore[return-value]


def is_object(label: str) -> bool:
    """Whether a label is an object, as JSON or Python writes it."""
    return label.startswith("{") and label.endswith("}") and isinstance(_literal(label), dict)


def find_no_labels(classes: Iterable[str]) -> list[str]:
    """Class names that look like none: n/a and the like, or a negative number beside classes counted from 0."""
    names = list(classes)
    placeholders = [name for name in names if name.casefold() in _NO_LABELS]
    numbers = {name: float(name) for name in names if _NUMBER.fullmatch(name) and name not in placeholders}
    negative = [name for name, value in numbers.items() if value in _NO_LABEL_NUMBERS]
    others = [value for name, value in numbers.items() if name not in negative]
    if len(numbers) == len(names) - len(placeholders) and others and all(value >= 0 for value in others):
        return [*placeholders, *negative]
    return placeholders


def find_look_alikes(classes: Iterable[str]) -> list[list[str]]:
    """Groups of class names that a reader can hardly tell apart, without those that differ in case alone."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in classes:
        groups[_looks(name)].append(name)
    return [names for names in groups.values() if len({name.casefold() for name in names}) > 1]


def find_joined(classes: Iterable[str]) -> list[str]:
    """Class names that are several in one, such as ``a|b`` where ``a`` and ``b`` are classes or stand in others too."""
    parts = {name: parts for name in classes if (parts := _parts(name))}
    times = Counter(part for joined in parts.values() for part in joined)
    return [name for name, joined in parts.items() if len(joined) > 1 and all(times[part] > 1 for part in joined)]


def same_numbers(classes: Iterable[str]) -> list[list[str]]:
    """Groups of class names that are the same number, such as 1 and 1.0."""
    groups: dict[Decimal, list[str]] = defaultdict(list)
    for name in classes:
        if re.fullmatch(r"[+-]?\d+(\.\d*)?", name):
            groups[Decimal(name)].append(name)
    return [names for names in groups.values() if len(names) > 1]


def _parts(name: str) -> frozenset[str]:
    """What bars, semicolons or commas separate in a name; the name itself where none do."""
    for separator in _SEPARATORS:
        if separator in name:
            return frozenset(part.strip() for part in name.split(separator))
    return frozenset({name})


def _merge_numbers(names: Collection[str]) -> tuple[dict[str, str], list[Notice]]:
    """Names to use instead, where all are numbers and some whole ones are written both as 1 and as 1.0."""
    if not all(_NUMBER.fullmatch(name) for name in names):
        return {}, []
    merged = {name: match[1] for name in names if (match := _WHOLE.fullmatch(name)) and _is_whole(name)}
    merged = {name: "0" if whole == "-0" else whole for name, whole in merged.items()}
    if len(set(merged.values())) == len(merged):
        return {}, []
    groups = [group for group in same_numbers(merged) if len(group) > 1]
    shown = "; ".join(" and ".join(sorted(group)) for group in sorted(groups)[:_SHOWN])
    return merged, [
        Notice(
            f"Labels that are the same number, written in two ways, are read as one class: {shown}.",
            "If they are different classes, give them names that are no numbers.",
        )
    ]


def _is_whole(name: str) -> bool:
    return set(name.partition(".")[2]) <= {"0"}


def _is_same(text: str, label: str) -> bool:
    label = label.strip()
    both_numbers = _NUMBER.fullmatch(text) and _NUMBER.fullmatch(label)
    return text == label or bool(both_numbers and Decimal(text) == Decimal(label))


def _all_texts(given: Sequence[str], lists: Sequence[list[str] | None]) -> list[str]:
    return [
        text for label, entries in zip(given, lists, strict=True) for text in ([label] if entries is None else entries)
    ]


def _is_list(entries: list[str] | None) -> bool:
    return entries is not None


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _written(entry: object) -> str:
    return entry.strip() if isinstance(entry, str) else json.dumps(entry, default=str)


def _looks(name: str) -> str:
    """A name without what cannot be seen in it."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) not in ("Cf", "Cc"))
    return " ".join(visible.casefold().translate(_HOMOGLYPHS).split())
