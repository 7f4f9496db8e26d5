-- name: GetPerson :one
SELECT * FROM person WHERE tenant = @tenant AND id = @id;

-- name: GetPersonByEmail :one
-- The index leaves out those without an address, so the query must, too, to be served by it.
SELECT * FROM person WHERE tenant = @tenant AND email_key = @email_key AND email_key <> '';

-- name: ListPersons :many
SELECT * FROM person
WHERE tenant = @tenant AND id > @after
  AND (status = @status OR @status = '')
  AND (kind = @kind OR @kind = '')
ORDER BY id
LIMIT @max_rows;

-- name: UpsertPerson :exec
INSERT INTO person (tenant, id, email, email_key, display_name, kind, sync_mode, sync_url, sync_disabled,
    conflict_behaviour, mail_on_error, status, fault, reason, remedy, state_since, state_until, created, updated)
VALUES (@tenant, @id, @email, @email_key, @display_name, @kind, @sync_mode, @sync_url, @sync_disabled,
    @conflict_behaviour, @mail_on_error, @status, '', '', '', @created, 0, @created, @created)
ON CONFLICT (tenant, id) DO UPDATE SET
    email = excluded.email,
    email_key = excluded.email_key,
    display_name = excluded.display_name,
    kind = excluded.kind,
    sync_mode = excluded.sync_mode,
    sync_url = excluded.sync_url,
    sync_disabled = excluded.sync_disabled,
    conflict_behaviour = excluded.conflict_behaviour,
    mail_on_error = excluded.mail_on_error,
    updated = excluded.updated;

-- name: SetPersonState :execrows
UPDATE person
SET status = @status, fault = @fault, reason = @reason, remedy = @remedy, state_since = @state_since,
    state_until = @state_until
WHERE tenant = @tenant AND id = @id;

-- name: DeletePerson :execrows
DELETE FROM person WHERE tenant = @tenant AND id = @id;
