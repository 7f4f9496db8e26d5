-- name: TakeDuty :execrows
INSERT INTO duty (name, holder, until) VALUES (@name, @holder, @until)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE duty.holder = excluded.holder OR duty.until <= @now;

-- name: DropDuty :exec
DELETE FROM duty WHERE name = @name AND holder = @holder;
