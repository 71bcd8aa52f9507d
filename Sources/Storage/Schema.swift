/// The tables. The schema keeps what promises it can: one holder a cell, a gapless key of events, states that exist.
package enum Schema {
  /// Every table, those that others refer to first.
  package static let tables = [
    "meta", "setting", "facility", "practitioner", "schedule_session", "vehicle", "cell_offset", "claim", "consult",
    "consult_document", "consult_reason", "appointment", "outcome", "trip", "trip_milestone", "trip_position",
    "trip_link", "person", "session", "ticket", "kept_answer", "deadline", "event", "event_archive", "access_log",
    "anchor", "event_outbox", "access_outbox", "lease", "node", "node_message", "call_room",
    "webhook",
  ]

  static let migrationTable = """
    CREATE TABLE IF NOT EXISTS migration (
      number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)
    """

  static let release1 = """
    CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) /* clustered */;
    CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL) /* clustered */;
    INSERT INTO setting (name, value) VALUES
      ('urgency.emergency.minutes', 10), ('urgency.urgent.minutes', 60), ('urgency.sameDay.minutes', 480),
      ('urgency.routine.minutes', 4320);

    CREATE TABLE facility (
      code TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL, sort_key TEXT NOT NULL,
      kind TEXT NOT NULL CHECK (kind IN ('province', 'hospital', 'centre', 'station')), province TEXT NOT NULL,
      commune_code TEXT, parent TEXT REFERENCES facility (code), successor TEXT, valid_from BIGINT, valid_to BIGINT,
      latitude DOUBLE PRECISION, longitude DOUBLE PRECISION, phone TEXT);
    CREATE INDEX facility_sort ON facility (sort_key, code);

    CREATE TABLE practitioner (
      id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL, sort_key TEXT NOT NULL,
      facility TEXT NOT NULL REFERENCES facility (code), specialty TEXT NOT NULL, phone TEXT, valid_to BIGINT);
    CREATE INDEX practitioner_sort ON practitioner (sort_key, id);

    CREATE TABLE schedule_session (
      id TEXT NOT NULL PRIMARY KEY, practitioner TEXT NOT NULL REFERENCES practitioner (id),
      weekday BIGINT NOT NULL CHECK (weekday BETWEEN 1 AND 7), start_minute BIGINT NOT NULL, end_minute BIGINT NOT NULL,
      visit_minutes BIGINT NOT NULL CHECK (visit_minutes > 0 AND visit_minutes % 5 = 0), valid_from BIGINT,
      valid_to BIGINT, every_weeks BIGINT NOT NULL CHECK (every_weeks > 0), week_offset BIGINT NOT NULL,
      CHECK (start_minute >= 0 AND end_minute > start_minute AND end_minute <= 2880));
    CREATE INDEX schedule_session_practitioner ON schedule_session (practitioner);

    CREATE TABLE vehicle (
      id TEXT NOT NULL PRIMARY KEY, label TEXT NOT NULL, facility TEXT NOT NULL REFERENCES facility (code),
      kind TEXT NOT NULL);

    /* The cells of the longest visit, 480 minutes: a booking counts along them, since a recursive query would make and
       destroy a table of its own each time. */
    CREATE TABLE cell_offset (n BIGINT NOT NULL PRIMARY KEY);
    INSERT INTO cell_offset (n) WITH RECURSIVE series (n) AS (
      SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n < 95) SELECT n FROM series;

    CREATE TABLE claim (
      resource_id TEXT NOT NULL, cell BIGINT NOT NULL, holder_id TEXT NOT NULL, kind TEXT NOT NULL, expires_at BIGINT,
      PRIMARY KEY (resource_id, cell)) /* clustered */;
    CREATE INDEX claim_holder ON claim (holder_id);

    CREATE TABLE consult (
      id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL,
      /* SQLite makes a table of its own for a longer IN, at every check. */
      state TEXT NOT NULL CHECK (state = 'scheduled' OR state = 'requested' OR state = 'assigned' OR state = 'waiting'
        OR state = 'inProgress' OR state = 'interrupted' OR state = 'concluded' OR state = 'signed'
        OR state = 'amended' OR state = 'cancelled' OR state = 'noShow'),
      specialty TEXT NOT NULL, station TEXT NOT NULL REFERENCES facility (code), practitioner TEXT,
      serving TEXT, appointment_id TEXT, start_at BIGINT, end_at BIGINT, requested_at BIGINT NOT NULL,
      due_at BIGINT NOT NULL, overdue BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT, created_by TEXT NOT NULL,
      urgency TEXT NOT NULL, mode TEXT NOT NULL,
      CHECK ((appointment_id IS NULL) = (start_at IS NULL))) /* clustered */;
    CREATE INDEX consult_station ON consult (station, id);
    CREATE INDEX consult_practitioner ON consult (practitioner, id);
    CREATE INDEX consult_open ON consult (specialty, id) WHERE state = 'requested';

    /* What never changes stands apart, so that a move writes few bytes. */
    CREATE TABLE consult_document (
      consult TEXT NOT NULL PRIMARY KEY REFERENCES consult (id), document TEXT NOT NULL, body_hash BYTEA NOT NULL)
      /* clustered */;

    CREATE TABLE consult_reason (
      consult TEXT NOT NULL REFERENCES consult (id), version BIGINT NOT NULL, at BIGINT NOT NULL,
      transition TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (consult, version))
      /* clustered */;

    CREATE TABLE appointment (
      id TEXT NOT NULL PRIMARY KEY, consult TEXT NOT NULL REFERENCES consult (id), practitioner TEXT NOT NULL,
      start_at BIGINT NOT NULL, end_at BIGINT NOT NULL, state TEXT NOT NULL, created_at BIGINT NOT NULL,
      created_by TEXT NOT NULL, ended_at BIGINT, CHECK (end_at > start_at)) /* clustered */;
    CREATE INDEX appointment_consult ON appointment (consult);

    CREATE TABLE outcome (
      consult TEXT NOT NULL REFERENCES consult (id), version BIGINT NOT NULL, document BYTEA NOT NULL,
      concluded_at BIGINT NOT NULL, concluded_by TEXT NOT NULL, sha256 TEXT, signed_by TEXT, signed_at BIGINT,
      PRIMARY KEY (consult, version));

    CREATE TABLE trip (
      id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, consult TEXT REFERENCES consult (id), vehicle TEXT,
      facility TEXT, destination_facility TEXT, requested TEXT NOT NULL,
      document TEXT NOT NULL, closed BIGINT NOT NULL, created_by TEXT NOT NULL, created_at BIGINT NOT NULL,
      position TEXT, body_hash BYTEA NOT NULL);
    CREATE INDEX trip_consult ON trip (consult) WHERE consult IS NOT NULL;
    CREATE INDEX trip_vehicle ON trip (vehicle) WHERE closed = 0;

    CREATE TABLE trip_milestone (
      trip TEXT NOT NULL REFERENCES trip (id), milestone TEXT NOT NULL, at BIGINT NOT NULL, recorded_at BIGINT NOT NULL,
      flags TEXT NOT NULL, PRIMARY KEY (trip, milestone)) /* clustered */;

    CREATE TABLE trip_position (
      trip TEXT NOT NULL REFERENCES trip (id), at BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (trip, at))
      /* clustered */;

    CREATE TABLE trip_link (
      id TEXT NOT NULL PRIMARY KEY, trip TEXT NOT NULL REFERENCES trip (id), secret_hash BYTEA NOT NULL UNIQUE,
      created_by TEXT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT);
    CREATE INDEX trip_link_trip ON trip_link (trip);

    CREATE TABLE person (
      id TEXT NOT NULL PRIMARY KEY, username TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password_hash TEXT NOT NULL,
      disabled BIGINT NOT NULL, practitioner TEXT, vehicle TEXT, grants TEXT NOT NULL, version BIGINT NOT NULL);

    CREATE TABLE session (
      id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('session', 'token')),
      secret_hash BYTEA NOT NULL UNIQUE, person TEXT REFERENCES person (id), name TEXT NOT NULL, grants TEXT NOT NULL,
      created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT);
    CREATE INDEX session_person ON session (person) WHERE person IS NOT NULL;

    CREATE TABLE ticket (
      secret_hash BYTEA NOT NULL PRIMARY KEY, session TEXT NOT NULL, purpose TEXT NOT NULL, consult TEXT,
      expires_at BIGINT NOT NULL) /* clustered */;

    CREATE TABLE kept_answer (
      scope TEXT NOT NULL, key TEXT NOT NULL, body_hash BYTEA NOT NULL, status BIGINT NOT NULL, version BIGINT,
      body BYTEA, until BIGINT NOT NULL, PRIMARY KEY (scope, key)) /* clustered */;
    CREATE INDEX kept_answer_until ON kept_answer (until);

    CREATE TABLE deadline (
      kind TEXT NOT NULL, subject TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (kind, subject)) /* clustered */;
    CREATE INDEX deadline_at ON deadline (at);

    CREATE TABLE event (
      seq BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, time BIGINT NOT NULL, subject TEXT NOT NULL,
      facilities TEXT NOT NULL, specialty TEXT, actor TEXT NOT NULL, data TEXT NOT NULL, chain BYTEA NOT NULL);

    CREATE TABLE access_log (
      seq BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, bucket BIGINT NOT NULL, person TEXT NOT NULL,
      person_name TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, facility TEXT, chain BYTEA NOT NULL,
      UNIQUE (person, subject, action, bucket));
    CREATE INDEX access_log_subject ON access_log (subject, seq);

    CREATE TABLE anchor (
      log TEXT NOT NULL CHECK (log IN ('events', 'access')), seq BIGINT NOT NULL, chain BYTEA NOT NULL,
      sealed_at BIGINT NOT NULL, hmac BYTEA NOT NULL, PRIMARY KEY (log, seq)) /* clustered */;
    """

  /// Several nodes over one database.
  static let release2 = """
    /* What was committed and has no number yet, in the order in which it was written. */
    CREATE TABLE event_outbox (
      id BIGINT NOT NULL PRIMARY KEY /* counted */, event_id TEXT NOT NULL, type TEXT NOT NULL, time BIGINT NOT NULL,
      subject TEXT NOT NULL, facilities TEXT NOT NULL, specialty TEXT, actor TEXT NOT NULL, data TEXT NOT NULL);
    CREATE TABLE access_outbox (
      id BIGINT NOT NULL PRIMARY KEY /* counted */, at BIGINT NOT NULL, bucket BIGINT NOT NULL, person TEXT NOT NULL,
      person_name TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL, facility TEXT,
      UNIQUE (person, subject, action, bucket));

    /* Who alone may do something, until when by the database's clock; every new holder has a higher term. */
    CREATE TABLE lease (
      name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL, term BIGINT NOT NULL, until_at BIGINT NOT NULL)
      /* clustered */;
    INSERT INTO lease (name, holder, term, until_at) VALUES ('sequencer', '', 0, 0);

    CREATE TABLE node (
      id TEXT NOT NULL PRIMARY KEY, address TEXT NOT NULL, version TEXT NOT NULL, started_at BIGINT NOT NULL,
      heartbeat_at BIGINT NOT NULL, state TEXT NOT NULL CHECK (state IN ('serving', 'draining'))) /* clustered */;

    /* What is too large to go from node to node in a notification. Nothing that must outlive a crash. */
    CREATE /* unlogged */ TABLE node_message (
      id TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX node_message_at ON node_message (at);

    /* A call's room as its node last kept it; the term is higher with every node that takes it over. */
    CREATE TABLE call_room (
      consult TEXT NOT NULL PRIMARY KEY REFERENCES consult (id), node TEXT, term BIGINT NOT NULL,
      document TEXT NOT NULL) /* clustered */;
    """

  /// The feed offers the newer part of the log only.
  static let release3 = """
    /* What the feed does not offer any more, as it stood in the log: the audit's, and chained on to what is offered. */
    CREATE TABLE event_archive (
      seq BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, time BIGINT NOT NULL, subject TEXT NOT NULL,
      facilities TEXT NOT NULL, specialty TEXT, actor TEXT NOT NULL, data TEXT NOT NULL, chain BYTEA NOT NULL);
    """

  /// Events that are sent to others' addresses.
  static let release4 = """
    /* Progress grows with every write: what became of a delivery counts only for the row that it was begun with. */
    CREATE TABLE webhook (
      id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, progress BIGINT NOT NULL, url TEXT NOT NULL,
      secret BYTEA NOT NULL, facilities TEXT NOT NULL, event_filter TEXT NOT NULL, created_at BIGINT NOT NULL,
      created_by TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('active', 'paused')), pause_reason TEXT,
      cursor TEXT NOT NULL, failing_since BIGINT, attempts BIGINT NOT NULL, next_attempt_at BIGINT,
      last_attempt_at BIGINT, last_delivered_at BIGINT, last_status BIGINT, last_error TEXT,
      CHECK ((state = 'active') = (pause_reason IS NULL))) /* clustered */;
    INSERT INTO lease (name, holder, term, until_at) VALUES ('webhooks', '', 0, 0);
    """
}
