-- name: CountLiveLinks :one
SELECT COUNT(*) FROM link WHERE tenant = @tenant AND person = @person AND state = 'live';
