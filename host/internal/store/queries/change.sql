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

-- name: GetChange :one
SELECT * FROM change WHERE tenant = @tenant AND seq = @seq;

-- name: ChangeBefore :one
-- What a booking was before a change of it.
SELECT * FROM change WHERE tenant = @tenant AND booking = @booking AND seq < @before ORDER BY seq DESC LIMIT 1;

-- name: InsertRejection :exec
INSERT INTO change_rejection (tenant, seq, booking, at, reason, outcome)
VALUES (@tenant, @seq, @booking, @at, @reason, @outcome);

-- name: GetRejection :one
SELECT * FROM change_rejection WHERE tenant = @tenant AND seq = @seq;

-- name: PruneRejections :execrows
DELETE FROM change_rejection WHERE at < @before;
