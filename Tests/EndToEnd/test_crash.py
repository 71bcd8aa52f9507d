"""kill -9 at random moments under writing load: what was acknowledged is there, nothing is half, the feed is whole."""
import random
import time

import pytest
from conftest import sign_in_all
from support.load import Reader, Writers, assert_kept, assert_nothing_half, assert_told, log_from
from support.log import assert_exactly_once_in_order

KILLS = 20
WRITERS = 4


@pytest.mark.timeout(900)
def test_twenty_kills(new_server):
    server = new_server()
    people = sign_in_all(server)
    before = people.monitor.fetch("/events", after="oldest", limit=1)["head"]
    writers = Writers(people, WRITERS).start()
    reader = Reader(people, before)
    reader.start()
    for kill in range(KILLS):
        time.sleep(random.uniform(0.05, 1.5))  # the random moment
        sure = writers.acknowledged()
        server.kill()
        server.start()
        writers.assert_right()
        assert_kept(people, sure, f"kill {kill}")
    writers.stop()
    assert writers.count() > KILLS, "too little was written to prove anything"
    log = log_from(people, before)
    reader.finish(log)
    assert_exactly_once_in_order(reader.seen, log)
    assert_nothing_half(people, log)
    assert_told(log, writers.acknowledged())
    assert_kept(people, writers.acknowledged(), "at the end", samples=2000)
    server.command("verify")
    server.stop()
    server.command("verify")
