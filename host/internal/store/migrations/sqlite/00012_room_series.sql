-- +goose Up

-- What is decided of single occurrences of a series in a room's calendar, as JSON; empty: nothing.
ALTER TABLE room_item ADD COLUMN occurrences TEXT NOT NULL DEFAULT '';

-- The occurrences of a series that a room declined by themselves, as JSON; empty: none.
ALTER TABLE booking_answer ADD COLUMN occurrences TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE booking_answer DROP COLUMN occurrences;
ALTER TABLE room_item DROP COLUMN occurrences;
