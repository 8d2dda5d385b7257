"""Wrong words for ``lrsched find``: one message that names the key and the remedy, exit code 2, nothing left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers.cli import TINY

WORDS = (*TINY, "threads=1", "logger=none", "name=found")
HEAD = "+optimizer.groups={head: {params: '.*', lr_scale: 2.0}}"
FROZEN = "+optimizer.groups={head: {params: '.*[.]2[.].*|.*head.*', freeze: true}}"
WRONG = {
    "method": (("method=rang",), ("find.method=rang", "did you mean 'range'?")),
    "key": (("find.lo=0.1",), ("find.lo=0.1", "there is no such key")),
    "group of keys": (("find=range",), ("find: ", "write find.KEY=VALUE")),
    "low": (("find.low=0",), ("find.low=0", "above 0")),
    "low of another type": (("find.low=much",), ("find.low=much", "number")),
    "high below low": (("find.low=1", "find.high=0.1"), ("find.low=1", "must be below find.high=0.1")),
    "high below the default": (("find.high=1e-9",), ("find.high=1e-09", "must rise")),
    "infinite": (("find.high=inf",), ("find.high=inf", "finite")),
    "seeds": (("find.seeds=0",), ("find.seeds=0", "between 1 and 1000")),
    "steps": (("find.steps=5",), ("find.steps=5", "between 20 and")),
    "stop": (("find.stop=1",), ("find.stop=1", "must be above 1")),
    "smooth": (("find.smooth=1",), ("find.smooth=1", "below 1")),
    "shape": (("find.shape=exp",), ("find.shape=exp", "exponential, linear")),
    "budget without a unit": (("find.budget=100",), ("find.budget=100", "unit")),
    "budget too small": (("find.budget=100st",), ("find.budget=100st", "take 300 steps", "fewer find.steps")),
    "several values": (("optimizer=sgd,adamw",), ("optimizer", "has several values", "once for each")),
    "several finders": (("find.seeds=1,2",), ("find.seeds", "write find.KEY=VALUE")),
    "a run that goes on": (("resume=outputs/x",), ("resume=outputs/x", "before a run begins", "leave it out")),
    "no such group": ((HEAD, "find.group=haed"), ("find.group=haed", "did you mean 'head'?")),
    "no groups": (("find.group=head",), ("find.group=head", "leave it out")),
    "a frozen group": ((FROZEN, "find.group=head"), ("find.group=head", "frozen")),
    "only rates of their own": ((HEAD.replace("lr_scale: 2.0", "lr: 0.1"),), ("optimizer.lr", "find.group=NAME")),
    "from the start": (("find.low=1e20", "find.high=1e25"), ("find.low=1e+20", "give a lower find.low")),
    "a key of another method": (("find.refine=1",), ("find.refine=1", "is a key of find.method=grid")),
    "a key of the run": (("optimizr.lr=1",), ("optimizr.lr", "'optimizer'")),
    "a flag": (("-m",), ("-m", "--help")),
    "an unreadable word": (("find.low",), ("find.low", "key=value")),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_message_and_nothing_left(name: str, run_cli) -> None:
    words, said = WRONG[name]
    method = () if words[0].startswith(("method=", "find=")) else ("method=range",)
    ended = run_cli(*WORDS, *method, *words, command="find")
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    messages = [
        line for line in ended.err.splitlines() if not line.startswith(("lrsched: range test", "lrsched: seed"))
    ]
    assert len(messages) == 1, ended.err
    for word in said:
        assert word in messages[0]
    assert not list(Path().iterdir())


GRIDS = {
    "rates": (("find.rates=2",), ("find.rates=2", "between 3 and 1000")),
    "refine": (("find.refine=-1",), ("find.refine=-1", "between 0 and 10")),
    "around 0": (("optimizer.lr=0",), ("optimizer.lr=0", "give find.low and find.high")),
    "too close": (("find.low=0.1", "find.high=0.10001"), ("find.rates=7", "further apart")),
    "falling": (("find.low=9",), ("find.rates=7", "must rise")),
    "budget": (("find.budget=99%",), ("find.budget=99%", "fewer find.rates")),
    "a key of a range": (("find.steps=50",), ("find.steps=50", "is a key of find.method=range")),
    "a pause": (("sweep.until=3",), ("sweep.until=3", "leave it out")),
    "seeds as values": (("seed=0,1",), ("seed", "has several values")),
    "a config that is wrong": (("scheduler.warmup=2",), ("scheduler.warmup=2", "unit")),
}


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_is_refused_before_a_run_begins(name: str, run_cli) -> None:
    words, said = GRIDS[name]
    ended = run_cli(*WORDS, "method=grid", *words, command="find")
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    message = ended.err.splitlines()[-1]
    for word in said:
        assert word in message
    assert not list(Path().iterdir())


LENGTHS = {
    "one": ("find.horizons=[50%]", (), ("find.horizons=[50%]", "at least 2", "give [5%,25%]")),
    "none": ("find.horizons=[]", (), ("find.horizons=[]", "at least 2")),
    "no list": ("find.horizons=50%", (), ("find.horizons=50%", "must be a list")),
    "no unit": ("find.horizons=[20,60]", (), ("find.horizons[0]=20", "carries its unit", "write 20st")),
    "no duration": ("find.horizons=[20st,much]", (), ("find.horizons[1]=much", "carries its unit")),
    "falling": ("find.horizons=[60st,20st]", (), ("find.horizons=[60st,20st]", "must rise", "60, 20 steps", "first")),
    "equal": ("find.horizons=[10%,30st]", (), ("find.horizons=", "must rise", "30, 30 steps")),
    "as long as the run": (
        "find.horizons=[10%,100%]",
        (),
        ("must be shorter than the run, of 300 steps", "shorter ones"),
    ),
    "longer than the run": ("find.horizons=[30st,400st]", (), ("must be shorter than the run", "find.method=grid")),
    "too short": ("find.horizons=[9st,60st]", (), ("find.horizons=[9st,60st]", "less than 10", "give longer ones")),
    "rounded to one": ("find.horizons=[0.1%,20%]", (), ("are 1, 60 steps", "give longer ones")),
    "of nothing": ("find.horizons=[0st,60st]", (), ("find.horizons=0st", "at least one step")),
    "too dear": (
        "find.horizons=[10%,20%]",
        ("find.budget=1079st",),
        ("find.budget=1079st", "at least 1080", "shorter find.horizons"),  # 3 seeds × (6 · 30 + 3 · 60)
    ),
    "of a grid": ("find.horizons=[10%,20%]", ("method=grid",), ("is a key of find.method=horizon", "leave it out")),
    "with one of two": (
        "find.horizons=[10%,100%]",
        ("scheduler=cosine,linear",),
        ("find.horizons=", "must be shorter than the run"),
    ),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_lengths_of_short_runs_are_refused_before_one_begins(name: str, run_cli) -> None:
    word, more, said = LENGTHS[name]
    ended = run_cli(*WORDS, "trainer.steps=300", word, *more, command="find")
    assert ended.code == 2, ended.err
    (message,) = ended.err.splitlines()
    for each in said:
        assert each in message
    assert not list(Path().iterdir())


PICTURES = {
    "another ending": ("x.pdf", ("must end in .png", "give x.pdf.png")),
    "a folder": (".", ("must end in .png", "give F.png")),
    "no such folder": ("there/x.png", ("--png=there/x.png", "lies in there", "make it")),
    "no matplotlib": ("outputs/found/x.png", ("--png=outputs/found/x.png", "pip install 'hydra-lrsched[plot]'")),
}


@pytest.mark.parametrize("method", ["range", "grid", "horizon"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_refused_before_a_run_begins(
    name: str, method: str, run_cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, said = PICTURES[name]
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ended = run_cli(*WORDS, f"method={method}", "trainer.steps=300", "--png", file, command="find")
    assert ended.code == 2, ended.err
    (message,) = ended.err.splitlines()
    for word in said:
        assert word in message
    assert not list(Path().iterdir())


def test_a_picture_is_no_folder(run_cli) -> None:
    Path("x.png").mkdir()
    ended = run_cli(*WORDS, "method=grid", "--png", "x.png", command="find")
    assert ended.code == 2
    assert "--png=x.png: is a folder; give a file" in ended.err
    assert [path.name for path in Path().iterdir()] == ["x.png"]


SHORT_RUNS = {
    "too short": ((), ("find.method=horizon", "at least 200", "give find.method=grid")),
    "lengths of its own": (
        ("scheduler=torch/StepLR", "scheduler.step_size=1"),
        ("scheduler._target_=torch.optim.lr_scheduler.StepLR", "lengths of its own"),
    ),
    "a closed loop": (("scheduler=plateau",), ("scheduler._target_=", "by what it sees")),
    "no loss": (
        ("checkpoint.monitor=val/accuracy",),
        ("checkpoint.monitor=val/accuracy", "checkpoint.monitor=val/loss"),
    ),
    "no loss, a metric by name": (
        ("+trainer.metrics.f1=F1Score", "checkpoint.monitor=val/f1"),
        ("checkpoint.monitor=val/f1", "checkpoint.monitor=val/loss"),
    ),
    "rate 0": (("optimizer.lr=0", "trainer.steps=300"), ("optimizer.lr=0", "may be far off")),
    "budget": (("find.budget=4%", "trainer.steps=300"), ("find.budget=4%", "more of it, or fewer find.seeds")),
    "low": (("find.low=0.1",), ("find.low=0.1", "find.method=range or grid, and this is horizon")),
    "several optimizers": (("optimizer=sgd,adamw", "trainer.steps=300"), ("optimizer", "only schedules are compared")),
}


@pytest.mark.parametrize("name", SHORT_RUNS)
def test_short_runs_are_refused_before_one_begins(name: str, run_cli) -> None:
    words, said = SHORT_RUNS[name]
    ended = run_cli(*WORDS, *words, command="find")
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    (message,) = ended.err.splitlines()
    for word in said:
        assert word in message
    assert not list(Path().iterdir())


SEVERAL = {
    "no such schedule": (("scheduler=cosine,wsdd",), ("scheduler=wsdd", "did you mean", "wsd")),
    "a key that one has not": (("scheduler=wsd,linear", "scheduler.decay=10%"), ("decay", "with scheduler=linear")),
    "a value that one cannot take": (
        ("scheduler=wsd,linear", "trainer.steps=300", "scheduler.warmup=2"),
        ("scheduler.warmup=2", "unit", "with scheduler=wsd"),
    ),
    "one without a shape": (
        ("scheduler=cosine,plateau", "trainer.steps=300"),
        ("scheduler._target_=", "by what it sees", "with scheduler=plateau"),
    ),
    "an interval": (("scheduler=wsd", "scheduler.decay=interval(1,2)"), ("scheduler.decay", "list them")),
    "too short": (("scheduler=cosine,linear",), ("find.method=horizon", "at least 200", "with scheduler=cosine")),
    "budget": (
        ("scheduler=cosine,linear", "trainer.steps=300", "find.budget=4%"),
        ("find.budget=4%", "more of it, or fewer find.seeds"),
    ),
    "budget of all": (
        ("scheduler=cosine,linear", "method=grid", "find.budget=251st"),
        ("find.budget=251st", "fewer find.rates", "2 schedules"),
    ),
    "seeds as values": (("scheduler=cosine,linear", "seed=0,1"), ("seed", "only schedules are compared")),
    "a run that goes on": (("scheduler=cosine,linear", "resume=outputs/x"), ("resume=outputs/x", "leave it out")),
    "a pause": (("scheduler=cosine,linear", "sweep.until=3"), ("sweep.until=3", "leave it out")),
    "nothing": (("scheduler=glob(nix*)",), ("scheduler", "stands for no value")),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_schedules_are_refused_before_a_run_begins(name: str, run_cli) -> None:
    words, said = SEVERAL[name]
    ended = run_cli(*WORDS, *words, command="find")
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    message = ended.err.splitlines()[-1]
    for word in said:
        assert word in message
    assert not list(Path().iterdir())


def test_a_budget_of_runs_whose_length_the_data_alone_tell(run_cli) -> None:
    words = (*TINY, "dataset.train_samples=null", "logger=none", "name=found", "method=grid", "find.budget=50%")
    ended = run_cli(*words, command="find")
    assert ended.code == 2
    # 7 rates, 3 seeds, 12 steps: 252
    assert "find.budget=50%: allows 126 steps, and the grid takes 252 steps, 100 % of a full grid" in ended.err
    assert not list(Path().iterdir())


def test_a_grid_does_not_go_on_with_another_answer(run_cli) -> None:
    folder = Path("outputs/found")
    folder.mkdir(parents=True)
    (folder / "find.json").write_text('{"method": "range"}')
    ended = run_cli(*WORDS, "method=grid", command="find")
    assert ended.code == 2
    assert "outputs/found already holds an answer (find.method=range); give another name" in ended.err
    assert [path.name for path in folder.iterdir()] == ["find.json"]


@pytest.mark.parametrize("file", ["config.yaml", "sweep.json", "find.json"])
def test_a_name_that_is_taken_stays_as_it_is(file: str, run_cli) -> None:
    folder = Path("outputs/found")
    folder.mkdir(parents=True)
    (folder / file).write_text("mine")
    ended = run_cli(*WORDS, "method=range", command="find")
    assert ended.code == 2
    assert "name=found: outputs/found already holds a" in ended.err
    assert [path.name for path in folder.iterdir()] == [file]
    assert (folder / file).read_text() == "mine"


def test_a_training_run_knows_no_key_of_the_finder(run_cli) -> None:
    ended = run_cli(*WORDS, "find.seeds=3")
    assert ended.code == 2
    assert "find.seeds: there is no such key" in ended.err.replace("=3", "")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["horizon", "grid"])
def test_data_that_no_run_can_take_are_one_message_and_leave_nothing(method: str, run_cli) -> None:
    words = ("dataset=noisy_quadratic", "logger=none", "name=found", "find.seeds=2", "find.rates=3", f"method={method}")
    ended = run_cli(*words, "threads=1", "trainer.progress=false", command="find")
    assert ended.code == 2, ended.err
    last = ended.err.splitlines()[-1]
    assert "such data are for task=regression" in last
    assert not last.startswith("lrsched: [")
    if method == "horizon":
        assert ended.err.count("labels must be whole numbers") == 2  # as its run ends, and as the command does
    assert not Path("outputs").exists()
