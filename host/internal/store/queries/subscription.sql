-- name: InsertSubscription :exec
INSERT INTO subscription (token_hash, tenant, person, server_id, active, mode, created, last_heard, quiet, url, email, mailbox_url)
VALUES (@token_hash, @tenant, @person, @server_id, @active, @mode, @created, @last_heard, @quiet, @url, @email, @mailbox_url);

-- name: GetSubscriptionByToken :one
SELECT * FROM subscription WHERE token_hash = @token_hash;

-- name: ListSubscriptions :many
SELECT * FROM subscription WHERE tenant = @tenant AND person = @person ORDER BY created, token_hash;

-- name: ActivateSubscription :execrows
UPDATE subscription SET server_id = @server_id, active = TRUE, quiet = @quiet
WHERE token_hash = @token_hash AND tenant = @tenant AND person = @person;

-- name: DropOtherSubscriptions :exec
DELETE FROM subscription WHERE tenant = @tenant AND person = @person AND token_hash <> @token_hash;

-- name: SetMailboxSubscription :exec
UPDATE mailbox SET subscription_id = @subscription_id, subscribed_at = @subscribed_at, quiet = @quiet
WHERE tenant = @tenant AND person = @person;

-- name: TouchSubscription :one
UPDATE subscription SET last_heard = @at WHERE token_hash = @token_hash
RETURNING tenant, person;

-- name: TouchMailbox :exec
UPDATE mailbox SET last_heard = @at WHERE tenant = @tenant AND person = @person AND last_heard < @at;

-- name: DropSubscriptions :exec
DELETE FROM subscription WHERE tenant = @tenant AND person = @person;

-- name: LeaveSubscriptions :exec
-- What is dropped next and lives on at its server. One that stays in force under the same id does not.
INSERT INTO leftover (tenant, mode, server_id, person, email, mailbox_url, created, not_before, tries)
SELECT s.tenant, s.mode, s.server_id, s.person, s.email, s.mailbox_url, @created, 0, 0 FROM subscription s
WHERE s.tenant = @tenant AND s.person = @person AND s.quiet AND s.server_id <> '' AND s.server_id <> @kept_id
ON CONFLICT (tenant, mode, server_id) DO NOTHING;

-- name: InsertLeftover :exec
INSERT INTO leftover (tenant, mode, server_id, person, email, mailbox_url, created, not_before, tries)
VALUES (@tenant, @mode, @server_id, @person, @email, @mailbox_url, @created, 0, 0)
ON CONFLICT (tenant, mode, server_id) DO NOTHING;

-- name: DueLeftovers :many
SELECT * FROM leftover WHERE not_before <= @now ORDER BY not_before, created LIMIT @max_rows;

-- name: PutLeftoverOff :exec
UPDATE leftover SET not_before = @not_before, tries = tries + 1
WHERE tenant = @tenant AND mode = @mode AND server_id = @server_id;

-- name: DropLeftover :exec
DELETE FROM leftover WHERE tenant = @tenant AND mode = @mode AND server_id = @server_id;

-- name: RenewSubscription :exec
UPDATE mailbox SET renew_at = @now
WHERE tenant = @tenant AND person = @person AND subscription_id <> '';

-- name: PruneSubscriptions :execrows
DELETE FROM subscription WHERE NOT active AND created < @before;
