"""The call's page: picture and sound outlive the socket, a reload joins afresh, hanging up is hanging up."""
import pytest
from playwright.sync_api import expect
from support.browser import PHONE
from support.care import consult_in
from support.log import events_of
from support.story import SEAT, sees_more
from support.waiting import eventually


@pytest.fixture
def pair(open_page, people, link):
    """A station (behind a link that can be cut) and a specialist who see each other."""
    consult = consult_in(people, "inProgress")
    station = open_page("station", f"/consults/{consult}/call", PHONE, origin=link.origin)
    specialist = open_page("specialist", f"/consults/{consult}/call")
    for page in (station, specialist):
        page.get_by_test_id("join").click()
    for page in (station, specialist):
        sees_more(page)
    return consult, station, specialist


def test_the_call_outlives_its_socket(pair, people, link):
    consult, station, specialist = pair
    before = station.evaluate(SEAT)
    station.evaluate("window.first = window.hoichanCall.peers[0]")
    link.cut()
    station.wait_for_function("() => !window.hoichanCall.room.joined")
    # Picture and sound go from browser to browser and need no server.
    sees_more(station)
    specialist.get_by_test_id("chat-text").fill("Nghe rõ không?")
    specialist.get_by_test_id("chat-send").click()
    link.mend()
    station.wait_for_function("() => window.hoichanCall.room.joined")
    # The same seat, the same connection, and what was said meanwhile.
    assert station.evaluate(SEAT) == before
    assert station.evaluate("window.first === window.hoichanCall.peers[0]")
    expect(station.get_by_test_id("chat-line")).to_contain_text("Nghe rõ không?")
    for page in (station, specialist):
        sees_more(page)
    eventually(lambda: events_of(people.monitor, f"consults/{consult}").count("call.joined") == 2, "both entries in the log")


def test_a_reload_joins_afresh_and_hanging_up_ends_it(pair, people):
    consult, station, specialist = pair
    generation = specialist.evaluate(SEAT)["generations"]
    station.reload()
    station.get_by_test_id("join").click()
    for page in (station, specialist):
        sees_more(page)
    expect(specialist.get_by_test_id("remote-video")).to_have_count(1)
    assert specialist.evaluate(SEAT)["generations"] != generation

    mute = station.get_by_test_id("mute")
    mute.click()
    expect(mute).to_have_attribute("aria-pressed", "true")
    station.get_by_test_id("camera").click()
    expect(station.get_by_test_id("local-video")).to_be_hidden()
    station.get_by_test_id("camera").click()
    expect(station.get_by_test_id("local-video")).to_be_visible()
    sees_more(specialist)

    station.get_by_test_id("hangup").click()
    expect(station.get_by_test_id("call-ended")).to_be_visible()
    # The camera's light is out.
    assert station.evaluate("[...document.querySelectorAll('video')].every((one) => !one.srcObject?.getTracks().some((track) => track.readyState === 'live'))")
    expect(specialist.get_by_test_id("alone")).to_be_visible()
    expect(specialist.get_by_test_id("remote-video")).to_have_count(0)
    specialist.get_by_test_id("hangup").click()
    expect(specialist.get_by_test_id("call-ended")).to_be_visible()
    eventually(lambda: "call.ended" in events_of(people.monitor, f"consults/{consult}"), "the call's end in the log")
    # The consult is not over because a call is.
    assert people.station.fetch(f"/consults/{consult}")["state"] == "inProgress"


def test_without_a_camera_the_voice_goes_on(open_page, people):
    consult = consult_in(people, "inProgress")
    station = open_page("station", f"/consults/{consult}/call", PHONE)
    station.get_by_test_id("join-audio-only").check()
    station.get_by_test_id("join").click()
    specialist = open_page("specialist", f"/consults/{consult}/call")
    specialist.get_by_test_id("join").click()
    sees_more(station)
    expect(station.get_by_test_id("local-video")).to_be_hidden()
    expect(specialist.locator(".remote.no-picture")).to_have_count(1)


def test_a_stranger_to_the_consult_has_no_seat(open_page, people):
    consult = consult_in(people, "inProgress")
    page = open_page("auditor", f"/consults/{consult}/call")
    page.get_by_test_id("join").click()
    expect(page.get_by_test_id("call-ended")).to_be_visible()
    assert "call.joined" not in events_of(people.monitor, f"consults/{consult}")
