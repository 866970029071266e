"""Files import only from floors below their own; heavy libraries stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "diet_explorer"
# top to bottom; names on one line share a floor and may not import each other, save the two at the bottom
FLOORS = [
    {"app", "pages", "cli"},
    {"ui"},
    {"workspace"},
    {"jobs"},
    {"pruning", "review", "analysis"},
    {"scoring"},
    {"training"},
    {"data"},
    {"store"},
    {"config", "errors"},
]
BROWSER_ONLY = {"streamlit", "plotly"}
TORCH = {"torch", "transformers", "accelerate"}
SLOW_TO_LOAD = {"umap", "pynndescent", "numba", "tantivy", "sklearn"}


def floor_of(name: str) -> int:
    return next(number for number, names in enumerate(FLOORS) if name in names)


def room_of(path: Path) -> str:
    relative = path.relative_to(ROOT).with_suffix("")
    if relative.parts[0] != "diet_explorer":
        return relative.parts[0]
    return floor_name(relative.parts[1])


def floor_name(name: str) -> str:
    """The floor of a module of the package: the front door and the command line have several files."""
    if name.startswith("run") or name in ("dataset", "Workspace", "Dataset", "Run", "ExampleFilter", "ScoreRecorder"):
        return "workspace"
    return "cli" if name.startswith("cli") else name


def sources() -> list[Path]:
    inside = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    return [*inside, ROOT / "app.py", *(ROOT / "pages").glob("*.py")]


def imports(path: Path) -> list[tuple[str, bool]]:
    """Full module names that a file imports, and whether at its top level."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(f"{node.module}.{alias.name}", id(node) in top) for alias in node.names]
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward(path):
    own = room_of(path)
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] != "diet_explorer" or len(parts) < 2 or parts[1].startswith("_"):
            continue
        other = floor_name(parts[1])
        allowed = other == own or floor_of(other) > floor_of(own) or {own, other} == {"config", "errors"}
        assert allowed, f"{path.name} ({own}) imports {name} from a floor that is not below"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_rooms(path):
    own = room_of(path)
    for name, at_top in imports(path):
        library = name.split(".")[0]
        if library in BROWSER_ONLY:
            assert own in ("app", "pages", "ui"), f"{path.name} imports {library}"
        assert library not in SLOW_TO_LOAD or not at_top, f"{path.name} imports {library} at its top"
        if library in TORCH:
            inside = own in ("training", "scoring") or path.name in ("projection.py", "proof.py") or not at_top
            assert inside, f"{path.name} imports {library} at its top"


@pytest.mark.parametrize(
    "statement", ["import diet_explorer", "import diet_explorer.workspace.workspace", "import diet_explorer.cli.app"]
)
def test_front_doors_load_no_torch(statement):
    heavy = {"torch", "transformers", "streamlit", "umap", "numba"}
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
