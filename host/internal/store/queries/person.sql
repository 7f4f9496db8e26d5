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
    conflict_behaviour, mail_on_error, own_bookings, status, fault, reason, remedy, state_since, state_until, created,
    updated)
VALUES (@tenant, @id, @email, @email_key, @display_name, @kind, @sync_mode, @sync_url, @sync_disabled,
    @conflict_behaviour, @mail_on_error, @own_bookings, @status, '', '', '', @created, 0, @created, @created)
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
    own_bookings = excluded.own_bookings,
    updated = excluded.updated;

-- name: SetPersonState :execrows
UPDATE person
SET status = @status, fault = @fault, reason = @reason, remedy = @remedy, state_since = @state_since,
    state_until = @state_until
WHERE tenant = @tenant AND id = @id;

-- name: DeletePerson :execrows
DELETE FROM person WHERE tenant = @tenant AND id = @id;

-- name: CountStates :many
SELECT status, fault, COUNT(*) AS persons FROM person GROUP BY status, fault;

-- name: CountModes :many
SELECT sync_mode, sync_url, COUNT(*) AS persons FROM person
WHERE sync_mode <> '' AND NOT sync_disabled GROUP BY sync_mode, sync_url ORDER BY sync_mode, persons DESC, sync_url;

-- name: SamplePersons :many
-- Persons of a mode and URL to try it with: those whose sync works, first.
SELECT * FROM person
WHERE sync_mode = @sync_mode AND sync_url = @sync_url AND NOT sync_disabled AND kind = 'person' AND email <> ''
ORDER BY CASE status WHEN 'ok' THEN 0 ELSE 1 END, tenant, id
LIMIT @max_rows;
