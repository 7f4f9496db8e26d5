-- +goose Up

-- Times are milliseconds since 1970 in UTC; 0 stands for "not set" (but for the start and end of bookings).
-- Identifiers compare byte by byte ("C"), as they do in SQLite.

CREATE TABLE person (
    tenant             TEXT COLLATE "C" NOT NULL,
    id                 TEXT COLLATE "C" NOT NULL,
    email              TEXT NOT NULL,
    email_key          TEXT COLLATE "C" NOT NULL, -- lower case
    display_name       TEXT NOT NULL,
    kind               TEXT NOT NULL,
    sync_mode          TEXT NOT NULL,
    sync_url           TEXT NOT NULL,
    sync_disabled      BOOLEAN NOT NULL,
    conflict_behaviour TEXT NOT NULL,
    mail_on_error      BOOLEAN NOT NULL,
    status             TEXT NOT NULL,
    fault              TEXT NOT NULL,
    reason             TEXT NOT NULL,
    remedy             TEXT NOT NULL,
    state_since        BIGINT NOT NULL,
    state_until        BIGINT NOT NULL,
    created            BIGINT NOT NULL,
    updated            BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- Desks have no mailbox, and so no address.
CREATE UNIQUE INDEX person_email ON person (tenant, email_key) WHERE email_key <> '';

CREATE TABLE mailbox (
    tenant             TEXT COLLATE "C" NOT NULL,
    person             TEXT COLLATE "C" NOT NULL,
    epoch              BIGINT NOT NULL DEFAULT 1,
    pull_cursor        TEXT NOT NULL DEFAULT '',
    round              BIGINT NOT NULL DEFAULT 0,
    round_open         BOOLEAN NOT NULL DEFAULT FALSE,
    wanted             BIGINT NOT NULL DEFAULT 0,
    done               BIGINT NOT NULL DEFAULT 0,
    way                TEXT NOT NULL DEFAULT '',
    subscription_id    TEXT NOT NULL DEFAULT '',
    subscribed_at      BIGINT NOT NULL DEFAULT 0,
    last_heard         BIGINT NOT NULL DEFAULT 0,
    last_pull          BIGINT NOT NULL DEFAULT 0,
    last_push          BIGINT NOT NULL DEFAULT 0,
    renew_at           BIGINT NOT NULL DEFAULT 0,
    poll_at            BIGINT NOT NULL DEFAULT 0,
    reconcile_at       BIGINT NOT NULL DEFAULT 0,
    wait_until         BIGINT NOT NULL DEFAULT 0,
    failures           BIGINT NOT NULL DEFAULT 0,
    next_due           BIGINT NOT NULL DEFAULT 0,
    held_deletions     BIGINT NOT NULL DEFAULT 0,
    deletions_approved BOOLEAN NOT NULL DEFAULT FALSE,
    fresh              BOOLEAN NOT NULL DEFAULT FALSE, -- a notice, not the clock, wants the next pass
    queued_at          BIGINT NOT NULL DEFAULT 0,      -- when a job was put into the queue; 0: none waits
    queued_bulk        BOOLEAN NOT NULL DEFAULT FALSE, -- that job waits among the bulk work
    lease_until        BIGINT NOT NULL DEFAULT 0,      -- a pass is under way and alive until then
    lease_fence        BIGINT NOT NULL DEFAULT 0,      -- number of passes begun
    PRIMARY KEY (tenant, person)
);

CREATE INDEX mailbox_due ON mailbox (fresh DESC, next_due) WHERE next_due > 0;
CREATE INDEX mailbox_lease ON mailbox (lease_until) WHERE lease_until > 0;

CREATE TABLE subscription (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    tenant     TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" NOT NULL,
    server_id  TEXT NOT NULL,
    active     BOOLEAN NOT NULL,
    mode       TEXT NOT NULL,
    created    BIGINT NOT NULL,
    last_heard BIGINT NOT NULL
);

CREATE INDEX subscription_mailbox ON subscription (tenant, person);

CREATE TABLE booking (
    tenant           TEXT COLLATE "C" NOT NULL,
    id               TEXT COLLATE "C" NOT NULL,
    version          BIGINT NOT NULL,
    title            TEXT NOT NULL,
    notes            TEXT NOT NULL,
    start_at         BIGINT NOT NULL,
    end_at           BIGINT NOT NULL,
    all_day          BOOLEAN NOT NULL,
    zone             TEXT NOT NULL,
    organizer        TEXT COLLATE "C" NOT NULL,
    resources        TEXT NOT NULL, -- JSON array of ids
    attendees        TEXT NOT NULL, -- JSON array of objects
    location         TEXT NOT NULL,
    busy             TEXT NOT NULL,
    class            TEXT NOT NULL,
    reminder_minutes BIGINT,
    status           TEXT NOT NULL,
    sync_disabled    BOOLEAN NOT NULL,
    sync_problem     TEXT NOT NULL,
    item_expected    BOOLEAN NOT NULL,
    expected_until   BIGINT NOT NULL,
    span_start       BIGINT NOT NULL, -- when the resources are occupied
    span_end         BIGINT NOT NULL,
    created          BIGINT NOT NULL,
    updated          BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX booking_organizer ON booking (tenant, organizer, span_end);

-- The resources of the bookings that stand.
CREATE TABLE booking_resource (
    tenant     TEXT COLLATE "C" NOT NULL,
    resource   TEXT COLLATE "C" NOT NULL,
    booking    TEXT COLLATE "C" NOT NULL,
    span_start BIGINT NOT NULL,
    span_end   BIGINT NOT NULL,
    PRIMARY KEY (tenant, booking, resource)
);

CREATE INDEX booking_resource_span ON booking_resource (tenant, resource, span_end);

CREATE TABLE change_seq (
    tenant TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    seq    BIGINT NOT NULL
);

CREATE TABLE change (
    tenant  TEXT COLLATE "C" NOT NULL,
    seq     BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    source  TEXT NOT NULL,
    booking TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    data    BYTEA,
    reason  TEXT NOT NULL,
    PRIMARY KEY (tenant, seq)
);

CREATE TABLE link (
    tenant     TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    booking    TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" NOT NULL,
    epoch      BIGINT NOT NULL,
    state      TEXT NOT NULL,
    ref        TEXT COLLATE "C" NOT NULL,
    revision   TEXT NOT NULL,
    base       BYTEA,
    sent       BYTEA,
    tries      BIGINT NOT NULL,
    seen_round BIGINT NOT NULL,
    gone_at    BIGINT NOT NULL,
    problem    TEXT NOT NULL,
    created    BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);

CREATE INDEX link_ref ON link (tenant, person, ref);
CREATE INDEX link_booking ON link (tenant, booking);
CREATE INDEX link_gone ON link (tenant, person) WHERE gone_at > 0;

CREATE TABLE intent (
    tenant     TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" NOT NULL,
    booking    TEXT COLLATE "C" NOT NULL,
    op         TEXT NOT NULL,
    mail       BIGINT NOT NULL, -- 0 nobody, 1 those concerned, 2 all
    cause      TEXT NOT NULL,
    wanted     BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    failures   BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);

CREATE INDEX intent_mailbox ON intent (tenant, person, created);

CREATE TABLE activity (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant  TEXT COLLATE "C" NOT NULL,
    person  TEXT COLLATE "C" NOT NULL,
    booking TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    what    TEXT NOT NULL,
    why     TEXT NOT NULL
);

CREATE INDEX activity_person ON activity (tenant, person, id);
CREATE INDEX activity_booking ON activity (tenant, booking, id);
CREATE INDEX activity_at ON activity (at);

CREATE TABLE difference (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant  TEXT COLLATE "C" NOT NULL,
    person  TEXT COLLATE "C" NOT NULL,
    booking TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    detail  TEXT NOT NULL,
    ref     TEXT COLLATE "C" NOT NULL,
    is_open BOOLEAN NOT NULL
);

CREATE INDEX difference_person ON difference (tenant, person, id);
CREATE INDEX difference_booking ON difference (tenant, booking, id);

CREATE TABLE api_key (
    tenant    TEXT COLLATE "C" NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    name      TEXT NOT NULL,
    hash      BYTEA NOT NULL,
    created   BIGINT NOT NULL,
    revoked   BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX api_key_hash ON api_key (hash);

-- +goose Down
DROP TABLE api_key;
DROP TABLE difference;
DROP TABLE activity;
DROP TABLE intent;
DROP TABLE link;
DROP TABLE change;
DROP TABLE change_seq;
DROP TABLE booking_resource;
DROP TABLE booking;
DROP TABLE subscription;
DROP TABLE mailbox;
DROP TABLE person;
