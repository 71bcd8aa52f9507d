"""The steps of care that many tests need first: a request, a slot, a consult driven to a state, a trip."""
import datetime

from .api import good, moment, now, stamp

# CONTRACT.md's transition table for a live consult: what the machine takes in each state.
# noShow is left out: it depends on the clock.
ALLOWED = {
    "requested": {"appointment", "accept", "cancel"},
    "assigned": {"appointment", "decline", "arrive", "start", "cancel"},
    "scheduled": {"appointment", "decline", "arrive", "start", "cancel"},
    "waiting": {"start", "cancel"},
    "inProgress": {"interrupt", "conclude"},
    "interrupted": {"resume", "conclude"},
    "concluded": {"sign"},
    "signed": {"amend"},
    "amended": {"sign"},
    "cancelled": set(),
}
TRANSITIONS = {
    "accept", "decline", "arrive", "start", "interrupt", "resume", "conclude", "sign", "amend", "cancel", "noShow",
}  # fmt: skip
# Who makes each transition in these tests.
ACTOR = {
    "accept": "specialist", "decline": "specialist", "arrive": "station", "start": "specialist",
    "interrupt": "specialist", "resume": "specialist", "conclude": "specialist", "sign": "specialist",
    "amend": "specialist", "cancel": "station", "noShow": "station", "appointment": "station",
}  # fmt: skip


def consult_body(**members) -> dict:
    """A request with everything that must be there and most of what may; `members` replace, None removes."""
    body = {
        "specialty": "cardiology",
        "urgency": "urgent",
        "mode": "live",
        "patient": {"name": "Nguyễn Thị Hoa", "birthDate": "1958-03-14", "sex": "female", "phone": "0912345678"},
        "situation": "Đau ngực trái 2 giờ",
        "background": "Tăng huyết áp 10 năm",
        "assessment": "Nghi nhồi máu cơ tim",
        "request": "Xin hướng xử trí và chuyển viện",
        "vitals": {
            "respiratoryRate": 22, "spo2": 93, "oxygen": False, "systolic": 104, "diastolic": 66, "pulse": 112,
            "consciousness": "alert", "temperature": 36.8,
        },
        "consent": {"basis": "consent", "at": stamp(now())},
    }  # fmt: skip
    body |= members
    return {name: value for name, value in body.items() if value is not None}


def conclusion(**members) -> dict:
    return {
        "summary": "Hội chứng vành cấp, huyết động ổn",
        "diagnoses": [{"code": "I21.0", "main": True}, {"code": "I10", "main": False}],
        "disposition": "transferUrgent",
        "recommendation": "Aspirin 300 mg, chuyển tuyến tỉnh",
        "issues": [{"question": "Có tiêu sợi huyết không?", "conclusion": "Không, chuyển can thiệp"}],
    } | members


def amendment(**members) -> dict:
    return conclusion(summary="Đã xem lại điện tâm đồ", reason="Bổ sung kết quả", **members)


BODIES = {
    "decline": {"reason": "Đang mổ"},
    "cancel": {"reason": "Bệnh nhân đã khỏe"},
    "noShow": {"side": "station"},
    "conclude": conclusion(),
    "amend": amendment(),
}


def request_consult(station, **members) -> dict:
    return station.send("/consults", consult_body(**members), status=201)


def find_slots(caller, specialty="cardiology", practitioner=None, days=21, minutes=30, limit=100) -> list:
    """Free slots from half an hour on, so that none starts while a test is still looking at it."""
    start = now() + datetime.timedelta(minutes=30)
    params = {"from": stamp(start), "to": stamp(start + datetime.timedelta(days=days)), "minutes": minutes, "limit": limit}
    if specialty:
        params["specialty"] = specialty
    if practitioner:
        params["practitioner"] = practitioner
    items = good(caller.call("GET", "/slots", params=params), 200)["items"]
    assert items, f"The demo has no free slot of {practitioner or specialty} in {days} days"
    return items


def appointment_of(slot: dict, minutes: int | None = None) -> dict:
    length = int((moment(slot["end"]) - moment(slot["start"])).total_seconds() // 60)
    return {"practitionerId": slot["practitionerId"], "start": slot["start"], "minutes": minutes or length}


def book(caller, consult_id: str, practitioner=None, specialty="cardiology") -> dict:
    """Books the earliest slot; returns the appointment's body as asked."""
    body = appointment_of(find_slots(caller, specialty, practitioner)[0])
    caller.send(f"/consults/{consult_id}/appointment", body, status=201)
    return body


def move(caller, consult_id: str, transition: str, body=None, **options):
    """Makes a transition and returns the answer's body."""
    body = BODIES.get(transition, {}) if body is None else body
    return caller.send(f"/consults/{consult_id}/{transition}", body, **options)


def consult_in(people, state: str, **members) -> str:
    """The id of a new consult of the demo's station and specialist that has reached `state`."""
    consult = request_consult(people.station, **members)["id"]

    def steps(*names):
        for name in names:
            move(getattr(people, ACTOR[name]), consult, name)

    if state in ("scheduled", "waiting"):
        book(people.station, consult, practitioner=people.specialist.person["practitionerId"])
        steps(*(["arrive"] if state == "waiting" else []))
        return consult
    ways = {
        "requested": [],
        "cancelled": ["cancel"],
        "assigned": ["accept"],
        "inProgress": ["accept", "start"],
        "interrupted": ["accept", "start", "interrupt"],
        "concluded": ["accept", "start", "conclude"],
        "signed": ["accept", "start", "conclude", "sign"],
        "amended": ["accept", "start", "conclude", "sign", "amend"],
    }
    steps(*ways[state])
    return consult


def state_of(caller, consult_id: str) -> str:
    return caller.fetch(f"/consults/{consult_id}")["state"]


# Trips

def hospital(caller) -> dict:
    """A hospital of the province, as a destination."""
    return next(item for item in all_items(caller, "/facilities") if item["kind"] == "hospital")


def all_items(caller, path: str, **params) -> list:
    """Every item of a list, page by page."""
    items, after = [], None
    while True:
        page = caller.fetch(path, **params, **({"after": after} if after else {}))
        items += page["items"]
        after = page["next"]
        if after is None:
            return items


def crew_vehicle(people) -> dict:
    """A vehicle of the demo's crew."""
    return people.crew.fetch("/vehicles")["items"][0]


def trip_body(people, **members) -> dict:
    body = {
        "vehicleId": crew_vehicle(people)["id"],
        "priority": "emergency",
        "origin": {"lat": 19.8, "lon": 105.6, "label": "Nhà bệnh nhân, thôn 3"},
        "destination": {"facilityId": hospital(people.dispatcher)["id"]},
        "patient": {"name": "Lê Văn Bình", "phone": "0987654321"},
    } | members
    return {name: value for name, value in body.items() if value is not None}


def new_trip(people, **members) -> dict:
    return people.dispatcher.send("/trips", trip_body(people, **members), status=201)


def pass_milestone(caller, trip_id: str, milestone: str, at=None):
    return caller.send(f"/trips/{trip_id}/milestones", {"milestone": milestone, "at": stamp(at or now())})


def positions(count: int = 1, at=None, lat=19.81, lon=105.61, **members) -> dict:
    """`count` positions, a second apart, the last one at `at`."""
    last = at or now()
    return {
        "positions": [
            {"at": stamp(last - datetime.timedelta(seconds=count - 1 - n)), "lat": lat + n * 1e-5, "lon": lon, "speed": 12.5}
            | members
            for n in range(count)
        ]
    }
