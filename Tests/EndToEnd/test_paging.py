"""Lists page by cursor: newest first, each thing once, whatever happens between two pages."""
import pytest
from support.api import any_problem, problem
from support.care import new_trip, request_consult


def walk(caller, path, limit, between=lambda: None, **params) -> list:
    items, after = [], None
    for _ in range(1000):
        page = caller.fetch(path, limit=limit, **params, **({"after": after} if after else {}))
        assert set(page) >= {"items", "next"}
        assert len(page["items"]) <= limit
        items += page["items"]
        after = page["next"]
        if after is None:
            return items
        assert page["items"], "an empty page that is not the last"
        between()
    raise AssertionError(f"{path} never ends")


def ids(items) -> list:
    return [item["id"] for item in items]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_consults_page_newest_first(people, limit):
    made = [request_consult(people.station, specialty="dermatology", patient={"name": f"Trang {n}"})["id"] for n in range(5)]
    found = ids(walk(people.station, "/consults", limit, specialty="dermatology"))
    assert len(found) == len(set(found))
    assert [item for item in found if item in made] == made[::-1]


def test_new_consults_do_not_disturb_a_walk(people):
    made = [request_consult(people.station, specialty="nephrology")["id"] for _ in range(6)]
    found = ids(walk(people.station, "/consults", 2, between=lambda: request_consult(people.station, specialty="nephrology"), specialty="nephrology"))
    assert len(found) == len(set(found))
    assert [item for item in found if item in made] == made[::-1]


def test_trips_page_newest_first(people):
    made = [new_trip(people)["id"] for _ in range(4)]
    found = ids(walk(people.dispatcher, "/trips", 2))
    assert len(found) == len(set(found))
    assert [item for item in found if item in made] == made[::-1]


@pytest.mark.parametrize("path", ["/facilities", "/practitioners"])
def test_directories_page_completely(people, path):
    assert sorted(ids(walk(people.station, path, 7))) == sorted(ids(walk(people.station, path, 500)))


def test_users_page(people):
    assert {"tram", "bacsi", "quantri"} <= {user["username"] for user in walk(people.admin, "/users", 3)}


@pytest.mark.parametrize("path", ["/consults", "/trips", "/facilities", "/practitioners", "/events"])
@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "99999999999999999999", ""])
def test_impossible_limits(people, path, limit):
    problem(people.dispatcher.get(path, limit=limit), "invalid")


@pytest.mark.parametrize("path", ["/consults", "/trips", "/facilities", "/practitioners", "/events"])
@pytest.mark.parametrize("after", ["x", "%00", "'; DROP TABLE consult; --", "A" * 3000, "🏥", "-1"])
def test_made_up_cursors(people, path, after):
    any_problem(people.dispatcher.get(path, after=after))


def test_a_cursor_of_one_list_in_another(people):
    request_consult(people.station)
    request_consult(people.station)
    after = people.station.fetch("/consults", limit=1)["next"]
    answer = people.station.get("/practitioners", after=after)
    assert answer.status_code == 200 or any_problem(answer)
