"""The event feed by its three ways: paging, Server-Sent Events and the socket. Same events, same cursors."""
import datetime
import threading

import pytest
from support.accounts import new_person, other_station
from support.api import Api, any_problem, good, moment, now, problem, sign_in
from support.care import BODIES, consult_in, move, request_consult
from support.log import assert_exactly_once_in_order, events_of, read_log
from support.server import PASSWORD
from support.sockets import Call, Feed, refusal
from support.stream import EventStream
from support.waiting import eventually
from test_cli import FACILITIES, csv_file

MEMBERS = {"specversion", "id", "type", "source", "subject", "time", "sequence", "datacontenttype", "data"}


def head(caller) -> str:
    return caller.fetch("/events", after="oldest", limit=1)["head"]


# Paging

def test_a_page(people):
    before = head(people.monitor)
    consult = request_consult(people.station)["id"]
    page = people.monitor.fetch("/events", after=before, limit=100)
    assert set(page) >= {"items", "next", "cursor", "oldest", "head"}
    item = page["items"][0]
    assert set(item) == {"cursor", "event"} and page["cursor"] == page["items"][-1]["cursor"] == page["head"]
    assert page["next"] is None
    event = item["event"]
    assert set(event) == MEMBERS and event["specversion"] == "1.0" and event["datacontenttype"] == "application/json"
    assert event["type"] == "consult.requested" and event["subject"] == f"consults/{consult}"
    assert event["source"] == f"/facilities/{people.station.facility}"
    assert len(event["sequence"]) == 12 and event["sequence"].isdigit()
    assert abs(moment(event["time"]) - now()) < datetime.timedelta(minutes=5)
    assert len(page["cursor"].encode()) <= 100


def test_after_is_exclusive_and_an_empty_page_has_a_position(people):
    request_consult(people.station)
    page = people.monitor.fetch("/events", after=head(people.monitor))
    assert page["items"] == [] and page["next"] is None and page["cursor"] == page["head"]


def test_the_sequence_has_no_holes_for_who_sees_everything(people):
    for _ in range(3):
        request_consult(people.station)
    sequences = [int(event["sequence"]) for _, event in read_log(people.admin, limit=8)]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


def test_pages_of_any_size_give_the_same(people):
    consult_in(people, "signed")
    whole = read_log(people.monitor, limit=500)
    assert read_log(people.monitor, limit=7) == whole


def test_a_filtered_page_moves_on_even_when_empty(people):
    before = head(people.monitor)
    for _ in range(3):
        request_consult(people.station)
    page = people.monitor.fetch("/events", after=before, types="trip.closed")
    assert page["items"] == [] and page["cursor"] == page["head"] != before


def test_the_story_of_a_consult(people):
    consult = consult_in(people, "amended")
    move(people.specialist, consult, "sign")
    told = events_of(people.monitor, f"consults/{consult}")
    assert told == [f"consult.{name}" for name in ("requested", "accepted", "started", "concluded", "signed", "amended", "signed")]
    other = consult_in(people, "waiting")
    assert events_of(people.monitor, f"consults/{other}") == ["consult.requested", "consult.scheduled", "consult.arrived"]


def test_filters(people):
    consult = consult_in(people, "cancelled", specialty="psychiatry")
    types = lambda **query: {event["type"] for _, event in read_log(people.monitor, **query)}
    assert types(types="consult.cancelled") == {"consult.cancelled"}
    assert types(types="consult.cancelled,consult.requested") == {"consult.cancelled", "consult.requested"}
    assert all(name.startswith("consult.") for name in types(types="consult.*"))
    assert types(subject=f"consults/{consult}") == {"consult.requested", "consult.cancelled"}
    assert types(specialty="psychiatry", subject=f"consults/{consult}") == {"consult.requested", "consult.cancelled"}
    assert types(specialty="surgery", subject=f"consults/{consult}") == set()
    assert types(facility=people.station.facility, subject=f"consults/{consult}") == {"consult.requested", "consult.cancelled"}


def test_no_identity_no_text(people):
    texts = {
        "patient": {"name": "Đinh Thị Không Lộ", "birthDate": "1955-05-05", "phone": "0966123123", "personalId": "038155000123"},
        "situation": "Chữ kín một", "background": "Chữ kín hai", "assessment": "Chữ kín ba", "request": "Chữ kín bốn",
    }  # fmt: skip
    before = head(people.admin)
    consult = consult_in(people, "amended", **texts)
    cancelled = consult_in(people, "requested", **texts)
    move(people.station, cancelled, "cancel", {"reason": "Chữ kín năm"})
    raw = people.admin.get("/events", after=before, limit=500).text
    assert consult in raw and cancelled in raw
    hidden = ["Đinh Thị", "Chữ kín", "0966123123", "038155000123", "1955-05-05", "I21.0", BODIES["conclude"]["summary"], BODIES["amend"]["reason"]]
    for secret in hidden:
        assert secret not in raw, secret


