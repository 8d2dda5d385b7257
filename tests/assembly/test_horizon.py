"""The length of a run on data of one's own, counted in its files, against what the run makes of them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrsched.assembly.data import load_data
from lrsched.assembly.horizon import foreseen, foreseen_samples, pace_of, run_horizon
from lrsched.config.settings import Settings
from lrsched.errors import UserError
from lrsched.finder.request import request_of
from tests.helpers.cli import TINY

QUIET = ("trainer.epochs=2", "trainer.progress=false", "logger=none", "name=run", "dataset.batch_size=5")
TABLE = ("dataset=table", "dataset.path=t.csv", "dataset.target=y", "task=regression")
NPZ = ("dataset=npz", "dataset.path=a.npz", "model=mlp")
TEXT = ("dataset=text", "dataset.path='t*.txt'", "task=language_model", "model=gpt", "dataset.context=8")
PICTURES = ("dataset.size=4", "dataset.workers=0", "dataset.cache_root=cache")
FOLDER = ("dataset=imagefolder", "dataset.root=photos", "model=mlp", *PICTURES)
MASKS = ("dataset=imagemasks", "dataset.root=pairs", "task=segmentation", "model=mlp", *PICTURES)
OWN_PARTS = "dataset.root=parted"

DATA = {
    "table": TABLE,
    "table drop": (*TABLE, "dataset.drop=[id]"),
    "table missing": (*TABLE, "dataset.path=holes.csv", "dataset.missing=mean"),
    "table test_path": (*TABLE, "dataset.test_path=holes.csv", "dataset.missing=0"),
    "table tab": (*TABLE, "dataset.path=t.tsv", "dataset.separator=tab"),
    "table class": (*TABLE[:-1], "dataset.kind=class"),
    "table last": (*TABLE, "dataset.order=last"),
    "npz": NPZ,
    "npz weight": (*NPZ, "dataset.weight=w"),
    "npz test": (*NPZ, "dataset.test_x=tx", "dataset.test_y=ty"),
    "npz images": (*NPZ, "dataset.x=images", "dataset.path=packed.npz"),
    "text": TEXT,
    "text stride": (*TEXT, "dataset.stride=3"),
    "text files": (*TEXT, "dataset.path=[t1.txt,t2.txt,t1.txt]", "dataset.stride=1"),
    "imagefolder": FOLDER,
    "imagefolder parts": (*FOLDER, OWN_PARTS),
    "imagemasks": MASKS,
}
CUTS = {
    "default": (),
    "validation": ("dataset.validation=0.3",),
    "test": ("dataset.test=0.35",),
    "fold": ("dataset.fold=1", "dataset.folds=3"),
    "pace": ("trainer.accumulate=2", "trainer.limit_batches=3", "dataset.batch_size=3"),
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny data of each kind."""
    root = tmp_path_factory.mktemp("files")
    rows = [f'{n},"{"uv"[n % 2]}\n{n % 2}",{n % 3},{n}' for n in range(41)]  # a cell of two lines
    table = "\n".join(["a,b,y,id", "", *rows[:20], "", *rows[20:], "", ""])
    (root / "t.csv").write_text(table)
    (root / "t.tsv").write_text(table.replace(",", "\t"))
    (root / "holes.csv").write_text(table.replace("\n7,", "\n,").replace("\n9,", "\nNA,").replace("\n40,", "\n?,"))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(47, 3)), np.arange(47) % 2
    np.savez(root / "a.npz", x=x, y=y, w=np.ones(47), tx=x[:5], ty=y[:5])
    np.savez_compressed(root / "packed.npz", images=rng.integers(0, 256, (47, 1, 4, 4), dtype=np.uint8), y=y)
    for name, length in (("t1", 301), ("t2", 222)):
        (root / f"{name}.txt").write_bytes(bytes(rng.integers(0, 256, length, dtype=np.uint8)))
    for place, held in {"photos": 14, "parted/train": 9, "parted/valid": 3, "parted/Test": 4}.items():
        for kind in ("cat", "dog"):
            for n in range(held):
                _picture(root / place / kind / "more"[: n % 2 * 4] / f"{n}.{('png', 'JPG')[n % 2]}", rng)
    (root / "photos" / "cat" / "notes.txt").write_text("no picture")
    for n in range(23):
        _picture(root / "pairs" / "images" / f"{n}.jpg", rng)
        _picture(root / "pairs" / "masks" / f"{n}.png", None)
    return root


