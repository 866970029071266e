"""The gradient engine and its peers on one GPU, in less than ten minutes; two markdown tables a model.

    python -m tests.benchmarks.gpu                  # on CUDA
    python -m tests.benchmarks.gpu --tiny           # every step with tiny models, on any machine, in a minute
    python -m tests.benchmarks.gpu --profile FILE   # a trace of one pass for each model, for chrome://tracing

BERT-base's size at 32, 128 and 384 tokens, and a Llama of half a billion parameters with a classification head at 256
tokens: all of its parameters, and LoRA's adapters alone. Each in fp32 and under bf16 autocast, against forward and
backward, a loop over examples, Opacus and dattri-llm.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForSequenceClassification
from transformers.utils import logging

from diet_explorer.scoring.gradients.norms import GradientNorms
from tests.benchmarks.gradient_norms import compare, random_texts

PEERS = ["plain", "this pass", "loop", "Opacus ghost", "dattri"]


def bert(tiny: bool) -> nn.Module:
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    return BertForSequenceClassification(BertConfig(num_labels=3, **(small if tiny else {})))


def llama(tiny: bool) -> nn.Module:
    """A Llama of half a billion parameters."""
    width, layers = (64, 2) if tiny else (1024, 24)
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=width,
        intermediate_size=width * 19 // 4,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        pad_token_id=0,
        num_labels=3,
    )
    return LlamaForSequenceClassification(config)


def adapted(model: nn.Module) -> nn.Module:
    """With LoRA on queries and values, and the head."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=16, target_modules=["q_proj", "v_proj"]))


def profile(title: str, model: nn.Module, length: int, rows: int, device: str, into: Path) -> None:
    """A trace of the second pass over one batch, and the ten operations that took most."""
    batch, labels = random_texts(length, rows)
    on_device = {name: value.to(device) for name, value in batch.items()}
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with GradientNorms(copy.deepcopy(model).to(device)) as engine:
        engine(on_device, labels.to(device))
        with torch.profiler.profile(activities=kinds) as watched:
            engine(on_device, labels.to(device))
    file = into.with_name(f"{into.stem}-{title.replace(' ', '-')}.json")
    watched.export_chrome_trace(str(file))
    order = "cuda_time_total" if device == "cuda" else "cpu_time_total"
    print(f"\n{title}: {file}\n{watched.key_averages().table(sort_by=order, row_limit=10)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", type=Path, metavar="FILE")
    parser.add_argument(
        "--methods", nargs="*", default=PEERS, help="only methods whose names contain one of these words"
    )
    args = parser.parse_args()
    args.device = "cuda" if torch.cuda.is_available() else "cpu"
    args.bf16 = True
    if args.device == "cpu" and not args.tiny:
        parser.error("there is no CUDA device; --tiny goes through all steps without one")
    logging.set_verbosity_error()
    name = torch.cuda.get_device_name() if args.device == "cuda" else "no GPU"
    print(f"torch {torch.__version__}, {name}, {args.repeats} repeats")
    began = time.perf_counter()
    tokens = 512 if args.tiny else 16_384
    for length in (32, 128, 384):
        torch.manual_seed(0)
        model, rows = bert(args.tiny), max(2, tokens // length)
        compare(f"BERT-base size, {rows} × {length} tokens", model, [random_texts(length, rows)], args, stride=1)
    torch.manual_seed(0)
    large, rows = llama(args.tiny), max(2, tokens // 2 // 256)
    cases = {"Llama, 0.5 billion parameters": large, "Llama, LoRA alone": adapted(copy.deepcopy(large))}
    for title, model in cases.items():
        compare(f"{title}, {rows} × 256 tokens", model, [random_texts(256, rows)], args, stride=1)
    if args.profile:
        profile("BERT 128", bert(args.tiny), 128, max(2, tokens // 128), args.device, args.profile)
        profile("Llama 256", large, 256, rows, args.device, args.profile)
    print(f"\n{time.perf_counter() - began:.0f} seconds in all")


if __name__ == "__main__":
    main()