def test_made_up_cursors(people):
    real = head(people.monitor)
    flipped = real[:-1] + ("A" if real[-1] != "A" else "B")
    for cursor in ("x", real + "x", flipped, real[:-2], "A" * 101, "🙂"):
        answer = people.monitor.get("/events", after=cursor)
        assert any_problem(answer)["code"] in ("malformed", "invalid", "cursor-gap"), cursor


def test_a_foreign_station_sees_nothing_of_it(people):
    stranger = other_station(people)
    consult = consult_in(people, "signed")
    assert events_of(stranger, f"consults/{consult}") == []


def test_a_grant_is_a_right_on_the_past_too(people):
    consult = consult_in(people, "signed")
    watcher = new_person(people, "monitor", [people.station.facility])
    assert events_of(watcher, f"consults/{consult}") == events_of(people.monitor, f"consults/{consult}")


# The socket

def test_ready_then_live(people):
    with Feed(people.monitor) as feed:
        ready = feed.ready()
        assert set(ready) == {"kind", "cursor", "oldest", "head"} and feed.frames[0] == ready
        consult = request_consult(people.station)["id"]
        event = feed.event("consult.requested", consult)
        assert set(event) == MEMBERS
        # From now means: nothing of before.
        assert feed.events[0]["id"] == event["id"]


def test_replay_from_the_oldest_equals_the_log(people):
    consult_in(people, "signed")
    log = [event for _, event in read_log(people.monitor)]
    with Feed(people.monitor, after="oldest") as feed:
        feed.wait(lambda frames: len(feed.events) >= len(log), f"{len(log)} events")
        assert_exactly_once_in_order(feed.events[: len(log)], log)


def test_the_same_cursors_by_every_way(people):
    before = head(people.monitor)
    consult = consult_in(people, "signed")
    paged = read_log(people.monitor, after=before)
    with Feed(people.monitor, after=before) as feed, EventStream(people.monitor, after=before) as stream:
        feed.event("consult.signed", consult)
        socket = [(frame["cursor"], frame["event"]) for frame in feed.frames if frame["kind"] == "event"]
        found = lambda items: [i for i in items if i["data"] and i["data"].get("type") == "consult.signed"]
        stream.wait(found, "the signature by SSE")
        streamed = [(item["id"], item["data"]) for item in stream.items if item["data"] and "specversion" in item["data"]]
    assert socket == paged
    assert streamed == paged
    with Feed(people.monitor, after=paged[2][0]) as feed:
        feed.event("consult.signed", consult)
        assert feed.events == [event for _, event in paged[3:]]


def test_filters_of_the_socket(people):
    with Feed(people.monitor, types="consult.cancelled,trip.*", facility=people.station.facility) as feed:
        feed.ready()
        consult = consult_in(people, "cancelled")
        feed.event("consult.cancelled", consult)
        assert [event["type"] for event in feed.events] == ["consult.cancelled"]


def test_a_filtered_reader_gets_bookmarks(people):
    with Feed(people.monitor, types="trip.closed") as feed:
        ready = feed.ready()
        request_consult(people.station)
        later = lambda frames: next((f for f in frames if f["kind"] == "bookmark" and f["cursor"] != ready["cursor"]), None)
        bookmark = feed.wait(later, "a bookmark", patience=120)
        assert set(bookmark) == {"kind", "cursor"}
    # The bookmark stands behind what was filtered out: going on from it misses nothing.
    assert bookmark["cursor"] != ready["cursor"]
    good(people.monitor.get("/events", after=bookmark["cursor"]), 200)
    assert feed.events == []


@pytest.mark.parametrize("query", [{"types": "consult"}, {"types": "nothing.here"}, {"specialty": "astrology"}, {"facility": "0"}, {"subject": "x" * 5000}])
def test_impossible_filters(people, query):
    answer = people.monitor.get("/events", **query)
    assert answer.status_code == 200 and answer.json()["items"] == [] or any_problem(answer)
    if answer.status_code != 200:
        status, _, _ = refusal(lambda: Feed(people.monitor, **query))
        assert status == answer.status_code


def test_the_subprotocol_is_echoed(people):
    with Feed(people.monitor, subprotocol="hoichan.feed.v1") as feed:
        feed.ready()
        assert feed.subprotocol == "hoichan.feed.v1"
    with Feed(people.monitor) as feed:
        assert feed.subprotocol is None


