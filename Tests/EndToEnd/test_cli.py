"""The command line, most of it beside a running server: what it changes takes effect there."""
import json

import pytest
from conftest import sign_in_all
from support.api import Api, good, problem, sign_in
from support.care import all_items, consult_in, request_consult
from support.log import read_log
from support.processes import Child
from support.server import PASSWORD
from support.waiting import eventually


@pytest.fixture
def station_code(people) -> str:
    return people.station.facility


def test_an_account_from_its_making_to_its_end(server, station_code):
    server.command("user", "add", "y-ta-moi", "--name", "Y tá mới", "--role", "station", "--facility", station_code, input="first-password-1\n")
    caller = eventually(lambda: sign_in(server, "y-ta-moi", "first-password-1"), "the new account")
    assert caller.session["grants"] == [{"role": "station", "facilities": [station_code]}]
    server.command("user", "passwd", "y-ta-moi", input="second-password-2\n")
    # A new password ends what the old one opened.
    eventually(lambda: caller.get("/session").status_code == 401, "the end of the old session", patience=15)
    caller = eventually(lambda: sign_in(server, "y-ta-moi", "second-password-2"), "the new password")
    server.command("user", "disable", "y-ta-moi")
    eventually(lambda: caller.get("/session").status_code == 401, "the end of the disabled account", patience=15)
    with server.plain() as client:
        problem(client.post("/api/v1/session", json={"username": "y-ta-moi", "password": "second-password-2"}), "unauthenticated")


