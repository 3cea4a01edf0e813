"""Events in a file, in a pipe, on standard output: whole lines, and what happens where they cannot be written."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from lockage.cli.app import run
from lockage.cli.event_stream import EventStream, EventsUnwritable, begin_stream
from lockage.cli.progress import Progress, end_observers
from lockage.record.event import Phase
from lockage.record.event_line import schema


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    end_observers(0, None)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_streams_are_appended_and_each_command_has_its_own(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    for number in range(2):
        begin_stream(str(file), "lockage build")
        Progress(quiet=True)(Phase(text=f"part {number}"))
        end_observers(number, None)
    found = lines(file)
    assert [line["type"] for line in found] == ["command-begun", "phase-begun", "phase-ended", "command-ended"] * 2
    assert len({line["stream"] for line in found}) == 2
    assert [line["exit_code"] for line in found if line["type"] == "command-ended"] == [0, 1]


def test_a_torn_line_is_not_continued(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"type":"phase-be')
    begin_stream(str(file), "lockage build")
    assert json.loads(file.read_bytes().splitlines()[1])["type"] == "command-begun"


def test_every_line_is_there_before_the_command_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    begin_stream(str(file), "lockage build")
    Progress(quiet=True)(Phase(text="under way"))
    assert [line["type"] for line in lines(file)] == ["command-begun", "phase-begun"]


def test_a_file_that_cannot_be_opened_is_an_error_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(EventsUnwritable, match="No such file"):
        begin_stream(str(tmp_path / "absent" / "events"), "lockage build")
    assert run(["build", str(tmp_path), "--events", str(tmp_path)]) == 2


def test_a_reader_that_has_gone_is_a_warning_and_the_command_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    begin_stream(f"/dev/fd/{writing}", "lockage build")
    os.close(writing)
    os.close(reading)
    tell = Progress(quiet=True)
    tell(Phase(text="one"))
    tell(Phase(text="two"))
    assert capsys.readouterr().err.count("warning: no more events are written") == 1


def test_a_full_disk_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("/dev/full").open("ab", buffering=0) as full:
        stream = EventStream(full, "events.jsonl", "lockage build", ExitStack())
        stream.hear(Phase(text="one"))
        stream.end(0, None)
    assert capsys.readouterr().err == "lockage: warning: no more events are written to events.jsonl: No space left on device\n"


def test_writes_that_take_only_some_bytes_are_gone_on_with() -> None:
    class Slow(io.BytesIO):
        def write(self, data: object) -> int:
            assert isinstance(data, memoryview)
            return super().write(data[:7])

    sink = Slow()
    EventStream(sink, "pipe", "lockage build", ExitStack()).end(0, None)
    assert [json.loads(line)["type"] for line in sink.getvalue().splitlines()] == ["command-begun", "command-ended"]


def test_a_command_that_fails_says_so_in_its_last_line(tmp_path: Path, schemas: ModuleType) -> None:
    file = tmp_path / "events.jsonl"
    status = run(["build", str(tmp_path / "absent"), "--events", str(file)])
    found = lines(file)
    assert (found[-1]["exit_code"], found[-1]["error"]) == (status, "source-unusable")
    assert [list(schemas.faults(line, schema())) for line in found] == [[]] * len(found)


def test_on_standard_output_there_are_only_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["build", str(tmp_path / "absent"), "--events", "-", "--json"]) == 2
    shown = capsys.readouterr()
    assert [json.loads(line)["type"] for line in shown.out.splitlines()] == ["command-begun", "command-ended"]
    assert '"code": "source-unusable"' in shown.err


def test_the_setting_is_for_every_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, other = tmp_path / "events.jsonl", tmp_path / "other.jsonl"
    monkeypatch.setenv("LOCKAGE_EVENTS", str(file))
    monkeypatch.setenv("LOCKAGE_HOME", str(tmp_path / "store"))
    run(["lock", str(tmp_path / "absent")])
    assert [line["type"] for line in lines(file)] == ["command-begun", "command-ended"]
    run(["lock", str(tmp_path / "absent"), "--events", str(other)])
    assert (len(lines(file)), len(lines(other))) == (2, 2)
