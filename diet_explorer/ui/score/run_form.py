"""The settings of a new run: a form that explains itself, keeps its values, and can be filled from another run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import streamlit as st

from diet_explorer.errors import DietExplorerError
from diet_explorer.training.config import (
    BUNDLED,
    MAX_EPOCHS,
    MAX_MEMORY_GB,
    MAX_SEEDS,
    GradientMode,
    RunConfig,
    default_checkpoints,
    parse_checkpoints,
)
from diet_explorer.ui.shell.boundary import show_error
from diet_explorer.ui.shell.controls import is_shown, mirrored
from diet_explorer.ui.shell.workspace import open_workspace
from diet_explorer.workspace.dataset import Dataset

DEFAULT_SEEDS = 3
_MODEL_KINDS = {"bundled": "Bundled MiniLM", "folder": "Local folder", "hub": "Hub id"}
_MODEL_HINTS = {
    "bundled": "all-MiniLM-L6-v2",
    "folder": "Folder with config.json and model.safetensors",
    "hub": "owner/name, such as distilbert/distilbert-base-uncased",
}
_GRAND = {
    "all": "All parameters",
    "head": "Classifier only",
    "off": "Off",
}
_GRAND_MEANING = {
    "all": "GraNd over all parameters: the exact gradient norm of every example over every weight. It costs most.",
    "head": "GraNd of the classifier only: a closed form that costs next to nothing; the choice of Fayyaz et al. 2022.",
    "off": "No gradient norms; EL2N, loss, margin, entropy and the probability of the label are recorded.",
}
_COMMON_CHECKPOINTS = ("0", "0.25", "0.5", "0.75", "1", "1.5", "2", "3")
_FORM = "run-form-values"
_Values = dict[str, Any]


def fill_form(config: RunConfig) -> None:
    """Put a run's settings into the form, to be changed and started again."""
    is_folder = config.model.startswith(("/", ".", "~"))
    kind = "bundled" if config.model == BUNDLED else "folder" if is_folder else "hub"
    st.session_state[_FORM] = {
        "model-kind": kind,
        "model": "" if kind == "bundled" else config.model,
        "epochs": config.epochs,
        "seeds": config.seeds,
        "checkpoints": _as_texts(config.checkpoints),
        "batch-size": config.batch_size,
        "max-length": config.max_length,
        "learning-rate": f"{config.learning_rate:g}",
        "grand": config.grand,
        "diet": round(100 * config.diet),
        "memory": config.memory_gb,
        "gpu": config.gpu,
    }


def draw_form(dataset: Dataset) -> RunConfig | None:
    """Draw the form; the settings, or None where one of them cannot be used (which is then said).

    The values are kept in the session, so that they are still there after a look at another page.
    """
    if _FORM not in st.session_state:
        fill_form(RunConfig(dataset_id="", seeds=DEFAULT_SEEDS))
    values: _Values = st.session_state[_FORM]
    left, right = st.columns(2, gap="small", vertical_alignment="bottom")
    with left:
        _model_kind(values)
    with right:
        _text("model", "Folder or id", values, placeholder=_MODEL_HINTS[values["model-kind"]])
    left, middle, right, last = st.columns(4, gap="medium")
    with left:
        _whole(
            "epochs",
            "Epochs",
            (1, MAX_EPOCHS),
            values,
            "Passes over the training split. Scores need about one epoch to settle.",
        )
    with middle:
        _whole(
            "seeds",
            "Seeds",
            (1, MAX_SEEDS),
            values,
            "Independent trainings; scores are shown with their mean and spread over seeds. Time grows with them.",
        )
    with right:
        _text(
            "learning-rate",
            "Learning rate",
            values,
            help="5e-5 suits a small encoder, 2e-5 one of BERT-base size and up.",
        )
    with last:
        _whole(
            "diet",
            "Diet (%)",
            (1, 100),
            values,
            "Epochs after the first train on so many per cent of the examples: those with the highest EL2N after the "
            "epoch before, without the very highest. 100 is ordinary training. All examples are scored in any case.",
        )
    _checkpoints(values)
    left, middle, right = st.columns(3, gap="medium")
    with left:
        _whole("batch-size", "Batch size", (1, 4096), values, "Examples per training step.")
    with middle:
        _whole(
            "max-length",
            "Max length (tokens)",
            (4, 100_000),
            values,
            "Longer texts are cut off here; the dataset's report says how many that is.",
        )
    with right:
        _gradient_mode(values)
    st.html(f'<p class="de-quiet">{_GRAND_MEANING[values["grand"]]}</p>')
    left, middle, _ = st.columns(3, gap="medium", vertical_alignment="bottom")
    with left:
        _whole(
            "memory",
            "Least memory (GB)",
            (0, MAX_MEMORY_GB),
            values,
            "The run waits for a worker whose machine has so much memory; 0 is any.",
        )
    with middle:
        _gpu(values)
    try:
        return _config(dataset, values)
    except DietExplorerError as error:
        show_error(error, key="form-error")
        return None


