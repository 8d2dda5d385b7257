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
SHELVES = ("schedules", "data", "models", "tasks", "loggers", "optimizers", "schedulers")
"""Rooms with one file for each method, model or data set: as many as there are."""

MOST = 18
"""Modules in any other room."""

HYDRAS = ("lrsched.cli", "lrsched.compose", "lrsched._hydra", "lrsched.sweep.sweepers", "lrsched.sweep.launchers")
"""Rooms that may import Hydra and OmegaConf when they run."""

KNOWN: dict[str, set[str]] = {
    "hydra": set(),
    "state": {
        "lrsched.checkpoint.lock",
        "lrsched.records",
    },
}
"""Modules that still break a rule. One that keeps it by now fails too: take it out of here."""

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


def at_run_time(text: str) -> ast.Module:
    """The code of a module without what only the type checker reads."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    return tree


def import_graph(texts: dict[str, str]) -> dict[str, set[str]]:
    """Which modules each module imports, at its top or in a function, but not for the type checker alone.

    ``from room import module`` is that module, ``from room import name`` the room's own ``__init__``. That Python
    runs every ``__init__`` above an imported module is left out: a package that exports anything would be a circle.
    """
    graph = {}
    for module, text in texts.items():
        names: set[str] = set()
        for node in ast.walk(at_run_time(text)):
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


def held(rule: str, path: Path, broken: object) -> None:
    """Hold a module to a rule, or to its place among those that still break it."""
    name = module_name(path)
    if name in KNOWN[rule]:
        assert broken, f"{name} keeps the rule by now: take it out of KNOWN[{rule!r}]"
    else:
        assert not broken, f"{name}: {broken}"


def test_who_breaks_a_rule_is_a_module_of_ours() -> None:
    assert set().union(*KNOWN.values()) <= set(map(module_name, FILES))


def run_time_imports(text: str) -> set[str]:
    """The packages that a module imports, at its top or in a function, but not for the type checker alone."""
    found = [node for node in ast.walk(at_run_time(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [alias.name for node in found if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in found if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_an_import_for_the_type_checker_is_none_at_run_time() -> None:
    text = "if TYPE_CHECKING:\n    import hydra\nelse:\n    import a\ndef f():\n    from omegaconf.base import x\n"
    assert run_time_imports(text) == {"a", "omegaconf"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_hydra_stops_at_one_door(path: Path) -> None:
    if not module_name(path).startswith(HYDRAS):
        held("hydra", path, run_time_imports(path.read_text("utf-8")) & {"hydra", "omegaconf"})


def test_a_room_holds_at_most_eighteen_modules() -> None:
    rooms: dict[Path, int] = {}
    for path in FILES:
        if path.name != "__init__.py":
            rooms[path.parent] = rooms.get(path.parent, 0) + 1
    shelves = {ROOT / "lrsched" / name for name in SHELVES}
    crowded = {str(place.relative_to(ROOT)): many for place, many in rooms.items() if many > MOST}
    assert {place: many for place, many in crowded.items() if ROOT / place not in shelves} == {}


def test_no_room_bears_the_name_of_a_public_function() -> None:
    import lrsched

    taken = {*lrsched.__all__, "run", "load"}  # lrsched.run would be the room
    children = {room(module_name(path)) for path in FILES}
    assert children & taken == set()
    assert not any("build" in path.parent.parts for path in FILES)  # pytest and ruff pass over such folders


MUTATORS = {
    *("append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "clear", "remove", "discard"),
    *("sort", "reverse", "appendleft", "popleft", "extendleft", "rotate", "move_to_end", "subtract"),
}
"""Methods that change a list, a dict, a set or a deque."""


def changed_state(text: str) -> list[str]:
    """Where functions change what belongs to a module of ours: rebound by ``global``, or a value changed in place."""
    tree = ast.parse(text)
    of_modules = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).startswith("lrsched")
        for alias in node.names
    }
    for node in tree.body:
        if "getLogger" in ast.unparse(getattr(node, "value", None) or ast.Constant(0)):
            continue  # the logging module's
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        of_modules |= {
            name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)
        }
    found: set[tuple[int, str]] = set()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    for function in (node for node in ast.walk(tree) if isinstance(node, functions)):
        found |= _changes(function, of_modules - _own_names(function))
    return [f"line {line}: {name}" for line, name in sorted(found)]


def _own_names(function: ast.AST) -> set[str]:
    """Parameters of a function and of those within it, and the names that they assign."""
    nodes = list(ast.walk(function))
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {node.arg for node in nodes if isinstance(node, ast.arg)} | stored - shared


def _changes(function: ast.AST, names: set[str]) -> set[tuple[int, str]]:
    found = set()
    for node in ast.walk(function):
        changed: ast.AST | None = None
        if isinstance(node, ast.Global):
            found |= {(node.lineno, name) for name in node.names}
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            changed = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            changed = node.func.value
        while isinstance(changed, (ast.Attribute, ast.Subscript)):
            changed = changed.value
        if isinstance(changed, ast.Name) and changed.id in names:
            found.add((changed.lineno, changed.id))
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1\ndef f():\n    global x\n    x = 2\n", ["line 3: x"]),
        ("x = {}\ndef f():\n    x['a'] = 1\n    del x['a']\n", ["line 3: x", "line 4: x"]),
        ("x: dict = {}\nclass A:\n    def f(self):\n        x.a.update(b=1)\n", ["line 4: x"]),
        ("from lrsched.sweep import worker\ndef f():\n    worker.share = 1\n", ["line 3: worker"]),
        ("x = []\ny = lambda: x.append(1)\n", ["line 2: x"]),
        ("x = []\nx.append(1)\ndef f():\n    x = []\n    x.append(1)\n    return x\n", []),
        ("import sys\ndef f(self):\n    sys.argv = []\n    self.x = 1\n", []),
    ],
)
def test_state_of_a_module_is_found_where_it_changes(text: str, found: list[str]) -> None:
    assert changed_state(text) == found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_no_module_has_state_that_changes(path: Path) -> None:
    """The stop flag in ``signals`` is the one exception; it changes by methods of its own, which are not looked for."""
    held("state", path, changed_state(path.read_text("utf-8")))


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
