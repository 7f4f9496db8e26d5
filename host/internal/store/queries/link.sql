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
    problem, created, held, quarantine, uid, orphan, orphan_of)
VALUES (@tenant, @key, @booking, @person, @epoch, @state, @ref, @revision, @base, @sent, @tries, @seen_round, @gone_at,
    @problem, @created, @held, @quarantine, @uid, @orphan, @orphan_of)
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
    quarantine = excluded.quarantine,
    uid = excluded.uid,
    orphan = excluded.orphan,
    orphan_of = excluded.orphan_of;

-- name: KillLinksOfPerson :exec
-- What has ended before is left as it is: of an item that was let go its booking remembers that it may be there.
UPDATE link SET state = 'dead', orphan = 'told', orphan_of = person, sent = NULL, held = NULL, gone_at = 0, problem = '', quarantine = 0
WHERE tenant = @tenant AND person = @person AND state <> 'dead';

-- name: ListOrphans :many
SELECT * FROM link WHERE tenant = @tenant AND person = @person AND orphan <> '' AND key > @after
ORDER BY key
LIMIT @max_rows;

-- name: PutFormerMailbox :exec
INSERT INTO former_mailbox (tenant, person, email_key, sync_mode, sync_url, epoch)
SELECT person.tenant, person.id, person.email_key, person.sync_mode, person.sync_url, mailbox.epoch
FROM person JOIN mailbox ON mailbox.tenant = person.tenant AND mailbox.person = person.id
WHERE person.tenant = @tenant AND person.id = @person
  AND EXISTS (SELECT 1 FROM link WHERE link.tenant = person.tenant AND link.person = person.id)
ON CONFLICT (tenant, person) DO UPDATE SET
    email_key = excluded.email_key,
    sync_mode = excluded.sync_mode,
    sync_url = excluded.sync_url,
    epoch = excluded.epoch;

-- name: ListFormerMailboxes :many
-- A person's own, and those that were reached by an address.
SELECT * FROM former_mailbox WHERE tenant = @tenant AND (person = @person OR email_key = @email_key AND email_key <> '')
ORDER BY person;

-- name: DropFormerMailbox :exec
DELETE FROM former_mailbox WHERE tenant = @tenant AND person = @person;

-- name: InheritLinks :exec
-- References that were learnt in another epoch than from mean nothing where the heir's mailbox is reached.
UPDATE link
SET person = @heir, epoch = CASE WHEN epoch = CAST(@from_epoch AS BIGINT) THEN CAST(@epoch AS BIGINT) ELSE -1 END
WHERE tenant = @tenant AND person = @person;

-- name: KeepOwnersMailboxes :exec
-- Of the removed persons whose orphans somebody has that is to have another address.
INSERT INTO former_mailbox (tenant, person, email_key, sync_mode, sync_url, epoch)
SELECT DISTINCT link.tenant, link.orphan_of, CAST(@email_key AS TEXT), CAST(@sync_mode AS TEXT), CAST(@sync_url AS TEXT), CAST(@epoch AS BIGINT)
FROM link
WHERE link.tenant = @tenant AND link.person = @person AND link.orphan <> '' AND link.orphan_of <> link.person
  AND NOT EXISTS (SELECT 1 FROM person WHERE person.tenant = link.tenant AND person.id = link.orphan_of)
ON CONFLICT (tenant, person) DO NOTHING;

-- name: ReturnOrphans :exec
UPDATE link SET person = orphan_of, epoch = -1 WHERE tenant = @tenant AND person = @person AND orphan <> '' AND orphan_of <> person;
