package syncer

import (
	"context"
	"fmt"
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestNobodyIsMailedTooOftenOrAgainstTheirWish(t *testing.T) {
	each(t, func(w *world) {
		w.person(directory.Person{ID: "dora", Email: "dora@example.com", MailOnError: true})
		queued := 0
		tell := func(person, booking string, kind string) (added int) {
			if err := w.store.Tx(w.Context(), func(ctx context.Context, tx *store.Tx) error {
				l := store.Link{Tenant: tenant, Person: person, Booking: booking}
				return w.engine.mailOnError(ctx, tx, &l, mailNews{kind, "because"})
			}); err != nil {
				w.Fatal(err)
			}
			due, err := w.store.DueMails(w.Context(), w.now(), 100)
			if err != nil {
				w.Fatal(err)
			}
			added, queued = len(due)-queued, len(due)
			return added
		}
		if tell("dora", "b1", MailSyncDisabled) != 0 {
			w.Error("queued though mails are not set up")
		}
		w.engine.Mails = func() bool { return true }
		for _, tc := range []struct {
			person, booking, kind string
			want                  int
		}{
			{"alice", "b1", MailSyncDisabled, 0}, // does not want any
			{"nobody", "b1", MailSyncDisabled, 0},
			{"dora", "b1", MailSyncDisabled, 1},
			{"dora", "b1", MailSyncDisabled, 0},
			{"dora", "b1", MailChangeRefused, 1},
			{"dora", "b2", MailSyncDisabled, 1},
		} {
			if got := tell(tc.person, tc.booking, tc.kind); got != tc.want {
				w.Errorf("%+v: %d queued", tc, got)
			}
		}
		for i := range mailsAWindow {
			tell("dora", fmt.Sprintf("other%d", i), MailSyncDisabled)
		}
		if queued != mailsAWindow {
			w.Errorf("%d mails in a day, want %d", queued, mailsAWindow)
		}
		w.later(mailWindow)
		if tell("dora", "b1", MailSyncDisabled) != 1 {
			w.Error("not told on the next day")
		}
	})
}
