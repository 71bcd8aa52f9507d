"""The crew's phone: what is pressed in a dead zone is kept, and arrives in order and with its own times."""
from playwright.sync_api import expect
from support.api import moment
from support.browser import PHONE
from support.care import new_trip, pass_milestone
from support.waiting import eventually

HERE = {"latitude": 19.8075, "longitude": 105.7764}


def open_trip(open_page, people):
    """A trip of their own for the crew's vehicle, and its page."""
    trip = new_trip(people)["id"]
    pass_milestone(people.dispatcher, trip, "dispatched")
    page = open_page("crew", "/crew", PHONE, permissions=["geolocation"], geolocation=HERE)
    choose(page, trip)
    return page, trip


def choose(page, trip):
    """With several trips under way the crew picks theirs; with one it is there at once."""
    either = page.get_by_test_id("milestone-acknowledged").or_(page.get_by_test_id("trip-row"))
    expect(either.filter(visible=True).first).to_be_visible()
    row = page.locator(f'[data-testid="trip-row"][data-id="{trip}"]')
    if row.is_visible():
        row.get_by_role("button").click()
    expect(page.get_by_test_id("milestone-acknowledged")).to_be_visible()


def close(people, trip):
    pass_milestone(people.dispatcher, trip, "cancelled")


def test_an_answer_that_was_overtaken_changes_nothing(open_page, people):
    """The list was asked for before a press, and comes behind the answer to the press."""
    page, trip = open_trip(open_page, people)
    looks = []
    page.route("**/api/v1/trips?*", lambda route: looks.append((route, route.fetch())))
    page.reload()
    eventually(lambda: page.evaluate("true") and looks, "the first look")
    choose(page, trip)
    button = page.get_by_test_id("milestone-acknowledged")
    button.click()
    expect(button).to_have_attribute("data-sent", "true")
    route, answer = looks[0]
    route.fulfill(response=answer)
    # It looks again when it has shown that answer, since the press has made an event.
    eventually(lambda: page.evaluate("true") and len(looks) > 1, "the next look")
    assert button.get_attribute("data-sent") == "true"
    page.unroute_all(behavior="ignoreErrors")
    close(people, trip)


def test_presses_in_a_dead_zone_arrive_in_order(open_page, people):
    page, trip = open_trip(open_page, people)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    # Once more, now that the worker is there to keep the page.
    page.reload()
    choose(page, trip)
    page.context.set_offline(True)
    pressed = ["acknowledged", "enRoute", "atScene"]
    for name in pressed:
        button = page.get_by_test_id(f"milestone-{name}")
        button.click()
        expect(button).to_have_attribute("data-sent", "false")
    expect(page.get_by_test_id("outbox-count")).to_have_text("3")
    # A phone that restarts in the dead zone still has all of it.
    page.reload()
    choose(page, trip)
    expect(page.get_by_test_id("outbox-count")).to_have_text("3")
    for name in pressed:
        expect(page.get_by_test_id(f"milestone-{name}")).to_have_attribute("data-sent", "false")
    assert people.crew.fetch(f"/trips/{trip}")["state"] == "dispatched"

    page.context.set_offline(False)
    expect(page.get_by_test_id("outbox-count")).to_have_text("0")
    for name in pressed:
        expect(page.get_by_test_id(f"milestone-{name}")).to_have_attribute("data-sent", "true")
    milestones = people.crew.fetch(f"/trips/{trip}")["milestones"][-3:]
    assert [one["milestone"] for one in milestones] == pressed
    recorded = [moment(one["recordedAt"]) for one in milestones]
    assert recorded == sorted(recorded)
    # Each carries the time of its press, not that of its sending.
    assert all(moment(one["at"]) <= recorded[0] for one in milestones)

    page.get_by_test_id("other-ends").click()
    page.get_by_test_id("milestone-noPatient").click()
    page.get_by_test_id("ask-no").click()
    assert people.crew.fetch(f"/trips/{trip}")["state"] == "atScene"
    page.get_by_test_id("milestone-noPatient").click()
    page.get_by_test_id("ask-yes").click()
    eventually(lambda: people.crew.fetch(f"/trips/{trip}")["closed"], "the trip's end")


def test_positions_reach_the_server(open_page, people):
    page, trip = open_trip(open_page, people)
    page.get_by_test_id("share-position").click()
    expect(page.get_by_test_id("share-position")).to_have_attribute("aria-pressed", "true")

    def there(place):
        position = people.dispatcher.fetch(f"/trips/{trip}")["position"]
        return position and round(position["lat"], 4) == round(place["latitude"], 4)

    eventually(lambda: there(HERE), "the first position")
    moved = {"latitude": 19.8123, "longitude": 105.78}

    def keeps_moving():
        # Positions closer than a few seconds are left out: a vehicle goes on saying where it is.
        page.context.set_geolocation(moved)
        page.context.set_geolocation({**moved, "accuracy": 5})
        return there(moved)

    eventually(keeps_moving, "the next position", every=1)
    page.get_by_test_id("share-position").click()
    expect(page.get_by_test_id("share-position")).to_have_attribute("aria-pressed", "false")
    close(people, trip)


def test_without_the_right_to_a_position_it_says_so(open_page, people):
    trip = new_trip(people)["id"]
    pass_milestone(people.dispatcher, trip, "dispatched")
    page = open_page("crew", "/crew", PHONE, permissions=[])
    choose(page, trip)
    page.get_by_test_id("share-position").click()
    expect(page.get_by_test_id("gps")).to_have_class("bad")
    close(people, trip)
