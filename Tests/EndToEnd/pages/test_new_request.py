"""The station's request: nothing typed is lost to a reload or a dead link, and what is wrong is said at its field."""
from playwright.sync_api import expect
from support.accounts import new_person
from support.browser import PHONE
from support.care import all_items
from support.waiting import eventually

TYPED = {
    "field-patient-name": "Phạm Thị Mận", "field-situation": "Khó thở tăng dần từ sáng", "field-request": "Xin hướng xử trí",
    "field-vitals-spo2": "91",
}  # fmt: skip


def fill_in(page, **members):
    page.get_by_test_id("field-specialty").select_option("cardiology")
    page.get_by_test_id("field-urgency-urgent").check()
    for field, words in (TYPED | members).items():
        page.get_by_test_id(field).fill(words)


def consults_of(people, name: str) -> list:
    return [item for item in all_items(people.station, "/consults") if (item.get("patient") or {}).get("name") == name]


def test_survives_a_reload_and_a_dead_link(open_page, people):
    name = "Phạm Thị Mận"
    page = open_page("station", "/station/new", PHONE)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    fill_in(page)
    expect(page.get_by_test_id("draft-state")).not_to_have_text("")
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('hoichan.draft.'))")
    page.reload()
    for field, words in TYPED.items():
        expect(page.get_by_test_id(field)).to_have_value(words)
    expect(page.get_by_test_id("field-urgency-urgent")).to_be_checked()

    # The link goes while somebody writes; the request is kept, also over a reload in the dead zone.
    page.context.set_offline(True)
    expect(page.get_by_test_id("feed-state")).to_have_attribute("data-state", "offline")
    page.get_by_test_id("submit").click()
    kept = page.get_by_test_id("outbox-row")
    expect(kept).to_have_attribute("data-state", "saved")
    page.goto(page.url)
    expect(kept).to_have_count(1)
    expect(kept).to_contain_text(name)
    assert consults_of(people, name) == []

    page.context.set_offline(False)
    expect(kept).to_have_count(0)
    (consult,) = eventually(lambda: consults_of(people, name), "the request at the server")
    assert consult["situation"] == TYPED["field-situation"] and consult["vitals"]["spo2"] == 91
    # And it is in the station's own list, once.
    page.goto(page.url.replace("/station/new", "/station"))
    expect(page.locator(f'[data-testid="consult-row"][data-id="{consult["id"]}"]')).to_have_count(1)
    assert page.evaluate("Object.keys(localStorage).filter((key) => /hoichan\\.(draft|out)\\./.test(key))") == []


def test_what_was_typed_before_the_script_came_is_kept(open_page, people):
    """On a bad link one types faster than scripts come."""
    nurse = new_person(people, "station", [people.station.facility])
    page = open_page(nurse, "/station/new", PHONE, service_workers="block")
    fill_in(page)
    is_kept = "(words) => Object.values(localStorage).some((value) => value.includes(words))"
    page.wait_for_function(is_kept, arg=TYPED["field-situation"])
    held, is_open = [], []
    page.route("**/station-new.js", lambda route: route.continue_() if is_open else held.append(route))
    page.goto(page.url, wait_until="commit")
    eventually(lambda: page.evaluate("true") and held, "the script that is asked for")
    page.get_by_test_id("field-patient-name").fill("Phạm Thị Mơ")
    is_open.append(True)
    for route in held:
        route.continue_()
    expect(page.get_by_test_id("field-situation")).to_have_value(TYPED["field-situation"])
    expect(page.get_by_test_id("field-patient-name")).to_have_value("Phạm Thị Mơ")
    page.wait_for_function(is_kept, arg="Phạm Thị Mơ")


def test_a_lost_answer_makes_no_second_request(open_page, people):
    """The server has it, the answer is lost: the page sends again under the same id, and there is one consult."""
    name = "Võ Văn Lặp"
    page = open_page("station", "/station/new", PHONE, service_workers="block")
    lost = []

    def lose_first_answer(route):
        route.fetch()
        lost.append(route.request.post_data_json["id"])
        route.abort() if len(lost) == 1 else route.fallback()

    page.route("**/api/v1/consults", lose_first_answer)
    fill_in(page, **{"field-patient-name": name})
    page.get_by_test_id("submit").click()
    page.wait_for_url("**/consults/*")
    assert len(lost) == 2 and lost[0] == lost[1]
    assert len(consults_of(people, name)) == 1


def test_errors_stand_at_their_fields(open_page, people):
    page = open_page("station", "/station/new", PHONE)
    page.get_by_test_id("submit").click()
    for field in ("specialty", "urgency", "situation", "request", "patient-name"):
        expect(page.get_by_test_id(f"error-{field}")).to_be_visible()
    expect(page.get_by_test_id("field-specialty")).to_be_focused()

    # What only the server knows comes back to its fields, and everything typed is still there.
    fill_in(page, **{"field-vitals-spo2": "300", "field-vitals-pulse": "-5", "field-patient-name": "Đỗ Thị Sai"})
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("form-error")).to_be_visible()
    for field, label in (("vitals-spo2", "field-vitals-spo2"), ("vitals-pulse", "field-vitals-pulse")):
        error = page.get_by_test_id(f"error-{field}")
        expect(error).to_be_visible()
        # A screen reader finds the error from its field.
        expect(page.get_by_test_id(label)).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_test_id(label)).to_have_attribute("aria-describedby", error.get_attribute("id"))
    expect(page.get_by_test_id("field-situation")).to_have_value(TYPED["field-situation"])
    assert consults_of(people, "Đỗ Thị Sai") == []

    page.get_by_test_id("field-vitals-spo2").fill("93")
    page.get_by_test_id("field-vitals-pulse").fill("88")
    page.get_by_test_id("submit").click()
    page.wait_for_url("**/consults/*")
    assert len(consults_of(people, "Đỗ Thị Sai")) == 1


def test_sign_out_warns_of_unsent_work(open_page, people):
    nurse = new_person(people, "station", [people.station.facility])
    page = open_page(nurse, "/station/new", PHONE)
    page.get_by_test_id("field-situation").fill("Chưa gửi")
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('hoichan.draft.'))")
    page.get_by_test_id("sign-out").click()
    page.get_by_test_id("sign-out-stay").click()
    expect(page.get_by_test_id("field-situation")).to_have_value("Chưa gửi")
    page.get_by_test_id("sign-out").click()
    page.get_by_test_id("sign-out-discard").click()
    page.wait_for_url("**/sign-in")
    assert page.evaluate("Object.keys(localStorage).filter((key) => /hoichan\\.(draft|out)\\./.test(key))") == []
    assert nurse.get("/session").status_code == 401


def test_a_session_that_ended_leaves_the_form_as_it_is(open_page, people):
    nurse = new_person(people, "station", [people.station.facility])
    page = open_page(nurse, "/station/new", PHONE)
    fill_in(page, **{"field-patient-name": "Lý Thị Hết Phiên"})
    nurse.delete("/session")
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("session-ended")).to_be_visible()
    expect(page.get_by_test_id("outbox-row")).to_have_attribute("data-state", "saved")
    # The way back leads through the sign-in to this page, and the request goes out by itself.
    page.get_by_test_id("session-ended").get_by_role("link").click()
    page.get_by_test_id("username").fill(nurse.user["username"])
    page.get_by_test_id("password").fill(nurse.password)
    page.get_by_test_id("submit").click()
    page.wait_for_url("**/station/new")
    expect(page.get_by_test_id("outbox-row")).to_have_count(0)
    eventually(lambda: consults_of(people, "Lý Thị Hết Phiên"), "the request at the server")
