-- name: InsertQuarantine :one
INSERT INTO quarantine (tenant, person, kind, state, items, total, created, decided)
VALUES (@tenant, @person, @kind, 'waiting', @items, @total, @created, 0)
RETURNING id;

-- name: SaveQuarantine :execrows
UPDATE quarantine SET state = @state, items = @items, total = @total, decided = @decided WHERE tenant = @tenant AND id = @id;

-- name: GetQuarantine :one
SELECT * FROM quarantine WHERE tenant = @tenant AND id = @id;

-- name: GetWaitingQuarantine :one
SELECT * FROM quarantine WHERE tenant = @tenant AND person = @person AND kind = @kind AND state = 'waiting' ORDER BY id LIMIT 1;

-- name: ListQuarantine :many
SELECT * FROM quarantine
WHERE tenant = @tenant AND (person = @person OR @person = '') AND (state = @state OR @state = '') AND id < @before
ORDER BY id DESC
LIMIT @max_rows;

-- name: ListLinksInQuarantine :many
SELECT * FROM link WHERE tenant = @tenant AND person = @person AND quarantine = @quarantine AND state <> 'dead' ORDER BY key;

-- name: CountQuarantine :many
SELECT kind, COUNT(*) AS units FROM quarantine WHERE state = 'waiting' GROUP BY kind ORDER BY kind;

-- name: DropQuarantineOfPerson :exec
UPDATE quarantine SET state = 'closed', decided = @decided WHERE tenant = @tenant AND person = @person AND state = 'waiting';

-- name: PruneQuarantine :execrows
DELETE FROM quarantine WHERE state <> 'waiting' AND decided < @before;
