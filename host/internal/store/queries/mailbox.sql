-- name: GetMailbox :one
SELECT * FROM mailbox WHERE tenant = @tenant AND person = @person;

-- name: InsertMailbox :exec
INSERT INTO mailbox (tenant, person, epoch) VALUES (@tenant, @person, @epoch)
ON CONFLICT (tenant, person) DO NOTHING;

-- name: MoveMailbox :exec
UPDATE mailbox
SET quiet = FALSE, epoch = epoch + 1, pull_cursor = '', round_open = FALSE, way = '', subscription_id = '', subscribed_at = 0,
    last_heard = 0, renew_at = 0, poll_at = 0, reconcile_at = 0, wait_until = 0, failures = 0, held_deletions = 0,
    deletions_approved = FALSE, try_way = '', try_since = 0, climb_at = 0, falls = 0, silences = 0, way_reason = '',
    drift_state = '', drift_next = '', drift_at = 0
WHERE tenant = @tenant AND person = @person;

-- name: SaveMailbox :execrows
UPDATE mailbox
SET pull_cursor = @pull_cursor, round = @round, round_open = @round_open, way = @way,
    subscription_id = @subscription_id, subscribed_at = @subscribed_at, last_pull = @last_pull,
    last_push = @last_push, renew_at = @renew_at, poll_at = @poll_at, reconcile_at = @reconcile_at,
    wait_until = @wait_until, failures = @failures, next_due = @next_due, held_deletions = @held_deletions,
    try_way = @try_way, try_since = @try_since, climb_at = @climb_at, falls = @falls, silences = @silences,
    way_reason = @way_reason, quiet = @quiet, drift_state = @drift_state,
    drift_next = @drift_next, drift_at = @drift_at
WHERE tenant = @tenant AND person = @person AND epoch = @epoch;

-- name: MarkMailbox :one
UPDATE mailbox
SET wanted = wanted + 1,
    fresh = fresh OR @fresh,
    notices = notices + @notice,
    last_notice = CASE WHEN @notice > 0 THEN @noticed_at ELSE last_notice END,
    next_due = CASE
        WHEN next_due > 0 AND next_due <= @at THEN next_due
        WHEN @notice > 0 AND last_push > @echo_after AND next_due > 0 AND next_due <= last_push + @echo THEN next_due
        WHEN @notice > 0 AND last_push > @echo_after AND wait_until <= last_push + @echo THEN last_push + @echo
        WHEN wait_until <= @at THEN @at
        WHEN next_due > 0 AND next_due <= wait_until THEN next_due
        ELSE wait_until
    END
WHERE tenant = @tenant AND person = @person
RETURNING next_due, queued_at, queued_bulk, lease_until;

-- name: SetDone :execrows
UPDATE mailbox SET done = @done WHERE tenant = @tenant AND person = @person AND done < @done;

-- name: ApproveDeletions :execrows
UPDATE mailbox SET deletions_approved = @approved WHERE tenant = @tenant AND person = @person;

-- name: DueMailboxes :many
SELECT tenant, person, fresh FROM mailbox
WHERE next_due > 0 AND next_due <= @now AND lease_until <= @now AND queued_at <= @queued_before
ORDER BY fresh DESC, next_due
LIMIT @max_rows;

-- name: DeadPasses :many
SELECT tenant, person, fresh FROM mailbox
WHERE lease_until > 0 AND lease_until <= @now AND queued_at <= @queued_before
ORDER BY lease_until
LIMIT @max_rows;

-- name: DueMailbox :one
SELECT fresh FROM mailbox
WHERE tenant = @tenant AND person = @person
  AND ((next_due > 0 AND next_due <= @now) OR lease_until > 0)
  AND lease_until <= @now AND queued_at <= @queued_before;

-- name: SetQueued :one
UPDATE mailbox SET queued_at = @queued_at, queued_bulk = @queued_bulk WHERE tenant = @tenant AND person = @person
RETURNING lease_fence;

-- name: TakeLease :one
UPDATE mailbox
SET lease_until = @until, lease_fence = lease_fence + 1, queued_at = 0, queued_bulk = FALSE, fresh = FALSE,
    next_due = 0
WHERE tenant = @tenant AND person = @person AND lease_until <= @now
RETURNING wanted, lease_fence;

-- name: RenewLease :execrows
UPDATE mailbox SET lease_until = @until
WHERE tenant = @tenant AND person = @person AND lease_fence = @fence AND lease_until > 0;

-- name: GetLease :one
SELECT lease_fence, lease_until FROM mailbox WHERE tenant = @tenant AND person = @person;

-- name: EndLease :exec
UPDATE mailbox
SET done = @done, next_due = @next_due, queued_at = @queued_at, queued_bulk = FALSE, lease_until = 0
WHERE tenant = @tenant AND person = @person;

