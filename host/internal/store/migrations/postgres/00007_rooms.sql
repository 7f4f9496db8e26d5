-- +goose Up

-- Whether the hub declines in a resource's calendar what collides with a booking.
ALTER TABLE person ADD COLUMN sync_master BOOLEAN NOT NULL DEFAULT FALSE;

-- The iCalendar UID of a link's item, by which the copies of a meeting in other calendars are known; empty while unknown.
ALTER TABLE link ADD COLUMN uid TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE INDEX link_uid ON link (tenant, uid) WHERE uid <> '';

-- What those invited have answered; the address is in lower case.
CREATE TABLE booking_answer (
    tenant   TEXT COLLATE "C" NOT NULL,
    booking  TEXT COLLATE "C" NOT NULL,
    address  TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL, -- id of the room; empty for people
    state    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    heard    TEXT NOT NULL, -- what the organizer's item said last
    PRIMARY KEY (tenant, booking, address)
);

-- The items in the calendars of rooms.
CREATE TABLE room_item (
    tenant     TEXT COLLATE "C" NOT NULL,
    room       TEXT COLLATE "C" NOT NULL,
    ref        TEXT COLLATE "C" NOT NULL,
    uid        TEXT COLLATE "C" NOT NULL,
    booking    TEXT COLLATE "C" NOT NULL, -- empty: none
    epoch      BIGINT NOT NULL,
    role       TEXT NOT NULL,
    base       BYTEA,          -- what the item said when it was settled last
    answer     TEXT NOT NULL, -- what the room had answered by then
    reason     TEXT NOT NULL, -- why it is declined, or left alone
    seen_round BIGINT NOT NULL,
    gone_at    BIGINT NOT NULL,
    due        BIGINT NOT NULL, -- when it is to be looked at; 0: not at all
    tries      BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    PRIMARY KEY (tenant, room, ref)
);

CREATE INDEX room_item_uid ON room_item (tenant, uid);
CREATE INDEX room_item_booking ON room_item (tenant, booking);
CREATE INDEX room_item_due ON room_item (tenant, room, due) WHERE due > 0;

-- +goose Down
DROP TABLE room_item;
DROP TABLE booking_answer;
DROP INDEX link_uid;
ALTER TABLE link DROP COLUMN uid;
ALTER TABLE person DROP COLUMN sync_master;