def test_sign_out_closes_its_sockets(server, people):
    caller = sign_in(server, "giamsat", PASSWORD)
    with Feed(caller) as feed, Feed(people.monitor) as other, EventStream(caller) as stream:
        feed.ready(), other.ready()
        caller.delete("/session")
        assert feed.wait_closed(patience=15) == 4401
        eventually(lambda: stream.ended, "the end of the event stream", patience=15)
        # Another session of the same person goes on.
        consult = request_consult(people.station)["id"]
        other.event("consult.requested", consult)


def test_a_disabled_account_loses_its_sockets(people):
    caller = new_person(people, "monitor", [people.station.facility])
    with Feed(caller) as feed:
        feed.ready()
        good(people.admin.patch(f"/users/{caller.user['id']}", {"disabled": True}), 200)
        assert feed.wait_closed(patience=15) in (4401, 4403)


def test_lost_grants_end_the_feed(people):
    caller = new_person(people, "monitor", [people.station.facility])
    with Feed(caller) as feed:
        feed.ready()
        good(people.admin.patch(f"/users/{caller.user['id']}", {"grants": []}), 200)
        assert feed.wait_closed(patience=15) in (4401, 4403)


def test_a_moved_facility_is_seen_by_whom_it_belongs_to_now(people, tmp_path):
    """Grants cover what lies below a facility. An import changes that, also for feeds that are open."""
    root, above = people.admin.facility, other_station(people).facility
    def put(parent):
        people.admin.server.command("import", "facilities", csv_file(tmp_path, f"{FACILITIES}97001,Trạm Chuyển Đi,station,{parent},19.8,105.7,\n"))
    with Feed(people.monitor) as watch:
        watch.ready()
        put(root)
        assert watch.wait_closed(patience=15) == 1001
    station = eventually(lambda: new_person(people, "station", ["97001"]), "the new station to be known")
    monitor = new_person(people, "monitor", [above])
    with Feed(monitor) as feed:
        cursor = feed.ready()["cursor"]
        unseen = request_consult(station)["id"]
        put(above)
        assert feed.wait_closed(patience=15) == 1001
        assert not [frame for frame in feed.frames if frame["kind"] == "event" and unseen in frame["event"]["subject"]]

    def told():
        # From its cursor on, it is told what it may see now. Another change may just have been heard of: then it is
        # asked to come once more.
        with Feed(monitor, after=cursor) as feed:
            feed.event("consult.requested", unseen)
            return feed.event("consult.requested", request_consult(station)["id"])
    eventually(told, "what it may see now")


# Tickets and refusals

def test_a_ticket_opens_one_socket_once(people):
    ticket = people.monitor.ticket()
    with Feed(people.monitor, ticket=ticket) as feed:
        feed.ready()
        assert refusal(lambda: Feed(people.monitor, ticket=ticket))[0] == 401
        consult = request_consult(people.station)["id"]
        feed.event("consult.requested", consult)


def test_a_ticket_is_for_its_purpose(people):
    consult = consult_in(people, "inProgress")
    call = people.station.ticket("call", consultId=consult)
    assert refusal(lambda: Feed(people.station, ticket=call))[0] in (401, 403)
    events = people.station.ticket("events")
    assert refusal(lambda: Call(people.station, consult, ticket=events))[0] in (401, 403)
    other = consult_in(people, "inProgress")
    foreign = people.station.ticket("call", consultId=consult)
    assert refusal(lambda: Call(people.station, other, ticket=foreign))[0] in (401, 403)


def test_a_ticket_is_no_bearer_token(people):
    problem(Api(people.monitor.server, people.monitor.ticket()).get("/session"), "unauthenticated")


def test_sse_takes_no_tickets(server, people):
    ticket = people.monitor.ticket()
    with server.plain(headers={"Accept": "text/event-stream"}) as client:
        problem(client.get(f"/api/v1/events?ticket={ticket}"), "unauthenticated")


@pytest.mark.parametrize("body", [{}, {"purpose": "fun"}, {"purpose": "call"}, {"purpose": "call", "consultId": 7}, {"purpose": None}])
def test_tickets_are_checked(people, body):
    any_problem(people.station.post("/tickets", body))


def test_a_foreign_origin_may_not_ride_on_the_cookie(server, people):
    with server.plain() as client:
        client.post("/api/v1/session", json={"username": "giamsat", "password": PASSWORD})
        cookie = f"hoichan_session={client.cookies['hoichan_session']}"
    anonymous = Api(server)
    assert refusal(lambda: Feed(anonymous, headers={"Cookie": cookie, "Origin": "https://evil.example"}))[0] == 403
    assert refusal(lambda: Feed(anonymous, headers={"Cookie": cookie}))[0] == 403
    with Feed(anonymous, headers={"Cookie": cookie, "Origin": server.origin}) as feed:
        feed.ready()


# Server-Sent Events

