"""The rules of the house: who imports whom, how long a file may be, what stays free of torch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.helpers.house import (
    FILES,
    ROOT,
    changed_state,
    circles,
    import_graph,
    imports,
    in_a_fresh_process,
    module_name,
    room,
    run_time_imports,
)

# Rooms from the top of the house to its ground; a room imports from lower floors and from itself.
FLOORS = [
    {"__main__"},
    {"cli", "_hydra"},
    {"finder", "watch", "schemas"},
    {"sweep", "python"},
    {"runs", "preview", "page"},
    {"fast"},
    {"assembly"},
    {"train", "report"},
    {"compose"},
    {"schedulers", "tasks", "models", "loggers", "optimizers", "averages", "config"},
    {"data"},
    {"schedules", "checkpoint", "ranks"},
    {"records", "ended", "horizon", "seeds", "shelf", "signals", "console", "imports", "machine", "picture", "units"},
    {"numbers"},
    {"errors"},
    {"masked"},
]
SHELVES = ("schedules", "data", "models", "tasks", "loggers", "optimizers", "averages", "schedulers")
"""Rooms with one file for each method, model or data set: as many as there are."""

MOST = 18
"""Modules in any other room."""

HYDRAS = ("lrsched.cli", "lrsched.compose", "lrsched._hydra", "lrsched.sweep.sweepers", "lrsched.sweep.launchers")
"""Rooms that may import Hydra and OmegaConf when they run."""

KNOWN: dict[str, set[str]] = {
    "hydra": set(),
    "state": set(),
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
    "page",
    "report",
    "watch",
)
LONGEST = 260


def floor(of: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if of in rooms)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_run_downwards(path: Path) -> None:
    mine = room(module_name(path))
    if not mine:
        return  # the package itself imports nothing of its own
    for name in imports(path):
        theirs = room(name) if name.startswith("lrsched.") else ""
        if theirs and theirs != mine:
            assert floor(theirs) > floor(mine), f"{module_name(path)} imports {name}: that is not downwards"


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
    """The stop flag in ``signals`` and the mask of messages in ``masked`` are the exceptions; they change by methods of
    their own, which are not looked for."""
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
