package store_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func putLink(t *testing.T, s *store.Store, list ...store.Link) {
	t.Helper()
	tx(t, s, func(ctx context.Context, tx *store.Tx) error {
		for _, l := range list {
			if err := tx.PutLink(ctx, l); err != nil {
				return err
			}
		}
		return nil
	})
}

func keys(list []store.Link) []string {
	var keys []string
	for _, l := range list {
		keys = append(keys, l.Key)
	}
	return keys
}

func TestALinkComesBackAsItWas(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		l := store.Link{
			Tenant: tenant, Key: "k", Booking: "b", Person: "alice", Epoch: 2, State: store.LinkLive, Ref: "AAMk+/=aA",
			Revision: "ck", Base: []byte(`{"v":1}`), Sent: []byte("s"), Tries: 3, SeenRound: 4, GoneAt: morning,
			Problem: "p", Created: morning,
		}
		putLink(t, s, l)
		if got := must[store.Link](t)(s.Link(t.Context(), tenant, "k")); !reflect.DeepEqual(got, l) {
			t.Errorf("link = %+v, want %+v", got, l)
		}
		l.Base, l.Sent, l.GoneAt, l.Ref = nil, nil, time.Time{}, "AAMk+/=aB"
		putLink(t, s, l)
		if got := must[store.Link](t)(s.LinkByRef(t.Context(), tenant, "alice", "AAMk+/=aB")); !reflect.DeepEqual(got, l) {
			t.Errorf("link = %+v, want %+v", got, l)
		}
		for _, ref := range []calendar.Ref{"AAMk+/=aA", "AAMk+/=AB", ""} { // references differ by case
			if _, ok, err := s.LinkByRef(t.Context(), tenant, "alice", ref); ok || err != nil {
				t.Errorf("LinkByRef(%q) = %v, %v; want none", ref, ok, err)
			}
		}
		l.State, l.Orphan, l.OrphanOf = store.LinkDead, store.OrphanSilent, "ann"
		putLink(t, s, l)
		if got := must[store.Link](t)(s.Link(t.Context(), tenant, "k")); !reflect.DeepEqual(got, l) {
			t.Errorf("link = %+v, want %+v", got, l)
		}
		if _, ok, err := s.LinkByRef(t.Context(), tenant, "alice", l.Ref); ok || err != nil {
			t.Errorf("a dead link was found by its item: %v, %v", ok, err)
		}
		if list, err := s.LinksOfBooking(t.Context(), tenant, "b"); err != nil || len(list) != 1 {
			t.Errorf("links of the booking = %v, %v", list, err)
		}
	})
}

func TestLinksAreFoundByWhatIsOpenAboutThem(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		addPerson(t, s, "alice", "bob") // their mailboxes are at epoch 1
		link := func(key string, change func(*store.Link)) store.Link {
			l := store.Link{Tenant: tenant, Key: key, Booking: "b-" + key, Person: "alice", Epoch: 1, State: store.LinkLive, SeenRound: 2}
			change(&l)
			return l
		}
		putLink(t, s,
			link("seen", func(l *store.Link) { l.SeenRound = 3 }),
			link("unseen", func(*store.Link) {}),
			link("elsewhere", func(l *store.Link) { l.Epoch = 0 }),
			link("pending", func(l *store.Link) { l.State = store.LinkPending }),
			link("bobs", func(l *store.Link) { l.Person = "bob" }),
			link("gone", func(l *store.Link) { l.GoneAt, l.SeenRound = morning, 3 }),
			link("gone-dead", func(l *store.Link) { l.GoneAt, l.State = morning, store.LinkDead }),
			link("expected", func(l *store.Link) { l.State = store.LinkExpected }),
			link("expected-later", func(l *store.Link) { l.State = store.LinkExpected }),
		)
		soon, later := meeting("b-expected", 1, 1), meeting("b-expected-later", 1, 1)
		soon.ExpectedUntil, later.ExpectedUntil = morning, morning.Add(time.Hour)
		putBooking(t, s, soon, later)

		ctx := t.Context()
		expect := func(what string, list []store.Link, err error, want ...string) {
			t.Helper()
			if got := keys(list); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s = %q, %v; want %q", what, got, err, want)
			}
		}
		list, err := s.LinksUnseen(ctx, tenant, "alice", 3)
		expect("LinksUnseen", list, err, "unseen")
		list, err = s.GoneLinks(ctx, tenant, "alice")
		expect("GoneLinks", list, err, "gone")
		list, err = s.LinksOfPerson(ctx, tenant, "alice", "gone", 2)
		expect("LinksOfPerson", list, err, "pending", "seen")
	})
}

