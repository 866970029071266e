"""Files import from their own folder's floor and from floors below it, in no circle; heavy libraries stay in theirs."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "diet_explorer"
# top to bottom; a folder, or a file at the package's root, is a floor, and those on one line do not import each other
FLOORS = [
    {"app", "pages", "cli"},
    {"ui"},
    {"workspace"},
    {"jobs", "drawing"},
    {"pruning", "analysis"},
    {"scoring"},
    {"review", "training"},
    {"data"},
    {"store"},
    {"config"},
    {"errors"},
    {"redaction"},
]
BROWSER_ONLY = {"streamlit": {"app", "pages", "ui"}, "plotly": {"pages", "ui", "drawing"}}
TORCH = {"torch", "transformers", "accelerate"}
SLOW_TO_LOAD = {"umap", "pynndescent", "numba", "tantivy", "sklearn", "krippendorff"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> str:
    """The folder, or the file at the root, that a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "diet_explorer" and len(parts) > 1 else parts[0]


FILES = {module_of(path): path for path in [*PACKAGE.rglob("*.py"), ROOT / "app.py", *(ROOT / "pages").glob("*.py")]}
FRONT = "diet_explorer"  # loads what it offers when that is asked for


def imports(path: Path) -> list[tuple[str, bool]]:
    """Full names of what a file imports, and whether at its top level; imports for type checking count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [(f"{node.module}.{alias.name}", id(node) in top) for alias in node.names]
    return names


def graph() -> dict[str, set[str]]:
    """The files of the program that each of them imports."""
    edges: dict[str, set[str]] = {}
    for module, path in FILES.items():
        named = {name if name in FILES else name.rpartition(".")[0] for name, _ in imports(path)}
        edges[module] = (named & FILES.keys()) - {module, FRONT}
    return {module: edges[module] for module in edges if module != FRONT}


def test_imports_go_downward():
    depth = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = [
        f"{module} imports {other}"
        for module, others in graph().items()
        for other in others
        if floor_of(other) != floor_of(module) and depth[floor_of(other)] <= depth[floor_of(module)]
    ]
    assert sorted(wrong) == []


def test_no_file_imports_another_in_a_circle():
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_heavy_libraries_stay_in_their_folders():
    wrong = []
    for module, path in FILES.items():
        own = floor_of(module)
        for name, at_top in imports(path):
            library = name.split(".")[0]
            torch_belongs = own in ("training", "scoring") or path.name in ("projection.py", "proof.py")
            if (
                (library in BROWSER_ONLY and own not in BROWSER_ONLY[library])
                or (library in SLOW_TO_LOAD and at_top)
                or (library in TORCH and at_top and not torch_belongs)
            ):
                wrong.append(f"{module} imports {library}")
    assert sorted(wrong) == []


@pytest.mark.parametrize(
    "statement", ["import diet_explorer", "import diet_explorer.workspace.workspace", "import diet_explorer.cli.app"]
)
def test_front_doors_load_no_torch(statement):
    heavy = {"torch", "transformers", "streamlit", "plotly", "umap", "numba"}
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
