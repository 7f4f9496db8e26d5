-- name: InsertAPIKey :exec
INSERT INTO api_key (tenant, id, name, hash, created, revoked, last_used, scopes)
VALUES (@tenant, @id, @name, @hash, @created, 0, 0, @scopes);

-- name: GetAPIKeyByHash :one
SELECT * FROM api_key WHERE hash = @hash AND revoked = 0;

-- name: ListAPIKeys :many
SELECT * FROM api_key WHERE tenant = @tenant ORDER BY created, id;

-- name: RevokeAPIKey :execrows
UPDATE api_key SET revoked = @revoked WHERE tenant = @tenant AND id = @id AND revoked = 0;

-- name: TouchAPIKey :exec
UPDATE api_key SET last_used = @last_used WHERE tenant = @tenant AND id = @id AND last_used < @last_used;
