-- name: PutMove :exec
INSERT INTO move (tenant, person, from_mode, to_mode, to_url, dry_run, lenient, state, reason, remedy, report, tries,
    next_at, requested, started, finished)
VALUES (@tenant, @person, @from_mode, @to_mode, @to_url, @dry_run, @lenient, @state, @reason, @remedy, @report, @tries,
    @next_at, @requested, @started, @finished)
ON CONFLICT (tenant, person) DO UPDATE SET
    from_mode = excluded.from_mode,
    to_mode = excluded.to_mode,
    to_url = excluded.to_url,
    dry_run = excluded.dry_run,
    lenient = excluded.lenient,
    state = excluded.state,
    reason = excluded.reason,
    remedy = excluded.remedy,
    report = excluded.report,
    tries = excluded.tries,
    next_at = excluded.next_at,
    requested = excluded.requested,
    started = excluded.started,
    finished = excluded.finished;

-- name: GetMove :one
SELECT * FROM move WHERE tenant = @tenant AND person = @person;

-- name: ListMoves :many
SELECT * FROM move
WHERE tenant = @tenant AND person > @after AND (state = @state OR @state = '')
ORDER BY person
LIMIT @max_rows;

-- name: DropMove :exec
DELETE FROM move WHERE tenant = @tenant AND person = @person;

-- name: CountMoves :many
SELECT tenant, state, dry_run, COUNT(*) AS persons FROM move GROUP BY tenant, state, dry_run ORDER BY tenant, state, dry_run;

-- name: ListMovedFrom :many
SELECT mode FROM moved_from WHERE tenant = @tenant AND person = @person ORDER BY mode;

-- name: PutMovedFrom :exec
INSERT INTO moved_from (tenant, person, mode) VALUES (@tenant, @person, @mode) ON CONFLICT (tenant, person, mode) DO NOTHING;

-- name: DropMovedFrom :exec
DELETE FROM moved_from WHERE tenant = @tenant AND person = @person;