// TestIntentsFold folds at random, against a model of three lines.
func TestIntentsFold(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		ops := []store.Op{store.OpSync, store.OpReset, store.OpDelete}                                   // by rank
		mails := []calendar.Mail{calendar.MailNobody, calendar.MailConcerned, calendar.MailAll}          // by width
		moments := []time.Time{{}, morning, morning.Add(time.Minute), morning.Add(24 * 365 * time.Hour)} // by order
		n := 0
		rapid.Check(t, func(r *rapid.T) {
			n++
			key := "k" + time.Duration(n).String()
			op, mail, at := 0, 0, len(moments)-1
			folds := rapid.IntRange(1, 5).Draw(r, "folds")
			for i := range folds {
				o, m, a := rapid.IntRange(0, 2).Draw(r, "op"), rapid.IntRange(0, 2).Draw(r, "mail"), rapid.IntRange(0, 3).Draw(r, "at")
				op, mail, at = max(op, o), max(mail, m), min(at, a)
				err := s.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					err := tx.PutIntent(ctx, store.Intent{
						Tenant: tenant, Key: key, Person: "alice", Booking: "b", Op: ops[o], Mail: mails[m], NotBefore: moments[a],
						Cause: time.Duration(i).String(), Created: morning.Add(time.Duration(i) * time.Hour),
					})
					return errors.Join(err, tx.DeferIntent(ctx, tenant, "other"+key, morning, 1))
				})
				if err != nil {
					r.Fatal(err)
				}
			}
			got, ok, err := s.Intent(t.Context(), tenant, key)
			want := store.Intent{
				Tenant: tenant, Key: key, Person: "alice", Booking: "b", Op: ops[op], Mail: mails[mail], NotBefore: moments[at],
				Cause: time.Duration(folds - 1).String(), Wanted: int64(folds), Created: morning,
			}
			if err != nil || !ok || got != want {
				r.Fatalf("intent = %+v, %v, %v\nwant %+v", got, ok, err, want)
			}
		})
	})
}

func TestARevisedIntentIsNarrowerAndStillTheSame(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		intent := store.Intent{
			Tenant: tenant, Key: "k", Person: "alice", Booking: "b", Op: store.OpReset, Mail: calendar.MailAll, Created: morning,
		}
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return errors.Join(tx.PutIntent(ctx, intent), tx.PutIntent(ctx, intent),
				tx.ReviseIntent(ctx, tenant, "k", store.OpSync, calendar.MailConcerned),
				tx.ReviseIntent(ctx, tenant, "none", store.OpSync, calendar.MailAll))
		})
		want := intent
		want.Op, want.Mail, want.Wanted = store.OpSync, calendar.MailConcerned, 2
		if got, ok, err := s.Intent(t.Context(), tenant, "k"); err != nil || !ok || got != want {
			t.Errorf("intent = %+v, %v, %v\nwant %+v", got, ok, err, want)
		}
	})
}

func TestAnIntentFoldedMeanwhileIsNotFinished(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		intent := store.Intent{Tenant: tenant, Key: "k", Person: "alice", Booking: "b", Op: store.OpSync, Created: morning}
		put := func() {
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.PutIntent(ctx, intent) })
		}
		finish := func(wanted int64, want bool) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				done, err := tx.FinishIntent(ctx, tenant, "k", wanted)
				if done != want {
					t.Errorf("FinishIntent(%d) = %v, want %v", wanted, done, want)
				}
				return err
			})
		}
		put()
		put()
		finish(1, false)
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			return tx.DeferIntent(ctx, tenant, "k", morning.Add(time.Minute), 3)
		})
		if list, err := s.Intents(t.Context(), tenant, "alice", morning, 10); err != nil || len(list) != 0 {
			t.Errorf("Intents before the time = %+v, %v", list, err)
		}
		if at, ok, err := s.NextIntent(t.Context(), tenant, "alice"); err != nil || !ok || !at.Equal(morning.Add(time.Minute)) {
			t.Errorf("NextIntent = %v, %v, %v", at, ok, err)
		}
		list, err := s.Intents(t.Context(), tenant, "alice", morning.Add(time.Minute), 10)
		if err != nil || len(list) != 1 || list[0].Failures != 3 || list[0].Wanted != 2 {
			t.Errorf("Intents = %+v, %v", list, err)
		}
		finish(2, true)
		finish(2, false)
		if _, ok, err := s.NextIntent(t.Context(), tenant, "alice"); ok || err != nil {
			t.Errorf("NextIntent after the end: %v, %v", ok, err)
		}
	})
}
