"""A run folder from a stranger is data: none of these runs code, reads the environment or writes elsewhere."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lrsched.checkpoint.manifest import written
from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

SECRET = "s3cret-of-the-environment"
RUN = (*TINY, "trainer.epochs=3", "trainer.log_every=1st", "logger=none", "name=run")

# Where a dotted name can lead: shells, files, loaders of code. Hydra's own blocklist lets a third of them run.
# fmt: off
TARGETS = (
    "os.system", "os.popen", "os.execv", "os.remove", "os.putenv", "posix.system", "subprocess.Popen",
    "subprocess.check_output", "subprocess.run", "builtins.eval", "builtins.exec", "builtins.open",
    "builtins.__import__", "builtins.compile", "importlib.import_module", "runpy.run_path", "pathlib.Path",
    "pathlib.Path.touch", "shutil.copy", "shutil.rmtree", "shutil.move", "pickle.loads", "pickle.load",
    "marshal.loads", "ctypes.CDLL", "code.interact", "pty.spawn", "webbrowser.open", "urllib.request.urlopen",
    "numpy.load", "numpy.fromfile", "torch.load", "torch.save", "torch.jit.load", "torch.hub.load",
    "torch.utils.collect_env.run", "torch.utils.cpp_extension.load_inline", "torch.utils.cpp_extension.load",
    "logging.os.system", "hydra.utils.instantiate", "lrsched.cli.main", "lrsched.records.write_atomically",
    "lrsched.records.os.system", "lrsched.data.idx.gzip.open", "torch.optim.lr_scheduler.types.FunctionType",
    "torch.optim.Optimizer", "lrsched.models.torchvision.torch.load",
)
# fmt: on
GROUPS = ("model", "optimizer", "scheduler", "dataset", "logger")


class Shell:
    """Unpickled by a trusting reader, it calls what it is told to."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _archive(content: bytes, *, name: str = "archive/data.pkl", twice: bool = False, how: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that are there twice
        for _ in range(2 if twice else 1):
            archive.writestr(name, content)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return buffer.getvalue()


def _saved(thing: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def states(canary: Path) -> dict[str, bytes]:
    """Hostile contents of state.pt, each of which would leave a file at ``canary``."""
    command = f"touch {canary}"
    nested = canary.with_name("nested.pt")
    nested.write_bytes(_saved({"model": Shell(os.system, command)}))
    payload = pickle.dumps(Shell(os.system, command))
    return {
        "reduce-system": _saved({"model": Shell(os.system, command)}),
        "reduce-eval": _saved({"model": Shell(eval, f"open({str(canary)!r}, 'w')")}),
        "reduce-exec": _saved({"model": Shell(exec, f"open({str(canary)!r}, 'w')")}),
        "reduce-open": _saved({"model": Shell(open, str(canary), "w")}),
        "reduce-touch": _saved({"model": Shell(Path.touch, canary)}),
        "reduce-environment": _saved({"model": Shell(os.getenv, "LRSCHED_TEST_SECRET")}),
        "nested-load": _saved({"model": Shell(torch.load, str(nested))}),
        "legacy-pickle": payload,
        "archive-of-pickle": _archive(payload),
        "deflate-bomb": _archive(b"\0" * 50_000_000, how=zipfile.ZIP_DEFLATED),
        "huge-numel": _saved({"model": {"weight": torch.zeros(1).expand(2**60)}}),
        "duplicate-names": _archive(payload, twice=True),
        "entry-outside": _archive(payload, name=f"../../{canary.name}"),
        "not-a-state": _saved([1, 2, 3]),
    }


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        *path, last = key.split(".")
        for name in path:
            config = config[name]
        config[last] = value

    return change


def configs() -> dict[str, Callable[[dict[str, Any]], None]]:
    """Hostile changes of config.yaml."""
    named = {
        f"target-{target}": _set(GROUPS[i % 5] if i % 5 < 4 else "logger.x", {"_target_": target, "args": ["x"]})
        for i, target in enumerate(TARGETS)
    }
    return named | {
        "env": _set("dataset.root", "${oc.env:LRSCHED_TEST_SECRET}"),
        "env-spaced": _set("dataset.note", "${  oc.env:LRSCHED_TEST_SECRET}"),
        "env-inside": _set("dataset.note", "${oc.select:nothing,${oc.env:LRSCHED_TEST_SECRET}}"),
        "env-composed": _set("logger", {"a": "$", "b": "{oc.env:LRSCHED_TEST_SECRET}", "c": "${oc.decode:${.a}${.b}}"}),
        "env-created": _set("logger", {"a": "$", "b": "{oc.env:LRSCHED_TEST_SECRET}", "c": "${oc.create:${.a}${.b}}"}),
        "env-by-name": _set("logger", {"a": "env", "c": "${oc.${.a}:LRSCHED_TEST_SECRET}"}),
        "env-in-a-change": _set(
            "checkpoint.changes", [{"at": 8, "config_sha256": "", "keys": {"seed": ["${oc.env:HOME}", 1]}}]
        ),
        "name-outside": _set("name", "../../outside"),
        "name-absolute": _set("name", "/outside"),
    }


TEXTS = {
    "tag": "model: !!python/object/apply:os.system ['touch canary']\n",
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b]\n",
    "deep": "a: " + "[" * 5000 + "]" * 5000 + "\n",
    "large": "a: " + "x" * (2**20) + "\n",
    "list": "- 1\n- 2\n",
    "binary": "\0\1\2",
}
LINKS = ("metrics.jsonl", "checkpoints", "config.yaml", "train.log", "tensorboard", ".lock", "result.json", "pipe")


