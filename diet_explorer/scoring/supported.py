"""Which trainings of one's own can be scored: the table of the documentation, each line with the test that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Support:
    """One kind of training."""

    kind: str
    verdict: Literal["scored", "refused"]
    words: str
    test: str  # name of the test, in tests/scoring


SUPPORTED: tuple[Support, ...] = (
    Support(
        "Classes made from `Trainer`, `compute_loss`, class weights",
        "scored",
        "by cross-entropy, whatever the loss",
        "test_usual_settings",
    ),
    Support(
        "Label smoothing, bf16 and fp16 (autocast)", "scored", "in the precision of the weights", "test_usual_settings"
    ),
    Support(
        "Gradient accumulation, `auto_find_batch_size`, gradient checkpointing", "scored", "", "test_usual_settings"
    ),
    Support(
        "Grouping by length, `dataloader_drop_last`, `pad_to_multiple_of`, further columns",
        "scored",
        "",
        "test_usual_settings",
    ),
    Support(
        "Early stopping, `load_best_model_at_end`, evaluation on the way",
        "scored",
        "up to where it stops",
        "test_early_stopping_says_where_the_training_ended",
    ),
    Support(
        "`max_steps`, fractions of epochs",
        "scored",
        "epochs as the data loader has them",
        "test_what_is_called_epoch_n_was_scored_after_n_epochs",
    ),
    Support(
        "`IterableDataset`",
        "scored",
        "without a length, as many examples as the training split has are an epoch",
        "test_a_stream_is_scored",
    ),
    Support("`resume_from_checkpoint`", "scored", "in the same run", "test_a_resumed_training_goes_on_in_its_run"),
    Support("`torch.compile`", "scored", "the model inside it", "test_usual_settings"),
    Support(
        "Several processes (`torchrun`, DistributedDataParallel)",
        "scored",
        "each its share",
        "test_two_processes_share_the_scoring_and_one_writes",
    ),
    Support(
        "Several GPUs in one process (DataParallel)",
        "scored",
        "on the first",
        "test_wrapped_models_are_scored_as_what_they_wrap",
    ),
    Support(
        "LoRA and other adapters of PEFT, frozen or quantised base models",
        "scored",
        "gradient norms over what is trained",
        "test_frozen_and_quantised_parts_are_left_out",
    ),
    Support(
        "`nn.Module` with outputs as object, mapping or tuple",
        "scored",
        "its last layer is the classifier; where that is not known, its columns are left out",
        "test_modules_are_scored_by_the_layer_that_makes_the_logits",
    ),
    Support(
        "Several labels per text, regression, one sigmoid, outputs that are probabilities",
        "refused",
        "scores are about one label per text",
        "test_what_cannot_be_scored_is_refused_before_the_first_step",
    ),
    Support(
        "SetFit, sentence-transformers",
        "refused",
        "they embed texts; their outputs can be recorded, see below",
        "test_setfit_and_shared_weights_are_refused_in_one_line",
    ),
    Support(
        "FSDP, DeepSpeed, models on several devices (`device_map`)",
        "refused",
        "no process has all weights",
        "test_setfit_and_shared_weights_are_refused_in_one_line",
    ),
)


def supported_table() -> str:
    """The table in Markdown."""
    lines = [f"| {entry.kind} | {' · '.join(filter(None, (entry.verdict, entry.words)))} |" for entry in SUPPORTED]
    return "\n".join(["| training | what becomes of it |", "|---|---|", *lines])
