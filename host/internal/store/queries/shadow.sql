-- name: PutShadowReport :exec
INSERT INTO shadow_report (tenant, person, at, data) VALUES (@tenant, @person, @at, @data)
ON CONFLICT (tenant, person) DO UPDATE SET at = excluded.at, data = excluded.data;

-- name: GetShadowReport :one
SELECT * FROM shadow_report WHERE tenant = @tenant AND person = @person;

-- name: DeleteShadowReport :exec
DELETE FROM shadow_report WHERE tenant = @tenant AND person = @person;

-- name: SetShadow :exec
UPDATE person SET shadow = @shadow, updated = @updated WHERE tenant = @tenant AND id = @id;

-- name: SetTakeOver :exec
UPDATE mailbox SET take_over = @take_over, reconcile_at = CASE WHEN @take_over THEN 0 ELSE reconcile_at END WHERE tenant = @tenant AND person = @person;
