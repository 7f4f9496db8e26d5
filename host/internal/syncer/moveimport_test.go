package syncer

import (
	"context"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
	"github.com/roomwire/roomwire/sdk/fault"
)

// threeModes are twoModes and one more, which is like the second.
type threeModes struct{ *twoModes }

func (m threeModes) Mode(ctx context.Context, name, email string) (Mode, error) {
	if name != "Third" {
		return m.twoModes.Mode(ctx, name, email)
	}
	mode, err := m.twoModes.Mode(ctx, "Other", email)
	mode.Name = name
	return mode, err
}

// relocated has alice moved to a mode.
func (w *world) relocated(mode string) {
	w.Helper()
	w.ask(mode)
	w.pass("alice")
	w.moved(store.MoveDone)
	w.mode(mode)
}

// tabled imports alice as a table has her.
func (w *world) tabled(mode, address string) ImportResult {
	w.Helper()
	p := directory.Person{Tenant: tenant, ID: "alice", Email: address, DisplayName: "Alice", SyncMode: mode, Kind: directory.KindPerson}
	out, err := w.engine.ImportPersons(w.Context(), tenant, []directory.Person{p}, ImportOptions{})
	if err != nil || len(out.Persons) != 1 || out.Persons[0].Err != nil {
		w.Fatal(out, err)
	}
	return out.Persons[0]
}

// What is asked for or offered after a move, and comes to nothing, does not make an old table a word to move back.
func TestWhatComesToNothingAfterAMoveDoesNotUndoItAtTheNextImport(t *testing.T) {
	for name, after := range map[string]func(w *world, m *twoModes){
		"dry run": func(w *world, _ *twoModes) { w.ask("Memory", dry); w.pass("alice"); w.moved(store.MoveDone) },
		"cancelled": func(w *world, _ *twoModes) {
			w.ask("Memory")
			if err := w.engine.CancelMove(w.Context(), tenant, "alice"); err != nil {
				w.Fatal(err)
			}
		},
		"not made": func(w *world, m *twoModes) {
			m.memory.fail = fault.Forbidden
			w.ask("Memory")
			w.pass("alice")
			w.moved(store.MoveAttention)
		},
		"offered": func(w *world, m *twoModes) {
			m.other.fail = fault.MailboxMoved
			w.later(26 * time.Hour)
			w.pass("alice")
			w.moved(store.MoveOffered)
		},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(2)
				w.relocated("Other")
				after(w, m)
				if r := w.tabled("Memory", alice); r.Changed || r.Kept == "" {
					w.Errorf("the import after it: %+v", r)
				}
				w.mode("Other")
			})
		})
	}
}

// Somebody who was moved, and moved on a year later, is not moved to where it all began by a table that still says so, nor to a place in between.
func TestAnImportDoesNotUndoSeveralMoves(t *testing.T) {
	for name, tc := range map[string]struct{ moves, stale []string }{
		"on":             {[]string{"Other", "Third"}, []string{"Memory", "Other"}},
		"there and back": {[]string{"Other", "Memory"}, []string{"Other"}},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.booked(2)
				w.engine.Modes = threeModes{m}
				for _, to := range tc.moves {
					w.relocated(to)
				}
				last := tc.moves[len(tc.moves)-1]
				for _, mode := range tc.stale {
					if r := w.tabled(mode, alice); r.Changed || r.Kept == "" {
						w.Errorf("a table with %s: %+v", mode, r)
					}
					w.mode(last)
				}
				if r := w.tabled(last, alice); r.Changed || r.Kept != "" {
					w.Errorf("a table that is up to date: %+v", r)
				}
			})
		})
	}
}

