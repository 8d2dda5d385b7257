"""The rules of the house: who imports whom, how long a file may be, what stays free of torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "lrsched").rglob("*.py"))

# Rooms from the top of the house to its ground; a room imports from lower floors and from itself.
FLOORS = [
    {"__main__"},
    {"cli", "_hydra"},
    {"sweep"},
    {"runs", "preview"},
    {"assembly"},
    {"train", "report"},
    {"compose"},
    {"schedulers", "data", "models", "loggers", "optimizers", "config"},
    {"schedules", "checkpoint"},
    {"records", "ended", "horizon", "seeds", "shelf", "signals", "console"},
    {"errors"},
]
# Neighbours on one floor that may look through a door: who -> whom.
DOORS = {("records", "errors"), ("horizon", "errors")}
WITHOUT_TORCH = (
    "schedules",
    "horizon",
    "records",
    "errors",
    "seeds",
    "shelf",
    "signals",
    "loggers",
    "config",
    "preview",
    "report",
)
LONGEST = 260


def room(name: str) -> str:
    """lrsched.data.loader -> data"""
    return [*name.split("."), ""][1]


def floor(of: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if of in rooms)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_run_downwards(path: Path) -> None:
    mine = room(module_name(path))
    if not mine:
        return  # the package itself imports nothing of its own
    for name in imports(path):
        theirs = room(name) if name.startswith("lrsched.") else ""
        if theirs and theirs != mine:
            assert floor(theirs) > floor(mine), f"{module_name(path)} imports {name}: that is not downwards"


def import_graph(texts: dict[str, str]) -> dict[str, set[str]]:
    """Which modules each module imports, at its top or in a function, but not for the type checker alone.

    ``from room import module`` is that module, ``from room import name`` the room's own ``__init__``. That Python
    runs every ``__init__`` above an imported module is left out: a package that exports anything would be a circle.
    """
    graph = {}
    for module, text in texts.items():
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                node.body = []
        names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
        found = {name if name in texts else name.rpartition(".")[0] for name in names}
        graph[module] = found & set(texts) - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another: strongly connected components of more than one.

    >>> circles({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()})
    [['a', 'b', 'c']]
    """
    reach = {module: set(below) for module, below in graph.items()}
    for through in graph:  # Warshall: paths over each module in turn
        for below in reach.values():
            if through in below:
                below |= reach[through]
    groups = {module: sorted(other for other in below if module in reach[other]) for module, below in reach.items()}
    return sorted(group for module, group in groups.items() if group and group[0] == module)


def test_a_circle_is_found_wherever_its_imports_stand() -> None:
    texts = {
        "lrsched.a": "def late():\n    from lrsched import b\n",
        "lrsched.b": "if True:\n    import lrsched.c\n",
        "lrsched.c": "from lrsched.a import name\n",
        "lrsched.d": "from lrsched import a\nif TYPE_CHECKING:\n    from lrsched.e import E\n",
        "lrsched.e": "import lrsched.d\n",
    }
    assert circles(import_graph(texts)) == [["lrsched.a", "lrsched.b", "lrsched.c"]]


def test_no_imports_run_in_a_circle() -> None:
    found = circles(import_graph({module_name(path): path.read_text("utf-8") for path in FILES}))
    assert not found, "modules that import one another: " + "; ".join(" <-> ".join(group) for group in found)


def test_every_room_has_its_floor() -> None:
    rooms = {room(module_name(path)) for path in FILES} - {""}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_hydra_stops_at_one_door(path: Path) -> None:
    if room(module_name(path)) in ("app", "cli", "_hydra"):
        return
    assert not any(name.split(".")[0] in ("hydra", "omegaconf") for name in imports(path))


@pytest.mark.parametrize("path", [path for path in FILES if room(module_name(path)) in WITHOUT_TORCH], ids=module_name)
def test_these_rooms_never_import_torch(path: Path) -> None:
    assert not any(name.split(".")[0] in ("torch", "torchvision") for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST, f"{module_name(path)} has {lines} lines: does it hold two ideas?"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= 60, f"{module_name(path)}.{node.name} has {lines} lines"


def in_a_fresh_process(code: str, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_neither_torch_nor_numpy() -> None:
    loaded = "import sys, lrsched; print([m for m in ('torch', 'numpy', 'hydra') if m in sys.modules])"
    assert in_a_fresh_process(loaded).strip() == "[]"


def test_the_public_names_load_what_they_need_when_touched() -> None:
    code = (
        "import sys, lrsched; lrsched.Horizon(10); free = 'torch' not in sys.modules;"
        "print(free, lrsched.LRScheduler.__name__, hasattr(lrsched, 'Cosine'), 'LRScheduler' in dir(lrsched))"
    )
    assert in_a_fresh_process(code).split() == ["True", "LRScheduler", "False", "True"]


def test_schedules_and_records_run_without_torch() -> None:
    loaded = (
        "import sys, lrsched.schedules as s, lrsched.records; dir(s); s.Cosine();"
        "print([m for m in ('torch', 'hydra') if m in sys.modules])"
    )
    assert in_a_fresh_process(loaded).strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--cfg", "job"], ["scheduler=cosin"], ["trainer.epochs=ten"], ["name=../x"]],
    ids=" ".join,
)
def test_what_needs_no_training_needs_no_torch(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['train.py', *{arguments!r}]\n"
        "import runpy\n"
        "try: runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('TORCH' if 'torch' in sys.modules else 'FREE')"
    )
    assert in_a_fresh_process(code).strip().endswith("FREE")


def test_completion_offers_the_choices_without_torch() -> None:
    line = "python train.py scheduler=on"
    code = (
        "import sys; sys.argv = ['train.py', '-sc', 'query=bash']\n"
        "import runpy\n"
        "try: runpy.run_path('train.py', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('TORCH' if 'torch' in sys.modules else 'FREE')"
    )
    out = in_a_fresh_process(code, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert out.split() == ["scheduler=onecycle", "FREE"]


def test_weights_only_is_never_given_up() -> None:
    for path in FILES:
        text = path.read_text("utf-8")
        assert "weights_only=False" not in text
        for line in text.splitlines():
            if "torch.load(" in line:
                assert "weights_only=True" in line, f"{path}: {line}"
