"""The main job on two nodes, one of which dies in the middle of the call: nobody has to do anything about it."""
import pytest
from conftest import sign_in_all
from playwright.sync_api import expect
from support.browser import LAPTOP, PHONE
from support.link import Link
from support.log import read_log
from support.nodes import on
from support.story import SEAT, both_see_and_hear, conclude_by_page, open_signed_in, request_by_page
from support.visits import Visits
from support.waiting import eventually

pytestmark = pytest.mark.postgres

# The room may be lost and found again before anybody looks: the page itself takes note.
NOTE_LOSS = """() => {
  const { room } = window.hoichanCall;
  const { state } = room.handlers;
  window.lost = false;
  window.first = window.hoichanCall.peers[0];
  room.handlers.state = (name) => { window.lost ||= name === 'restoring'; return state(name); };
}"""


@pytest.fixture
def nodes(new_nodes, turn):
    return new_nodes(2, env=turn.settings)


@pytest.fixture
def balancer(nodes):
    """What a station's browser knows: one address, behind which there is A, and B when A is gone."""
    link = Link(*nodes)
    yield link
    link.dispose()


@pytest.fixture
def visits(browser, nodes):
    visits = Visits(browser, nodes[0])
    yield visits
    visits.close()


@pytest.mark.timeout(300)
def test_a_node_dies_in_the_middle_of_the_call(nodes, balancer, visits):
    first, second = nodes
    people = on(second, sign_in_all(second))
    state = lambda consult: people.station.fetch(f"/consults/{consult}")["state"]

    station = open_signed_in(visits, "tram", "/station/new", PHONE, origin=balancer.origin)
    consult = request_by_page(station)
    station.get_by_test_id("slot").first.click()
    eventually(lambda: state(consult) == "scheduled", "the booking")
    station.goto(station.url)
    station.get_by_test_id("action-arrive").click()
    eventually(lambda: state(consult) == "waiting", "the arrival")
    # The station is the first in the room, so that the room lives where the station is: at A.
    station.goto(station.url.split("?")[0] + "/call")
    station.get_by_test_id("join").click()
    station.wait_for_function("() => window.hoichanCall?.room?.joined")
    specialist = open_signed_in(visits, "bacsi", f"/consults/{consult}/call", LAPTOP, origin=second.origin)
    specialist.get_by_test_id("join").click()
    both_see_and_hear([station, specialist])
    specialist.get_by_test_id("action-start").click()
    eventually(lambda: state(consult) == "inProgress", "the start")

    joined = lambda: [event["type"] for _, event in read_log(people.auditor, subject=f"consults/{consult}")].count("call.joined")
    eventually(lambda: joined() == 2, "both entries in the log")
    seats = [page.evaluate(SEAT) for page in (station, specialist)]
    for page in (station, specialist):
        page.evaluate(NOTE_LOSS)
    first.kill()
    # Picture and sound go from browser to browser: they ask no server, neither before the return nor after it.
    both_see_and_hear([station, specialist])
    station.wait_for_function("() => window.lost")
    for page in (station, specialist):
        page.wait_for_function("() => window.hoichanCall.room.joined")
    both_see_and_hear([station, specialist])
    assert [page.evaluate(SEAT) for page in (station, specialist)] == seats
    for page in (station, specialist):
        assert page.evaluate("window.first === window.hoichanCall.peers[0]"), "the connection was made anew"
    say(station, specialist, "Bác sĩ còn nghe không?")
    say(specialist, station, "Còn nghe rõ")

    for page in (specialist, station):
        page.get_by_test_id("hangup").click()
        expect(page.get_by_test_id("call-ended")).to_be_visible()
    specialist.goto(f"{second.origin}/consults/{consult}")
    conclude_by_page(specialist)
    assert state(consult) == "signed"
    station.goto(f"{balancer.origin}/consults/{consult}")
    expect(station.get_by_test_id("outcome-recommendation")).to_contain_text("Aspirin")

    told = lambda: [event["type"] for _, event in read_log(people.auditor, subject=f"consults/{consult}")]
    eventually(lambda: "call.ended" in told(), "the call's end in the log")
    log = told()
    assert [log.count(f"call.{name}") for name in ("joined", "left", "ended")] == [2, 2, 1], log
    assert [name for name in log if name.startswith("consult.")] == [
        f"consult.{name}" for name in ("requested", "scheduled", "arrived", "started", "concluded", "signed")
    ]
    second.command("verify")


def say(page, other, words: str):
    page.wait_for_function("() => window.hoichanCall.room.joined")
    page.get_by_test_id("chat-text").fill(words)
    page.get_by_test_id("chat-send").click()
    expect(other.get_by_test_id("chat")).to_contain_text(words)
