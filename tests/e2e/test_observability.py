"""What other programs can read of a build, with the real sandbox: events, traces, runs, lineage; also of a build that is killed."""

from __future__ import annotations

import json
import signal
import time
import xml.etree.ElementTree as ET
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from lockage.record.event_line import schema

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.e2e.conftest import Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

STEPS = """
[step.flaky]
environment = "build"
inputs = ["README.md"]
run = "echo trying; exit 3"
outputs = ["bad"]
retries = 1
[step.after]
environment = "build"
needs = ["flaky"]
inputs = []
run = "touch after"
outputs = ["after"]
"""


def read(file: Path, schemas: ModuleType) -> list[dict[str, Any]]:
    """The events of a file, each of which is as the published schema says."""
    lines = file.read_bytes()
    assert lines.endswith(b"\n")
    found = [json.loads(line) for line in lines.splitlines()]
    assert [list(schemas.faults(event, schema())) for event in found] == [[]] * len(found)
    return found


def test_a_build_is_told_recorded_and_shown(shop: Store, schemas: ModuleType, tmp_path: Path) -> None:
    events, trace, picture = tmp_path / "events.jsonl", tmp_path / "trace.json", tmp_path / "lineage.svg"
    (shop.work / "README.md").write_text("# another\n")
    built = shop("build", "--events", str(events), "--json", expect=0).json
    found = read(events, schemas)
    kinds = [event["type"] for event in found]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("command-begun", "run-recorded", "command-ended")
    assert {event["step"]: event["cached"] for event in found if event["type"] == "step-ended"} == {"package": False, "manual": True}
    (started,) = [event for event in found if event["type"] == "step-started"]
    assert (started["step"], started["reason"]) == ("package", "not-kept")
    delivered = {event["name"]: event["blob"]["sha256"] for event in found if event["type"] == "artifact-delivered"}
    assert delivered == {one["filename"]: one["sha256"] for one in built["artifacts"]}
    assert [event["run"] for event in found if event["type"] == "run-recorded"] == [built["run"]]

    run = shop("show", "--trace", str(trace), "--json", expect=0).json["run"]
    assert (run["run"], run["critical_path"]) == (built["run"], ["package"])
    steps = {step["step"]: step for step in run["steps"]}
    assert (steps["package"]["state"], steps["manual"]["state"]) == ("done", "cached")
    assert steps["package"]["finished_ms"] - steps["package"]["started_ms"] >= steps["package"]["usage"]["wall_ms"] - 5
    assert run["wall_ms"] == steps["package"]["finished_ms"]
    assert {"kernel", "cpu-features", "lockage", "sandbox", "store-file-system", "control-groups"} <= set(run["host"])
    slices = [event for event in json.loads(trace.read_bytes())["traceEvents"] if event["ph"] == "X"]
    assert [(one["name"], one["dur"]) for one in slices] == [
        ("package", (steps["package"]["finished_ms"] - steps["package"]["started_ms"]) * 1000)
    ]

    (wheel,) = [name for name in delivered if name.endswith(".whl")]
    file = shop.work / "dist" / wheel
    lineage = shop("lineage", str(file), "--json", expect=0).json
    assert [artifact["sha256"] for artifact in lineage["artifacts"]] == [sha256(file.read_bytes()).hexdigest()]
    (inputs,) = lineage["inputs"]
    for one in inputs["files"]:
        assert sha256((shop.work / one["path"]).read_bytes()).hexdigest() == one["sha256"]
    lock = json.loads((shop.work / "lockage.lock").read_text())["environments"]["build"]
    (environment,) = lineage["environments"]
    for kind in ("packages", "python"):
        assert [one["sha256"] for one in environment[kind]] == [one["sha256"] for one in lock[kind]]
    assert [(step["step"], step["action"]) for step in lineage["steps"]] == [("package", steps["package"]["action"])]
    shop("lineage", str(file), "--format", "svg", "--out", str(picture), expect=0)
    assert ET.parse(picture).getroot().tag.endswith("svg")

    assert shop("show", delivered[wheel][:10], "--json", expect=0).json["artifact"]["runs"] == [[built["run"], "package"]]
    assert shop("show", steps["package"]["action"], "--json", expect=0).json["action"]["kept"] is True
    assert shop("show", "run-999999", "--json", expect=2).error["code"] == "nothing-found"
    assert "Did you mean" in shop("show", f"{wheel}x", "--json", expect=2).error["hint"]


def test_a_failure_its_attempts_and_what_was_not_started_are_told(shop: Store, schemas: ModuleType, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    with (shop.work / "lockage.toml").open("a") as recipe:
        recipe.write(STEPS)
    shop("build", "--keep-going", "--events", str(events), expect=9)
    found = read(events, schemas)
    assert [event["attempt"] for event in found if event["type"] == "step-retried"] == [1]
    assert [(event["step"], event["failed"]) for event in found if event["type"] == "step-skipped"] == [("after", ["flaky"])]
    assert (found[-1]["exit_code"], found[-1]["error"]) == (9, "step-not-done")
    shown = {step["step"]: step for step in shop("show", "--json", expect=0).json["run"]["steps"]}
    assert (shown["flaky"]["state"], shown["after"]["state"]) == ("failed", "skipped")
    (attempt,) = shown["flaky"]["attempts"]
    assert 0 <= attempt["started_ms"] <= attempt["finished_ms"] <= shown["flaky"]["finished_ms"]


def test_events_of_a_build_that_is_killed_are_whole_lines(shop: Store, schemas: ModuleType, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    with (shop.work / "lockage.toml").open("a") as recipe:
        recipe.write('[step.slow]\nenvironment = "build"\ninputs = []\nrun = "sleep 60"\noutputs = ["x"]\n')
    with shop.start("build", "--step", "slow", "--events", events) as building:
        for _ in range(300):
            if events.exists() and b"step-started" in events.read_bytes():
                break
            time.sleep(0.1)
        building.send_signal(signal.SIGKILL)
        building.communicate()
    found = read(events, schemas)
    assert found[-1]["type"] == "step-started"
    shop("lock", "--check", "--events", str(events), expect=0)
    again = read(events, schemas)
    assert again[: len(found)] == found
    assert len({event["stream"] for event in again}) == 2
