-- name: InsertScan :one
INSERT INTO scan (tenant, target, name, from_ms, to_ms, thorough, started, ended)
VALUES (@tenant, @target, @name, @from_ms, @to_ms, @thorough, @started, 0)
RETURNING id;

-- name: GetScan :one
SELECT * FROM scan WHERE tenant = @tenant AND id = @id;

-- name: ListScans :many
SELECT * FROM scan WHERE tenant = @tenant AND id < @before ORDER BY id DESC LIMIT @max_rows;

-- name: SumScan :one
SELECT COUNT(*) AS mailboxes, COUNT(CASE WHEN state = 'waiting' THEN 1 END) AS waiting,
    COUNT(CASE WHEN state = 'failed' THEN 1 END) AS failed, COUNT(CASE WHEN state = 'unchanged' THEN 1 END) AS unchanged,
    CAST(COALESCE(SUM(compared), 0) AS BIGINT) AS compared, CAST(COALESCE(SUM(differing), 0) AS BIGINT) AS differing,
    CAST(COALESCE(SUM(settling), 0) AS BIGINT) AS settling
FROM scan_part WHERE scan = @scan;

-- name: EndScan :exec
UPDATE scan SET ended = @ended
WHERE id = @id AND ended = 0 AND NOT EXISTS (SELECT 1 FROM scan_part WHERE scan_part.scan = scan.id AND state = 'waiting');

-- name: PutScanPart :exec
INSERT INTO scan_part (scan, tenant, person, state, phase, after, problem, compared, differing, settling, ended)
VALUES (@scan, @tenant, @person, @state, @phase, @after, @problem, @compared, @differing, @settling, @ended)
ON CONFLICT (scan, person) DO UPDATE SET
    state = excluded.state,
    phase = excluded.phase,
    after = excluded.after,
    problem = excluded.problem,
    compared = excluded.compared,
    differing = excluded.differing,
    settling = excluded.settling,
    ended = excluded.ended;

-- name: NextScanPart :one
SELECT * FROM scan_part WHERE tenant = @tenant AND person = @person AND state = 'waiting' ORDER BY scan LIMIT 1;

-- name: ListScanParts :many
SELECT * FROM scan_part WHERE scan = @scan AND (state = @state OR @state = '') AND person > @after ORDER BY person LIMIT @max_rows;

-- name: CountScanParts :many
SELECT state, COUNT(*) AS parts FROM scan_part GROUP BY state ORDER BY state;

-- name: PruneScanParts :execrows
DELETE FROM scan_part WHERE scan IN (SELECT id FROM scan WHERE scan.ended > 0 AND scan.ended < @before);

-- name: PruneScans :execrows
DELETE FROM scan WHERE scan.ended > 0 AND scan.ended < @before;

-- name: DropScanPartsOfPerson :exec
DELETE FROM scan_part WHERE tenant = @tenant AND person = @person AND state = 'waiting';