def test_sse_resumes_by_last_event_id(people):
    before = head(people.monitor)
    consult = consult_in(people, "signed")
    paged = read_log(people.monitor, after=before)
    with EventStream(people.monitor, last_id=paged[1][0], after="oldest") as stream:
        assert stream.response.headers["content-type"].split(";")[0] == "text/event-stream"
        assert "no-" in stream.response.headers["cache-control"]
        stream.wait(lambda items: any(i["data"] and i["data"].get("type") == "consult.signed" for i in items), "the signature")
        # Last-Event-ID outranks `after`.
        assert stream.cloud_events()[: len(paged) - 2] == [event for _, event in paged[2:]]
    live = request_consult(people.station)["id"]
    with EventStream(people.monitor, after=head(people.monitor)) as stream:
        move(people.station, live, "cancel")
        stream.wait(lambda items: any(i["data"] and i["data"].get("type") == "consult.cancelled" for i in items), "a live event")
    assert consult in str(paged)


# Gaps

def test_a_restored_database_has_a_new_epoch(new_server, tmp_path):
    server = new_server()
    monitor = sign_in(server, "giamsat", PASSWORD)
    request_consult(sign_in(server, "tram", PASSWORD))
    old = head(monitor)
    server.command("backup", tmp_path / "backup")
    server.stop()
    server.command("restore", tmp_path / "backup")
    server.start()
    expect_gap(sign_in(server, "giamsat", PASSWORD), old, "epoch-changed")


def test_a_cursor_ahead_of_a_rewound_database(new_server, new_database):
    server = new_server()
    server.stop()
    snapshot = new_database(of=server.database)
    server.start()
    monitor, station = sign_in(server, "giamsat", PASSWORD), sign_in(server, "tram", PASSWORD)
    for _ in range(3):
        request_consult(station)
    lost = head(monitor)
    server.stop()
    rewound = new_server(database=snapshot)
    monitor, station = sign_in(rewound, "giamsat", PASSWORD), sign_in(rewound, "tram", PASSWORD)
    expect_gap(monitor, lost, "ahead")
    # Written past the lost events, the same numbers mean other events: only the chain can tell.
    for _ in range(5):
        request_consult(station)
    expect_gap(monitor, lost, "epoch-changed")


def expect_gap(monitor, cursor: str, reason: str):
    """The same verdict by every way, with cursors from which it can go on."""
    refused = problem(monitor.get("/events", after=cursor), "cursor-gap")
    assert refused["reason"] == reason
    with Feed(monitor, after=cursor) as feed:
        gap = feed.first("the verdict", kind="gap")
        assert gap == {"kind": "gap", "reason": reason, "oldest": refused["oldest"], "head": refused["head"]}
        assert feed.wait_closed() == 4410
        assert feed.events == []
    with EventStream(monitor, last_id=cursor) as stream:
        items = stream.wait(lambda items: items if any(i["event"] == "gap" for i in items) else None, "the verdict by SSE")
        gap = next(item for item in items if item["event"] == "gap")
        assert gap["id"] is None and gap["retry"] == "60000" and gap["data"]["reason"] == reason
    good(monitor.get("/events", after=refused["oldest"]), 200)
    with Feed(monitor, after=refused["head"]) as feed:
        feed.ready()


# Under load

def test_replay_joins_live_without_gap_or_duplicate(people):
    """Readers come, leave and come back from their cursor while four writers write."""
    before = head(people.monitor)
    done = threading.Event()
    failures = []

    def write():
        station = Api(people.station.server, people.station.token)
        try:
            for _ in range(60):
                consult = request_consult(station)["id"]
                move(station, consult, "cancel")
        except Exception as error:  # shown by the main thread
            failures.append(error)

    def read(seen: list, stay: int):
        cursor = before
        try:
            while not done.is_set():
                with Feed(people.monitor, after=cursor) as feed:
                    eventually(lambda: done.is_set() or len(feed.events) >= stay, "events", patience=120, every=0.01)
                    feed.drop()
                    seen += feed.events
                    cursor = feed.cursor or cursor
            with Feed(people.monitor, after=cursor) as feed:
                feed.ready()
                eventually(lambda: not read_log(people.monitor, after=feed.cursor), "the head", patience=120)
                seen += feed.events
        except Exception as error:  # shown by the main thread
            failures.append(error)

    readers = [[] for _ in range(6)]
    threads = [threading.Thread(target=read, args=(seen, stay)) for seen, stay in zip(readers, (1, 3, 10, 40, 100, 10_000))]
    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads + writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    log = [event for _, event in read_log(people.monitor, after=before)]
    assert len(log) >= 4 * 60 * 2
    for seen in readers:
        assert_exactly_once_in_order(seen, log)
