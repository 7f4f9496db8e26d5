-- +goose Up

-- What became of a difference, and what is known of it beside its detail.
ALTER TABLE difference ADD COLUMN status TEXT NOT NULL DEFAULT 'open';  -- open, solved, ignored, closed
ALTER TABLE difference ADD COLUMN newer TEXT NOT NULL DEFAULT '';       -- the side that was changed last: booking, calendar, unknown
ALTER TABLE difference ADD COLUMN recommend TEXT NOT NULL DEFAULT '';   -- booking, calendar, neither
ALTER TABLE difference ADD COLUMN why TEXT NOT NULL DEFAULT '';         -- of the recommendation
ALTER TABLE difference ADD COLUMN settles BOOLEAN NOT NULL DEFAULT FALSE; -- a pass ends it by itself
ALTER TABLE difference ADD COLUMN said BLOB;                            -- stands for what both sides said
ALTER TABLE difference ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;
UPDATE difference SET status = 'closed' WHERE NOT is_open;

CREATE INDEX difference_open ON difference (tenant, kind) WHERE is_open;

-- Comparisons of bookings and items that somebody asked for.
CREATE TABLE scan (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT NOT NULL,
    target   TEXT NOT NULL, -- booking, series, person, room, window, all
    name     TEXT NOT NULL, -- the booking's, person's or room's id; empty for window and all
    from_ms  BIGINT NOT NULL,
    to_ms    BIGINT NOT NULL,
    thorough BOOLEAN NOT NULL,
    started  BIGINT NOT NULL,
    ended    BIGINT NOT NULL
);

CREATE INDEX scan_tenant ON scan (tenant, id);

-- Their parts, one per mailbox, which its passes do.
CREATE TABLE scan_part (
    scan      BIGINT NOT NULL,
    tenant    TEXT NOT NULL,
    person    TEXT NOT NULL,
    state     TEXT NOT NULL, -- waiting, done, unchanged, failed
    phase     TEXT NOT NULL, -- of the comparison: links, items, bookings
    after     TEXT NOT NULL, -- how far it is
    problem   TEXT NOT NULL,
    compared  BIGINT NOT NULL,
    differing BIGINT NOT NULL,
    settling  BIGINT NOT NULL,
    ended     BIGINT NOT NULL,
    PRIMARY KEY (scan, person)
);

CREATE INDEX scan_part_waiting ON scan_part (tenant, person) WHERE state = 'waiting';

-- What a pass would have done and did not, because it was too much at once.
CREATE TABLE quarantine (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant  TEXT NOT NULL,
    person  TEXT NOT NULL,
    kind    TEXT NOT NULL, -- calendar deletions, calendar changes, booking cancellations
    state   TEXT NOT NULL, -- waiting, approved, discarded, undone, closed
    items   BLOB NOT NULL, -- JSON
    total   BIGINT NOT NULL,
    created BIGINT NOT NULL,
    decided BIGINT NOT NULL
);

CREATE INDEX quarantine_person ON quarantine (tenant, person, id);

ALTER TABLE link ADD COLUMN quarantine BIGINT NOT NULL DEFAULT 0;      -- waits with that unit
ALTER TABLE mailbox ADD COLUMN drift_state TEXT NOT NULL DEFAULT '';   -- the calendar's state before the last full read
ALTER TABLE mailbox ADD COLUMN drift_next TEXT NOT NULL DEFAULT '';    -- the same of the one under way
ALTER TABLE mailbox ADD COLUMN drift_at BIGINT NOT NULL DEFAULT 0;     -- when the last full read ended

-- +goose Down
ALTER TABLE mailbox DROP COLUMN drift_at;
ALTER TABLE mailbox DROP COLUMN drift_next;
ALTER TABLE mailbox DROP COLUMN drift_state;
ALTER TABLE link DROP COLUMN quarantine;
DROP TABLE quarantine;
DROP TABLE scan_part;
DROP TABLE scan;
DROP INDEX difference_open;
ALTER TABLE difference DROP COLUMN ended;
ALTER TABLE difference DROP COLUMN said;
ALTER TABLE difference DROP COLUMN settles;
ALTER TABLE difference DROP COLUMN why;
ALTER TABLE difference DROP COLUMN recommend;
ALTER TABLE difference DROP COLUMN newer;
ALTER TABLE difference DROP COLUMN status;
