-- name: GetOpenDifference :one
SELECT * FROM difference
WHERE tenant = @tenant AND person = @person AND booking = @booking AND kind = @kind AND detail = @detail AND ref = @ref
  AND is_open
ORDER BY id
LIMIT 1;

-- name: GetSaidDifference :one
SELECT * FROM difference
WHERE tenant = @tenant AND person = @person AND booking = @booking AND kind = @kind AND ref = @ref
  AND (is_open OR status = 'ignored' AND said = @said)
ORDER BY is_open DESC, id DESC
LIMIT 1;

-- name: InsertDifference :one
INSERT INTO difference (tenant, person, booking, at, kind, detail, ref, is_open, newer, recommend, why, settles, said)
VALUES (@tenant, @person, @booking, @at, @kind, @detail, @ref, TRUE, @newer, @recommend, @why, @settles, @said)
RETURNING id;

-- name: ReviseDifference :exec
UPDATE difference SET detail = @detail, newer = @newer, recommend = @recommend, why = @why, settles = @settles, said = @said
WHERE tenant = @tenant AND id = @id;

-- name: RenameDifference :exec
UPDATE difference SET ref = @ref, said = @said WHERE tenant = @tenant AND id = @id;

-- name: GetDifference :one
SELECT * FROM difference WHERE tenant = @tenant AND id = @id;

-- name: ListDifferences :many
SELECT * FROM difference
WHERE tenant = @tenant
  AND (person = @person OR @person = '')
  AND (booking = @booking OR @booking = '')
  AND (kind = @kind OR @kind = '')
  AND (is_open OR @include_closed = TRUE)
  AND (status = @status OR @status = '')
  AND (recommend = @recommend OR @recommend = '')
  AND id < @before
ORDER BY id DESC
LIMIT @max_rows;

-- name: CloseDifferences :execrows
UPDATE difference SET is_open = FALSE, status = 'closed', ended = @ended
WHERE tenant = @tenant AND booking = @booking AND (kind = @kind OR @kind = '') AND is_open;

-- name: CloseEither :execrows
UPDATE difference SET is_open = FALSE, status = 'closed', ended = @ended
WHERE tenant = @tenant AND booking = @booking AND (kind = @kind OR kind = @other) AND is_open;

-- name: CloseDifferencesOfItem :execrows
UPDATE difference SET is_open = FALSE, status = 'closed', ended = @ended
WHERE tenant = @tenant AND booking = @booking AND ref = @ref AND kind <> @except_kind AND is_open;

-- name: EndDifference :execrows
UPDATE difference SET is_open = FALSE, status = @status, ended = @ended
WHERE tenant = @tenant AND id = @id AND is_open;

-- name: ReopenDifference :execrows
UPDATE difference SET is_open = TRUE, status = 'open', ended = 0
WHERE tenant = @tenant AND id = @id AND status = 'ignored';

-- name: CloseDifferencesOfPerson :exec
UPDATE difference SET is_open = FALSE, status = 'closed', ended = @ended WHERE tenant = @tenant AND person = @person AND is_open;

-- name: CountDifferences :many
SELECT kind, COUNT(*) AS open FROM difference WHERE is_open GROUP BY kind ORDER BY kind;

-- name: PruneDifferences :execrows
-- What was ignored is not listed again, and which item is a copy is known, as long as the booking is ahead.
DELETE FROM difference
WHERE NOT is_open AND at < @before AND ended < @before AND NOT (
    (status = 'ignored' OR kind = 'copy left alone') AND (difference.booking = '' OR EXISTS (
        SELECT 1 FROM booking
        WHERE booking.tenant = difference.tenant AND booking.id = difference.booking AND booking.span_end > @before
    ))
);
