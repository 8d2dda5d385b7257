"""Text that others wrote: forty ways to smuggle code into a page, and a sweep that has them everywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.report.conftest import config

RUN = "window.flag=1"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</SCRIPT ><SCRIPT>{RUN}</SCRIPT>",
    f"<!--<script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"<!--<script>--><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"<![CDATA[<script>{RUN}</script>]]>",
    f"</title><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</svg><script>{RUN}</script>",
    f"</desc></svg><img src=x onerror={RUN}>",
    f"<img src=x onerror={RUN}>",
    f"<img src=x onerror='{RUN}'>",
    f'"><img src=x onerror="{RUN}">',
    f"'><img src=x onerror='{RUN}'>",
    f"`><img src=x onerror=`{RUN}`>",
    f'" onmouseover="{RUN}" x="',
    f"' onfocus='{RUN}' autofocus x='",
    f"x onclick={RUN} x=",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<math><mtext><script>{RUN}</script></mtext></math>",
    f"<body onload={RUN}>",
    f"<details open ontoggle={RUN}>",
    "<iframe srcdoc='<script>parent.flag=1</script>'></iframe>",
    f'<iframe src="javascript:parent.{RUN}"></iframe>',
    f'<object data="javascript:{RUN}"></object>',
    f'<a href="javascript:{RUN}" id=run>x</a>',
    f"javascript:{RUN}",
    f'<meta http-equiv=refresh content="0;url=javascript:{RUN}">',
    "<base href=https://example.invalid/>",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    f"{{{{ self.__init__.__globals__ }}}}{{% raw %}}<script>{RUN}</script>",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"&lt;script&gt;{RUN}&lt;/script&gt;<script>{RUN}</script>",
    f"\u2028</script\u2029><script>{RUN}</script>",
    f"${{{RUN}}}<style>@import 'https://example.invalid/x.css';</style><script>{RUN}//",
]


def hostile_sweep(sweep: Path, words: Sequence[str]) -> Path:
    """A sweep that has each word wherever others choose the words.

    A finished and a failed run for each: in the name of the latter's folder, its class, a value and a key of its
    config, its overrides, its metrics and their units, its reason, what its task shows; and all of them in a finder's
    answers. Each finished run took steps over from the one before.
    """
    sweep.mkdir()
    jobs = []
    for number, word in enumerate(words):
        for seed in (0, 1):
            name = f"{number:02}-{word.replace('/', '∕')}" if seed else f"{number:02}"
            end = {"status": "failed" if seed else "finished", "reason": word}
            _leave(sweep / name, word, seed, end, f"{number - 1:02}")
            job = {"run_id": name, **end, "overrides": [f"dataset.root={word}"]}
            jobs.append({**job, "steps_asked": 9, "steps_trained": 4})
    points = [{"lr": lr, "horizon": 4, "seed": 0, "loss": 1 / lr} for lr in (0.1, 0.2, 0.4)]
    answers = [
        {
            "method": word,
            "scheduler": word,
            "suggestion": 0.1,
            "override": f"lr={word}",
            word: 1.0,
            "candidates": points,
        }
        for word in words
    ]
    (sweep / "find.json").write_text(json.dumps({"answers": answers}), "utf-8")
    content = {"jobs": jobs, "steps_asked": 9, "steps_trained": 4, "wall_seconds": 1.0}
    (sweep / "sweep.json").write_text(json.dumps(content), "utf-8")
    return sweep


def _leave(folder: Path, word: str, seed: int, end: dict[str, str], source: str) -> None:
    """A run with the word in all that it left."""
    folder.mkdir()
    named = {"scheduler___target_": word, "dataset__root": word, word.replace("__", ""): word}
    (folder / "config.yaml").write_text(yaml.safe_dump(config(seed=seed, **named)), "utf-8")
    loss = 0.5 + len(word) / 100
    rows = [{"step": s, "val/loss": loss + 1 / s, f"val/{word}": 1.0, f"lr/{word}": 0.1} for s in (1, 2, 4)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    metrics = {"val/loss": loss, f"test/{word}": 1.0}
    units = {"loss": word, word: word}
    result = {**end, "step": 4, "metrics": metrics, "better": {"loss": "min"}, "units": units}
    (folder / "result.json").write_text(json.dumps(result), "utf-8")
    (folder / "timing.jsonl").write_text(json.dumps({"event": "fork", "step": 2, "source": source}) + "\n", "utf-8")
    (folder / "shown").mkdir()
    (folder / "shown" / f"4-{word.replace('/', '∕')}.txt").write_text(word, "utf-8")
