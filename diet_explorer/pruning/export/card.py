"""The dataset card of a pushed export: what was pruned and why, written into the card that is there.

Our text stands between two markers, so that a later push replaces it and nothing else. Of the YAML at the top the lines
of other keys stay as they are, letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from diet_explorer.errors import HubError
from diet_explorer.pruning.export.card_text import BEGIN, CardProof, section

CARD_NAME = "README.md"
DEFAULT_CONFIG = "default"
OTHER_CONFIG = "pruned"
"""Our configuration's name where the card's owner has one called default."""

_FRONT = re.compile(r"\A---[ \t]*\r?\n(?P<yaml>(?:.*\r?\n)*?)---[ \t]*(?:\r?\n|\Z)")
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w-]*)\s*:(?:\s|$)")
_SECTION = re.compile(re.escape(BEGIN) + r" config=(?P<config>\w+) -->.*?<!-- diet-explorer: end -->", re.DOTALL)
_END = "<!-- diet-explorer: end -->"
TEXT_FORMATS = ("csv", "jsonl")
_INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_CSV_TYPES = {**{name: name for name in _INTEGERS}, "float": "float32", "double": "float64", "bool": "bool"}
"""Columns that CSV writes as numbers and truth values, and what the `datasets` library calls them; others are texts."""


@dataclass(frozen=True)
class Card:
    """A card in its parts: the YAML's text (None if there is none), what it says, and the text below it."""

    front: str | None
    data: dict[str, Any]
    body: str

    @property
    def own_config(self) -> str | None:
        """Name of the configuration that an earlier push described; None if none did."""
        section = _SECTION.search(self.body)
        return None if section is None else section["config"]


def parsed_card(text: str, repo: str) -> Card:
    """Take a card apart.

    Raises
    ------
    HubError
        What stands at its top is not YAML; it is not touched then.
    """
    front = _FRONT.match(text)
    if front is None:
        return Card(None, {}, text)
    try:
        data = yaml.safe_load(front["yaml"])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 2})"
        raise HubError(
            f"The card ({CARD_NAME}) of {repo} on the Hub begins with lines that are not YAML{where}.",
            "Correct them there, then push again.",
        ) from error
    if data is not None and not isinstance(data, dict):
        raise HubError(
            f"The card ({CARD_NAME}) of {repo} on the Hub begins with YAML that is not a list of keys.",
            "Correct it there, then push again.",
        )
    return Card(front["yaml"], data or {}, text[front.end() :])


def merged_card(text: str | None, manifest: Mapping[str, Any], repo: str, proof: CardProof) -> str:
    """A card that describes an export: a new one, or the one that is there with our part put in or brought up to date.

    Parameters
    ----------
    text : str or None
        The card that is there.
    manifest : mapping
        The export's ``manifest.json``.
    repo : str
        ``OWNER/NAME``.
    proof : CardProof
        What retraining showed; may be empty.

    Raises
    ------
    HubError
        The card cannot be read.
    """
    newline = "\r\n" if text is not None and "\r\n" in text else "\n"
    card = parsed_card(text or f"# {_title(manifest, repo)}\n", repo)
    config = card.own_config or (OTHER_CONFIG if DEFAULT_CONFIG in _config_names(card.data) else DEFAULT_CONFIG)
    own = _own_keys(card.data, manifest, config)
    front = _merged_front(card, own).replace("\r\n", "\n").replace("\n", newline)
    part = f"{BEGIN} config={config} -->\n{section(manifest, proof)}\n{_END}".replace("\n", newline)
    if _SECTION.search(card.body):
        body = _SECTION.sub(lambda _: part, card.body, count=1)
    else:
        body = card.body.rstrip() + 2 * newline + part + newline
    return f"---{newline}{front}---{newline}{body}"


def has_configs(text: str | None, repo: str) -> bool:
    """Whether a card says which files are the data, so that further files change nothing for those who load it."""
    return text is not None and bool(parsed_card(text, repo).data.get("configs"))


def _own_keys(data: Mapping[str, Any], manifest: Mapping[str, Any], config: str) -> dict[str, Any]:
    """The keys that we add or change, with their whole new values."""
    tags = data.get("tags") or []
    tags = list(tags) if isinstance(tags, list) else [tags]
    own: dict[str, Any] = {
        "configs": _with_entry(data.get("configs"), config, _config_entry(manifest, config)),
        "tags": tags if "diet-explorer" in tags else [*tags, "diet-explorer"],
    }
    if "task_categories" not in data:
        own["task_categories"] = ["text-classification"]
    infos = data.get("dataset_info")
    entry = _types_entry(manifest, config) if manifest["options"]["format"] in TEXT_FORMATS else None
    if entry is not None or config in _config_names({"configs": infos}):
        kept = _with_entry(infos, config, entry)
        own["dataset_info"] = kept if len(kept) != 1 else kept[0]
    return own


