"""The socket between us and bubblewrap, with a process or nobody in bubblewrap's place."""

from __future__ import annotations

import os
import select
import subprocess
from typing import TYPE_CHECKING

import pytest

from lockage.adapters.sandbox_bwrap.channel import Channel
from lockage.adapters.sandbox_bwrap.libc import close_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def channel() -> Iterator[Channel]:
    found = Channel()
    yield found
    close_at_once((found.ours, found.theirs))


def test_arguments_arrive_whole_and_have_an_end(channel: Channel) -> None:
    """More of them than a socket holds, which are read while they are written."""
    given = b"--setenv\0NAME\0value\0" * 50_000
    with subprocess.Popen(["cat"], stdin=channel.theirs, stdout=subprocess.PIPE) as process:
        reader = subprocess.Popen(["wc", "-c"], stdin=process.stdout, stdout=subprocess.PIPE)
        channel.give(given)
        assert reader.communicate()[0].split() == [b"%d" % len(given)]


def test_who_has_ended_is_given_nothing_and_that_is_no_error(channel: Channel) -> None:
    close_at_once((channel.theirs,))
    channel.give(b"--proc\0/proc\0")
    assert channel.told() is None
    channel.theirs = os.open(os.devnull, os.O_RDONLY)


@pytest.mark.parametrize(
    ("said", "process"),
    [
        (b'{\n    "child-pid": 4711,\n    "cgroup-namespace": 4026532200\n}\n', 4711),
        (b'{"child-pid":1}', 1),
        (b'{\n    "child-pid": 47', None),
        (b"{}", None),
        (b"", None),
    ],
)
def test_what_is_told_is_read_without_waiting_for_more(channel: Channel, said: bytes, process: int | None) -> None:
    """The other end stays open, as a process that bubblewrap has left may hold it."""
    os.write(channel.theirs, said)
    assert channel.told() == process


def test_it_hangs_up_once_the_other_end_is_closed(channel: Channel) -> None:
    poll = select.poll()
    poll.register(channel.ours, 0)
    with subprocess.Popen(["cat"], stdin=channel.theirs, stdout=subprocess.DEVNULL) as process:
        close_at_once((channel.theirs,))
        assert poll.poll(50) == [], "the process has it"
        channel.give(b"--proc\0/proc\0")
        assert poll.poll(60_000) == [(channel.ours, select.POLLHUP)]
        assert process.wait(60) == 0
    channel.theirs = os.open(os.devnull, os.O_RDONLY)
