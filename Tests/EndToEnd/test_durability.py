"""An answer means that the disk has it: fdatasyncs are counted from outside, since a process cannot see its own."""
import re

import pytest
from support.api import sign_in
from support.care import request_consult
from support.server import PASSWORD
from support.waiting import eventually

WRITES = 25


def commit_groups(api) -> int:
    return int(float(re.search(r"^hoichan_storage_commit_groups_total (\S+)$", api.get("/metrics").text, re.M)[1]))


@pytest.mark.sqlite("only there does the process that answers write the disk itself")
def test_each_commit_group_is_one_fdatasync(new_server, tmp_path):
    trace = tmp_path / "trace"
    server = new_server(start=False)
    # -D: strace stands beside the server instead of before it, so that the signal to stop reaches the server itself.
    server.start(prefix=["strace", "-D", "-f", "-e", "trace=fdatasync", "-o", trace])
    station = sign_in(server, "tram", PASSWORD)
    before = commit_groups(station)
    for _ in range(WRITES):
        request_consult(station)
    # A group is counted behind its answers.
    eventually(lambda: commit_groups(station) - before >= WRITES, "the groups to be counted")
    groups = commit_groups(station)
    assert server.stop() == 0
    # A call that another thread's interrupts stands in two lines, of which one has the opening bracket.
    synced = sum("fdatasync(" in line for line in trace.read_text().splitlines())
    # Beside the groups: the checkpoints of a start and a stop, and what a start itself writes.
    assert groups <= synced <= groups + 15