def _picture(file: Path, rng: np.random.Generator | None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.eye(4) if rng is None else rng.integers(0, 256, (4, 4))
    Image.fromarray(pixels.astype(np.uint8)).save(file)


def asked(*words: str) -> Settings:
    return request_of([*words[:1], *QUIET, *words[1:], "find.method=grid"], None).runs[0]


def trained_on(run: Settings) -> int:
    return load_data(run)[0].samples


QUICK = {
    ("table missing", "default"),
    ("npz test", "validation"),
    ("text stride", "test"),
    ("imagefolder parts", "pace"),
}
UNFOLDED = [data for data in DATA if any(word in data for word in ("text", "last", "parts"))]


def each(cases: list[tuple[str, str]]) -> list[object]:
    """Some in the quick tier, the rest in the slow one."""
    return [pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow, id=" ".join(case)) for case in cases]


@pytest.mark.parametrize(
    ("data", "cut"), each([(data, cut) for data in DATA for cut in CUTS if cut != "fold" or data not in UNFOLDED])
)
def test_the_length_is_that_of_the_loaded_data(
    data: str, cut: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    run = asked(*DATA[data], *CUTS[cut])
    assert foreseen(run, native=False) == run_horizon(run.trainer, pace_of(run, trained_on(run)))


@pytest.mark.slow
@pytest.mark.parametrize("data", UNFOLDED)
def test_folds_that_there_are_not_are_refused_as_a_run_does(
    data: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    refused_alike(asked(*DATA[data], *CUTS["fold"]), "dataset.fold=1: ")


def refused_alike(run: Settings, message: str) -> None:
    """A count and a run say the same."""
    with pytest.raises(UserError) as counting:
        foreseen(run, native=False)
    with pytest.raises(UserError) as training:
        trained_on(run)
    assert (counting.type, str(counting.value)) == (training.type, str(training.value))
    assert message in str(training.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (data, cut)
        for data in ("table", "table missing", "table drop", "npz", "text stride", "imagefolder")
        for cut in CUTS
        if cut != "fold" or data not in UNFOLDED
    ],
)
def test_a_preview_has_the_steps_that_a_run_makes(
    data: str, cut: str, files: Path, run_cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for each in files.iterdir():
        (tmp_path / each.name).symlink_to(each)
    small = ("model.width=8", "model.layers=1", "model.heads=1") if "text" in data else ()
    case = [*DATA[data], *QUIET, *CUTS[cut], *small, "scheduler=cosine", "device=cpu", "optimizer.lr=0.001"]
    case += ["model=mlp"] * (not small)
    ended = run_cli(*case, "--csv", "p.csv", command="preview")
    assert ended.code == 0, ended.err
    previewed = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    ended = run_cli(*case, "trainer.log_every=1st")
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    assert [int(row["step"]) for row in previewed] == [row["step"] for row in rows]
    assert [float(row["epoch"]) for row in previewed] == [row["epoch"] for row in rows]
    assert [float(row["lr/default"]) for row in previewed] == [row["lr/default"] for row in rows]


def test_by_hand(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    # 41·0.2 = 8.2 → 8; 33·0.1 = 3.3 → 3: 30 rows, 6 updates of 5 in an epoch
    assert foreseen(asked(*TABLE), native=False).steps == 12
    # 523 bytes: ⌊(523 − 9)/3⌋ + 1 = 172 windows, 2 left out before each part: 172 − 34 − 2 = 136; 136 − 14 − 2 = 120
    assert foreseen_samples(asked(*TEXT, "dataset.stride=3")) == 120


@pytest.mark.slow
def test_groups_are_left_to_the_data(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    run = asked(*TABLE, "dataset.group=b")
    assert foreseen_samples(run) is None
    with pytest.raises(UserError, match=r"trainer\.steps=null: the config does not say how many samples"):
        foreseen(run, native=False)
    found = request_of([*TABLE, *QUIET, "dataset.group=id", "find.method=horizon"], None).horizon
    assert found is not None
    assert found.steps == 2 * -(-trained_on(asked(*TABLE, "dataset.group=id")) // 5)


BAD = [
    (TABLE, "t.csv", None, "dataset.path=t.csv: there is no file "),
    (TABLE, "t.csv", b"", "t.csv: is empty"),
    (TABLE, "t.csv", b"a,y\n", "t.csv: holds a header and no row"),
    (TABLE, "t.csv", b"a,y\n1,2\n", "t.csv: holds one row"),
    (TABLE, "t.csv", b"a,y\n1,2\n\n1,2,3\n", "t.csv, line 4: has 3 cells"),
    (TABLE, "t.csv", b"a,Y\n1,2\n3,4\n", "dataset.target=y: t.csv has no such column"),
    (TABLE, "t.csv", b"a,y\n\0,2\n", "t.csv, line 2: holds a NUL"),
    (TABLE, "t.csv", b"a,y\n\xff,2\n", "t.csv: is not UTF-8"),
    (TABLE, "t.csv", b"a,y\n1,2\n3,4\n", "dataset.test=0.2: holds out 0 of 2 samples"),
    ((*TABLE, "dataset.test_path=u.csv"), "t.csv", b"a,y\n1,2\n3,4\n", "dataset.test_path=u.csv: there is no file "),
    ((*TABLE, "dataset.separator=ab"), "t.csv", b"a,y\n1,2\n3,4\n", "dataset.separator=ab: must be one character"),
    (NPZ, "a.npz", None, "dataset.path=a.npz: there is no file "),
    (NPZ, "a.npz", b"", "a.npz: is not a whole file of numpy.savez"),
    (NPZ, "a.npz", b"PK\3\4 broken", "a.npz: is not a whole file of numpy.savez"),
    (NPZ, "a.npz", {"x": np.zeros((9, 2))}, "dataset.y=y: a.npz has no such array"),
    (NPZ, "a.npz", {"x": np.zeros((9, 2)), "y": np.zeros(8)}, "a.npz: train: the columns differ"),
    (NPZ, "a.npz", {"x": np.zeros((0, 2)), "y": np.zeros(0)}, "a.npz: train x: holds no number"),
    (NPZ, "a.npz", {"x": np.array([{}] * 9), "y": np.zeros(9)}, "a.npz: the array 'x' holds Python objects"),
    (NPZ, "a.npz", {"x": np.array(1.0), "y": np.zeros(9)}, "a.npz: x: is a single number"),
    (TEXT, "t.txt", None, "dataset.path=t*.txt: no file has such a name"),
    (TEXT, "t.txt", b"short", "t.txt: 5 bytes are no window of dataset.context=8"),
    ((*TEXT, "dataset.fold=0"), "t.txt", b"text" * 99, "dataset.fold=0: these samples stay in order"),
    (FOLDER, "photos", None, "dataset.root=photos: there is no folder "),
    (FOLDER, "photos", b"", "dataset.root=photos: is a file, and a folder is wanted"),
    (FOLDER, "photos/1.png", b"", "photos: holds no folder"),
    (FOLDER, "photos/cat/1.xyz", b"", "photos/cat/1.xyz: lies among pictures"),
    (MASKS, "pairs/images/1.png", b"", "pairs: holds no folder masks/"),
]


AT_ONCE = ("t.csv, line 4", "a.npz: train: the columns", "t.txt: 5 bytes", "photos/cat/1.xyz")
REFUSED = [
    pytest.param(*case, marks=() if case[3].startswith(AT_ONCE) else pytest.mark.slow, id=f"{case[0][0]} {case[3]}")
    for case in BAD
]


@pytest.mark.parametrize(("words", "name", "held", "message"), REFUSED)
def test_what_cannot_be_counted_is_refused_as_a_run_does(
    words: tuple[str, ...], name: str, held: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path(name), held)
    run, before = asked(*words), sorted(tmp_path.rglob("*"))
    refused_alike(run, message)
    assert sorted(tmp_path.rglob("*")) == before


def _write(file: Path, held: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(held, bytes):
        file.write_bytes(held)
    elif isinstance(held, dict):
        np.savez(file, **held)


def test_a_preview_says_so_and_one_of_given_steps_needs_no_files(run_cli, tmp_path: Path) -> None:
    ended = run_cli(*TABLE, command="preview")
    assert (ended.code, len(ended.err.splitlines())) == (2, 1), ended.err
    assert "dataset.path=t.csv: there is no file " in ended.err
    ended = run_cli(*TABLE, "trainer.steps=20", "scheduler.warmup=10%", command="preview")
    assert ended.code == 0, ended.err
    ended = run_cli(*TABLE, "trainer.steps=20", "scheduler.warmup=1ep", command="preview")
    assert ended.code == 2
    assert "dataset.path=t.csv: there is no file " in ended.err
    assert not list(tmp_path.iterdir())


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError("torch is blocked")
sys.meta_path.insert(0, Blocked())
from lrsched.cli.main import main
sys.argv = ["lrsched", "preview", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("data", list(DATA))
def test_a_preview_counts_without_torch(data: str, files: Path) -> None:
    command = [sys.executable, "-c", BLOCKED, *DATA[data], *QUIET]
    ended = subprocess.run(command, cwd=files, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout


@pytest.mark.slow
def test_find_asks_data_that_alone_tell(run_cli) -> None:
    words = ("find.method=horizon", "find.rates=3", "find.seeds=1", "find.budget=100%", "name=f")
    ended = run_cli(*TINY, "dataset.train_samples=null", "trainer.epochs=34", *words, command="find")  # 34·6 = 204
    assert ended.code == 0, ended.err
    assert "short runs of a schedule of 204 steps" in ended.err
