package graph

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A replica is what a host knows of a calendar by the pages that it was told.
type replica struct {
	w       *world
	items   map[calendar.Ref]calendar.Item
	at      backend.Cursor
	round   bool // a full read is under way
	spoken  map[calendar.Ref]bool
	enough  error
	backend *Backend
}

// pull reads up to so many pages, as the host does: each is taken over with its cursor.
func (r *replica) pull(t *rapid.T, pages int) {
	if r.at == "" {
		r.round, r.spoken = true, map[calendar.Ref]bool{}
	}
	err := r.backend.Pull(r.w.line.t.Context(), backend.PullRequest{Mailbox: r.w.alice, Since: r.at}, func(p backend.Page) error {
		for _, ch := range p.Changes {
			r.spoken[ch.Ref] = true
			switch {
			case ch.Deleted:
				delete(r.items, ch.Ref)
			case ch.Item != nil:
				r.items[ch.Ref] = *ch.Item
			}
		}
		if r.at = p.Next; p.Last && r.round {
			r.round = false
			maps.DeleteFunc(r.items, func(ref calendar.Ref, _ calendar.Item) bool { return !r.spoken[ref] })
		}
		if pages--; pages == 0 && !p.Last {
			return r.enough
		}
		return nil
	})
	switch {
	case errors.Is(err, r.enough):
		r.backend = r.w.open(r.w.line.t, Settings{}) // and goes on in another process
	case fault.Of(err) == fault.StateExpired:
		r.at = ""
	case err != nil:
		t.Fatal(err)
	}
}

// TestPullsConverge: whatever people do, wherever pulls are cut off, and whatever tokens expire, what is told in the end is what
// is in the calendar.
func TestPullsConverge(t *testing.T) {
	t.Parallel()
	const usually = 30 // each starts a server; -rapid.checks makes more of them
	runs, few := 0, flag.Lookup("rapid.checks").Value.String() == flag.Lookup("rapid.checks").DefValue
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; few && runs > usually {
			return
		}
		w := newWorld(t)
		w.sim.SetGraphQuirks(exchangesim.GraphQuirks{
			Replay: rapid.IntRange(0, 4).Draw(rt, "replay"), DeletedEventsFound: rapid.Bool().Draw(rt, "deleted found"),
			MinimalMasters: rapid.Bool().Draw(rt, "minimal masters"), InOrder: rapid.Bool().Draw(rt, "in order"),
		})
		o := w.sim.Outlook("alice@example.com")
		r := &replica{w: w, items: map[calendar.Ref]calendar.Item{}, enough: errors.New("enough"), backend: w.Backend}
		made := 0
		some := func(list []exchangesim.Appointment) (string, bool) {
			if len(list) == 0 {
				return "", false
			}
			return list[rapid.IntRange(0, len(list)-1).Draw(rt, "which")].ID, true
		}
		actions := map[string]func(){
			"booking": func() {
				made++
				e := desk()
				e.Start = e.Start.AddDate(0, 0, rapid.SampledFrom([]int{0, 1, 100, 5000}).Draw(rt, "day"))
				e.End = e.Start.Add(time.Hour)
				if rapid.IntRange(0, 4).Draw(rt, "series") == 0 {
					e.Recurrence, e.Zone = "FREQ=DAILY;COUNT=3", ""
				}
				if _, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: fmt.Sprint("bk-", made), Event: e}); err != nil {
					rt.Fatal(err)
				}
			},
			"own": func() {
				made++
				start := soon(made%50, "10:00")
				if _, err := o.Create(exchangesim.Appointment{Subject: "own", Start: start, End: start.Add(time.Hour)}); err != nil {
					rt.Fatal(err)
				}
			},
			"edit": func() {
				if id, ok := some(o.Items()); ok {
					made++
					_ = o.Update(id, func(a *exchangesim.Appointment) { a.Subject = fmt.Sprint("edited ", made) })
				}
			},
			"move": func() {
				if id, ok := some(o.Items()); ok {
					days := rapid.SampledFrom([]int{-3000, -1, 1, 3000}).Draw(rt, "by")
					_ = o.Update(id, func(a *exchangesim.Appointment) {
						if a.Recurrence == nil {
							a.Start, a.End = a.Start.AddDate(0, 0, days), a.End.AddDate(0, 0, days)
						}
					})
				}
			},
			"trash": func() {
				if id, ok := some(o.Items()); ok {
					_ = o.Delete(id)
				}
			},
			"destroy": func() {
				if id, ok := some(o.Items()); ok {
					_ = o.HardDelete(id)
				}
			},
			"restore": func() {
				if id, ok := some(o.Deleted()); ok {
					_, _ = o.Restore(id)
				}
			},
			"expire": func() {
				_ = w.sim.ExpireDelta("alice@example.com", rapid.SampledFrom([]string{"gone", "notfound", "invalid"}).Draw(rt, "how"))
			},
			"pull":     func() { r.pull(rt, 1000) },
			"cut off":  func() { r.pull(rt, rapid.IntRange(1, 3).Draw(rt, "pages")) },
			"read all": func() { r.at = "" },
		}
		names := slices.Sorted(maps.Keys(actions))
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			actions[rapid.SampledFrom(names).Draw(rt, "do")]()
		}
		for range 3 { // an expired cursor takes one to be noticed
			r.pull(rt, 1000)
		}
		r.compare(rt, false)
		r.at = ""
		r.pull(rt, 1000)
		r.compare(rt, true)
	})
}

// compare checks the replica against what is in the calendar: what lies in the window, or everything.
func (r *replica) compare(t *rapid.T, everything bool) {
	from, to := r.backend.window()
	got := map[calendar.Ref]string{}
	for ref, item := range r.items {
		got[ref] = item.Event.Subject + item.Event.Start.String()
	}
	there := map[calendar.Ref]bool{}
	for _, a := range r.w.sim.Outlook("alice@example.com").Items() {
		key := false
		for _, v := range a.Properties {
			key = key || len(v) > 3 && v[:3] == "bk-"
		}
		ids, err := r.w.sim.GraphIDs("alice@example.com", a.ID)
		if err != nil {
			t.Fatal(err)
		}
		ref := calendar.Ref(ids.Immutable)
		there[ref] = true
		inside := a.Start.Before(to) && a.End.After(from)
		if key && (inside || everything) && got[ref] != a.Subject+a.Start.UTC().String() {
			t.Errorf("%q at %s is known as %q", a.Subject, a.Start.UTC(), got[ref])
		}
	}
	for ref, item := range r.items {
		inside := item.Event.Start.Before(to) && item.Event.End.After(from)
		if !there[ref] && (inside || everything) {
			t.Errorf("%q is known and not there", got[ref])
		}
	}
}
