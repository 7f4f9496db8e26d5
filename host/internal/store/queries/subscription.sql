-- name: InsertSubscription :exec
INSERT INTO subscription (token_hash, tenant, person, server_id, active, mode, created, last_heard)
VALUES (@token_hash, @tenant, @person, @server_id, @active, @mode, @created, @last_heard);

-- name: GetSubscriptionByToken :one
SELECT * FROM subscription WHERE token_hash = @token_hash;

-- name: ListSubscriptions :many
SELECT * FROM subscription WHERE tenant = @tenant AND person = @person ORDER BY created, token_hash;

-- name: ActivateSubscription :execrows
UPDATE subscription SET server_id = @server_id, active = TRUE
WHERE token_hash = @token_hash AND tenant = @tenant AND person = @person;

-- name: DropOtherSubscriptions :exec
DELETE FROM subscription WHERE tenant = @tenant AND person = @person AND token_hash <> @token_hash;

-- name: SetMailboxSubscription :exec
UPDATE mailbox SET subscription_id = @subscription_id, subscribed_at = @subscribed_at
WHERE tenant = @tenant AND person = @person;

-- name: TouchSubscription :one
UPDATE subscription SET last_heard = @at WHERE token_hash = @token_hash
RETURNING tenant, person;

-- name: TouchMailbox :exec
UPDATE mailbox SET last_heard = @at WHERE tenant = @tenant AND person = @person AND last_heard < @at;

-- name: DropSubscriptions :exec
DELETE FROM subscription WHERE tenant = @tenant AND person = @person;

-- name: PruneSubscriptions :execrows
DELETE FROM subscription WHERE NOT active AND created < @before;
