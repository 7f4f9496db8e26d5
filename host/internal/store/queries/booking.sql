-- name: GetBooking :one
SELECT * FROM booking WHERE tenant = @tenant AND id = @id;

-- name: ListBookings :many
SELECT * FROM booking
WHERE booking.tenant = @tenant AND booking.id > @after
  AND (span_end > @from_ms OR span_start >= @from_ms) AND span_start < @to_ms
  AND (@only_problems = FALSE OR booking.sync_problem <> '' OR EXISTS (
      SELECT 1 FROM link WHERE link.tenant = booking.tenant AND link.booking = booking.id AND link.problem <> '' AND link.state <> 'dead'
  ) OR EXISTS (
      SELECT 1 FROM difference
      WHERE difference.tenant = booking.tenant AND difference.booking = booking.id AND difference.is_open AND NOT difference.settles
  ))
  AND (booking.status <> 'cancelled' OR @include_cancelled = TRUE)
  AND (@never_found = FALSE OR booking.status = 'confirmed' AND NOT sync_off AND NOT EXISTS (
      SELECT 1 FROM link
      WHERE link.tenant = booking.tenant AND link.booking = booking.id
        AND (link.state IN ('live', 'lost', 'unclear') OR link.base IS NOT NULL)
  ))
  AND (CAST(@resource AS TEXT) = '' OR replace(resources || exceptions, @resource, '') <> resources || exceptions)
ORDER BY booking.id
LIMIT @max_rows;

-- name: ListBookingsOfPerson :many
SELECT * FROM booking
WHERE booking.tenant = @tenant AND booking.organizer = @organizer AND booking.id > @after
  AND (span_end > @from_ms OR span_start >= @from_ms) AND span_start < @to_ms
  AND (@only_problems = FALSE OR booking.sync_problem <> '' OR EXISTS (
      SELECT 1 FROM link WHERE link.tenant = booking.tenant AND link.booking = booking.id AND link.problem <> '' AND link.state <> 'dead'
  ) OR EXISTS (
      SELECT 1 FROM difference
      WHERE difference.tenant = booking.tenant AND difference.booking = booking.id AND difference.is_open AND NOT difference.settles
  ))
  AND (booking.status <> 'cancelled' OR @include_cancelled = TRUE)
  AND (@never_found = FALSE OR booking.status = 'confirmed' AND NOT sync_off AND NOT EXISTS (
      SELECT 1 FROM link
      WHERE link.tenant = booking.tenant AND link.booking = booking.id
        AND (link.state IN ('live', 'lost', 'unclear') OR link.base IS NOT NULL)
  ))
  AND (CAST(@resource AS TEXT) = '' OR replace(resources || exceptions, @resource, '') <> resources || exceptions)
ORDER BY booking.id
LIMIT @max_rows;

-- name: ListUnlinkedBookings :many
SELECT * FROM booking
WHERE booking.tenant = @tenant AND booking.organizer = @organizer AND booking.status = 'confirmed'
  AND NOT booking.sync_disabled AND NOT booking.sync_off AND booking.span_end > @end_after
  AND NOT EXISTS (
      SELECT 1 FROM link
      WHERE link.tenant = booking.tenant AND link.booking = booking.id AND link.state <> 'dead' AND link.state <> 'deleting'
  )
ORDER BY booking.span_end, booking.id
LIMIT @max_rows;

-- name: UpsertBooking :exec
INSERT INTO booking (tenant, id, version, title, notes, start_at, end_at, all_day, zone, organizer, resources,
    attendees, location, busy, class, reminder_minutes, status, sync_disabled, sync_problem, item_expected,
    expected_until, span_start, span_end, created, updated, sync_off, recurrence, exceptions, lead_minutes,
    follow_minutes, external, occupied_until)
VALUES (@tenant, @id, @version, @title, @notes, @start_at, @end_at, @all_day, @zone, @organizer, @resources,
    @attendees, @location, @busy, @class, @reminder_minutes, @status, @sync_disabled, @sync_problem, @item_expected,
    @expected_until, @span_start, @span_end, @created, @updated, @sync_off, @recurrence, @exceptions, @lead_minutes,
    @follow_minutes, @external, @occupied_until)
ON CONFLICT (tenant, id) DO UPDATE SET
    version = excluded.version,
    title = excluded.title,
    notes = excluded.notes,
    start_at = excluded.start_at,
    end_at = excluded.end_at,
    all_day = excluded.all_day,
    zone = excluded.zone,
    organizer = excluded.organizer,
    resources = excluded.resources,
    attendees = excluded.attendees,
    location = excluded.location,
    busy = excluded.busy,
    class = excluded.class,
    reminder_minutes = excluded.reminder_minutes,
    status = excluded.status,
    sync_disabled = excluded.sync_disabled,
    sync_problem = excluded.sync_problem,
    item_expected = excluded.item_expected,
    expected_until = excluded.expected_until,
    span_start = excluded.span_start,
    span_end = excluded.span_end,
    created = excluded.created,
    updated = excluded.updated,
    sync_off = excluded.sync_off,
    recurrence = excluded.recurrence,
    exceptions = excluded.exceptions,
    lead_minutes = excluded.lead_minutes,
    follow_minutes = excluded.follow_minutes,
    external = excluded.external,
    occupied_until = excluded.occupied_until;

-- name: ListBookingResources :many
SELECT resource, occurrence, span_start, span_end FROM booking_resource
WHERE tenant = @tenant AND booking = @booking;

-- name: DeleteBookingResources :exec
DELETE FROM booking_resource WHERE tenant = @tenant AND booking = @booking;

-- name: DeleteBookingResource :exec
DELETE FROM booking_resource
WHERE tenant = @tenant AND booking = @booking AND resource = @resource AND occurrence = @occurrence;

-- name: InsertBookingResource :exec
INSERT INTO booking_resource (tenant, resource, booking, occurrence, span_start, span_end)
VALUES (@tenant, @resource, @booking, @occurrence, @span_start, @span_end);

-- name: ListOverlapping :many
SELECT short.booking, short.span_start, short.span_end FROM booking_resource AS short
WHERE short.tenant = @tenant AND short.resource = @resource AND short.booking <> @booking
  AND short.span_end > @after AND short.span_end <= CAST(@before AS BIGINT) + 172800000 AND short.span_start < CAST(@before AS BIGINT)
  AND short.span_end - short.span_start <= 172800000
UNION ALL
SELECT long.booking, long.span_start, long.span_end FROM booking_resource AS long
WHERE long.tenant = @tenant AND long.resource = @resource AND long.booking <> @booking
  AND long.span_end > @after AND long.span_start < CAST(@before AS BIGINT)
  AND long.span_end - long.span_start > 172800000;

-- name: ListToExtend :many
SELECT * FROM booking
WHERE occupied_until > 0 AND occupied_until < @until AND status = 'confirmed'
ORDER BY occupied_until, tenant, id
LIMIT @max_rows OFFSET @skipped;

-- name: SetOccupiedUntil :exec
UPDATE booking SET occupied_until = @occupied_until WHERE tenant = @tenant AND id = @id;
