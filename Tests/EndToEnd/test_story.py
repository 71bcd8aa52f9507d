"""The main job in real browsers: from a station's request to a signed outcome, with a call, a trip and a feed."""
import pytest
from conftest import sign_in_all
from playwright.sync_api import expect
from support.browser import LAPTOP, PHONE
from support.care import new_trip
from support.log import events_of, read_log
from support.story import both_see_and_hear, conclude_by_page, open_signed_in, request_by_page
from support.visits import Visits
from support.waiting import eventually


@pytest.fixture
def server(new_server, turn):
    """A province of the story's own, in which nobody has booked yet, so that its earliest slot is known."""
    return new_server(env=turn.settings)


@pytest.fixture
def people(server):
    return sign_in_all(server)


@pytest.fixture
def open_page(browser, server):
    """Signs in by the page, as people do: `open_page("tram", "/station", PHONE)`; None opens it as a stranger."""
    visits = Visits(browser, server)
    open_as = lambda username, path, device, **options: open_signed_in(visits, username, path, device, **options)
    yield open_as
    visits.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["direct", "relay"])
def test_from_request_to_signed_outcome(open_page, people, way):
    monitor = open_page("giamsat", "/monitor", LAPTOP)
    expect(monitor.get_by_test_id("feed-state")).to_have_attribute("data-state", "live")

    station = open_page("tram", "/station/new", PHONE)
    consult = request_by_page(station)
    earliest = station.get_by_test_id("slot").first
    expect(earliest).to_have_attribute("data-practitioner", people.specialist.person["practitionerId"])
    earliest.click()
    eventually(
        lambda: people.station.fetch(f"/consults/{consult}")["state"] == "scheduled", patience=30, what="the booking"
    )
    station.goto(station.url)
    station.get_by_test_id("action-arrive").click()
    eventually(lambda: people.station.fetch(f"/consults/{consult}")["state"] == "waiting", "the arrival")
    suffix = "?relay=1" if way == "relay" else ""
    specialist = open_page("bacsi", f"/consults/{consult}/call{suffix}", LAPTOP)
    station.goto(station.url.split("?")[0] + f"/call{suffix}")
    for page in (station, specialist):
        page.get_by_test_id("join").click()
    media = both_see_and_hear([station, specialist])
    assert [{kind == "relay" for kind in one["ways"]} for one in media] == [{way == "relay"}] * 2, media
    specialist.get_by_test_id("action-start").click()
    eventually(
        lambda: people.station.fetch(f"/consults/{consult}")["state"] == "inProgress", patience=30, what="the start"
    )
    for page in (specialist, station):
        page.get_by_test_id("hangup").click()
        expect(page.get_by_test_id("call-ended")).to_be_visible()
    # The page says so when it has left; the log a moment later.
    eventually(lambda: "call.ended" in events_of(people.auditor, f"consults/{consult}"), "the call's end in the log")

    specialist.get_by_test_id("open-consult").or_(specialist.get_by_test_id("back")).first.click()
    specialist.wait_for_url(f"**/consults/{consult}")
    conclude_by_page(specialist)
    signed = people.specialist.fetch(f"/consults/{consult}")
    assert signed["state"] == "signed"
    expect(specialist.get_by_test_id("sha256")).to_have_text(signed["outcome"]["signature"]["sha256"])
    specialist.get_by_test_id("check-signature").click()
    expect(specialist.get_by_test_id("check-result")).to_have_attribute("data-same", "true")
    station.goto(station.url.split("/call")[0])
    expect(station.get_by_test_id("outcome-recommendation")).to_contain_text("Aspirin")

    # The monitor saw every durable event of this consult once, in the log's order.
    log = [event for _, event in read_log(people.auditor, subject=f"consults/{consult}")]
    expected = [event["sequence"] for event in log]
    assert [event["type"] for event in log] == [
        "consult.requested", "consult.scheduled", "consult.arrived", *[e["type"] for e in log[3:-2]],
        "consult.concluded", "consult.signed",
    ]  # fmt: skip
    assert {"call.joined", "call.left", "consult.started"} <= {event["type"] for event in log[3:-2]}
    eventually(lambda: shown_on(monitor, expected[-1]), patience=30, what="the last event on the monitor")
    rows = monitor.get_by_test_id("event-row").evaluate_all("rows => rows.map((row) => row.dataset.sequence)")
    assert [row for row in reversed(rows) if row in set(expected)] == expected
    assert len(rows) == len(set(rows)), "an event is shown twice"
    expect(monitor.get_by_test_id("order")).to_have_attribute("data-disorder", "0")


def shown_on(monitor, sequence) -> bool:
    return monitor.locator(f'[data-testid="event-row"][data-sequence="{sequence}"]').count() > 0


def test_a_trip_from_request_to_handover(open_page, people, server):
    dispatcher = open_page("dieuphoi", "/dispatch", LAPTOP)
    crew = open_page("xe", "/crew", PHONE, permissions=["geolocation"], geolocation={"latitude": 19.8, "longitude": 105.78})
    trip = new_trip(people)["id"]
    row = dispatcher.locator(f'[data-testid="trip-row"][data-id="{trip}"]')
    row.get_by_role("button").first.click()
    dispatcher.get_by_test_id("make-link").click()
    link = dispatcher.get_by_test_id("link-url").input_value()
    family = open_page(None, "/track/" + link.rsplit("/", 1)[1], PHONE, clock=True)
    state = family.get_by_test_id("state")
    expect(state).to_have_attribute("data-state", "requested")

    def press(*milestones):
        for name in milestones:
            crew.get_by_test_id(f"milestone-{name}").click()
            expect(crew.get_by_test_id(f"milestone-{name}")).to_have_attribute("data-sent", "true")
        # The family's page asks every ten seconds; its clock goes on while nobody waits.
        family.clock.fast_forward(11_000)

    dispatcher.get_by_test_id("milestone-dispatched").click()
    expect(row).to_have_attribute("data-state", "dispatched")
    # Other tests' trips may still be this vehicle's: the crew picks theirs.
    mine = crew.locator(f'[data-testid="trip-row"][data-id="{trip}"]')
    expect(mine).to_have_count(1)
    if mine.is_visible():
        mine.get_by_role("button").click()
    crew.get_by_test_id("share-position").click()
    press("acknowledged", "enRoute")
    expect(state).to_have_attribute("data-state", "onTheWay")
    expect(family.get_by_test_id("position-age")).to_have_attribute("data-stale", "false")
    press("atScene", "patientContact", "departed")
    expect(state).to_have_attribute("data-state", "departed")
    expect(row).to_have_attribute("data-state", "departed")
    press("atDestination", "handedOver")
    expect(family.get_by_test_id("ended")).to_be_visible()
    expect(row).to_have_count(0)
    answer = family.request.get(f"{server.origin}/track/{link.rsplit('/', 1)[1]}.json")
    assert answer.status == 410 and answer.json()["code"] == "link-ended"
