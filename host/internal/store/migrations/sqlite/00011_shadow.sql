-- +goose Up

-- Everything is read and planned for this person, and nothing written.
ALTER TABLE person ADD COLUMN shadow BOOLEAN NOT NULL DEFAULT FALSE;

-- The items that another sync left behind are still to be taken over: matched with the bookings, also by what they say.
ALTER TABLE mailbox ADD COLUMN take_over BOOLEAN NOT NULL DEFAULT FALSE;

-- What the sync of a person in shadow mode would do; of each person the latest.
CREATE TABLE shadow_report (
    tenant TEXT NOT NULL,
    person TEXT NOT NULL,
    at     BIGINT NOT NULL,
    data   BLOB NOT NULL, -- JSON
    PRIMARY KEY (tenant, person)
);

-- +goose Down
DROP TABLE shadow_report;
ALTER TABLE mailbox DROP COLUMN take_over;
ALTER TABLE person DROP COLUMN shadow;
