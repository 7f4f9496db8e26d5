-- name: GetLink :one
SELECT * FROM link WHERE tenant = @tenant AND key = @key;

-- name: GetLinkByRef :one
SELECT * FROM link
WHERE tenant = @tenant AND person = @person AND ref = @ref AND state <> 'dead'
ORDER BY epoch DESC, created DESC, key
LIMIT 1;

-- name: ListLinksByUID :many
-- The index leaves out those without a UID, so the query must, too, to be served by it.
SELECT * FROM link WHERE tenant = @tenant AND uid = @uid AND uid <> '' ORDER BY created, key;

-- name: ListLinksOfBooking :many
SELECT * FROM link WHERE tenant = @tenant AND booking = @booking ORDER BY created, key;

-- name: ListLinksUnseen :many
SELECT link.* FROM link
JOIN mailbox ON mailbox.tenant = link.tenant AND mailbox.person = link.person AND mailbox.epoch = link.epoch
WHERE link.tenant = @tenant AND link.person = @person AND link.state = 'live' AND link.seen_round < @round
ORDER BY link.key;

-- name: ListLinksGone :many
SELECT * FROM link WHERE tenant = @tenant AND person = @person AND gone_at > 0 AND state <> 'dead'
ORDER BY gone_at, key;

-- name: ListLinksOfPerson :many
SELECT * FROM link
WHERE tenant = @tenant AND person = @person AND state <> 'dead' AND key > @after
ORDER BY key
LIMIT @max_rows;

-- name: UpsertLink :exec
INSERT INTO link (tenant, key, booking, person, epoch, state, ref, revision, base, sent, tries, seen_round, gone_at,
    problem, created, held, uid)
VALUES (@tenant, @key, @booking, @person, @epoch, @state, @ref, @revision, @base, @sent, @tries, @seen_round, @gone_at,
    @problem, @created, @held, @uid)
ON CONFLICT (tenant, key) DO UPDATE SET
    booking = excluded.booking,
    person = excluded.person,
    epoch = excluded.epoch,
    state = excluded.state,
    ref = excluded.ref,
    revision = excluded.revision,
    base = excluded.base,
    sent = excluded.sent,
    tries = excluded.tries,
    seen_round = excluded.seen_round,
    gone_at = excluded.gone_at,
    problem = excluded.problem,
    held = excluded.held,
    uid = excluded.uid;

-- name: KillLinksOfPerson :exec
UPDATE link SET state = 'dead', base = NULL, sent = NULL, held = NULL, gone_at = 0, problem = ''
WHERE tenant = @tenant AND person = @person;
