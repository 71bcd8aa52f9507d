"""The administrator's page: accounts and tokens; and the auditor's."""
import re
import secrets

from playwright.sync_api import expect
from support.api import Api, sign_in
from support.care import consult_in, request_consult
from support.sockets import Feed


def test_an_account_from_its_making_to_its_end(open_page, people):
    page = open_page("admin", "/admin")
    name = f"thu-{secrets.token_hex(4)}"
    page.get_by_test_id("new-user").click()
    form = page.locator("#user-form")
    form.get_by_test_id("field-username").fill(name)
    form.get_by_test_id("field-name").fill("Người Mới")
    form.get_by_test_id("field-password").fill("ngắn")
    form.get_by_test_id("grant-role").select_option("monitor")
    form.get_by_test_id("grant-facilities").fill(people.monitor.facility)
    page.get_by_test_id("create-user").click()
    expect(page.get_by_test_id("error-password")).to_be_visible()
    form.get_by_test_id("field-password").fill("một mật khẩu dài 2026")
    page.get_by_test_id("create-user").click()
    row = page.locator(f'[data-testid="user-row"][data-username="{name}"]')
    expect(row).to_be_visible()
    caller = sign_in(people.admin.server, name, "một mật khẩu dài 2026")
    assert [grant["role"] for grant in caller.session["grants"]] == ["monitor"]

    row.get_by_test_id("disable").click()
    expect(row.get_by_test_id("disabled")).to_be_visible()
    assert caller.get("/session").status_code == 401
    row.get_by_test_id("enable").click()
    expect(row.get_by_test_id("disable")).to_be_visible()

    def answered():
        return page.expect_response(lambda response: response.request.method == "PATCH" and response.ok)

    row.get_by_test_id("set-password").click()
    page.get_by_test_id("ask-password").fill("mật khẩu thứ hai 2026")
    with answered():
        page.get_by_test_id("ask-yes").click()
    row.get_by_test_id("set-grants").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_test_id("grant-role").select_option("auditor")
    with answered():
        dialog.get_by_test_id("ask-yes").click()
    expect(page.get_by_test_id("problem")).to_have_count(0)
    caller = sign_in(people.admin.server, name, "mật khẩu thứ hai 2026")
    assert [grant["role"] for grant in caller.session["grants"]] == ["auditor"]


def test_a_token_is_shown_once_and_works_until_revoked(open_page, people, server):
    page = open_page("admin", "/admin")
    name = f"bảng-{secrets.token_hex(4)}"
    page.get_by_test_id("new-token").click()
    form = page.locator("#token-form")
    form.get_by_test_id("token-name").fill(name)
    form.get_by_test_id("grant-role").select_option("monitor")
    form.get_by_test_id("grant-facilities").fill(people.monitor.facility)
    page.get_by_test_id("create-token").click()
    expect(page.get_by_test_id("token-once")).to_be_visible()
    machine = Api(server, page.get_by_test_id("token-value").input_value())
    machine.fetch("/events", limit=1)
    page.reload()
    row = page.locator(f'[data-testid="token-row"][data-name="{name}"]')
    expect(row).to_be_visible()
    expect(page.get_by_test_id("token-once")).to_be_hidden()
    assert machine.token not in page.content()
    row.get_by_test_id("revoke-token").click()
    page.get_by_test_id("ask-yes").click()
    expect(row).to_have_count(0)
    assert machine.get("/events", limit=1).status_code == 401


