"""Steps of the main job that more than one test takes in a browser: signing in, asking, talking, concluding."""
from playwright.sync_api import expect

from .care import conclusion
from .server import PASSWORD
from .waiting import eventually

FRAMES = """async () => {
  let frames = 0;
  for (const peer of window.hoichanCall?.peers ?? []) {
    for (const report of (await peer.getStats()).values()) {
      if (report.type === 'inbound-rtp' && report.kind === 'video') frames += report.framesDecoded ?? 0;
    }
  }
  return frames;
}"""
SEAT = "() => ({ self: window.hoichanCall.room.self, generations: [...window.hoichanCall.room.members.values()].map((one) => one.generation) })"


def sees_more(page):
    """Frames go on being decoded."""
    before = page.evaluate(FRAMES)
    eventually(lambda: page.evaluate(FRAMES) > before, "new frames of video")


def open_signed_in(visits, username, path, device, origin=None, **options):
    """Signs in by the page, as people do, and goes to `path`; None opens it as a stranger."""
    if username is None:
        return visits.open(None, path, device, origin=origin, **options)
    page = visits.open(None, "/sign-in", device, origin=origin, **options)
    page.get_by_test_id("username").fill(username)
    page.get_by_test_id("password").fill(PASSWORD)
    page.get_by_test_id("submit").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    page.goto((origin or visits.server.origin) + path)
    return page


def media_of(page) -> dict:
    """What the page's peer connections received so far, and the kinds of candidate by which they send.

    The transport names its pair from the first packet on. The pair's own `nominated` and `state` come later than the
    picture: the side that is controlled hears the other before its own check was answered.
    """
    return page.evaluate(
        """async () => {
          const result = { frames: 0, audio: 0, ways: [] };
          for (const peer of window.hoichanCall.peers) {
            const stats = await peer.getStats();
            for (const report of stats.values()) {
              if (report.type === "inbound-rtp" && report.kind === "video") result.frames += report.framesDecoded ?? 0;
              if (report.type === "inbound-rtp" && report.kind === "audio") result.audio += report.bytesReceived ?? 0;
              if (report.type === "transport" && report.selectedCandidatePairId) {
                const pair = stats.get(report.selectedCandidatePairId);
                result.ways.push(stats.get(pair.localCandidateId).candidateType);
              }
            }
          }
          return result;
        }"""
    )


def both_see_and_hear(pages) -> list:
    """Waits until each page has received more picture and sound than when it was asked, and by a pair it names."""
    before = [media_of(page) for page in pages]

    def received():
        media = [media_of(page) for page in pages]
        more = [one["frames"] > old["frames"] and one["audio"] > old["audio"] for one, old in zip(media, before)]
        return media if all(more) and all(one["ways"] for one in media) else None

    return eventually(received, patience=60, what="both sides to decode video frames and hear audio")


def request_by_page(page, name="Nguyễn Thị Hoa") -> str:
    """Fills in the station's form as a nurse would; returns the consult's id."""
    page.get_by_test_id("field-specialty").select_option("cardiology")
    page.get_by_test_id("field-urgency-urgent").check()
    page.get_by_test_id("field-patient-name").fill(name)
    page.get_by_test_id("field-situation").fill("Đau ngực trái hai giờ, vã mồ hôi")
    page.get_by_test_id("field-request").fill("Xin hướng xử trí")
    page.get_by_test_id("submit").click()
    page.wait_for_url("**/consults/*")
    return page.url.split("/consults/")[1].split("?")[0]


def conclude_by_page(page):
    """The specialist writes the outcome on the consult's page and signs it."""
    outcome = conclusion()
    page.get_by_test_id("field-summary").fill(outcome["summary"])
    page.get_by_test_id("field-diagnosis-code").first.fill("I21.0")
    page.get_by_test_id("field-disposition").select_option(outcome["disposition"])
    page.get_by_test_id("field-recommendation").fill(outcome["recommendation"])
    page.get_by_test_id("conclude").click()
    page.get_by_test_id("sign").click()
    expect(page.get_by_test_id("sha256")).to_be_visible()
