"""Loading a tokenizer and a sequence classifier from wherever `models.locate_model` found them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from diet_explorer.config import load_settings
from diet_explorer.data.manifest import DatasetManifest
from diet_explorer.errors import ModelError
from diet_explorer.store.network import network_trouble
from diet_explorer.training.batches import PaddingCollator
from diet_explorer.training.config import RunConfig
from diet_explorer.training.models import ModelSource, recorded_model

_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.py"]


def load_tokenizer(source: ModelSource, *, trust_remote_code: bool = False) -> Any:
    """The model's tokenizer, with a padding token; ModelError where there is none or it cannot be loaded."""
    with _model_errors(source):
        tokenizer = AutoTokenizer.from_pretrained(_place(source), trust_remote_code=trust_remote_code)
    # without tokenizer files transformers makes an empty one, to which every word is unknown
    if len(tokenizer.get_vocab()) <= len(tokenizer.all_special_tokens):
        raise ModelError(
            f"The model {source.name!r} comes without a tokenizer.",
            "Save its tokenizer into the same place with tokenizer.save_pretrained.",
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ModelError(
                f"The tokenizer of {source.name!r} has neither a padding nor an end token.",
                "Add a padding token to it and save it again, or choose another model.",
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_classifier(
    source: ModelSource, classes: Sequence[str], seed: int, pad_token_id: int | None, *, trust_remote_code: bool = False
) -> Any:
    """A sequence classifier in fp32 with a new classification layer, initialised from `seed`; decoders need
    `pad_token_id` to find the last token. ModelError where the weights are missing, damaged, or not those of a text
    model."""
    transformers.set_seed(seed)
    with _model_errors(source):
        place = _place(source)
        config = AutoConfig.from_pretrained(
            place,
            num_labels=len(classes),
            id2label=dict(enumerate(classes)),
            label2id={name: code for code, name in enumerate(classes)},
            trust_remote_code=trust_remote_code,
        )
        config.problem_type = "single_label_classification"
        if config.get_text_config().pad_token_id is None:
            config.get_text_config().pad_token_id = pad_token_id
        return AutoModelForSequenceClassification.from_pretrained(
            place,
            config=config,
            dtype="float32",
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # a classification layer of other classes is replaced by a new one
            trust_remote_code=trust_remote_code,
        )


def load_for_run(config: RunConfig, manifest: DatasetManifest, seed: int) -> tuple[Any, Any, PaddingCollator]:
    """Tokenizer, classifier and collator of a run's settings and dataset, as the settings of the program allow;
    ModelError where the model cannot be loaded."""
    trusted = load_settings().trust_remote_code
    source = recorded_model(config.model)
    tokenizer = load_tokenizer(source, trust_remote_code=trusted)
    model = load_classifier(source, manifest.classes, seed, tokenizer.pad_token_id, trust_remote_code=trusted)
    return tokenizer, model, PaddingCollator.of(tokenizer)


def _place(source: ModelSource) -> str:
    """What transformers is told: a folder, or the id of a model of the Hub, which it might take for a folder."""
    if source.is_local or not Path(source.location).exists():
        return source.location
    from huggingface_hub import snapshot_download

    return str(snapshot_download(source.location, allow_patterns=_FILES))


@contextmanager
def _model_errors(source: ModelSource) -> Iterator[None]:
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    except Exception as error:
        trouble = None if source.is_local else network_trouble(error)
        if trouble is not None:
            raise ModelError(
                f"The model {source.name!r} cannot be loaded from the Hub: {trouble.reason}.",
                f"{trouble.remedy} Or choose a local folder or the bundled model.",
            ) from error
        if not isinstance(error, OSError | ValueError | KeyError | RuntimeError | SafetensorError | ImportError):
            raise
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        remedy = (
            "Check that the folder holds a text model saved by save_pretrained, with its tokenizer and safetensors."
            if source.is_local
            else "Check the spelling of the Hub id and the network, log in if the model is gated, or choose a local "
            "folder or the bundled model."
        )
        raise ModelError(f"The model {source.name!r} cannot be loaded: {reason.rstrip('.')}.", remedy) from error
    finally:
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()
