"""Samples decoded once into memory-mapped files: what they hold, who opens them, and what is refused."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

import lrsched
from lrsched.checkpoint.lock import RunLock
from lrsched.data import Items
from lrsched.data.cache.cache import Cache
from lrsched.data.cache.cached import cached, place_of
from lrsched.data.cache.known import known_by
from lrsched.data.stream.fetch import Fetch, Part, Wanted
from lrsched.data.stream.identify import looked_at
from lrsched.data.stream.labels import Labels
from lrsched.errors import ConfigError, DataError, StorageError, UserError
from lrsched.tasks import Regression
from tests.helpers.items import Bad, Bag, Draws, Names, OwnGenerator, Texts

HERE = "tests.helpers.items"
WORDS = ("trainer.epochs=2", "trainer.progress=false", "logger=none", "threads=1", "optimizer=sgd")
TRAIN = (*WORDS, "scheduler=constant", "dataset.batch_size=16", "trainer.log_every=1st", "model=linear")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    monkeypatch.setenv("LRSCHED_CACHE", "cache")


def made(items: Any, **how: Any) -> Cache:
    given = {"what": "train", "known": "a" * 40, "root": Path("cache"), "quiet": True, **how}
    return cached(items, **given)


class Listed(Dataset[Any]):
    """Samples that are there, and how often they were asked for."""

    def __init__(self, *samples: Any) -> None:
        self.samples, self.asked = samples, 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, number: int) -> Any:
        self.asked += 1
        return self.samples[number]


KINDS: dict[str, tuple[tuple[Any, ...], list[Any] | None]] = {
    "tensor": ((torch.tensor([1.5, 2]), torch.tensor([3.0, 4])), [[[1.5, 2], [3, 4]]]),
    "numbers": (((1, 2.5, True), (2, 0.5, False)), [[1, 2], [2.5, 0.5], [1, 0]]),
    "arrays": (
        ((np.array([1], np.uint8), np.float64(0.1)), (np.array([255], np.uint8), np.float64(7))),
        [[[1], [255]], [float(np.float32(0.1)), 7]],
    ),
    "mapping": (({"a": torch.ones(1, 2).half(), "y": 3}, {"a": torch.zeros(1, 2).half(), "y": 0}), None),
    "nothing in a dimension": (((torch.zeros(0), 1), (torch.zeros(0), 2)), [[[], []], [1, 2]]),
}


@pytest.mark.parametrize("name", KINDS)
def test_samples_come_back_as_they_were_one_by_one_and_as_a_batch(name: str) -> None:
    samples, columns = KINDS[name]
    cache = made(Listed(*samples))
    plain = Fetch(Part("train", Listed(*samples)), None, 0)
    by_name = dict(enumerate(cache.take([1, 0, 1]))) if columns else cache.take([1, 0, 1])
    whole = plain.here(Wanted([1, 0, 1]))
    for key, column in by_name.items():
        assert torch.equal(column, whole[key])
        assert column.dtype == whole[key].dtype
    if columns:
        assert [column.tolist() for column in cache.take([0, 1])] == columns
    first, item = samples[0], cache[0]
    assert len(cache) == 2
    assert isinstance(item, dict if isinstance(first, dict) else tuple if isinstance(first, tuple) else torch.Tensor)
    with pytest.raises(IndexError):
        cache[2]


def test_an_item_is_a_copy_and_the_files_stay_as_they_are() -> None:
    cache = made(Listed((torch.ones(2), 1)))
    cache[0][0].zero_()
    cache.take([0])[0].zero_()
    assert cache[0][0].tolist() == [1, 1]


def test_each_sample_is_asked_for_once_and_later_ones_open_the_files() -> None:
    once, again = Listed((torch.ones(2), 1), (torch.ones(2), 2)), Listed(*[(torch.ones(2), 1)] * 2)
    made(once)
    assert once.asked == 3  # the first one also for its form
    assert made(again)[1][1] == 2
    assert again.asked == 0


def test_samples_of_other_lengths_are_kept_and_padded() -> None:
    samples = [{"ids": [1] * (1 + n % 3), "grid": torch.full((n % 2 + 1, 2), n), "y": n} for n in range(5)]
    cache = made(Listed(*samples), collate="pad")
    for n, sample in enumerate(samples):
        assert cache[n]["ids"].tolist() == sample["ids"]
        assert torch.equal(cache[n]["grid"], sample["grid"])
        assert cache[n]["y"] == n
    with pytest.raises(DataError, match="not of one form"):
        cache.take([0])
    run = lrsched.run([*TRAIN[:-1], "name=text"], data=Items(Texts(), collate="pad", cache=True), model=Bag(2))
    assert run.result["metrics"]["test/accuracy"] == 1.0


def test_without_draws_a_cache_changes_no_bit_and_with_draws_no_number_of_workers_does() -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 3, generator=draw), torch.randn(60, generator=draw)
    rows = []
    for name, data in (
        ("memory", (x, y)),
        ("plain", Items(TensorDataset(x, y), workers=0)),
        ("cached", Items(TensorDataset(x, y), cache=True)),
    ):
        lrsched.run([*TRAIN, f"name={name}"], data=data, task=Regression())
        rows.append(Path(f"outputs/{name}/metrics.jsonl").read_bytes())
    assert rows[0] == rows[1] == rows[2]
    first = lrsched.run([*TRAIN, "name=d0"], data=Items(Draws(), cache=True, workers=0))
    for workers in (0, 1):
        data = Items(Draws(), cache=True, cache_root=f"other{workers}", workers=workers)
        run = lrsched.run([*TRAIN, f"name=w{workers}"], data=data)
        assert run.result["weights_sha256"] == first.result["weights_sha256"]
    plain = lrsched.run([*TRAIN, "name=p"], data=Items(Draws(), workers=0))
    assert plain.result["weights_sha256"] != first.result["weights_sha256"]


def test_the_place_changes_no_run_and_a_resume_may_move_it(run_cli) -> None:
    words = (*TRAIN, "dataset=torch", f"dataset.train={{_target_: {HERE}.Draws}}", "dataset.cache=true")
    assert run_cli(*words, "name=a", "sweep.until=4").code == 0
    assert run_cli("resume=outputs/a", "sweep.until=null", "dataset.cache_root=moved").code == 0
    ended = run_cli(*words, "name=b", "dataset.cache_root=elsewhere")
    assert ended.code == 0, ended.err
    assert [len(list(Path(name).iterdir())) for name in ("cache", "moved", "elsewhere")] == [1, 1, 1]
    assert ended.result("a")["config_sha256"] == ended.result("b")["config_sha256"]
    assert ended.result("a")["weights_sha256"] == ended.result("b")["weights_sha256"]
    refused = run_cli("resume=outputs/a", "dataset.cache=false")
    assert refused.code == 2


def test_the_folder_of_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_of("a") == Path("a")
    assert place_of(None) == Path("cache")
    monkeypatch.delenv("LRSCHED_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert place_of(None) == Path("/x/lrsched")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the rule says: to be ignored
    assert place_of(None) == Path.home() / ".cache/lrsched"


def _known(items: Any = None, arguments: Any = None, what: str = "train") -> str:
    return known_by(Part(what, Draws() if items is None else items), arguments, Path("cache"))


class Slots:
    __slots__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor


class Times:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def times(self, x: float) -> float:
        return x * self.factor


def _closure(factor: float) -> Callable[[float], float]:
    return lambda x: x * factor


def _default(factor: float) -> Callable[[float], float]:
    def times(x: float, factor: float = factor) -> float:
        return x * factor

    return times


MADE_BY: dict[str, Callable[[float], Any]] = {
    "a closure": _closure,
    "a default": _default,
    "slots": Slots,
    "an object": Times,
    "a method": lambda factor: Times(factor).times,
}


@pytest.mark.parametrize("name", MADE_BY)
def test_what_a_function_works_with_tells_it_apart(name: str) -> None:
    make = MADE_BY[name]
    assert _known(arguments=make(2)) == _known(arguments=make(2))
    assert _known(arguments=make(2)) != _known(arguments=make(3))


def test_what_it_is_made_from_tells_it_apart(tmp_path: Path) -> None:
    plain = _known()
    assert _known() == plain
    x = torch.zeros(100, 2)
    other = x.clone()
    other[50] = 1  # none of the samples that each run looks at
    photos = tmp_path / "photos"
    (photos / "a").mkdir(parents=True)
    file = photos / "a" / "1.png"
    file.write_bytes(b"1")
    here = _known(arguments={"root": "photos"})
    assert _known(arguments={"root": "photos"}) == here
    os.utime(file, (1, 1))
    touched = _known(arguments={"root": "photos"})
    file.write_bytes(b"22")
    os.utime(file, (1, 1))
    grown = _known(arguments={"root": "photos"})
    (photos / "b").mkdir()
    (photos / "b" / "2.png").write_bytes(b"1")
    more = _known(arguments={"root": "photos"})
    apart = [plain, _known(Draws(61)), _known(what="test"), _known(Names()), _known(arguments={"split": "a"})]
    apart += [here, touched, grown, more, _known(TensorDataset(x)), _known(TensorDataset(other))]
    assert len(set(apart)) == len(apart)


def test_the_text_of_its_module_tells_it_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "of_its_own.py"
    text = "class Own:\n    def __len__(self): return 20\n    def __getitem__(self, n): return float(n), 0\n"
    file.write_text(text, "utf-8")
    import of_its_own  # type: ignore[import-not-found]

    before = _known(of_its_own.Own())
    file.write_text(text + "# changed\n", "utf-8")
    assert _known(of_its_own.Own()) != before


def test_two_builders_at_once_make_it_once(capfd: pytest.CaptureFixture[str]) -> None:
    begun, go = threading.Event(), threading.Event()

    class Slow(Listed):
        def __getitem__(self, number: int) -> Any:
            begun.set()
            assert go.wait(20)
            return super().__getitem__(number)

    slow, second = Slow(*[(torch.ones(1), n) for n in range(3)]), Listed(*[(torch.ones(1), 9)] * 3)
    one = threading.Thread(target=made, args=(slow,))
    found: list[Cache] = []
    two = threading.Thread(target=lambda: found.append(made(second)))
    one.start()
    assert begun.wait(20)
    two.start()
    two.join(0.3)
    assert two.is_alive()
    go.set()
    one.join()
    two.join()
    assert (second.asked, found[0][2][1].item()) == (0, 2)
    assert "dataset.train: waits for another process to decode it" in capfd.readouterr().err


def test_what_a_killed_build_left_is_deleted_its_own_and_others_but_no_living_one() -> None:
    mine, dead, alive = (Path("cache") / f"train-{letter * 32}" for letter in "abc")
    for folder in (mine, dead, alive):
        (folder / "making").mkdir(parents=True)
        (folder / "making" / "0.bin").write_bytes(b"half")
    with RunLock(alive):
        assert made(Listed((torch.ones(1), 1)))[0][1] == 1
    assert sorted(folder.name[-1] for folder in Path("cache").iterdir()) == ["a", "c"]
    assert not (mine / "making").exists()
    assert (alive / "making" / "0.bin").exists()


def test_what_others_have_beside_caches_is_left_alone() -> None:
    for name in ("film", "train-final", f"train-{'B' * 32}"):
        (Path("cache") / name / "making").mkdir(parents=True)
        (Path("cache") / name / "film.mp4").write_bytes(b"of a user")
    Path("away/making").mkdir(parents=True)
    (Path("cache") / f"train-{'c' * 32}").symlink_to(Path("away").absolute())
    made(Listed((torch.ones(1), 1)))
    assert len(list(Path("cache").glob("*/film.mp4"))) == 3
    assert Path("away/making").is_dir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "shorter": (lambda folder: (folder / "0.bin").write_bytes(b"123"), "0.bin has 3 bytes instead of 8"),
    "longer": (lambda folder: (folder / "1.bin").write_bytes(b"1" * 99), "1.bin has 99 bytes instead of 16"),
    "no file": (lambda folder: (folder / "0.bin").unlink(), "0.bin is missing"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json cannot be read"),
    "half a manifest": (lambda folder: (folder / "manifest.json").write_text('{"form'), "manifest.json cannot be read"),
    "another": (lambda folder: (folder / "manifest.json").write_text('{"format": 1}'), "manifest.json lacks what it"),
    "no numbers": (
        lambda folder: (folder / "manifest.json").write_text(
            (folder / "manifest.json").read_text().replace("<f4", "O")
        ),
        "manifest.json lacks what it",
    ),
    "newer": (
        lambda folder: (folder / "manifest.json").write_text('{"format": 9}'),
        "manifest.json is of another form",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_one_is_told_of_and_made_anew(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    damage, said = DAMAGES[name]
    samples = [(torch.ones(1), 1), (torch.ones(1), 2)]
    made(Listed(*samples))
    (folder,) = Path("cache").glob("*/decoded")
    damage(folder)
    assert made(Listed(*samples))[1][1] == 2
    told = capfd.readouterr().err
    assert f"are damaged: {said}" in told
    assert "they are decoded anew" in told
    again = Listed(*samples)
    assert (made(again)[1][1], again.asked) == (2, 0)
    assert capfd.readouterr().err == ""


def _mixed(last: Any) -> Callable[[], Any]:
    return lambda: Listed(*[(torch.ones(2), n % 2) for n in range(39)], last)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "raises": (lambda: Bad(20, "raises"), "dataset.train: sample 20 raised OSError: photo.png is truncated (line "),
    "shape": (lambda: Bad(20, "shape"), "dataset.train: sample 20 is (float32 [6], a int), and sample 0 (float32 [3]"),
    "infinite": (lambda: Bad(20, "infinite"), "dataset.train: sample 20 holds inf in x; every value must be finite"),
    "label": (lambda: Bad(20, "label"), "dataset.train: sample 20 holds 3 in y; a label lies in 0 … 2"),
    "text": (lambda: Bad(20, "text"), "dataset.train: sample 20 holds a str in y, and tensors, arrays and numbers are"),
    "columns": (lambda: Bad(20, "columns"), "dataset.train: sample 20 is (float32 [3], a int, a float), and sample 0"),
    "own generator": (OwnGenerator, "dataset.train: sample 0 is another one when it is made again from the same seeds"),
    "type": (_mixed((torch.ones(2), 0.5)), "dataset.train: sample 39 is (float32 [2], a float), and sample 0 (float"),
    "objects": (_mixed((np.array([1, "a"], object), 1)), "dataset.train: sample 39 holds object [2] in x, and tensors"),
    "complex": (_mixed((torch.ones(2) * 1j, 1)), "dataset.train: sample 39 holds complex64 [2] in x, and dense tenso"),
    "sparse": (_mixed((torch.ones(2).to_sparse(), 1)), "dataset.train: sample 39 holds float32 [2] in x, and dense"),
    "nothing": (
        _mixed((None, 1)),
        "dataset.train: sample 39 holds nothing in x, and tensors, arrays and numbers are k",
    ),
    "empty": (_mixed(()), "dataset.train: sample 39 is empty: it needs an input at least"),
    "mapping": (_mixed({"x": torch.ones(2)}), "dataset.train: sample 39 is {x: float32 [2]}, and sample 0 (float32 [2"),
    "beyond float32": (_mixed((torch.ones(2), 2**70)), "dataset.train: sample 39 holds a int in y, and tensors"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_samples_are_one_message_and_leave_nothing(name: str, tmp_path: Path) -> None:
    data, message = BAD[name]
    with pytest.raises(DataError) as caught:
        lrsched.run([*TRAIN, "name=bad"], data=Items(data(), facts={"classes": 3}, workers=0, cache=True))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_bad_sample_that_a_worker_decodes_is_the_same_message(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lrsched.data.cache.decode.MOST", 16)
    with pytest.raises(DataError, match=r"dataset.train: sample 20 raised OSError: photo.png is truncated"):
        made(Bad(20, "raises"), workers=2)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    class Interrupted(Draws):
        def __getitem__(self, number: int) -> Any:
            if number == 23:
                assert list(tmp_path.glob("cache/*/making"))
                signal.raise_signal(signal.SIGINT)
            return super().__getitem__(number)

    assert 23 not in looked_at(60)
    with pytest.raises(KeyboardInterrupt):
        lrsched.run([*TRAIN, "name=run"], data=Items(Interrupted(), workers=0, cache=True))
    assert not list(tmp_path.iterdir())


def test_a_label_that_another_run_must_not_have_is_refused_when_it_is_opened(run_cli, tmp_path: Path) -> None:
    words = (*TRAIN, "dataset=torch", f"dataset.train={{_target_: {HERE}.Draws}}", "dataset.cache=true", "name=a")
    assert run_cli(*words).code == 0
    ended = run_cli(*words[:-1], "+dataset.facts.classes=2", "name=b")
    assert ended.code == 2
    assert "dataset.train: sample 2 holds 2 in y; a label lies in 0 … 1" in ended.err
    assert not (tmp_path / "outputs" / "b").exists()


def test_ignored_labels_and_very_many_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = [(torch.zeros(1), torch.tensor([n % 3, 255])) for n in range(6)]
    cache = made(Listed(*masks), labels=Labels(3, (255,)))
    assert cache.wrong_label(Labels(3, (255,))) is None
    assert cache.wrong_label(Labels(2, (255,))) == (2, 2)
    assert cache.wrong_label(Labels(3)) == (0, 255)
    monkeypatch.setattr("lrsched.data.cache.decode.VALUES", 2)
    many = made(Listed(*masks), known="b" * 40)
    assert not many.knows_labels
    with pytest.raises(DataError, match=r"sample 0 holds 255 in y; a label lies in 0 … 2"):
        Items(many, workers=0).fetch(Part("train", many), 0, Labels(3)).here(Wanted([0]))


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "cache": (("dataset.cache=yes please",), "cache=yes please: must be true or false"),
    "number": (("dataset.cache=1",), "dataset.cache=1: must be true or false"),
    "root": (("dataset.cache=true", "dataset.cache_root=3"), "dataset.cache_root=3: must be text or null"),
    "empty root": (("dataset.cache=true", "dataset.cache_root=' '"), "must be the path of a folder"),
    "file for root": (("dataset.cache=true", "dataset.cache_root=file/in"), "cannot be kept: Not a directory"),
    "no folder": (
        ("dataset.cache=true", "dataset.cache_root=/proc/no"),
        "cannot be kept: No such file or directory (/pr",
    ),
    "mistyped": (("+dataset.cached=true",), "dataset.cached"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_that_cannot_be_used_is_refused(name: str, run_cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words, message = REFUSED[name]
    node = f"dataset.train={{_target_: {HERE}.Draws}}"
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", node, "dataset.workers=0", *words)
    assert ended.code == (6 if name in ("file for root", "no folder") else 2)
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_told_of_before_and_during_the_work(tmp_path: Path, monkeypatch) -> None:
    plain = [(torch.ones(1), 1)] * 4
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: type("Free", (), {"free": 40})())
        with pytest.raises(
            StorageError, match=r"4 decoded samples take .* GiB, and .* GiB free; give another folder by"
        ):
            made(Listed(*plain))
    assert not list(tmp_path.iterdir())
    if not os.path.exists("/dev/full"):
        return
    monkeypatch.setattr("lrsched.data.cache.decode.open", lambda *_: open("/dev/full", "wb"), raising=False)  # noqa: SIM115
    with pytest.raises(UserError) as caught:
        made(Listed(*plain))
    assert "dataset.train: its decoded samples cannot be kept: No space left on device" in str(caught.value)
    assert "give another folder by dataset.cache_root, or dataset.cache=false" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_nobody_may_write_to_can_be_opened_but_not_made() -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    made(Listed((torch.ones(1), 1)))
    paths = [Path("cache"), *Path("cache").rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert made(Listed((torch.ones(1), 2)))[0][1] == 1
        with pytest.raises(StorageError, match="cannot be kept: Permission denied"):
            made(Listed((torch.ones(1), 2)), known="b" * 40)
    finally:
        for path in paths:
            path.chmod(0o755)


FIELDS = {
    "cache": (1, "cache=1: must be true or false"),
    "cache_root": (Path("a"), "cache_root=a: must be the path of a"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_cannot_be_used_is_refused(name: str) -> None:
    value, message = FIELDS[name]
    given: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError) as caught:
        Items(Draws(), **given)
    assert message in str(caught.value)
