-- name: ListAnswers :many
SELECT * FROM booking_answer WHERE tenant = @tenant AND booking = @booking ORDER BY address;

-- name: ListAnswersBetween :many
SELECT * FROM booking_answer
WHERE tenant = @tenant AND booking >= @first AND booking <= @last
ORDER BY booking, address;

-- name: UpsertAnswer :exec
INSERT INTO booking_answer (tenant, booking, address, resource, state, reason, at, heard)
VALUES (@tenant, @booking, @address, @resource, @state, @reason, @at, @heard)
ON CONFLICT (tenant, booking, address) DO UPDATE SET
    resource = excluded.resource,
    state = excluded.state,
    reason = excluded.reason,
    at = excluded.at,
    heard = excluded.heard;

-- name: DeleteAnswer :exec
DELETE FROM booking_answer WHERE tenant = @tenant AND booking = @booking AND address = @address;

-- name: ListRefusals :many
SELECT * FROM booking_answer
WHERE tenant = @tenant AND resource = @resource AND state = 'declined' AND reason <> ''
ORDER BY at DESC, booking
LIMIT @max_rows;