// Somebody who was moved gets another mail address in a table that still has the mode from before: the address is taken, and she stays where
// she was moved to.
func TestAnImportOfAnotherAddressDoesNotUndoAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(2)
		w.relocated("Other")
		const married = "alice.married@example.com"
		for i, changed := range []bool{true, false} {
			if r := w.tabled("Memory", married); r.Changed != changed || r.Kept == "" {
				w.Errorf("import %d: %+v", i, r)
			}
			w.mode("Other")
		}
		if p, _, err := w.store.Person(w.Context(), tenant, "alice"); err != nil || p.Email != married {
			w.Errorf("alice is %+v, %v", p, err)
		}
	})
}

// Whoever gives a person another mode otherwise than by a move means it: the table counts again. So it does for somebody who was removed.
func TestATableCountsAgainOnceTheModeIsSetOtherwise(t *testing.T) {
	for name, otherwise := range map[string]func(w *world){
		"set": func(w *world) { w.switched("Third") },
		"by the table": func(w *world) {
			if r := w.tabled("Third", alice); r.Kept != "" {
				w.Errorf("another mode altogether: %+v", r)
			}
		},
		"removed": func(w *world) {
			if err := w.engine.DeletePerson(w.Context(), tenant, "alice"); err != nil {
				w.Fatal(err)
			}
			w.switched("Other")
		},
	} {
		t.Run(name, func(t *testing.T) {
			movers(t, func(w *world, m *twoModes) {
				w.engine.Modes = threeModes{m}
				w.relocated("Other")
				otherwise(w)
				if r := w.tabled("Memory", alice); !r.Changed || r.Kept != "" {
					w.Errorf("the mode from before: %+v", r)
				}
				w.mode("Memory")
			})
		})
	}
	t.Run("only the name is", func(t *testing.T) {
		movers(t, func(w *world, _ *twoModes) {
			w.relocated("Other")
			p, _, err := w.store.Person(w.Context(), tenant, "alice")
			if err != nil {
				w.Fatal(err)
			}
			p.DisplayName = "Alice A."
			if _, err := w.engine.PutPerson(w.Context(), p.Person); err != nil {
				w.Fatal(err)
			}
			if r := w.tabled("Memory", alice); r.Kept == "" {
				w.Errorf("the mode from before: %+v", r)
			}
			w.mode("Other")
		})
	})
}

// Moves that were made before it was remembered of persons where they came from count, too; what else is recorded of moves then does not.
func TestMovesFromBeforeTheyWereRememberedCount(t *testing.T) {
	t.Parallel()
	storetest.EachBare(t, func(t *testing.T, url string) {
		db := databaseAt(t, url, 14)
		move := func(id, from, to, state, dry string) string {
			return `INSERT INTO move (tenant, person, from_mode, to_mode, to_url, dry_run, lenient, state, reason, remedy, report, tries, next_at, requested, started, finished)
				VALUES ('Default', '` + id + `', '` + from + `', '` + to + `', '', ` + dry + `, FALSE, '` + state + `', '', '', NULL, 0, 0, 1795248000000, 0, 0)`
		}
		for _, statement := range []string{
			person("alice", "person"), move("alice", "Former", "Memory", "done", "FALSE"), // all of them have the mode Memory
			person("bob", "person"), move("bob", "Former", "Memory", "done", "TRUE"),
			person("carol", "person"), move("carol", "Former", "Elsewhere", "done", "FALSE"),
			person("room-a", "resource"), move("room-a", "Former", "Memory", "attention", "FALSE"),
		} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%v\n%s", err, statement)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, url: url, server: newMemory(), time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
		w.start()
		t.Cleanup(func() { _ = w.store.Close() })
		for id, want := range map[string]int{"alice": 1, "bob": 0, "carol": 0, "room-a": 0} {
			if got, err := w.store.MovedFrom(t.Context(), tenant, id); err != nil || len(got) != want || want > 0 && got[0] != "Former" {
				t.Errorf("%s was moved away from %q, %v", id, got, err)
			}
		}
		if r := w.tabled("Former", alice); r.Kept == "" {
			t.Errorf("a table from before the move: %+v", r)
		}
	})
}
