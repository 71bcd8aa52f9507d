"""Choosing an hour: a slot that somebody else took is answered with others, in the same place."""
from playwright.sync_api import expect
from support.accounts import other_station
from support.browser import PHONE
from support.care import request_consult
from support.waiting import eventually


def test_a_slot_taken_meanwhile_shows_others(open_page, people):
    consult = request_consult(people.station)["id"]
    page = open_page("station", f"/consults/{consult}", PHONE)
    slot = page.get_by_test_id("slot").first
    start, practitioner = slot.get_attribute("data-start"), slot.get_attribute("data-practitioner")

    rival = other_station(people)
    theirs = request_consult(rival)["id"]
    rival.send(f"/consults/{theirs}/appointment", {"practitionerId": practitioner, "start": start, "minutes": 30}, status=201)

    slot.click()
    expect(page.get_by_test_id("slot-message")).to_be_visible()
    expect(page.locator(f'[data-testid="slot"][data-start="{start}"][data-practitioner="{practitioner}"]')).to_have_count(0)
    assert people.station.fetch(f"/consults/{consult}")["state"] == "requested"

    other = page.get_by_test_id("slot").first
    chosen = other.get_attribute("data-start")
    other.click()
    booked = eventually(lambda: people.station.fetch(f"/consults/{consult}")["appointment"], "the booking")
    assert booked["start"] == chosen
    expect(page.get_by_test_id("slot")).to_have_count(0)

    # A second time moves it.
    page.get_by_test_id("action-appointment").click()
    other = page.locator(f'[data-testid="slot"]:not([data-start="{chosen}"])').first
    moved = other.get_attribute("data-start")
    other.click()
    eventually(lambda: people.station.fetch(f"/consults/{consult}")["appointment"]["start"] == moved, "the move")


def test_hours_that_could_not_be_loaded_are_said_and_come_with_the_next_look(open_page, people):
    consult = request_consult(people.station)["id"]
    page = open_page("station", "/station", PHONE)
    page.context.route("**/slots.js", lambda route: route.abort())
    page.goto(page.url.replace("/station", f"/consults/{consult}"))
    expect(page.locator("#load-error")).to_be_visible()
    expect(page.get_by_test_id("slot")).to_have_count(0)
    page.context.unroute("**/slots.js")
    page.get_by_role("button", name="Chọn giờ").click()
    expect(page.get_by_test_id("slot").first).to_be_visible()
    expect(page.locator("#load-error")).to_be_hidden()
