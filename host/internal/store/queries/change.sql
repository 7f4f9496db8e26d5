-- name: NextSeq :one
INSERT INTO change_seq (tenant, seq) VALUES (@tenant, 1)
ON CONFLICT (tenant) DO UPDATE SET seq = change_seq.seq + 1
RETURNING seq;

-- name: GetSeq :one
SELECT seq FROM change_seq WHERE tenant = @tenant;

-- name: InsertChange :exec
INSERT INTO change (tenant, seq, kind, source, booking, version, at, data, reason)
VALUES (@tenant, @seq, @kind, @source, @booking, @version, @at, @data, @reason);

-- name: ListChanges :many
SELECT * FROM change WHERE tenant = @tenant AND seq > @after ORDER BY seq LIMIT @max_rows;

-- name: PruneChanges :execrows
DELETE FROM change WHERE at < @before;
