-- name: InsertActivity :one
INSERT INTO activity (tenant, person, booking, at, what, why)
VALUES (@tenant, @person, @booking, @at, @what, @why)
RETURNING id;

-- name: ListActivities :many
SELECT * FROM activity WHERE tenant = @tenant AND id > @after AND id < @before ORDER BY id DESC LIMIT @max_rows;

-- name: ListActivitiesOfPerson :many
SELECT * FROM activity
WHERE tenant = @tenant AND person = @person AND (booking = @booking OR @booking = '') AND id > @after AND id < @before
ORDER BY id DESC
LIMIT @max_rows;

-- name: ListActivitiesOfBooking :many
SELECT * FROM activity WHERE tenant = @tenant AND booking = @booking AND id > @after AND id < @before
ORDER BY id DESC
LIMIT @max_rows;

-- name: PruneActivities :execrows
DELETE FROM activity WHERE at < @before;

-- name: GetOpenDifference :one
SELECT id FROM difference
WHERE tenant = @tenant AND person = @person AND booking = @booking AND kind = @kind AND detail = @detail AND ref = @ref
  AND is_open
ORDER BY id
LIMIT 1;

-- name: InsertDifference :one
INSERT INTO difference (tenant, person, booking, at, kind, detail, ref, is_open)
VALUES (@tenant, @person, @booking, @at, @kind, @detail, @ref, TRUE)
RETURNING id;

-- name: GetDifference :one
SELECT * FROM difference WHERE tenant = @tenant AND id = @id;

-- name: ListDifferences :many
SELECT * FROM difference
WHERE tenant = @tenant
  AND (person = @person OR @person = '')
  AND (booking = @booking OR @booking = '')
  AND (kind = @kind OR @kind = '')
  AND (is_open OR @include_closed = TRUE)
  AND id < @before
ORDER BY id DESC
LIMIT @max_rows;

-- name: CloseDifferences :execrows
UPDATE difference SET is_open = FALSE
WHERE tenant = @tenant AND booking = @booking AND (kind = @kind OR @kind = '') AND is_open;

-- name: CloseDifference :execrows
UPDATE difference SET is_open = FALSE WHERE tenant = @tenant AND id = @id AND is_open;

-- name: CloseDifferencesOfPerson :exec
UPDATE difference SET is_open = FALSE WHERE tenant = @tenant AND person = @person AND is_open;

-- name: PruneDifferences :execrows
DELETE FROM difference WHERE NOT is_open AND at < @before;
