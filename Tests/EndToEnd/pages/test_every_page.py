"""What holds for every page: it fits a small phone, asks nobody else, stays small, has both languages and a keyboard."""
import json
import pathlib

import pytest
from playwright.sync_api import expect
from support.browser import PHONE
from support.care import consult_in, new_trip, pass_milestone, positions
from support.waiting import eventually

SMALL = {**PHONE, "viewport": {"width": 320, "height": 640}}
PAGES = [
    (None, "/sign-in"), ("station", "/station"), ("station", "/station/new"), ("specialist", "/specialist"),
    ("dispatcher", "/dispatch"), ("crew", "/crew"), ("monitor", "/monitor"), ("admin", "/admin"), ("auditor", "/audit"),
    ("station", "/consults/{requested}"), ("specialist", "/consults/{inProgress}"), ("auditor", "/consults/{signed}"),
    ("specialist", "/consults/{inProgress}/call"), (None, "/track/{secret}"), ("station", "/consults/nowhere"),
]  # fmt: skip

TEXTS = json.loads((pathlib.Path(__file__).parents[3] / "Sources/Server/Resources/texts.json").read_text())
KEYS = [f"{section}.{key}" for section, keys in TEXTS.items() for key in keys]


@pytest.fixture(scope="module")
def things(people):
    """Something to show on each page."""
    made = {state: consult_in(people, state) for state in ("requested", "inProgress", "signed")}
    trip = new_trip(people)["id"]
    made["secret"] = people.dispatcher.send(f"/trips/{trip}/links", {})["url"].rsplit("/", 1)[1]
    for name in ("dispatched", "enRoute"):
        pass_milestone(people.crew, trip, name)
    people.crew.send(f"/trips/{trip}/positions", positions(2))
    yield made
    pass_milestone(people.dispatcher, trip, "cancelled")


def settled(page):
    """The page has shown what it loads: no words are left that say it is still loading."""
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("role", "path"), PAGES)
def test_fits_a_small_phone(open_page, things, role, path):
    page = open_page(role, path.format(**things), SMALL)
    settled(page)
    wide = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter((node) => {
          if (node.closest('.map, .scroll')) return false;
          const box = node.getBoundingClientRect();
          return box.width > 0 && box.right > innerWidth + 1;
        }).map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, wide
    assert not wide
    # Fingers need room; links inside sentences are let off.
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input:not([type=radio], [type=checkbox]), a.button')].filter((node) => {
          const box = node.getBoundingClientRect();
          return box.width > 0 && box.height < 24 && !node.closest('.leaflet-container');
        }).map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert not small
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, a[href], input, select, textarea, video')].filter((node) =>
          node.getBoundingClientRect().width > 0 && !(node.labels?.length || node.ariaLabel || node.textContent.trim()
            || node.getAttribute('aria-labelledby') || node.querySelector('img[alt]'))).map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert not unnamed
    # A word that is missing shows its key.
    shown = page.evaluate("document.body.innerText")
    assert not [key for key in KEYS if key in shown]


@pytest.mark.parametrize(("role", "path", "field"), [(None, "/sign-in", "#password"), ("station", "/station/new", "#patient-name")])
def test_the_enter_key_waits_for_the_script(browser, people, server, role, path, field):
    """On a bad link one types faster than scripts come. A browser that sent the form by itself would name all of it in the address."""
    context = browser.new_context(service_workers="block", **PHONE)
    if role:
        context.add_cookies([{"name": "hoichan_session", "value": getattr(people, role).token, "url": server.origin}])
    page, held, is_open = context.new_page(), [], []
    page.route("**/*.js", lambda route: route.continue_() if is_open else held.append(route))
    page.goto(server.origin + path, wait_until="commit")
    page.fill(field, "Lê Thị Kín")
    page.press(field, "Enter")
    expect(page.get_by_test_id("submit")).to_be_disabled()
    eventually(lambda: page.evaluate("true") and held, "the script that is asked for")
    assert page.url == server.origin + path
    is_open.append(True)
    for route in held:
        route.continue_()
    expect(page.get_by_test_id("submit")).to_be_enabled()
    assert page.input_value(field) == "Lê Thị Kín" and page.url == server.origin + path
    context.close()


