"""The family's page: how old the position is, that it goes stale where no news comes, and its end."""
import datetime

from playwright.sync_api import expect
from support.api import now
from support.browser import PHONE
from support.care import new_trip, pass_milestone, positions

POLL = 10_500


def start(people):
    trip = new_trip(people)["id"]
    made = people.dispatcher.send(f"/trips/{trip}/links", {})
    return trip, "/track/" + made["url"].rsplit("/", 1)[1], made["id"]


def test_a_position_ages_to_stale_where_no_news_comes(open_page, people):
    trip, path, _ = start(people)
    for name in ("dispatched", "enRoute"):
        pass_milestone(people.crew, trip, name)
    people.crew.send(f"/trips/{trip}/positions", positions(2))
    page = open_page(None, path, PHONE, clock=True)
    age = page.get_by_test_id("position-age")
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "onTheWay")
    expect(age).to_have_attribute("data-stale", "false")
    expect(page.get_by_test_id("track-lost")).to_be_hidden()
    expect(page.locator(".pin.fresh")).to_have_count(1)

    page.context.set_offline(True)
    page.clock.fast_forward(70_000)
    expect(age).to_have_attribute("data-stale", "true")
    expect(page.get_by_test_id("track-lost")).to_be_visible()
    expect(page.locator(".pin.stale")).to_have_count(1)

    page.context.set_offline(False)
    people.crew.send(f"/trips/{trip}/positions", positions(1))
    page.clock.fast_forward(POLL * 3)
    expect(age).to_have_attribute("data-stale", "false")
    expect(page.get_by_test_id("track-lost")).to_be_hidden()
    pass_milestone(people.dispatcher, trip, "cancelled")


def test_an_old_position_is_stale_from_the_start(open_page, people):
    trip, path, _ = start(people)
    for name in ("dispatched", "enRoute"):
        pass_milestone(people.crew, trip, name)
    people.crew.send(f"/trips/{trip}/positions", positions(1, at=now() - datetime.timedelta(seconds=75)))
    page = open_page(None, path, PHONE)
    expect(page.get_by_test_id("position-age")).to_have_attribute("data-stale", "true")
    pass_milestone(people.dispatcher, trip, "cancelled")


def test_it_ends_with_the_trip_and_with_the_link(open_page, people):
    trip, path, _ = start(people)
    page = open_page(None, path, PHONE, clock=True)
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "requested")
    expect(page.get_by_test_id("phone")).to_be_visible()
    for name in ("dispatched", "enRoute", "atScene", "departed", "atDestination"):
        pass_milestone(people.crew, trip, name)
    page.clock.fast_forward(POLL)
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "arrived")
    pass_milestone(people.crew, trip, "handedOver")
    page.clock.fast_forward(POLL)
    expect(page.get_by_test_id("ended")).to_be_visible()
    expect(page.get_by_test_id("map")).to_be_hidden()

    trip, path, link = start(people)
    page = open_page(None, path, PHONE, clock=True)
    expect(page.get_by_test_id("state")).to_have_attribute("data-state", "requested")
    people.dispatcher.delete(f"/trips/{trip}/links/{link}")
    page.clock.fast_forward(POLL)
    expect(page.get_by_test_id("ended")).to_be_visible()
    pass_milestone(people.dispatcher, trip, "cancelled")


def test_a_made_up_link_shows_nothing(open_page):
    page = open_page(None, "/track/made-up", PHONE)
    expect(page.get_by_test_id("ended")).to_be_visible()
    expect(page.get_by_test_id("under-way").or_(page.get_by_test_id("state"))).to_be_hidden()
