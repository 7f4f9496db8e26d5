-- +goose Up

ALTER TABLE booking ADD COLUMN recurrence TEXT NOT NULL DEFAULT '';
ALTER TABLE booking ADD COLUMN exceptions TEXT NOT NULL DEFAULT '';      -- JSON array of objects; empty: none
ALTER TABLE booking ADD COLUMN lead_minutes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE booking ADD COLUMN follow_minutes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE booking ADD COLUMN external TEXT NOT NULL DEFAULT '';        -- JSON object; empty: the organizer is a person
ALTER TABLE booking ADD COLUMN occupied_until BIGINT NOT NULL DEFAULT 0; -- of a series that goes on after that; 0: all of it is in booking_resource

CREATE INDEX booking_occupied ON booking (occupied_until) WHERE occupied_until > 0;

-- The resources of the bookings that stand, by occurrence.
ALTER TABLE booking_resource RENAME TO booking_resource_before;
CREATE TABLE booking_resource (
    tenant     TEXT COLLATE "C" NOT NULL,
    resource   TEXT COLLATE "C" NOT NULL,
    booking    TEXT COLLATE "C" NOT NULL,
    occurrence BIGINT NOT NULL, -- when the rule of a series has it start; 0 of a single booking
    span_start BIGINT NOT NULL,
    span_end   BIGINT NOT NULL,
    PRIMARY KEY (tenant, booking, resource, occurrence)
);
INSERT INTO booking_resource (tenant, resource, booking, occurrence, span_start, span_end)
SELECT tenant, resource, booking, 0, span_start, span_end FROM booking_resource_before;
DROP TABLE booking_resource_before;

CREATE INDEX booking_resource_span ON booking_resource (tenant, resource, span_end);
-- What takes longer than two days is looked for by itself, so that the rest is found between two moments.
CREATE INDEX booking_resource_long ON booking_resource (tenant, resource, span_end) WHERE span_end - span_start > 172800000;

-- +goose Down
DROP INDEX booking_resource_long;
ALTER TABLE booking_resource RENAME TO booking_resource_after;
CREATE TABLE booking_resource (
    tenant     TEXT COLLATE "C" NOT NULL,
    resource   TEXT COLLATE "C" NOT NULL,
    booking    TEXT COLLATE "C" NOT NULL,
    span_start BIGINT NOT NULL,
    span_end   BIGINT NOT NULL,
    PRIMARY KEY (tenant, booking, resource)
);
INSERT INTO booking_resource (tenant, resource, booking, span_start, span_end)
SELECT tenant, resource, booking, min(span_start), max(span_end) FROM booking_resource_after GROUP BY tenant, resource, booking;
DROP TABLE booking_resource_after;
CREATE INDEX booking_resource_span ON booking_resource (tenant, resource, span_end);
DROP INDEX booking_occupied;
ALTER TABLE booking DROP COLUMN occupied_until;
ALTER TABLE booking DROP COLUMN external;
ALTER TABLE booking DROP COLUMN follow_minutes;
ALTER TABLE booking DROP COLUMN lead_minutes;
ALTER TABLE booking DROP COLUMN exceptions;
ALTER TABLE booking DROP COLUMN recurrence;
