"""What breaks a rule of the house: imports, circles of imports, state of a module that changes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "lrsched").rglob("*.py"))


def module_name(path: Path) -> str:
    """lrsched/data/loader.py -> lrsched.data.loader"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room(name: str) -> str:
    """lrsched.data.loader -> data"""
    return [*name.split("."), ""][1]


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


def at_run_time(text: str) -> ast.Module:
    """The code of a module without what only the type checker reads."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    return tree


def run_time_imports(text: str) -> set[str]:
    """The packages that a module imports, at its top or in a function, but not for the type checker alone."""
    found = [node for node in ast.walk(at_run_time(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [alias.name for node in found if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in found if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


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


def in_a_fresh_process(code: str, **variables: str) -> str:
    """What a new Python prints that runs ``code`` in the root of the repository."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
