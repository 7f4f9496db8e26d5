-- name: UpsertWebhook :exec
INSERT INTO webhook (tenant, id, name, url, secret, kinds, disabled, seq, attempts, next_at, last_ok, failing, problem, created)
VALUES (@tenant, @id, @name, @url, @secret, @kinds, @disabled, @seq, @attempts, @next_at, @last_ok, @failing, @problem, @created)
ON CONFLICT (tenant, id) DO UPDATE SET
    name = excluded.name,
    url = excluded.url,
    secret = excluded.secret,
    kinds = excluded.kinds,
    disabled = excluded.disabled,
    attempts = excluded.attempts,
    next_at = excluded.next_at;

-- name: SaveWebhookProgress :exec
UPDATE webhook
SET seq = @seq, attempts = @attempts, next_at = @next_at, last_ok = @last_ok, failing = @failing, problem = @problem
WHERE tenant = @tenant AND id = @id;

-- name: GetWebhook :one
SELECT * FROM webhook WHERE tenant = @tenant AND id = @id;

-- name: ListWebhooks :many
SELECT * FROM webhook WHERE tenant = @tenant ORDER BY created, id;

-- name: ListAllWebhooks :many
SELECT * FROM webhook ORDER BY tenant, created, id;

-- name: DeleteWebhook :execrows
DELETE FROM webhook WHERE tenant = @tenant AND id = @id;

-- name: DeleteWebhookDead :exec
DELETE FROM webhook_dead WHERE tenant = @tenant AND webhook = @webhook;

-- name: InsertDead :exec
INSERT INTO webhook_dead (tenant, webhook, seq, at, attempts, problem)
VALUES (@tenant, @webhook, @seq, @at, @attempts, @problem)
ON CONFLICT (tenant, webhook, seq) DO UPDATE SET at = excluded.at, attempts = excluded.attempts, problem = excluded.problem;

-- name: ListDead :many
SELECT * FROM webhook_dead WHERE tenant = @tenant AND webhook = @webhook AND seq > @after ORDER BY seq LIMIT @max_rows;

-- name: DropDead :execrows
DELETE FROM webhook_dead WHERE tenant = @tenant AND webhook = @webhook AND seq = @seq;

-- name: CountDead :one
SELECT COUNT(*) FROM webhook_dead;

-- name: PruneDead :execrows
DELETE FROM webhook_dead WHERE at < @before;
