"""Further people, made through the administrator's API, for what one person of each role cannot show."""
import secrets

from .api import sign_in
from .care import all_items


def new_person(people, role: str, facilities: list, practitioner=None):
    """A new account with one grant, signed in."""
    username = f"thu-{secrets.token_hex(5)}"
    password = secrets.token_urlsafe(16)
    body = {"username": username, "name": f"Người thử {username}", "password": password, "grants": [{"role": role, "facilities": facilities}]}
    if practitioner:
        body["practitionerId"] = practitioner
    user = people.admin.send("/users", body, status=201)
    caller = sign_in(people.admin.server, username, password)
    caller.user, caller.password = user, password
    return caller


def other_station(people):
    """Someone of another commune's station."""
    own = people.station.facility
    code = next(item["id"] for item in all_items(people.dispatcher, "/facilities") if item["kind"] == "station" and item["id"] != own)
    return new_person(people, "station", [code])


def other_specialist(people, specialty="cardiology"):
    """A specialist who is not `bacsi`."""
    me = people.specialist.person["practitionerId"]
    practitioner = next(item for item in all_items(people.dispatcher, "/practitioners") if item["specialty"] == specialty and item["id"] != me)
    return new_person(people, "specialist", [practitioner["facilityId"]], practitioner["id"])
