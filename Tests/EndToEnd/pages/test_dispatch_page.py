"""The dispatcher's desk: a request that nobody answered rings, and goes on ringing, until somebody does."""
import datetime

from conftest import sign_in_all
from playwright.sync_api import expect
from support.care import hospital, move, new_trip, request_consult
from support.clock import ahead
from support.visits import Visits
from support.waiting import eventually


def row_of(page, kind, consult):
    return page.locator(f'[data-testid="{kind}-row"][data-id="{consult}"]')


def test_an_unanswered_request_rings_until_it_is_answered(browser, new_server):
    server = new_server()
    people = sign_in_all(server)
    consult = request_consult(people.station, urgency="emergency")["id"]
    # The server starts again five seconds before the limit passes: the clock on the desk runs out under our eyes.
    server.stop()
    server.env |= ahead(datetime.timedelta(minutes=10) - datetime.timedelta(seconds=5))
    server.start()
    people = sign_in_all(server)
    visits = Visits(browser, server)
    try:
        desk = visits.open(people.dispatcher, "/dispatch")
        doctor = visits.open(people.specialist, "/specialist")
        expect(row_of(desk, "request", consult).or_(row_of(desk, "overdue", consult)).get_by_test_id("due-clock")).to_be_visible()
        for page in (desk, doctor):
            alarm = page.get_by_test_id("alarm")
            expect(alarm).to_be_visible()
            expect(alarm).to_have_attribute("data-ringing", "true")
            expect(alarm).to_have_attribute("data-count", "1")
        expect(row_of(desk, "overdue", consult)).to_be_visible()
        # A name is nothing for the desk's wall; the number in the window's title is.
        assert desk.title().startswith("(1!)")
        # Silenced, it is still there to see.
        desk.get_by_test_id("alarm-silence").click()
        expect(desk.get_by_test_id("alarm")).to_have_attribute("data-ringing", "false")
        expect(desk.get_by_test_id("alarm")).to_be_visible()
        doctor.locator(f'[data-id="{consult}"]').get_by_test_id("accept").click()
        expect(desk.get_by_test_id("alarm")).to_be_hidden()
        expect(doctor.get_by_test_id("alarm")).to_be_hidden()
        expect(row_of(desk, "overdue", consult)).to_have_count(0)
    finally:
        visits.close()


def test_a_press_outlives_what_is_drawn_under_it(open_page, people):
    """Another request comes between the moment a finger goes down on a button and the moment it is lifted."""
    page = open_page("specialist", "/specialist", clock=True)
    frames = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame)))
    page.reload()

    def look(words):
        """The feed has said so, and the page has looked again and drawn its lists: only then it asks for the day's hours."""
        eventually(lambda: page.evaluate("true") and any(words in str(frame) for frame in frames), f"{words} from the feed")
        with page.expect_response(lambda answer: "/schedule?" in answer.url):
            page.clock.run_for(300)

    look("ready")
    first = request_consult(people.station)["id"]
    look(first)
    accept = row_of(page, "request", first).get_by_test_id("accept")
    accept.hover()
    page.mouse.down()
    second = request_consult(people.station)["id"]
    look(second)
    page.mouse.up()
    page.clock.run_for(100)
    page.wait_for_url(f"**/consults/{first}")
    assert people.station.fetch(f"/consults/{first}")["state"] == "assigned"

    # What went meanwhile is not pressed, and neither is what stands in its place.
    page.go_back()
    look("ready")
    row_of(page, "request", second).get_by_test_id("accept").hover()
    page.mouse.down()
    third = request_consult(people.station)["id"]
    move(people.station, second, "cancel")
    look(third)
    expect(row_of(page, "request", second)).to_have_count(0)
    page.mouse.up()
    page.clock.run_for(100)
    assert page.url.endswith("/specialist")
    assert people.station.fetch(f"/consults/{third}")["state"] == "requested"

    # A press that was given up, or was none, is not brought to an end by what is pressed later.
    accept = row_of(page, "request", third).get_by_test_id("accept")
    accept.hover()
    page.mouse.down()
    page.mouse.move(0, 0)
    page.mouse.up()
    accept.hover()
    page.mouse.down(button="right")
    fourth = request_consult(people.station)["id"]
    look(fourth)
    expect(row_of(page, "request", fourth)).to_be_visible()
    page.mouse.up(button="right")
    page.keyboard.press("a")
    page.clock.run_for(100)
    assert page.url.endswith("/specialist")
    assert people.station.fetch(f"/consults/{third}")["state"] == "requested"
    for consult in (first, third, fourth):
        move(people.station, consult, "cancel")


def test_a_vehicle_that_is_being_chosen_stays(open_page, people):
    page = open_page("dispatcher", "/dispatch")
    trip = new_trip(people, vehicleId=None)["id"]
    row_of(page, "trip", trip).get_by_role("button").first.click()
    choice = page.get_by_test_id("panel-vehicle")
    choice.select_option(index=1)
    chosen = choice.input_value()
    with page.expect_response(lambda answer: answer.url.endswith(f"/trips/{trip}")):
        consult = request_consult(people.station)["id"]
    expect(row_of(page, "request", consult)).to_be_visible()
    assert chosen and choice.input_value() == chosen
    page.get_by_test_id("set-vehicle").click()
    eventually(lambda: people.dispatcher.fetch(f"/trips/{trip}")["vehicleId"] == chosen, "the vehicle")
    expect(choice).to_have_value(chosen)
    move(people.station, consult, "cancel")
    page.get_by_test_id("milestone-cancelled").click()
    expect(row_of(page, "trip", trip)).to_have_count(0)


def test_a_trip_is_made_at_the_desk(open_page, people):
    goal = hospital(people.dispatcher)
    page = open_page("dispatcher", "/dispatch")
    page.get_by_test_id("new-trip").click()
    page.get_by_test_id("create-trip").click()
    expect(page.locator("#trip-form .field-error").first).to_be_visible()
    page.get_by_test_id("field-destination").fill(goal["id"])
    page.get_by_test_id("field-origin-label").fill("Thôn 5, gần đình")
    page.get_by_test_id("field-origin-lat").fill("19.81")
    page.get_by_test_id("field-origin-lon").fill("105.66")
    page.get_by_test_id("field-patient-name").fill("Cao Thị Chuyến")
    page.get_by_test_id("field-vehicleId").select_option(index=1)
    page.get_by_test_id("create-trip").click()
    expect(page.get_by_test_id("trip-panel")).to_be_visible()
    made = lambda: next((trip for trip in people.dispatcher.fetch("/trips", limit=50)["items"] if (trip.get("patient") or {}).get("name") == "Cao Thị Chuyến"), None)
    trip = eventually(made, "the trip")
    assert trip["destination"]["facilityId"] == goal["id"] and trip["vehicleId"]
    page.get_by_test_id("make-link").click()
    assert "/track/" in page.get_by_test_id("link-url").input_value()
    page.get_by_test_id("revoke-link").click()
    expect(page.get_by_test_id("link-row")).to_have_count(0)
    page.get_by_test_id("milestone-cancelled").click()
    expect(page.locator(f'[data-testid="trip-row"][data-id="{trip["id"]}"]')).to_have_count(0)
