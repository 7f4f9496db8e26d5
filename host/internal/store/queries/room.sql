-- name: GetRoomItem :one
SELECT * FROM room_item WHERE tenant = @tenant AND room = @room AND ref = @ref;

-- name: ListRoomItemsDue :many
SELECT * FROM room_item
WHERE tenant = @tenant AND room = @room AND due > 0 AND due <= @now AND gone_at = 0
ORDER BY due, ref
LIMIT @max_rows;

-- name: NextRoomItem :one
SELECT CAST(COALESCE(MIN(due), 0) AS BIGINT) FROM room_item WHERE tenant = @tenant AND room = @room AND due > 0;

-- name: ListRoomItemsGone :many
SELECT * FROM room_item WHERE tenant = @tenant AND room = @room AND gone_at > 0 ORDER BY gone_at, ref;

-- name: ListRoomItemsUnseen :many
SELECT * FROM room_item WHERE tenant = @tenant AND room = @room AND seen_round < @round ORDER BY ref;

-- name: ListRoomItemsByUID :many
SELECT * FROM room_item WHERE tenant = @tenant AND uid = @uid ORDER BY room, ref;

-- name: ListRoomItemsOfBooking :many
SELECT * FROM room_item WHERE tenant = @tenant AND booking = @booking ORDER BY room, ref;

-- name: CountRoomItems :one
SELECT COUNT(*) FROM room_item WHERE tenant = @tenant AND room = @room AND booking <> '';

-- name: WakeRoomItems :execrows
UPDATE room_item SET due = @now
WHERE tenant = @tenant AND (room = @room OR @room = '') AND (booking = @booking OR @booking = '') AND (role = @role OR @role = '')
  AND gone_at = 0;

-- name: WakeRoomConflicts :execrows
UPDATE room_item SET due = @now
WHERE tenant = @tenant AND room = @room AND (role = 'conflict' OR occurrences <> '') AND gone_at = 0;

-- name: UpsertRoomItem :exec
INSERT INTO room_item (tenant, room, ref, uid, booking, epoch, role, base, answer, reason, seen_round, gone_at, due, tries,
    created, occurrences)
VALUES (@tenant, @room, @ref, @uid, @booking, @epoch, @role, @base, @answer, @reason, @seen_round, @gone_at, @due, @tries,
    @created, @occurrences)
ON CONFLICT (tenant, room, ref) DO UPDATE SET
    uid = excluded.uid,
    booking = excluded.booking,
    epoch = excluded.epoch,
    role = excluded.role,
    base = excluded.base,
    answer = excluded.answer,
    reason = excluded.reason,
    seen_round = excluded.seen_round,
    gone_at = excluded.gone_at,
    due = excluded.due,
    tries = excluded.tries,
    occurrences = excluded.occurrences;

-- name: DeleteRoomItem :exec
DELETE FROM room_item WHERE tenant = @tenant AND room = @room AND ref = @ref;

-- name: DropRoomItems :exec
DELETE FROM room_item WHERE tenant = @tenant AND room = @room;

-- name: WakeTenant :execrows
-- What calendars are told has changed: each is read in full.
UPDATE mailbox
SET reconcile_at = 0, next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END
WHERE mailbox.tenant = @tenant;

-- name: WakeRooms :execrows
-- Rooms are synced from now on, or no longer: each is read in full, or says so.
UPDATE mailbox
SET failures = 0, wait_until = 0, reconcile_at = 0,
    next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END
WHERE mailbox.tenant = @tenant AND EXISTS (
    SELECT 1 FROM person WHERE person.tenant = mailbox.tenant AND person.id = mailbox.person AND person.kind = 'resource'
);
