-- name: FoldIntent :exec
INSERT INTO intent (tenant, key, person, booking, op, mail, cause, wanted, created, not_before, failures)
VALUES (@tenant, @key, @person, @booking, @op, @mail, @cause, 1, @created, @not_before, 0)
ON CONFLICT (tenant, key) DO UPDATE SET
    person = excluded.person,
    booking = excluded.booking,
    op = CASE
        WHEN intent.op = 'delete' OR excluded.op = 'delete' THEN 'delete'
        WHEN intent.op = 'reset' OR excluded.op = 'reset' THEN 'reset'
        WHEN intent.op = 'sync' OR excluded.op = 'sync' THEN 'sync'
        ELSE excluded.op
    END,
    mail = CASE WHEN intent.mail > excluded.mail THEN intent.mail ELSE excluded.mail END,
    cause = excluded.cause,
    wanted = intent.wanted + 1,
    not_before = CASE WHEN intent.not_before < excluded.not_before THEN intent.not_before ELSE excluded.not_before END,
    failures = 0;

-- name: GetIntent :one
SELECT * FROM intent WHERE tenant = @tenant AND key = @key;

-- name: ListIntents :many
SELECT * FROM intent
WHERE tenant = @tenant AND person = @person AND not_before <= @now
ORDER BY created, key
LIMIT @max_rows;

-- name: GetNextIntent :one
SELECT not_before FROM intent WHERE tenant = @tenant AND person = @person ORDER BY not_before LIMIT 1;

-- name: FinishIntent :execrows
DELETE FROM intent WHERE tenant = @tenant AND key = @key AND wanted = @wanted;

-- name: DeferIntent :execrows
UPDATE intent SET not_before = @not_before, failures = @failures WHERE tenant = @tenant AND key = @key;

-- name: ReviseIntent :execrows
UPDATE intent SET op = @op, mail = @mail WHERE tenant = @tenant AND key = @key;

-- name: DropIntentsOfPerson :exec
DELETE FROM intent WHERE tenant = @tenant AND person = @person;
