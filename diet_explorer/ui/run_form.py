"""The settings of a new run: a form that explains itself, keeps its values, and can be filled from another run."""

from __future__ import annotations

from typing import Any, cast

import streamlit as st

from diet_explorer.dataset import Dataset
from diet_explorer.errors import DietExplorerError
from diet_explorer.training.config import (
    BUNDLED,
    MAX_EPOCHS,
    MAX_SEEDS,
    GradientMode,
    RunConfig,
    default_checkpoints,
    parse_checkpoints,
)
from diet_explorer.training.models import locate_model
from diet_explorer.ui import library, words
from diet_explorer.ui.boundary import show_error

DEFAULT_SEEDS = 3
_MODEL_KINDS = {"bundled": "Bundled MiniLM", "folder": "Local folder", "hub": "Hub id"}
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
_PREFIX = "run-"


def initialise_form() -> None:
    """Set the defaults once per session."""
    if f"{_PREFIX}epochs" not in st.session_state:
        fill_form(RunConfig(dataset_id="", seeds=DEFAULT_SEEDS))


def fill_form(config: RunConfig) -> None:
    """Put a run's settings into the form, to be changed and started again."""
    is_folder = config.model.startswith(("/", ".", "~"))
    kind = "bundled" if config.model == BUNDLED else "folder" if is_folder else "hub"
    values: dict[str, Any] = {
        "model-kind": kind,
        "model": "" if kind == "bundled" else config.model,
        "epochs": config.epochs,
        "seeds": config.seeds,
        "checkpoints": [f"{point:g}" for point in config.checkpoints],
        "batch-size": config.batch_size,
        "max-length": config.max_length,
        "learning-rate": f"{config.learning_rate:g}",
        "grand": config.grand,
    }
    for name, value in values.items():
        st.session_state[_PREFIX + name] = value
    st.session_state["run-epochs-before"] = config.epochs


def draw_form(dataset: Dataset) -> RunConfig | None:
    """Draw the form; the settings, or None where one of them cannot be used (which is then said)."""
    initialise_form()
    _model()
    left, middle, right = st.columns(3, gap="medium")
    with left:
        st.number_input(
            "Epochs",
            1,
            MAX_EPOCHS,
            key="run-epochs",
            persist_state="session",
            on_change=_epochs_changed,
            help="Passes over the training split. Scores need about one epoch to settle.",
        )
    with middle:
        st.number_input(
            "Seeds",
            1,
            MAX_SEEDS,
            key="run-seeds",
            persist_state="session",
            help="Independent trainings; scores are shown with their mean and spread over seeds. Time grows with them.",
        )
    with right:
        st.text_input(
            "Learning rate",
            key="run-learning-rate",
            persist_state="session",
            help="5e-5 suits a small encoder, 2e-5 one of BERT-base size and up.",
        )
    options = sorted(
        {*st.session_state["run-checkpoints"], "0", "0.25", "0.5", "0.75", "1", "1.5", "2", "3"}, key=_order
    )
    st.multiselect(
        "Checkpoints (epochs at which every example is scored; type a number to add one)",
        options,
        key="run-checkpoints",
        accept_new_options=True,
        persist_state="session",
        help="0 is before training (for comparison only); fractions such as 0.25 lie within the first epoch.",
    )
    left, middle, right = st.columns(3, gap="medium")
    with left:
        st.number_input(
            "Batch size", 1, 4096, key="run-batch-size", persist_state="session", help="Examples per training step."
        )
    with middle:
        st.number_input(
            "Max length (tokens)",
            4,
            100_000,
            key="run-max-length",
            persist_state="session",
            help="Longer texts are cut off here; the dataset's report says how many that is.",
        )
    with right:
        st.selectbox(
            "GraNd",
            list(_GRAND),
            key="run-grand",
            format_func=_GRAND.__getitem__,
            persist_state="session",
            help="How far a single example would move the weights; the norm of its gradient.",
        )
    st.html(f'<p class="de-quiet">{_GRAND_MEANING[st.session_state["run-grand"]]}</p>')
    try:
        return _config(dataset)
    except DietExplorerError as error:
        show_error(error, key="form-error")
        return None


def draw_estimate(dataset: Dataset, config: RunConfig) -> None:
    """What the run will take."""
    cost = library.workspace().estimate(dataset, config)
    st.html(
        '<div class="de-figures">'
        f"<div><b>{words.duration(cost.seconds_total)}</b><span>expected in all</span></div>"
        f"<div><b>{words.duration(cost.seconds_training)}</b><span>training, {cost.steps:,} steps</span></div>"
        f"<div><b>{words.duration(cost.seconds_scoring)}</b><span>scoring, {_scorings(config)}</span></div></div>"
        f'<p class="de-quiet">An estimate {cost.basis}.</p>'
    )


def _scorings(config: RunConfig) -> str:
    return f"{len(config.checkpoints)} × {words.counted(config.seeds, 'seed')}"


def _model() -> None:
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        st.segmented_control(
            "Model",
            list(_MODEL_KINDS),
            key="run-model-kind",
            format_func=_MODEL_KINDS.__getitem__,
            required=True,
            persist_state="session",
            width="stretch",
            help="MiniLM (22 million parameters) comes with the program and needs no network.",
        )
    kind = st.session_state["run-model-kind"]
    with right:
        st.text_input(
            "Folder or id",
            key="run-model",
            persist_state="session",
            disabled=kind == "bundled",
            label_visibility="collapsed",
            placeholder={
                "bundled": "all-MiniLM-L6-v2",
                "folder": "Folder with config.json and model.safetensors",
                "hub": "owner/name, such as distilbert/distilbert-base-uncased",
            }[kind],
        )


def _config(dataset: Dataset) -> RunConfig:
    state = st.session_state
    model = BUNDLED if state["run-model-kind"] == "bundled" else state["run-model"].strip()
    config = RunConfig(
        dataset_id=dataset.id,
        model=model,
        epochs=state["run-epochs"],
        seeds=state["run-seeds"],
        checkpoints=parse_checkpoints(",".join(state["run-checkpoints"])),
        grand=cast(GradientMode, state["run-grand"]),
        batch_size=state["run-batch-size"],
        max_length=state["run-max-length"],
        learning_rate=_learning_rate(state["run-learning-rate"]),
    ).validated()
    locate_model(config.model)
    return config


def _learning_rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _epochs_changed() -> None:
    """Let the default list of checkpoints follow the number of epochs, but leave a list of the user's own alone."""
    state = st.session_state
    before = [f"{point:g}" for point in default_checkpoints(state["run-epochs-before"])]
    if state["run-checkpoints"] == before:
        state["run-checkpoints"] = [f"{point:g}" for point in default_checkpoints(state["run-epochs"])]
    state["run-epochs-before"] = state["run-epochs"]


def _order(text: str) -> tuple[int, float]:
    try:
        return 0, float(text)
    except ValueError:
        return 1, 0.0
