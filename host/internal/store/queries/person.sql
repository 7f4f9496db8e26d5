-- name: GetPerson :one
SELECT * FROM person WHERE tenant = @tenant AND id = @id;

-- name: GetPersonByEmail :one
-- The index leaves out those without an address, so the query must, too, to be served by it.
SELECT * FROM person WHERE tenant = @tenant AND email_key = @email_key AND email_key <> '';

-- name: GetPersonByFormerEmail :one
SELECT * FROM person
WHERE person.tenant = @tenant
  AND person.id = (SELECT former_address.person FROM former_address WHERE former_address.tenant = @tenant AND former_address.email_key = @email_key);

-- name: PutFormerAddress :exec
INSERT INTO former_address (tenant, email_key, person, epoch) VALUES (@tenant, @email_key, @person, @epoch)
ON CONFLICT (tenant, email_key) DO UPDATE SET person = excluded.person, epoch = excluded.epoch;

-- name: DropFormerAddress :exec
DELETE FROM former_address WHERE tenant = @tenant AND email_key = @email_key AND person = @person;

-- name: DropFormerAddresses :exec
DELETE FROM former_address WHERE tenant = @tenant AND person = @person;

-- name: KeepFormerAddresses :exec
-- Of a room that is removed: what it was met under in its mailbox does not matter any more.
UPDATE former_address SET epoch = -1 WHERE tenant = @tenant AND person = @person;

-- name: LastFormerEpoch :one
SELECT CAST(COALESCE(MAX(epoch), -1) AS BIGINT) FROM former_address WHERE tenant = @tenant AND person = @person;

-- name: ListPersons :many
SELECT * FROM person
WHERE person.tenant = @tenant AND person.id > @after
  AND (person.status = @status OR @status = '')
  AND (person.kind = @kind OR @kind = '')
  AND (person.sync_mode = @sync_mode OR @sync_mode = '')
  AND person.updated >= @updated_since
  AND (CAST(@way AS TEXT) = '' OR EXISTS (
      SELECT 1 FROM mailbox WHERE mailbox.tenant = person.tenant AND mailbox.person = person.id AND mailbox.way = @way
  ))
  AND (CAST(@prefix AS TEXT) = '' OR substr(lower(person.id), 1, length(CAST(@folded AS TEXT))) = @folded
      OR substr(person.email_key, 1, length(CAST(@folded AS TEXT))) = @folded
      OR substr(lower(person.display_name), 1, length(CAST(@folded AS TEXT))) = @folded
      OR substr(person.display_name, 1, length(CAST(@prefix AS TEXT))) = @prefix)
ORDER BY person.id
LIMIT @max_rows;

-- name: UpsertPerson :exec
INSERT INTO person (tenant, id, email, email_key, display_name, kind, sync_mode, sync_url, sync_disabled,
    conflict_behaviour, mail_on_error, own_bookings, sync_master, status, fault, reason, remedy, state_since, state_until,
    created, updated)
VALUES (@tenant, @id, @email, @email_key, @display_name, @kind, @sync_mode, @sync_url, @sync_disabled,
    @conflict_behaviour, @mail_on_error, @own_bookings, @sync_master, @status, '', '', '', @created, 0, @created, @created)
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
    sync_master = excluded.sync_master,
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
WHERE sync_mode = @sync_mode AND sync_url = @sync_url AND email_key LIKE @emails AND NOT sync_disabled AND kind = 'person' AND email <> ''
ORDER BY CASE status WHEN 'ok' THEN 0 ELSE 1 END, tenant, id
LIMIT @max_rows;
