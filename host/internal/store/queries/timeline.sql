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
