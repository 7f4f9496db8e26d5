package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// The links of a removed person are those of who has the id, or the mailbox, next. A reference is good where the mailbox is reached as it was.
func TestLinksOfARemovedPersonAreInherited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		heir directory.Person
		had  bool // the heir was there before, with another address
		gets bool // the links
		same bool // their references are good
	}{
		"the same":         {heir: directory.Person{ID: "ann", Email: "ann@x.example", SyncMode: "A", SyncURL: "u"}, gets: true, same: true},
		"another mode":     {heir: directory.Person{ID: "ann", Email: "ann@x.example", SyncMode: "B", SyncURL: "u"}, gets: true},
		"another URL":      {heir: directory.Person{ID: "ann", Email: "ann@x.example", SyncMode: "A"}, gets: true},
		"another address":  {heir: directory.Person{ID: "ann", Email: "bea@x.example", SyncMode: "A", SyncURL: "u"}, gets: true},
		"no address":       {heir: directory.Person{ID: "ann", SyncMode: "A", SyncURL: "u"}, gets: true},
		"another id":       {heir: directory.Person{ID: "bea", Email: "ANN@x.example", SyncMode: "A", SyncURL: "u"}, gets: true, same: true},
		"another id, mode": {heir: directory.Person{ID: "bea", Email: "ann@x.example", SyncMode: "B", SyncURL: "u"}, gets: true},
		"there before":     {heir: directory.Person{ID: "bea", Email: "ann@x.example", SyncMode: "A", SyncURL: "u"}, had: true, gets: true, same: true},
		"somebody else":    {heir: directory.Person{ID: "bea", Email: "bea@x.example", SyncMode: "A", SyncURL: "u"}},
		"somebody without": {heir: directory.Person{ID: "bea", SyncMode: "A", SyncURL: "u"}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Open(t, func(t *testing.T, s *store.Store) {
				put := func(p directory.Person) {
					t.Helper()
					p.Tenant, p.Kind = tenant, directory.KindPerson
					tx(t, s, func(ctx context.Context, tx *store.Tx) error { _, err := tx.PutPerson(ctx, p); return err })
				}
				before := directory.Person{ID: "ann", Email: "ann@x.example", SyncMode: "A", SyncURL: "elsewhere"}
				put(before)
				before.SyncURL = "u" // which is another epoch
				put(before)
				if c.had {
					put(directory.Person{ID: c.heir.ID, Email: "first@x.example", SyncMode: "A"})
				}
				epoch := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, "ann")).Epoch
				putLink(t, s,
					store.Link{Tenant: tenant, Key: "b.1", Booking: "b", Person: "ann", Epoch: epoch, State: store.LinkLive, Ref: "r1", Base: []byte("x")},
					store.Link{Tenant: tenant, Key: "c.1", Booking: "c", Person: "ann", Epoch: epoch - 1, State: store.LinkDeleting, Ref: "r2"},
					store.Link{Tenant: tenant, Key: "d.1", Booking: "d", Person: "ann", Epoch: epoch, State: store.LinkDead, Ref: "r3", Sent: []byte("s")},
				)
				tx(t, s, func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, tenant, "ann") })
				put(c.heir)
				mb := must[store.Mailbox](t)(s.Mailbox(t.Context(), tenant, c.heir.ID))
				if c.heir.ID == "ann" && mb.Epoch <= epoch {
					t.Errorf("epoch %d after %d", mb.Epoch, epoch)
				}
				orphans, err := s.Orphans(t.Context(), tenant, c.heir.ID, "", 0)
				if err != nil || !c.gets && len(orphans) > 0 || c.gets && !slices.Equal(keys(orphans), []string{"b.1", "c.1"}) {
					t.Errorf("orphans %v, %v", orphans, err)
				}
				for key, good := range map[string]bool{"b.1": c.same, "c.1": false, "d.1": c.same} {
					l := must[store.Link](t)(s.Link(t.Context(), tenant, key))
					if l.State != store.LinkDead || (l.Person == c.heir.ID) != c.gets || c.gets && (l.Epoch == mb.Epoch) != good {
						t.Errorf("mailbox at epoch %d, link %+v", mb.Epoch, l)
					}
					if of := l.OrphanOf; key != "d.1" && of != "ann" || key == "d.1" && of != "" {
						t.Errorf("link %+v", l)
					}
					if key == "d.1" && (l.Orphan != store.OrphanNot || len(l.Sent) == 0) {
						t.Errorf("what had ended before: %+v", l)
					}
				}
			})
		})
	}
}

// Of who had no item nothing is kept, and what was inherited once is not again.
func TestWhatIsInheritedIsInheritedOnce(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		put := func(id, email string) {
			t.Helper()
			p := directory.Person{Tenant: tenant, ID: id, Email: email, Kind: directory.KindPerson}
			tx(t, s, func(ctx context.Context, tx *store.Tx) error { _, err := tx.PutPerson(ctx, p); return err })
		}
		remove := func(ids ...string) {
			t.Helper()
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				var errs []error
				for _, id := range ids {
					errs = append(errs, tx.DeletePerson(ctx, tenant, id))
				}
				return errors.Join(errs...)
			})
		}
		of := func(id string, want int) {
			t.Helper()
			if got, err := s.Orphans(t.Context(), tenant, id, "", 0); err != nil || len(got) != want {
				t.Errorf("%s has %v, %v; want %d", id, got, err, want)
			}
		}
		put("ann", "ann@x.example")
		putLink(t, s, store.Link{Tenant: tenant, Key: "b.1", Booking: "b", Person: "ann", State: store.LinkLive, Ref: "r1"})
		remove("ann")
		put("bea", "ann@x.example")
		of("bea", 1)
		put("ann", "ann@y.example")
		of("ann", 0)
		remove("ann", "bea")
		put("cleo", "ann@x.example")
		of("cleo", 1)
		put("dora", "ann@y.example")
		of("dora", 0)
	})
}
