package schedule

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// BenchmarkNotices marks mailboxes, a transaction per notice, while passes that do nothing deal with the marks.
func BenchmarkNotices(b *testing.B) {
	for _, wait := range []time.Duration{0, 2 * time.Second} {
		b.Run(fmt.Sprintf("coalesce=%v", wait), func(b *testing.B) {
			s, err := store.Open(b.Context(), store.Options{URL: "sqlite:" + b.TempDir() + "/bench.db"})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var passes atomic.Int64
			sched, err := New(b.Context(), Options{Store: s, Coalesce: wait, Work: func(context.Context, string, string) (Outcome, error) {
				passes.Add(1)
				return Outcome{Clean: true}, nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			const persons = 100
			err = s.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
				for i := range persons {
					_, err := tx.PutPerson(ctx, directory.Person{Tenant: tenant, ID: fmt.Sprint(i), Email: fmt.Sprintf("%d@example.com", i)})
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- sched.Run(ctx) }()
			n := 0
			for b.Loop() {
				n++
				err := s.Tx(b.Context(), func(ctx context.Context, tx *store.Tx) error {
					return tx.MarkDirty(ctx, tenant, fmt.Sprint(n%persons), time.Time{})
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(passes.Load())/b.Elapsed().Seconds(), "passes/s")
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}
