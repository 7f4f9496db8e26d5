-- +goose Up

-- How notices arrive, and the way that is tried beside it.
ALTER TABLE mailbox ADD COLUMN try_way TEXT NOT NULL DEFAULT '';        -- a better way on probation
ALTER TABLE mailbox ADD COLUMN try_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN climb_at BIGINT NOT NULL DEFAULT 0;      -- when the next better way is tried
ALTER TABLE mailbox ADD COLUMN falls BIGINT NOT NULL DEFAULT 0;         -- ways given up in a row
ALTER TABLE mailbox ADD COLUMN silences BIGINT NOT NULL DEFAULT 0;      -- push subscriptions in a row that fell silent
ALTER TABLE mailbox ADD COLUMN way_reason TEXT NOT NULL DEFAULT '';     -- why it is not the best way
ALTER TABLE mailbox ADD COLUMN notices BIGINT NOT NULL DEFAULT 0;       -- that said something changed
ALTER TABLE mailbox ADD COLUMN last_notice BIGINT NOT NULL DEFAULT 0;

CREATE INDEX mailbox_way ON mailbox (way) WHERE way = 'streaming' OR way = 'pull' OR try_way <> '';

ALTER TABLE person ADD COLUMN own_bookings BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE booking ADD COLUMN sync_off BOOLEAN NOT NULL DEFAULT FALSE;

-- Keys from before there were scopes could do everything.
ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT 'admin';

CREATE TABLE test_run (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    person      TEXT NOT NULL,
    mode        TEXT NOT NULL,
    address     TEXT NOT NULL,
    url         TEXT NOT NULL,
    item_key    TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    steps       BLOB,
    started     BIGINT NOT NULL,
    ended       BIGINT NOT NULL,
    alive_until BIGINT NOT NULL,
    cleaned     BOOLEAN NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX test_run_person ON test_run (tenant, person, started);
CREATE INDEX test_run_unclean ON test_run (alive_until) WHERE NOT cleaned;

CREATE TABLE idempotency (
    tenant       TEXT NOT NULL,
    api_key      TEXT NOT NULL,
    key          TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,
    status       BIGINT NOT NULL, -- 0: the first request is still in work
    content_type TEXT NOT NULL,
    location     TEXT NOT NULL,
    body         BLOB,
    at           BIGINT NOT NULL,
    PRIMARY KEY (tenant, api_key, key)
);

CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE change_rejection (
    tenant  TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    booking TEXT NOT NULL,
    at      BIGINT NOT NULL,
    reason  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (tenant, seq)
);

CREATE TABLE webhook (
    tenant     TEXT NOT NULL,
    id         TEXT NOT NULL,
    name       TEXT NOT NULL,
    url        TEXT NOT NULL,
    secret     TEXT NOT NULL,
    kinds      TEXT NOT NULL, -- of changes, separated by spaces; empty: all
    disabled   BOOLEAN NOT NULL,
    seq        BIGINT NOT NULL, -- the last change that was dealt with
    attempts   BIGINT NOT NULL, -- failed, of the one after it
    next_at    BIGINT NOT NULL,
    last_ok    BIGINT NOT NULL,
    failing    BIGINT NOT NULL, -- since when; 0: not
    problem    TEXT NOT NULL,
    created    BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- Messages given up.
CREATE TABLE webhook_dead (
    tenant   TEXT NOT NULL,
    webhook  TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    problem  TEXT NOT NULL,
    PRIMARY KEY (tenant, webhook, seq)
);

-- What one host at a time does for all.
CREATE TABLE duty (
    name   TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until  BIGINT NOT NULL
);

-- Mails to people about the sync of their bookings.
CREATE TABLE mail (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT NOT NULL,
    person   TEXT NOT NULL,
    booking  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    detail   TEXT NOT NULL,
    created  BIGINT NOT NULL,
    next_at  BIGINT NOT NULL, -- 0: sent, or given up
    attempts BIGINT NOT NULL,
    problem  TEXT NOT NULL
);

CREATE INDEX mail_due ON mail (next_at) WHERE next_at > 0;
CREATE INDEX mail_person ON mail (tenant, person, created);
CREATE INDEX change_booking ON change (tenant, booking, seq);

-- +goose Down
DROP INDEX change_booking;
DROP TABLE mail;
DROP TABLE duty;
DROP TABLE webhook_dead;
DROP TABLE webhook;
DROP TABLE change_rejection;
DROP TABLE idempotency;
DROP TABLE test_run;
ALTER TABLE api_key DROP COLUMN scopes;
ALTER TABLE booking DROP COLUMN sync_off;
ALTER TABLE person DROP COLUMN own_bookings;
DROP INDEX mailbox_way;
ALTER TABLE mailbox DROP COLUMN last_notice;
ALTER TABLE mailbox DROP COLUMN notices;
ALTER TABLE mailbox DROP COLUMN way_reason;
ALTER TABLE mailbox DROP COLUMN silences;
ALTER TABLE mailbox DROP COLUMN falls;
ALTER TABLE mailbox DROP COLUMN climb_at;
ALTER TABLE mailbox DROP COLUMN try_since;
ALTER TABLE mailbox DROP COLUMN try_way;