def _config_entry(manifest: Mapping[str, Any], config: str) -> dict[str, Any]:
    files: dict[str, list[str]] = {}
    for file in manifest["files"]:
        if file["split"] is not None:
            files.setdefault(file["split"], []).append(file["path"])
    listed = [{"split": split, "path": paths[0] if len(paths) == 1 else paths} for split, paths in files.items()]
    entry: dict[str, Any] = {"config_name": config, "data_files": listed}
    if manifest["options"]["format"] == "csv":
        numbers = [column["name"] for column in manifest["columns"] if column["type"] in _CSV_TYPES]
        entry |= {"keep_default_na": False, "na_values": {name: [""] for name in numbers}}  # a text "NA" is a text
    return entry


def _types_entry(manifest: Mapping[str, Any], config: str) -> dict[str, Any]:
    """The columns' types for formats that do not hold them, so that "007" stays a text when it is loaded."""
    from datasets import DatasetInfo, Features
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    is_csv = manifest["options"]["format"] == "csv"
    features = {
        entry["name"]: {"dtype": _csv_type(entry), "_type": "Value"}
        if is_csv or manifest["features"][entry["name"]].get("_type") == "ClassLabel"
        else manifest["features"][entry["name"]]
        for entry in manifest["columns"]
    }
    card = DatasetCardData()
    info = DatasetInfo(features=Features.from_dict(features))
    DatasetInfosDict({config: info}).to_dataset_card_data(card)
    return {"config_name": config, **card.get("dataset_info")}


def _csv_type(column: Mapping[str, Any]) -> str:
    """How a column of CSV is loaded; whole numbers and truth values leave no room for an empty cell."""
    kind = _CSV_TYPES.get(column["type"], "string")
    if not column["nulls"]:
        return kind
    return "float64" if kind in _INTEGERS else "string" if kind == "bool" else kind


def _with_entry(entries: Any, config: str, entry: dict[str, Any] | None) -> list[Any]:
    """A list of entries with the one of that configuration replaced, put at the end, or (None) left out."""
    listed = entries if isinstance(entries, list) else [] if entries is None else [entries]
    kept = [other for other in listed if _config_name(other) != config]
    return kept if entry is None else [*kept, entry]


def _config_names(data: Mapping[str, Any]) -> set[str]:
    entries = data.get("configs")
    listed: Iterable[Any] = entries if isinstance(entries, list) else [] if entries is None else [entries]
    return {_config_name(entry) for entry in listed}


def _config_name(entry: Any) -> str:
    return str(entry.get("config_name", DEFAULT_CONFIG)) if isinstance(entry, dict) else str(entry)


def _merged_front(card: Card, own: Mapping[str, Any]) -> str:
    """The YAML with our keys: lines of other keys unchanged; written anew only where its lines are no plain keys."""
    wanted = {key: value for key, value in {**card.data, **own}.items() if value or key not in own}
    changed = {key: value for key, value in own.items() if value and card.data.get(key) != value}
    kept = "".join(_lines_but(card.front or "", {key for key in own if card.data.get(key) != own[key]}))
    if kept and not kept.endswith("\n"):
        kept += "\n"
    front = kept + "".join(_dumped({key: value}) for key, value in changed.items())
    try:
        good = (yaml.safe_load(front) or {}) == wanted
    except yaml.YAMLError:
        good = False
    return front if good else _dumped(wanted)


def _lines_but(front: str, keys: set[str]) -> Sequence[str]:
    """The lines of a YAML text but those of some top-level keys; comments and empty lines between keys stay."""
    kept: list[str] = []
    pending: list[str] = []
    leaving = False
    for line in front.splitlines(keepends=True):
        key = _KEY.match(line)
        if key is not None:
            leaving = key["key"] in keys
            kept += pending
            pending = []
        if not leaving:
            kept.append(line)
        elif line.startswith("#") or not line.strip():
            pending.append(line)
        else:
            pending = []
    return [*kept, *pending]


def _dumped(value: Mapping[str, Any]) -> str:
    """YAML with letters as they are, unless they hold something like U+0085, which would be read as a line's end."""
    text: str = yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True, width=1000)
    return text if yaml.safe_load(text) == value else yaml.safe_dump(dict(value), sort_keys=False, width=1000)


def _title(manifest: Mapping[str, Any], repo: str) -> str:
    return " ".join(str(manifest["dataset"].get("name") or repo.split("/")[-1]).split())
