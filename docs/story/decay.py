# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Does learning-rate decay change the result?
#
# The usual answer is a picture with one line for each schedule, all at one learning rate, with one seed. Here the
# question is asked so that the answer can be wrong, and says how sure it is: on real MNIST, with a rate that was found
# for each schedule, and with the same seeds for all of them.
#
# `python docs/story/make.py` makes this page from nothing. Each number in its text is read from what the runs wrote.

# %%
import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

import lrsched
from lrsched.report.stats import attained, fewest_pairs, interval

MNIST = os.environ.get("LRSCHED_DATA", "data")
RECIPE = [
    "dataset=mnist",
    f"dataset.root={MNIST}",
    "model=mlp",
    "trainer.epochs=5",
    "trainer.evaluate_every=5%",
    "threads=1",
]
SEEDS = [0, 1, 2, 3, 4, 5]
FIXED, ASKED = "constant", "cosine"  # the question, before any run: is the second one better than the first?


def type_(command, *words):
    """Run a command of lrsched; what it prints."""
    typed = [sys.executable, "-m", "lrsched", command, *words]
    ended = subprocess.run(typed, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


# %% [markdown]
# ## The schedules
#
# A fixed rate; a stair; an exponential; half a cosine; a cosine with warm restarts, one at the end of each epoch;
# one-cycle; a plateau, which cuts the rate when the validation loss has stopped falling. The fixed rate and the cosine
# are also trained with a warm-up. Last comes Adam with its defaults, of which many say that it needs no schedule.

# %%
SCHEDULES = {
    "constant": ["scheduler=constant"],
    "constant, warm-up": ["scheduler=constant", "scheduler.warmup=5%"],
    "step": ["scheduler=step"],
    "exponential": ["scheduler=exponential", "scheduler.final=0.01"],
    "cosine": ["scheduler=cosine"],
    "cosine, warm-up": ["scheduler=cosine", "scheduler.warmup=5%"],
    "warm restarts": ["scheduler=sgdr", "scheduler.first=1ep"],
    "one-cycle": ["scheduler=onecycle"],
    "plateau": ["scheduler=plateau", "scheduler.patience=2"],
    "Adam": ["optimizer=adam", "scheduler=constant"],
}
OPEN_LOOP = [label for label in SCHEDULES if label not in ("plateau", "Adam")]  # known before they run

figure, axes = plt.subplots(2, 4, figsize=(10, 3.6), sharex=True, sharey=True)
for axis, label in zip(axes.flat, OPEN_LOOP, strict=True):
    type_("preview", *RECIPE, *SCHEDULES[label], "--csv", "curve.csv")
    steps, _, rates, *_ = np.loadtxt("curve.csv", delimiter=",", skiprows=1, unpack=True)
    axis.plot(steps, rates / rates.max())
    axis.set_title(label, fontsize=9)
figure.supxlabel("step", fontsize=9)
figure.supylabel("rate / peak", fontsize=9)
figure.tight_layout()

# %% [markdown]
# ## The rates: found, not guessed
#
# `lrsched find` trains short runs of each schedule, made shorter as a whole, and carries the best rate on to the full
# length. It is given other seeds than the comparison. The plateau has no shape that could be made shorter: it gets a
# grid of whole runs.

# %%
FOUND = {}
for label, words in SCHEDULES.items():
    if label == "Adam":
        continue
    name = f"rate-{label.replace(', ', '-').replace(' ', '-')}"
    method = "horizon" if label in OPEN_LOOP else "grid"
    type_("find", f"method={method}", *RECIPE, *words, f"seed={len(SEEDS)}", f"name={name}")
    FOUND[label] = json.loads(Path(f"outputs/{name}/find.json").read_text("utf-8"))
    sure = FOUND[label].get("interval")
    print(f"{label:18} {FOUND[label]['suggestion']:<7g}", f"{sure[0]:.3f} to {sure[1]:.3f}" if sure else "whole runs")

# %% [markdown]
# ## The comparison
#
# Short runs can miss. So each schedule is trained at the rate that was found, at half of it and at twice it, and
# further, as long as the best one is the smallest or the largest. The mean validation loss chooses the rate; the test
# set is left for the answer. The same seeds mean the same first weights and the same order of the data, so that
# schedules are compared seed against seed. Adam keeps its default rate.

# %%
SWEPT = {}
for label, words in SCHEDULES.items():
    folder = f"outputs/decay-{label.replace(', ', '-').replace(' ', '-')}"
    rates = [factor * FOUND[label]["suggestion"] for factor in (0.5, 1, 2)] if label in FOUND else [0.001]
    while True:
        grid = [f"optimizer.lr={','.join(f'{rate:g}' for rate in rates)}", f"seed={','.join(map(str, SEEDS))}"]
        type_("train", "-m", *RECIPE, *words, *grid, f"name={Path(folder).name}")
        type_("report", folder, "--json", "report.json")
        (workload,) = json.loads(Path("report.json").read_text("utf-8"))["workloads"]
        (SWEPT[label],) = workload["candidates"]
        edge = SWEPT[label]["edge"]
        if label == "Adam" or edge is None:
            break
        rates = [rates[0] / 2, *rates] if edge == "smallest" else [*rates, rates[-1] * 2]
    shown = [
        f"{rate['lr']:g}: {rate['mean']:.4f}" if rate["mean"] else f"{rate['lr']:g}: –"
        for rate in SWEPT[label]["rates"]
    ]
    print(f"{label:18} val/loss at {', '.join(shown)}")

# %% [markdown]
# What the answer rests on is kept in one file, `decay.json`.

# %%
METRICS = ("val/loss", "test/loss", "test/accuracy")
decay = {
    label: {
        "found": FOUND[label]["suggestion"] if label in FOUND else None,
        "lr": row["lr"],
        "val/loss at lr": {f"{rate['lr']:g}": rate["mean"] for rate in row["rates"]},
        **{name: [row["metrics"][name]["values"][str(seed)] for seed in SEEDS] for name in METRICS},
    }
    for label, row in SWEPT.items()
}
steps = next(iter(FOUND.values()))["horizon"]
trained = sum(len(rate["runs"]) for row in SWEPT.values() for rate in row["rates"])
cost = {"find": sum(answer["cost_steps"] for answer in FOUND.values()), "compare": trained * steps}
content = {"fixed": FIXED, "asked": ASKED, "seeds": SEEDS, "steps": steps, "runs": trained, "cost_steps": cost}
content["schedules"] = decay
_ = Path("decay.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")

# %% [markdown]
# ## How each got there
#
# Each schedule at its best rate, the mean over the seeds and a band from the lowest to the highest; in grey the fixed
# rate.


# %%
def courses(label):
    """The steps, and the validation loss of each seed, of a schedule at its best rate."""
    best = next(rate for rate in SWEPT[label]["rates"] if rate["lr"] == SWEPT[label]["lr"])
    rows = [lrsched.load(best["runs"][str(seed)]).rows.series("val/loss") for seed in SEEDS]
    return rows[0][0], np.array([losses for _, losses in rows])


figure, axes = plt.subplots(2, 5, figsize=(10, 4), sharex=True, sharey=True)
for axis, label in zip(axes.flat, SCHEDULES, strict=True):
    for one, colour in ((FIXED, "#9a9a9a"), (label, "#0072B2")):
        steps, losses = courses(one)
        axis.plot(steps, losses.mean(0), color=colour)
        axis.fill_between(steps, losses.min(0), losses.max(0), color=colour, alpha=0.2, linewidth=0)
    axis.set(yscale="log")
    axis.set_yticks([0.06, 0.1, 0.2, 0.4], ["0.06", "0.1", "0.2", "0.4"])
    axis.minorticks_off()
    axis.set_title(label, fontsize=9)
figure.supxlabel("step", fontsize=9)
figure.supylabel("validation loss (nats)", fontsize=9)
figure.tight_layout()

# %% [markdown]
# ## The answer

# %% tags=["hide-input"]
DATA = json.loads(Path("decay.json").read_text("utf-8"))
FIXED, ASKED, RESULT, PAIRS = DATA["fixed"], DATA["asked"], DATA["schedules"], len(DATA["seeds"])
OTHERS = [label for label in RESULT if label != FIXED]
TUNED = [label for label in RESULT if RESULT[label]["found"] is not None]
DECAYS = [label for label in TUNED if not label.startswith(FIXED)]
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def in_words(counted):
    """How many there are, as a word."""
    number = counted if isinstance(counted, int) else len(counted)
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def against(label, other=FIXED, metric="test/accuracy"):
    """How much higher a metric is than that of another schedule, seed by seed; accuracies in points."""
    unit = 100 if metric == "test/accuracy" else 1
    return unit * (np.array(RESULT[label][metric]) - np.array(RESULT[other][metric]))


def told(differences, digits=2):
    """A mean difference with its interval."""
    low, high = (f"{end:+.{digits}f}".replace("-", "−") for end in interval(list(differences)))
    return f"{differences.mean():+.{digits}f}".replace("-", "−") + f" ({low} to {high})"


def mean(label, metric="test/accuracy"):
    """The mean of a metric over the seeds; an accuracy in per cent."""
    return (100 if metric == "test/accuracy" else 1) * float(np.mean(RESULT[label][metric]))


low, high = interval(list(against(ASKED)))
answer = "Yes" if low > 0 else "Yes, for the worse" if high < 0 else "Undecided"
level = f"{100 * attained(PAIRS):.0f} %"
share = (mean(ASKED) - mean(FIXED)) / (100 - mean(FIXED))
display(
    Markdown(
        f"**{answer}.** With a fixed rate the test accuracy is {mean(FIXED):.2f} %, with a {ASKED} "
        f"{mean(ASKED):.2f} %: {told(against(ASKED))} points, which is {100 * abs(share):.0f} % "
        f"{'fewer' if share > 0 else 'more'} errors. The test loss is {mean(FIXED, 'test/loss'):.4f} nats, and changes "
        f"by {told(against(ASKED, metric='test/loss'), 4)}.\n\n"
        f"In brackets stands the interval of {level} over {in_words(PAIRS)} paired seeds: the exact sign-flip test, "
        f"inverted. An interval that holds 0 decides nothing."
    )
)

# %% tags=["hide-input"]
rows = ["| | rate | test accuracy | points above *" + FIXED + "* |", "|---|---|---|---|"]
for label in sorted(RESULT, key=lambda label: -np.mean(RESULT[label]["test/accuracy"])):
    accuracy = 100 * np.array(RESULT[label]["test/accuracy"])
    beside = "" if label == FIXED else told(against(label))
    rows.append(
        f"| {label} | {RESULT[label]['lr']:.3g} | {accuracy.mean():.2f} ± {accuracy.std(ddof=1):.2f} % | {beside} |"
    )
display(Markdown("\n".join(rows)))

# %% tags=["hide-input"]
figure, axis = plt.subplots(figsize=(8, 3.4))
for place, label in enumerate(OTHERS):
    points, (low, high) = against(label), interval(list(against(label)))
    axis.plot(points, np.full(PAIRS, place), "o", color="#9a9a9a", markersize=3)
    axis.plot([low, high], [place, place], color="#0072B2", linewidth=1.5)
    axis.plot(points.mean(), place, "D", color="#0072B2", markersize=5)
axis.axvline(0, color="#D55E00", linewidth=1)
axis.set_yticks(range(len(OTHERS)), OTHERS)
axis.invert_yaxis()
axis.set_xlabel(f"points of test accuracy above {FIXED}: each seed, mean and interval", fontsize=9)
figure.tight_layout()

# %% tags=["hide-input"]
above = [label for label in DECAYS if interval(list(against(label)))[0] > 0]
below = [label for label in DECAYS if interval(list(against(label)))[1] < 0]
ratio = {label: RESULT[label]["lr"] / RESULT[label]["found"] for label in TUNED}
kept = [label for label in TUNED if 0.9 < ratio[label] < 1.1]
rates = sorted(RESULT[label]["lr"] for label in TUNED)
display(
    Markdown(
        f"- **Which decay?** Of {in_words(DECAYS)} schedules that decay, {in_words(above)} lie above the fixed rate "
        f"with the whole interval ({'; '.join(above)}), {in_words(below)} below it{': ' if below else ''}"
        f"{'; '.join(below)}. The largest mean is that of {max(DECAYS, key=mean)}.\n"
        f"- **A warm-up?** It changes the {FIXED} rate by {told(against(f'{FIXED}, warm-up'))} points, and the {ASKED} "
        f"by {told(against(f'{ASKED}, warm-up', ASKED))}.\n"
        f"- **Adam with its defaults** differs from the {FIXED} rate by {told(against('Adam'))} points, and from the "
        f"{ASKED} by {told(against('Adam', ASKED))}.\n"
        f"- **The rates.** For {in_words(kept)} of {in_words(TUNED)} schedules the rate that was found is also the "
        f"best of the grid around it; the others' best are {min(ratio.values()):.2g} to {max(ratio.values()):.2g} "
        f"times what was found. The best rates go from {rates[0]:.3g} to {rates[-1]:.3g}: one rate is not fair "
        f"to all.\n"
        f"- **The cost.** The search took the steps of {DATA['cost_steps']['find'] / DATA['steps']:.0f} whole runs, "
        f"and the comparison {DATA['runs']} runs of {DATA['steps']:,} steps."
    )
)

# %% [markdown]
# ## What it does not show

# %% tags=["hide-input"]
display(
    Markdown(
        f"- One question was asked beforehand: {ASKED} against {FIXED}. The other {in_words(OTHERS[1:])} intervals "
        f"are to look around: where nothing differs, {100 - 100 * attained(PAIRS):.0f} % of such intervals miss "
        f"0 all the same. To decide all {in_words(OTHERS)} at once takes at least "
        f"{in_words(fewest_pairs(len(OTHERS)))} seeds.\n"
        f"- The intervals are over seeds: first weights and the order of the data. The test images are the same for "
        f"all, and other images would move each difference too.\n"
        f"- It is one small network on one easy data set, and a short run. More epochs, a larger model or noisier data "
        f"may answer otherwise. `RECIPE` is the place to ask."
    )
)
