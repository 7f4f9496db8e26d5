package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

// What holds for single mail domains concerns the persons of these alone.
func TestThePersonsOfOneMailDomainAreWokenAlone(t *testing.T) {
	t.Parallel()
	storetest.Open(t, func(t *testing.T, s *store.Store) {
		tx(t, s, func(ctx context.Context, tx *store.Tx) error {
			for i, email := range []string{"a@Subsidiary.example", "b@notsubsidiary.example", "c@deep.subsidiary.example", "d@example.com"} {
				p := person(fmt.Sprint("p", i))
				p.Email, p.SyncMode = email, "O365"
				if _, err := tx.PutPerson(ctx, p); err != nil {
					return err
				}
				mb, _, err := tx.Mailbox(ctx, tenant, p.ID)
				if err != nil {
					return err
				}
				mb.Way = "push"
				if err := tx.SaveMailbox(ctx, mb); err != nil {
					return err
				}
			}
			return nil
		})
		for domain, want := range map[string]int64{"": 4, "subsidiary.example": 1, "SUBSIDIARY.example": 1, "deep.subsidiary.example": 1, "elsewhere.example": 0} {
			tx(t, s, func(ctx context.Context, tx *store.Tx) error {
				n, err := tx.WakeMode(ctx, "O365", domain)
				if n != want {
					t.Errorf("%q: %d woken, want %d", domain, n, want)
				}
				return err
			})
		}
		people, err := s.Samples(t.Context(), store.ModeCount{Mode: "O365", URL: person("").SyncURL, Domain: "subsidiary.example"}, 10)
		if err != nil || len(people) != 1 || people[0].Email != "a@Subsidiary.example" {
			t.Errorf("samples: %+v, %v", people, err)
		}
	})
}