@pytest.mark.parametrize(("role", "path"), [("station", "/station/new"), ("dispatcher", "/dispatch"), ("specialist", "/consults/{inProgress}")])
def test_a_first_visit_is_small(browser, people, server, things, role, path):
    """Bytes on the wire of the page and everything it needs, without the map, which comes after."""
    context = browser.new_context(service_workers="block", **PHONE)
    caller = getattr(people, role)
    context.add_cookies([{"name": "hoichan_session", "value": caller.token, "url": server.origin}])
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    urls, sizes = {}, {}
    wire.on("Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]}))
    wire.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    page.goto(server.origin + path.format(**things))
    settled(page)
    own = {urls[one]: size for one, size in sizes.items() if "/assets/" in urls[one] and "/leaflet/" not in urls[one] or urls[one].endswith(path.format(**things))}
    assert len(own) > 5 and sum(own.values()) < 40 * 1024, sorted(own.items(), key=lambda item: -item[1])
    context.close()


def test_the_language_is_kept(open_page):
    page = open_page("station", "/station")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    page.get_by_test_id("language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_test_id("new-consult").click()
    page.wait_for_url("**/station/new")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("error-situation")).not_to_contain_text("bắt buộc")
    page.get_by_test_id("language").click()
    expect(page.locator("html")).to_have_attribute("lang", "vi")


def tab_to(page, testid: str):
    """Tab after Tab, as without a mouse, until the control has the focus."""
    for _ in range(120):
        if page.evaluate("document.activeElement?.dataset.testid") == testid:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {testid}")


def test_sign_in_and_request_without_a_mouse(open_page, people):
    page = open_page(None, "/sign-in?next=/station/new")
    tab_to(page, "username")
    page.keyboard.type("tram")
    tab_to(page, "password")
    page.keyboard.type("hoichan-demo")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/station/new") and "sign-in" not in url)
    page.wait_for_load_state()
    tab_to(page, "field-specialty")
    page.keyboard.type("Tim")
    # A group of choices has one stop; the arrows go through it.
    tab_to(page, "field-urgency-emergency")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_test_id("field-urgency-urgent")).to_be_checked()
    for field, words in (("patient-name", "Hoàng Thị Phím"), ("situation", "Hồi hộp, mệt"), ("request", "Có cần chuyển không?")):
        tab_to(page, f"field-{field}")
        page.keyboard.type(words)
    tab_to(page, "submit")
    # Where the focus is must be seen.
    assert page.evaluate("(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0; })()")
    page.keyboard.press("Enter")
    page.wait_for_url("**/consults/*")
    slot = page.get_by_test_id("slot").first
    expect(slot).to_be_visible()
    tab_to(page, "slot")
    page.keyboard.press("Enter")
    expect(page.locator('#chips [data-testid="state"]')).to_have_attribute("data-state", "scheduled")


def test_sign_in_refuses_kindly(open_page):
    page = open_page(None, "/sign-in")
    page.get_by_test_id("username").fill("tram")
    page.get_by_test_id("password").fill("sai-mật-khẩu")
    page.get_by_test_id("submit").click()
    expect(page.get_by_test_id("form-error")).to_be_visible()
    # Another site's address is no way back.
    page.goto(page.url.split("?")[0] + "?next=//example.com/")
    page.get_by_test_id("username").fill("tram")
    page.get_by_test_id("password").fill("hoichan-demo")
    page.get_by_test_id("submit").click()
    page.wait_for_url("**/station")


@pytest.mark.parametrize(("role", "path"), [("station", "/dispatch"), ("crew", "/admin"), ("monitor", "/audit")])
def test_anothers_page_is_refused_as_a_page(open_page, role, path):
    page = open_page(role, path)
    expect(page.get_by_test_id("problem-title")).to_be_visible()