def _keep(name: str, key: str) -> None:
    """Callback of every control: take its value into the form."""
    if not is_shown(key):
        return
    values: _Values = st.session_state[_FORM]
    before = values["epochs"]
    values[name] = st.session_state[key]
    # the default list of checkpoints follows the number of epochs; a list of the user's own is left alone
    if name == "epochs" and values["checkpoints"] == _as_texts(default_checkpoints(before)):
        values["checkpoints"] = _as_texts(default_checkpoints(values["epochs"]))


def _whole(name: str, title: str, limits: tuple[int, int], values: _Values, help: str) -> None:
    with mirrored(f"run-{name}", values[name]) as (key, default):
        st.number_input(title, *limits, default, key=key, help=help, on_change=_keep, args=(name, key))


def _text(name: str, title: str, values: _Values, *, placeholder: str = "", help: str | None = None) -> None:
    is_model = name == "model"
    with mirrored(f"run-{name}", values[name]) as (key, default):
        st.text_input(
            title,
            default,
            key=key,
            help=help,
            placeholder=placeholder,
            disabled=is_model and values["model-kind"] == "bundled",
            label_visibility="collapsed" if is_model else "visible",
            on_change=_keep,
            args=(name, key),
        )


def _model_kind(values: _Values) -> None:
    with mirrored("run-model-kind", values["model-kind"]) as (key, default):
        st.segmented_control(
            "Model",
            list(_MODEL_KINDS),
            default=default,
            key=key,
            format_func=_MODEL_KINDS.__getitem__,
            required=True,
            width="stretch",
            help="MiniLM (22 million parameters) comes with the program and needs no network.",
            on_change=_keep,
            args=("model-kind", key),
        )


def _checkpoints(values: _Values) -> None:
    with mirrored("run-checkpoints", values["checkpoints"]) as (key, default):
        st.multiselect(
            "Checkpoints (epochs at which every example is scored; type a number to add one)",
            sorted({*values["checkpoints"], *default, *_COMMON_CHECKPOINTS}, key=_order),
            default,
            key=key,
            accept_new_options=True,
            help="0 is before training (for comparison only); fractions such as 0.25 lie within the first epoch.",
            on_change=_keep,
            args=("checkpoints", key),
        )


def _gpu(values: _Values) -> None:
    with mirrored("run-gpu", values["gpu"]) as (key, default):
        st.checkbox(
            "Only with a GPU",
            default,
            key=key,
            help="The run waits for such a worker.",
            on_change=_keep,
            args=("gpu", key),
        )


def _gradient_mode(values: _Values) -> None:
    with mirrored("run-grand", values["grand"]) as (key, default):
        st.selectbox(
            "GraNd",
            list(_GRAND),
            index=list(_GRAND).index(default),
            key=key,
            format_func=_GRAND.__getitem__,
            help="How far a single example would move the weights; the norm of its gradient.",
            on_change=_keep,
            args=("grand", key),
        )


def _config(dataset: Dataset, values: _Values) -> RunConfig:
    config = RunConfig(
        dataset_id=dataset.id,
        model=BUNDLED if values["model-kind"] == "bundled" else values["model"].strip(),
        epochs=values["epochs"],
        seeds=values["seeds"],
        checkpoints=parse_checkpoints(",".join(values["checkpoints"])),
        grand=cast(GradientMode, values["grand"]),
        batch_size=values["batch-size"],
        max_length=values["max-length"],
        learning_rate=_learning_rate(values["learning-rate"]),
        diet=values["diet"] / 100,
        gpu=values["gpu"],
        memory_gb=values["memory"],
    ).validated()
    open_workspace().model(config.model)
    return config


def _learning_rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _as_texts(points: Sequence[float]) -> list[str]:
    return [f"{point:g}" for point in points]


def _order(text: str) -> tuple[int, float]:
    try:
        return 0, float(text)
    except ValueError:
        return 1, 0.0