@pytest.fixture
def resumed(run_cli, monkeypatch, tmp_path) -> Callable[[str, Callable[[Path], None]], str]:
    """Makes a run folder hostile, resumes it, and says what went wrong; nothing, if all is well."""
    monkeypatch.setenv("LRSCHED_TEST_SECRET", SECRET)
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN).code == 143
    base = tmp_path / "outputs" / "run"
    canary = tmp_path / "canary"

    def elsewhere(folder: Path) -> dict[Path, bytes]:
        files = (path for path in tmp_path.rglob("*") if path.is_file() and folder not in path.parents)
        return {path: path.read_bytes() for path in files}

    def check(name: str, spoil: Callable[[Path], None], code: int = 0) -> str:
        folder = base.with_name(re.sub(r"[^A-Za-z0-9]+", "-", name))
        shutil.copytree(base, folder)
        spoil(folder)
        before = elsewhere(folder)
        ended = run_cli(f"resume={folder}")
        wrong = [] if ended.code in ((code,) if code else (2, 4)) else [f"exit {ended.code}"]
        wrong += ["canary"] * canary.exists()
        wrong += ["another file"] * (elsewhere(folder) != before)
        files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        wrong += ["secret"] * any(SECRET in text for text in (ended.err, ended.out))
        wrong += ["secret in a file"] * any(SECRET.encode() in path.read_bytes() for path in files)
        wrong += [] if ended.err.count("lrsched: ") == 1 and "Traceback" not in ended.err else ["not one message"]
        canary.unlink(missing_ok=True)
        return f"{name}: {', '.join(wrong)}: {ended.err}" if wrong else ""

    return check


def test_checkpoints(resumed, tmp_path) -> None:
    contents = states(tmp_path / "canary")

    def fitted(content: bytes) -> Callable[[Path], None]:
        def spoil(folder: Path) -> None:
            for path in (folder / "checkpoints").iterdir():
                (path / "state.pt").write_bytes(content)
                manifest = json.loads((path / "manifest.json").read_bytes())
                manifest |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                (path / "manifest.json").write_bytes(written(manifest))

        return spoil

    wrong = [resumed(f"state-{name}", fitted(content), code=4) for name, content in contents.items()]
    assert (len(wrong), list(filter(None, wrong))) == (14, [])


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        change(config)
        (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")

    return spoil


def test_some_configs(resumed) -> None:
    known = configs()
    chosen = [name for i, name in enumerate(known) if not name.startswith("target-") or i % 6 == 0]
    wrong = [resumed(name, changed(known[name]), code=2) for name in chosen]
    assert list(filter(None, wrong)) == []


@pytest.mark.slow
def test_all_configs(resumed) -> None:
    known = configs()
    assert len([name for name in known if name.startswith("target-")]) == len(TARGETS) >= 40
    wrong = [resumed(name, changed(change), code=2) for name, change in known.items()]
    assert list(filter(None, wrong)) == []


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_no_config(resumed, name: str) -> None:
    assert resumed(name, lambda folder: (folder / "config.yaml").write_text(TEXTS[name], "utf-8"), code=4) == ""


@pytest.mark.parametrize("name", LINKS)
def test_names_that_lead_out_of_the_folder(resumed, tmp_path, name: str) -> None:
    target = tmp_path / "target"

    def spoil(folder: Path) -> None:
        path = folder / name
        if name == "pipe":
            os.mkfifo(path)
            return
        if path.is_dir() or path.exists():
            path.rename(target)
        else:
            target.write_text("kept", "utf-8")
        path.symlink_to(target)

    assert resumed(name, spoil, code=4) == ""


def test_there_are_sixty(tmp_path) -> None:
    assert len(states(tmp_path / "canary")) + len(configs()) + len(TEXTS) + len(LINKS) >= 60
