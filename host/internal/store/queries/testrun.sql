-- name: UpsertTestRun :exec
INSERT INTO test_run (tenant, id, person, mode, address, url, item_key, outcome, steps, started, ended, alive_until, cleaned)
VALUES (@tenant, @id, @person, @mode, @address, @url, @item_key, @outcome, @steps, @started, @ended, @alive_until, @cleaned)
ON CONFLICT (tenant, id) DO UPDATE SET
    mode = excluded.mode,
    address = excluded.address,
    url = excluded.url,
    item_key = excluded.item_key,
    outcome = excluded.outcome,
    steps = excluded.steps,
    ended = excluded.ended,
    alive_until = excluded.alive_until,
    cleaned = excluded.cleaned;

-- name: GetTestRun :one
SELECT * FROM test_run WHERE tenant = @tenant AND id = @id;

-- name: ListTestRuns :many
SELECT * FROM test_run WHERE tenant = @tenant AND person = @person ORDER BY started DESC, id DESC LIMIT @max_rows;

-- name: ListUncleanTestRuns :many
SELECT * FROM test_run WHERE NOT cleaned AND alive_until < @now ORDER BY alive_until LIMIT @max_rows;

-- name: PruneTestRuns :execrows
DELETE FROM test_run WHERE cleaned AND started < @before;
