-- name: InsertIdempotency :execrows
INSERT INTO idempotency (tenant, api_key, key, fingerprint, status, content_type, location, body, at)
VALUES (@tenant, @api_key, @key, @fingerprint, 0, '', '', NULL, @at)
ON CONFLICT (tenant, api_key, key) DO NOTHING;

-- name: GetIdempotency :one
SELECT * FROM idempotency WHERE tenant = @tenant AND api_key = @api_key AND key = @key;

-- name: FinishIdempotency :exec
UPDATE idempotency SET status = @status, content_type = @content_type, location = @location, body = @body
WHERE tenant = @tenant AND api_key = @api_key AND key = @key;

-- name: DropIdempotency :exec
DELETE FROM idempotency WHERE tenant = @tenant AND api_key = @api_key AND key = @key AND status = 0;

-- name: PruneIdempotency :execrows
DELETE FROM idempotency WHERE at < @before;
