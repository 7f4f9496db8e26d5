-- name: InsertMail :exec
INSERT INTO mail (tenant, person, booking, kind, detail, created, next_at, attempts, problem)
VALUES (@tenant, @person, @booking, @kind, @detail, @created, @next_at, 0, '');

-- name: RecentMail :one
SELECT COUNT(*) FROM mail
WHERE tenant = @tenant AND person = @person AND booking = @booking AND kind = @kind AND created > @after;

-- name: CountMailSince :one
SELECT COUNT(*) FROM mail WHERE tenant = @tenant AND person = @person AND created > @after;

-- name: DueMails :many
SELECT * FROM mail WHERE next_at > 0 AND next_at <= @now ORDER BY next_at, id LIMIT @max_rows;

-- name: SaveMail :exec
UPDATE mail SET next_at = @next_at, attempts = @attempts, problem = @problem WHERE id = @id;

-- name: PruneMails :execrows
DELETE FROM mail WHERE next_at = 0 AND created < @before;
