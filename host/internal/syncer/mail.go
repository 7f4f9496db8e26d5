package syncer

import (
	"context"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// What people are mailed about. Package mail has a text for each.
const (
	MailSyncDisabled     = "sync disabled"
	MailChangeRefused    = "change refused"
	MailChangeRejected   = "change rejected"
	MailBookingCancelled = "booking cancelled"
	MailRoomDeclined     = "room declined"
	MailRoomCancelled    = "room cancelled"
	MailRoomConflict     = "room conflict"
)

// One who is mailed too often reads none of it.
const (
	mailWindow   = 24 * time.Hour
	mailsAWindow = 10 // to one person, about whatever
)

// mailOnError queues a mail to the person of a link: something happened to the sync of the booking that the person would
// not expect. It is sent once tx is committed. Whoever does not want such mails gets none, and nobody gets the same news
// twice a day, nor of a calendar in shadow mode.
func (e *Engine) mailOnError(ctx context.Context, tx *store.Tx, l *store.Link, news mailNews) error {
	if !e.Mails() {
		return nil
	}
	p, found, err := tx.Person(ctx, l.Tenant, l.Person)
	if err != nil || !found || !p.MailOnError || p.Shadow || p.Email == "" || p.Kind == directory.KindResource {
		return err
	}
	m := store.Mail{Tenant: l.Tenant, Person: l.Person, Booking: l.Booking, Kind: news.kind, Detail: news.why}
	same, all, err := tx.MailsSince(ctx, m, e.now().Add(-mailWindow))
	if err != nil || same > 0 || all >= mailsAWindow {
		return err
	}
	return tx.AddMail(ctx, m)
}

// mailNews is what a mail is about, and why it happened in a sentence.
type mailNews struct{ kind, why string }
