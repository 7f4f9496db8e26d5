package store

import (
	"context"
	"fmt"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A ShadowReport says what the sync of a person in shadow mode would do.
type ShadowReport struct {
	Tenant, Person string
	At             time.Time // when the calendar was read
	Data           []byte    // JSON, the engine's
}

// ShadowReport returns the latest report of a person.
func (r Reads) ShadowReport(ctx context.Context, tenant, person string) (ShadowReport, bool, error) {
	row, err := r.q.GetShadowReport(ctx, db.GetShadowReportParams{Tenant: tenant, Person: person})
	ok, err := found(err)
	if err != nil || !ok {
		return ShadowReport{}, false, wrapped(err, "read shadow report of %s", person)
	}
	return ShadowReport{Tenant: row.Tenant, Person: row.Person, At: moment(row.At), Data: row.Data}, true, nil
}

// PutShadowReport replaces the report of a person.
func (t *Tx) PutShadowReport(ctx context.Context, s ShadowReport) error {
	err := t.q.PutShadowReport(ctx, db.PutShadowReportParams{Tenant: s.Tenant, Person: s.Person, At: millis(s.At), Data: s.Data})
	return wrapped(err, "save shadow report of %s", s.Person)
}

// SetTakeOver says whether a mailbox is still to be taken over, see Mailbox.TakeOver.
func (t *Tx) SetTakeOver(ctx context.Context, tenant, person string, on bool) error {
	err := t.q.SetTakeOver(ctx, db.SetTakeOverParams{Tenant: tenant, Person: person, TakeOver: on})
	return wrapped(err, "mailbox of %s", person)
}

// SetShadow switches the shadow mode of a person. Whoever leaves it has the mailbox taken over at the next pass. It reports whether
// that is a change; an unknown person is none.
func (t *Tx) SetShadow(ctx context.Context, tenant, person string, on bool) (changed bool, err error) {
	row, found, err := t.Person(ctx, tenant, person)
	if err != nil || !found || row.Shadow == on {
		return false, err
	}
	if err := t.q.SetShadow(ctx, db.SetShadowParams{Tenant: tenant, ID: person, Shadow: on, Updated: millis(t.s.now())}); err != nil {
		return false, fmt.Errorf("shadow mode of %s: %w", person, err)
	}
	if !on {
		if err := t.q.DeleteShadowReport(ctx, db.DeleteShadowReportParams{Tenant: tenant, Person: person}); err != nil {
			return false, fmt.Errorf("forget shadow report of %s: %w", person, err)
		}
	}
	if err := t.SetTakeOver(ctx, tenant, person, !on); err != nil {
		return false, err
	}
	return true, t.MarkDirty(ctx, tenant, person, time.Time{})
}

func wrapped(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
