-- name: PutSplit :exec
INSERT INTO split (tenant, person, ref, key, version, at) VALUES (@tenant, @person, @ref, @key, @version, @at)
ON CONFLICT (tenant, person, ref) DO UPDATE SET key = excluded.key, version = excluded.version;

-- name: ListSplits :many
SELECT * FROM split WHERE tenant = @tenant AND person = @person ORDER BY at, ref;

-- name: DeleteSplit :exec
DELETE FROM split WHERE tenant = @tenant AND person = @person AND ref = @ref;

-- name: DropSplits :exec
DELETE FROM split WHERE tenant = @tenant AND person = @person;