@pytest.mark.parametrize(
    "arguments",
    [
        ["user", "add", "tram", "--name", "X", "--role", "station", "--facility", "38001"], ["user", "add", "x y", "--name", "X", "--role", "station", "--facility", "38001"],
        ["user", "add", "moi", "--name", "X", "--role", "god", "--facility", "38001"], ["user", "add", "moi", "--name", "X", "--role", "station", "--facility", "nowhere"],
        ["user", "passwd", "nobody-of-this-name"], ["user", "disable", "nobody-of-this-name"], ["token", "revoke", "nothing-of-this-name"], ["nonsense"], ["user"],
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(server, arguments):
    done = server.command(*arguments, input="long-enough-1\n", check=False)
    assert done.returncode != 0 and done.stderr.strip() and "Fatal" not in done.stderr


def test_a_short_password_is_refused(server, station_code):
    done = server.command("user", "add", "ngan", "--name", "N", "--role", "station", "--facility", station_code, input="short\n", check=False)
    assert done.returncode != 0


def test_a_token_from_its_making_to_its_end(server, people):
    root = people.monitor.facility
    made = server.command("token", "create", "bang-tinh", "--role", "monitor", "--facility", root)
    # Alone on stdout, so that a script can keep it.
    token = made.stdout.strip()
    assert made.stdout == token + "\n" and " " not in token
    machine = Api(server, token)
    eventually(lambda: machine.get("/events", limit=1).status_code == 200, "the new token", patience=15)
    problem(machine.get("/users"), "forbidden")
    listed = server.command("token", "list").stdout
    assert "bang-tinh" in listed and token not in listed
    server.command("token", "revoke", "bang-tinh")
    eventually(lambda: machine.get("/events", limit=1).status_code == 401, "the end of the token", patience=15)
    # Stored hashed: the secret is nowhere in the database.
    assert not server.database.holds(token)


def test_events_tail_follows(server, people):
    before = people.admin.fetch("/events", after="oldest", limit=1)["head"]
    consult = consult_in(people, "cancelled")
    tail = Child([server.binary, "events", "tail", "--after", before, "--type", "consult.cancelled", "--type", "trip.*"], env={**server.settings, **server.env})
    try:
        lines = lambda: [json.loads(line) for line in tail.text().splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]
        subjects = lambda: [line.get("event", line)["subject"] for line in lines()]
        eventually(lambda: f"consults/{consult}" in subjects(), "what was before")
        later = consult_in(people, "cancelled")
        eventually(lambda: f"consults/{later}" in subjects(), "what came after")
        assert {line.get("event", line)["type"] for line in lines()} == {"consult.cancelled"}
        assert len(subjects()) == len(set(subjects()))
    finally:
        tail.stop()
        tail.dispose()


# Import

FACILITIES = "code,name,kind,parent,lat,lon,phone\n"


def csv_file(folder, text: str, encoding="utf-8"):
    path = folder / "import.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(("encoding", "separator"), [("utf-8", ","), ("utf-8-sig", ","), ("utf-8", ";"), ("utf-8-sig", ";")])
def test_import_facilities(server, people, tmp_path, encoding, separator):
    number = {"utf-8,": 1, "utf-8-sig,": 2, "utf-8;": 3, "utf-8-sig;": 4}[encoding + separator]
    code, name = f"99{number:03}", f"Trạm y tế Đường Mới {number}"
    text = (FACILITIES + f'{code},"{name}",station,{people.admin.facility},19.8,105.7,0237{number}123456\n').replace(",", separator)
    file = csv_file(tmp_path, text, encoding)
    server.command("import", "facilities", file, "--check")
    assert not [item for item in all_items(people.dispatcher, "/facilities", q="duong moi") if item["id"] == code]
    server.command("import", "facilities", file)
    found = lambda: [item for item in all_items(people.dispatcher, "/facilities", q="duong moi") if item["id"] == code]
    assert eventually(found, "the new station", patience=15)[0]["name"] == name


def test_import_names_line_and_column_and_imports_nothing(server, people, tmp_path):
    root = people.admin.facility
    text = FACILITIES + f"98001,Trạm Một,station,{root},19.8,105.7,\n98002,Trạm Hai,castle,{root},19.8,105.7,\n98003,Trạm Ba,station,{root},north,105.7,\n"
    done = server.command("import", "facilities", csv_file(tmp_path, text), check=False)
    assert done.returncode != 0
    errors = (done.stderr + done.stdout).lower()
    assert "3" in errors and "kind" in errors and "4" in errors and "lat" in errors
    assert not [item for item in all_items(people.dispatcher, "/facilities") if item["id"].startswith("980")]


@pytest.mark.parametrize("text", ["", "code\n", "a,b,c\n1,2,3\n", FACILITIES + '98001,"open', FACILITIES + "98001\n", "\x00\x00"])
def test_import_of_what_is_no_table(server, people, tmp_path, text):
    done = server.command("import", "facilities", csv_file(tmp_path, text), check=False)
    # A table with a head and no rows holds nothing wrong.
    assert done.returncode != 0 or text == FACILITIES
    assert "Fatal" not in done.stderr
    assert not [item for item in all_items(people.dispatcher, "/facilities") if item["id"].startswith("980")]


def test_import_of_what_is_not_there(server, tmp_path):
    assert server.command("import", "facilities", tmp_path / "none.csv", check=False).returncode != 0
    assert server.command("import", "castles", csv_file(tmp_path, "a\n"), check=False).returncode != 0


def test_import_breaks_on_other_encodings(server, tmp_path):
    done = server.command("import", "facilities", csv_file(tmp_path, FACILITIES + "98001,Trạm,station,,19.8,105.7,\n", "utf-16"), check=False)
    assert done.returncode != 0 and "UTF-8" in done.stderr


# Backup, restore, verify

def test_a_backup_of_a_running_server_restores_whole(new_server, tmp_path):
    server = new_server()
    monitor, station = sign_in(server, "giamsat", PASSWORD), sign_in(server, "tram", PASSWORD)
    kept = request_consult(station)["id"]
    log = [event for _, event in read_log(monitor)]
    backup = tmp_path / "backup"
    server.command("backup", backup)
    lost = request_consult(station)["id"]
    # Never under a running server.
    refused = server.command("restore", backup, check=False)
    assert refused.returncode != 0 and refused.stderr.strip()
    good(station.get(f"/consults/{lost}"), 200)
    server.stop()
    server.command("restore", backup)
    server.command("verify")
    server.start()
    monitor, station = sign_in(server, "giamsat", PASSWORD), sign_in(server, "tram", PASSWORD)
    good(station.get(f"/consults/{kept}"), 200)
    problem(station.get(f"/consults/{lost}"), "not-found")
    assert [event for _, event in read_log(monitor)] == log


def test_a_damaged_backup_is_not_restored(new_server, tmp_path):
    server = new_server()
    backup = tmp_path / "backup"
    server.command("backup", backup)
    server.stop()
    before = server.database.state()
    damaged = bytearray(backup.read_bytes())
    for at in range(len(damaged) // 2, len(damaged) // 2 + 4096):
        damaged[at] ^= 0xFF
    backup.write_bytes(damaged)
    assert server.command("restore", backup, check=False).returncode != 0
    backup.write_bytes(b"not a database")
    assert server.command("restore", backup, check=False).returncode != 0
    assert server.database.state() == before


def tamper(server, sql: str, *parameters):
    server.database.is_ours = False
    assert server.database.change(sql, *parameters) == 1


@pytest.fixture
def stopped(new_server):
    """A stopped server with a short history, which `verify` finds whole."""
    server = new_server()
    station = sign_in(server, "tram", PASSWORD)
    for _ in range(5):
        request_consult(station)
    server.stop()
    server.command("verify")
    return server


def test_verify_finds_a_changed_event_and_says_where(stopped):
    seq = stopped.database.rows("SELECT max(seq) FROM event")[0][0] - 2
    tamper(stopped, "UPDATE event SET data = replace(data, 'urgent', 'urgenz') WHERE seq = ?", seq)
    done = stopped.command("verify", check=False)
    assert done.returncode != 0 and str(seq) in done.stdout + done.stderr


def test_verify_finds_a_removed_event(stopped):
    seq = stopped.database.rows("SELECT max(seq) FROM event")[0][0] - 2
    tamper(stopped, "DELETE FROM event WHERE seq = ?", seq)
    done = stopped.command("verify", check=False)
    assert done.returncode != 0 and any(str(n) in done.stdout + done.stderr for n in (seq, seq + 1))


def test_verify_against_a_kept_head_finds_a_cut_end(stopped, tmp_path):
    head = tmp_path / "head"
    head.write_text(stopped.command("verify").stdout)
    seq = stopped.database.rows("SELECT max(seq) FROM event")[0][0]
    tamper(stopped, "DELETE FROM event WHERE seq = ?", seq)
    done = stopped.command("verify", "--head", head, check=False)
    assert done.returncode != 0


def test_verify_finds_a_claim_without_its_appointment(new_server):
    server = new_server()
    people = sign_in_all(server)
    consult_in(people, "scheduled")
    server.stop()
    server.command("verify")
    cell, resource = server.database.rows("SELECT cell, resource_id FROM claim LIMIT 1")[0]
    tamper(server, "DELETE FROM claim WHERE cell = ? AND resource_id = ?", cell, resource)
    assert server.command("verify", check=False).returncode != 0


def test_migrate_is_at_rest_on_a_new_database(stopped):
    stopped.command("migrate")
    stopped.command("verify")


@pytest.mark.sqlite("PostgreSQL's demos have no data folder to keep a key in, and other databases are given theirs")
def test_the_secret_key_is_the_owners_alone(stopped):
    keys = [file for file in stopped.database.folder.iterdir() if "key" in file.name]
    assert keys and all(file.stat().st_mode & 0o777 == 0o600 for file in keys)
