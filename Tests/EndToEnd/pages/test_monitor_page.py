"""The monitor's list: every durable event once and in order, over a cut link, a killed server and a reload."""
from conftest import sign_in_all
from playwright.sync_api import expect
from support.care import consult_in, new_trip, pass_milestone
from support.link import Link
from support.log import read_log
from support.visits import Visits
from support.waiting import eventually


def rows_of(page) -> list:
    """The shown sequences, oldest first; the page shows the newest on top."""
    return page.get_by_test_id("event-row").evaluate_all("rows => rows.map((row) => row.dataset.sequence).reverse()")


def assert_whole(page, people, start: str):
    """The page shows exactly the log from `start` on."""
    wanted = [event["sequence"] for _, event in read_log(people.monitor, after=start)]
    eventually(lambda: rows_of(page) == wanted, f"the {len(wanted)} events on the monitor, each once and in order")
    expect(page.get_by_test_id("event-count")).to_have_text(str(len(wanted)))
    expect(page.get_by_test_id("order")).to_have_attribute("data-disorder", "0")
    expect(page.get_by_test_id("gap")).to_have_count(0)


def test_every_event_once_over_cut_kill_and_restore(browser, new_server, tmp_path):
    server = new_server()
    people = sign_in_all(server)
    visits, link = Visits(browser, server), Link(server)
    try:
        page = visits.open(people.monitor, "/monitor", origin=link.origin)
        live = page.get_by_test_id("feed-state")
        expect(live).to_have_attribute("data-state", "live")
        start = people.monitor.fetch("/events", after="oldest", limit=500)["cursor"]
        consult_in(people, "signed")
        assert_whole(page, people, start)

        link.cut()
        expect(live).to_have_attribute("data-state", "connecting")
        consult_in(people, "concluded")
        link.mend()
        expect(live).to_have_attribute("data-state", "live")
        assert_whole(page, people, start)

        trip = new_trip(people)["id"]
        server.kill()
        expect(live).to_have_attribute("data-state", "connecting")
        server.start()
        pass_milestone(people.crew, trip, "dispatched")
        expect(live).to_have_attribute("data-state", "live")
        consult_in(people, "cancelled")
        assert_whole(page, people, start)
        expect(page.get_by_test_id("counter-trips")).to_have_text("1")
        expect(page.get_by_test_id("counter-toSign")).to_have_text("1")

        # A reload begins where this window's list began.
        page.reload()
        assert_whole(page, people, start)
        page.get_by_test_id("from-oldest").click()
        oldest = [event["sequence"] for _, event in read_log(people.monitor)]
        eventually(lambda: rows_of(page) == oldest[-500:], "the whole log")

        # A restored database is another log, and that is said: never a silent splice of the two.
        server.command("backup", tmp_path / "backup")
        consult_in(people, "requested")
        server.stop()
        server.command("restore", tmp_path / "backup")
        server.start()
        expect(page.get_by_test_id("gap")).to_have_attribute("data-reason", "epoch-changed")
        kept = [event["sequence"] for _, event in read_log(sign_in_all(server).monitor)]
        eventually(lambda: rows_of(page) == kept[-500:], "the restored log from its oldest event on")
    finally:
        link.dispose()
        visits.close()