def test_a_webhook_is_made_watched_paused_and_removed(open_page, people):
    page = open_page("admin", "/admin")
    # A name that never has an address: what a receiver that is not there looks like.
    url = f"https://{secrets.token_hex(6)}.invalid/hook"
    page.get_by_test_id("new-webhook").click()
    page.get_by_test_id("webhook-url").fill("https://127.0.0.1/hook")
    page.get_by_test_id("webhook-facilities").fill(people.monitor.facility)
    page.get_by_test_id("webhook-types").fill("consult.*, trip.*")
    page.get_by_test_id("create-webhook").click()
    expect(page.get_by_test_id("error-url")).to_be_visible()
    page.get_by_test_id("webhook-url").fill(url)
    page.get_by_test_id("create-webhook").click()
    expect(page.get_by_test_id("webhook-once")).to_be_visible()
    secret = page.get_by_test_id("webhook-secret").input_value()
    assert secret.startswith("whsec_")
    row = page.locator(f'[data-testid="webhook-row"][data-url="{url}"]')
    expect(row).to_have_attribute("data-state", "active")
    expect(row).to_contain_text("consult.*, trip.*")

    page.reload()
    expect(row).to_be_visible()
    assert secret not in page.content()
    row.get_by_test_id("test-webhook").click()
    expect(page.get_by_test_id("webhook-tested")).to_be_visible(timeout=30_000)
    # What fails is seen without anybody asking.
    request_consult(people.station)
    expect(row.locator('[data-testid="webhook-trouble"][data-error]')).to_be_visible(timeout=60_000)

    row.get_by_test_id("pause-webhook").click()
    expect(row.get_by_test_id("webhook-paused")).to_be_visible()
    expect(row.locator('[data-testid="webhook-trouble"][data-reason="stopped"]')).to_be_visible()
    row.get_by_test_id("resume-webhook").click()
    expect(row).to_have_attribute("data-state", "active")
    row.get_by_test_id("remove-webhook").click()
    page.get_by_test_id("ask-yes").click()
    expect(row).to_have_count(0)


def test_how_the_feed_is_doing(open_page, people):
    page = open_page("admin", "/admin")
    status = page.get_by_test_id("feed-status")
    expect(page.get_by_test_id("feed-subscribers")).to_contain_text("WebSocket")
    expect(page.get_by_test_id("feed-ring")).to_contain_text("MiB")
    # It follows without anybody asking.
    with Feed(people.monitor) as feed:
        feed.ready()
        consult = request_consult(people.station)["id"]
        feed.event("consult.requested", consult)
        expect(status).to_have_attribute("data-sockets", re.compile("^[1-9]"), timeout=30_000)
        expect(page.get_by_test_id("feed-deliveries")).to_contain_text(re.compile("^[1-9]"), timeout=30_000)
    page.get_by_test_id("language").click()
    expect(page.get_by_test_id("feed-subscribers")).to_contain_text("waiting pages")


def test_the_auditor_sees_who_looked(open_page, people):
    consult = consult_in(people, "assigned")
    people.specialist.fetch(f"/consults/{consult}")
    page = open_page("auditor", "/audit")
    page.get_by_test_id("audit-subject").fill(f"consults/{consult}")
    page.get_by_test_id("audit-search").click()
    rows = page.get_by_test_id("access-row")
    expect(rows.filter(has_text=people.specialist.person["name"]).first).to_be_visible()
    expect(rows.filter(has_not_text=consult)).to_have_count(0)
    seen = rows.evaluate_all("rows => rows.map((row) => Number(row.dataset.seq))")
    assert seen == sorted(seen, reverse=True) and len(set(seen)) == len(seen)


def test_a_late_answer_does_not_replace_what_was_asked_for_since(open_page, people):
    consult = consult_in(people, "assigned")
    people.specialist.fetch(f"/consults/{consult}")
    page, held = open_page("auditor", "/audit"), []
    page.wait_for_load_state("networkidle")
    page.route("**/access-log*", lambda route: route.continue_() if held else held.append(route))
    page.reload(wait_until="domcontentloaded")
    page.get_by_test_id("audit-subject").fill(f"consults/{consult}")
    page.get_by_test_id("audit-search").click()
    rows = page.get_by_test_id("access-row")
    expect(rows.filter(has_text=people.specialist.person["name"]).first).to_be_visible()
    with page.expect_response("**/access-log*"):
        held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(rows.filter(has_not_text=consult)).to_have_count(0)