-- name: ResetQueue :exec
UPDATE mailbox
SET next_due = CASE
        WHEN lease_until > 0 AND (next_due = 0 OR next_due > @now) THEN @now
        WHEN queued_at > 0 AND (next_due = 0 OR next_due > queued_at) THEN queued_at
        ELSE next_due
    END,
    queued_at = 0, queued_bulk = FALSE, lease_until = 0
WHERE queued_at > 0 OR lease_until > 0;

-- name: ResumeMailboxes :execrows
UPDATE mailbox
SET wait_until = 0, failures = 0,
    next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END
WHERE wait_until > @now AND NOT EXISTS (
    SELECT 1 FROM person
    WHERE person.tenant = mailbox.tenant AND person.id = mailbox.person AND person.fault = @throttled
);

-- name: ResumeMode :execrows
UPDATE mailbox
SET wait_until = 0, failures = 0,
    next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END
WHERE wait_until > @now AND EXISTS (
    SELECT 1 FROM person
    WHERE person.tenant = mailbox.tenant AND person.id = mailbox.person AND person.sync_mode = @mode AND person.fault = @fault
        AND person.email_key LIKE @emails
);

-- name: StartMailboxes :execrows
UPDATE mailbox
SET next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END,
    renew_at = CASE WHEN way = 'push' AND subscribed_at < @fresh THEN @now ELSE renew_at END
WHERE way <> '' AND wait_until <= @now;

-- name: CountQueue :one
SELECT
    COUNT(CASE WHEN lease_until > @now THEN 1 END) AS running,
    COUNT(CASE WHEN lease_until <= @now AND queued_at > 0 AND NOT queued_bulk THEN 1 END) AS queued,
    COUNT(CASE WHEN lease_until <= @now AND queued_at > 0 AND queued_bulk THEN 1 END) AS queued_bulk,
    COUNT(CASE WHEN lease_until <= @now AND queued_at = 0 AND next_due > 0 AND next_due <= @now THEN 1 END) AS due,
    COUNT(CASE WHEN lease_until <= @now AND queued_at = 0 AND next_due > @now THEN 1 END) AS later
FROM mailbox;

-- name: DeleteMailbox :exec
DELETE FROM mailbox WHERE tenant = @tenant AND person = @person;

-- name: ListWatched :many
-- Everybody whose changes are listened for, or are to be, whatever the tenant. Rooms, too: one that is not synced has no way.
SELECT mailbox.tenant, mailbox.person, mailbox.epoch, mailbox.way, mailbox.try_way,
    person.email, person.sync_mode, person.sync_url
FROM mailbox JOIN person ON person.tenant = mailbox.tenant AND person.id = mailbox.person
WHERE (mailbox.way = 'streaming' OR mailbox.way = 'pull' OR mailbox.try_way <> '')
  AND NOT person.sync_disabled
  AND (mailbox.tenant, mailbox.person) > (@after_tenant, @after_person)
ORDER BY mailbox.tenant, mailbox.person
LIMIT @max_rows;

-- name: CountWays :many
SELECT way, COUNT(*) AS mailboxes,
    CAST(COALESCE(MIN(CASE WHEN subscribed_at > 0 THEN subscribed_at END), 0) AS BIGINT) AS oldest
FROM mailbox WHERE way <> '' GROUP BY way;

-- name: OldestDirty :one
-- Due since when, of all that wait though nothing keeps them from being worked on.
SELECT CAST(COALESCE(MIN(CASE WHEN queued_at > 0 AND queued_at < next_due THEN queued_at ELSE next_due END), 0) AS BIGINT) FROM mailbox
WHERE next_due > 0 AND next_due <= @now AND wait_until <= @now;

-- name: CountSilent :one
SELECT COUNT(*) FROM mailbox
WHERE way = 'push' AND NOT quiet AND subscribed_at > 0 AND subscribed_at < @before AND last_heard < @before;

-- name: WakeMode :execrows
-- The mode is another one now: whoever waits tries again, and everybody looks whether something follows for them.
UPDATE mailbox
SET failures = CASE WHEN wait_until > @now THEN 0 ELSE failures END, wait_until = 0,
    next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END
WHERE (way <> '' OR wait_until > @now) AND EXISTS (
    SELECT 1 FROM person
    WHERE person.tenant = mailbox.tenant AND person.id = mailbox.person AND person.sync_mode = @mode
        AND person.email_key LIKE @emails AND person.fault <> @throttled
);

-- name: RenewSubscriptions :execrows
UPDATE mailbox
SET renew_at = @now, next_due = CASE WHEN next_due > 0 AND next_due < @now THEN next_due ELSE @now END
WHERE tenant = @tenant AND way <> '' AND wait_until <= @now;
