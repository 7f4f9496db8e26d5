package syncer

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

func TestImportOfManyPersons(t *testing.T) {
	t.Parallel()
	person := func(id, email string) directory.Person {
		return directory.Person{Tenant: tenant, ID: id, Email: email, Kind: directory.KindPerson, ConflictBehaviour: directory.Rollback}
	}
	there := []directory.Person{person("a", "a@example.com"), person("b", "b@example.com"), person("c", "c@example.com")}
	for name, c := range map[string]struct {
		people  []directory.Person
		o       ImportOptions
		after   []string // ids with the names of their mailboxes
		removed []string
		applied bool
		tooMany bool
		refused int
	}{
		"one by one": {
			people: []directory.Person{person("d", "d@example.com"), person("x", "a@example.com")}, applied: true, refused: 1,
			after: []string{"a a@example.com", "b b@example.com", "c c@example.com", "d d@example.com"},
		},
		"all or nothing": {
			people: []directory.Person{person("d", "d@example.com"), person("x", "a@example.com")}, o: ImportOptions{AllOrNothing: true}, refused: 1,
			after: []string{"a a@example.com", "b b@example.com", "c c@example.com"},
		},
		"dry run": {
			people: []directory.Person{person("d", "d@example.com")}, o: ImportOptions{DryRun: true},
			after: []string{"a a@example.com", "b b@example.com", "c c@example.com"},
		},
		"removal frees an address": {
			people: []directory.Person{person("a", "a@example.com"), person("b", "c@example.com")}, o: ImportOptions{RemoveMissing: true},
			applied: true, removed: []string{"c"}, after: []string{"a a@example.com", "b c@example.com"},
		},
		"too many to remove": {
			people: []directory.Person{person("a", "a@example.com")}, o: ImportOptions{RemoveMissing: true},
			removed: []string{"b", "c"}, tooMany: true, after: []string{"a a@example.com", "b b@example.com", "c c@example.com"},
		},
		"forced": {
			people: []directory.Person{person("a", "a@example.com")}, o: ImportOptions{RemoveMissing: true, Force: true},
			removed: []string{"b", "c"}, applied: true, after: []string{"a a@example.com"},
		},
		"removal and a dry run": {
			people: there[:2], o: ImportOptions{RemoveMissing: true, DryRun: true}, removed: []string{"c"},
			after: []string{"a a@example.com", "b b@example.com", "c c@example.com"},
		},
		"nobody is removed for a refused one": {
			people: []directory.Person{there[0], there[1], person("x", "a@example.com")}, o: ImportOptions{RemoveMissing: true},
			removed: []string{"c"}, refused: 1, after: []string{"a a@example.com", "b b@example.com", "c c@example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, url string) {
				st, err := store.Open(t.Context(), store.Options{URL: url})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = st.Close() })
				e := New(Options{Store: st, Modes: oneMode{}, Limits: DefaultLimits()})
				ctx := t.Context()
				if _, err := e.ImportPersons(ctx, tenant, there, ImportOptions{}); err != nil {
					t.Fatal(err)
				}
				done := 0
				o := c.o
				o.Progress = func(n int) { done = n }
				got, err := e.ImportPersons(ctx, tenant, c.people, o)
				if err != nil {
					t.Fatal(err)
				}
				refused := 0
				for _, p := range got.Persons {
					if p.Err != nil {
						refused++
					}
				}
				if got.Applied != c.applied || got.TooMany != c.tooMany || refused != c.refused || !slices.Equal(got.Removed, c.removed) ||
					len(got.Persons) != len(c.people) || done != len(c.people) {
					t.Errorf("%+v, progress %d", got, done)
				}
				rows, err := st.Persons(ctx, tenant, store.PersonFilter{})
				if err != nil {
					t.Fatal(err)
				}
				var after []string
				for _, r := range rows {
					after = append(after, r.ID+" "+r.Email)
				}
				if !slices.Equal(after, c.after) {
					t.Errorf("afterwards there are %q, want %q", after, c.after)
				}
			})
		})
	}
}

// An old table is no word to move everybody back.
func TestAnImportDoesNotUndoAMove(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(2)
		w.ask("Other")
		w.pass("alice")
		w.moved(store.MoveDone)
		row, _, err := w.store.Person(w.Context(), tenant, "alice")
		if err != nil {
			w.Fatal(err)
		}
		imported := func(mode string, change func(*directory.Person)) ImportResult {
			w.Helper()
			p := row.Person
			p.SyncMode, p.SyncURL = mode, ""
			if change != nil {
				change(&p)
			}
			out, err := w.engine.ImportPersons(w.Context(), tenant, []directory.Person{p}, ImportOptions{})
			if err != nil || len(out.Persons) != 1 || out.Persons[0].Err != nil {
				w.Fatal(out, err)
			}
			return out.Persons[0]
		}
		if r := imported("Memory", nil); r.Changed || !strings.Contains(r.Kept, "person move --to Memory alice") {
			w.Errorf("the mode before the move: %+v", r)
		}
		w.mode("Other")
		if r := imported("memory", func(p *directory.Person) { p.DisplayName = "Alice A." }); !r.Changed || r.Kept == "" {
			w.Errorf("the mode before the move, and another name: %+v", r)
		}
		w.mode("Other")
		if r := imported("Other", nil); r.Kept != "" {
			w.Errorf("the mode of now: %+v", r)
		}
		if r := imported("Third", nil); !r.Changed || r.Kept != "" {
			w.Errorf("another mode altogether: %+v", r)
		}
	})
}
