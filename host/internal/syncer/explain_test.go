package syncer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func (w *world) explain(id string) Explanation {
	w.Helper()
	x, err := w.engine.Explain(w.Context(), tenant, id)
	if err != nil {
		w.Fatal(err)
	}
	return x
}

// group returns "equal" or the differing fields, and who changed it.
func group(l ExplainedLink, name string) string {
	for _, g := range l.Groups {
		if g.Name == name {
			if g.Equal {
				return "equal, by " + g.ChangedBy
			}
			return strings.Join(g.Fields, "+") + ", by " + g.ChangedBy
		}
	}
	return "none"
}

func TestExplainBothSides(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		x := w.explain("b1")
		if x.Version != 1 || x.Status != "confirmed" || x.Organizer != "alice" || x.Unlinked != "" || len(x.Links) != 1 {
			w.Fatalf("%+v", x)
		}
		l := x.Links[0]
		if l.State != "live" || l.Key != "b1.1" || l.Item == nil || l.Base == nil || l.Intent != nil || l.ItemProblem != "" || l.NoItem || l.Holds != nil {
			w.Errorf("%+v", l)
		}
		if !reflect.DeepEqual(x.Fields, l.Item.Fields) || !reflect.DeepEqual(x.Fields, *l.Base) || x.Fields.Title != "Planning" {
			w.Errorf("booking %+v\nbase %+v\nitem %+v", x.Fields, l.Base, l.Item.Fields)
		}
		if d := l.Decision; d == nil || !strings.HasPrefix(d.Says, "nothing is to be done") {
			w.Errorf("%+v", d)
		}
		for _, g := range l.Groups {
			if !g.Equal || g.ChangedBy != "nobody" {
				w.Errorf("%+v", g)
			}
		}
		if len(x.Activities) == 0 || x.Activities[0].What != "item created" {
			w.Errorf("%+v", x.Activities)
		}

		// Both sides change, and nobody has looked yet.
		w.server.edit(alice, w.only(alice).Ref, func(ev *calendar.Event) { ev.Subject, ev.Busy = "Planning II", calendar.Free })
		w.book("b1", func(b *booking.Booking) { b.Location, b.Busy = "Attic", booking.Tentative })
		before := w.dump()
		l = w.explain("b1").Links[0]
		if w.dump() != before {
			w.Error("explaining changed something")
		}
		for name, want := range map[string]string{
			"title": "subject, by calendar", "place": "location, by booking", "flags": "busy, by both", "time": "equal, by nobody",
			"people": "equal, by nobody", "notes": "equal, by nobody",
		} {
			if got := group(l, name); got != want {
				w.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		d := l.Decision
		if fmt.Sprint(d.ItemFields, d.BookingFields) != "[location busy] [subject]" || d.Refused != "" {
			w.Errorf("%+v", d)
		}
		if len(d.Lost) != 1 || d.Lost[0].Side != "calendar" || fmt.Sprint(d.Lost[0].Fields) != "[busy]" {
			w.Errorf("lost %+v", d.Lost)
		}
		if l.Intent == nil || l.Intent.Cause != "booking changed" || l.Intent.Op != "sync" || l.Intent.Mail != "all" {
			w.Errorf("intent %+v", l.Intent)
		}

		// What was foretold happens.
		w.pass("alice")
		x = w.explain("b1")
		if x.Fields.Title != "Planning II" || x.Links[0].Item.Fields.Busy != "tentative" || len(x.Differences) != 1 {
			w.Errorf("afterwards %+v", x)
		}
	})
}

// dump is all that Explain might have changed.
func (w *world) dump() string {
	w.Helper()
	var all []any
	add := func(v any, err error) {
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, v)
	}
	add(w.store.LinksOfBooking(w.Context(), tenant, "b1"))
	add(w.store.Intents(w.Context(), tenant, "alice", w.now().Add(1000*time.Hour), 0))
	add(w.store.Differences(w.Context(), tenant, store.DifferenceFilter{IncludeClosed: true}))
	add(w.store.Activities(w.Context(), tenant, "", "", 0))
	add(w.store.Changes(w.Context(), tenant, 0, 0))
	all = append(all, w.mailbox("alice"), w.booking("b1"), w.state("alice"), w.server.items(alice), w.server.writes)
	data, err := json.Marshal(all)
	if err != nil {
		w.Fatal(err)
	}
	return string(data)
}

func TestExplainWhatTheRulesRefuse(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.book("b2", at(14))
		w.pass("alice")
		var ref calendar.Ref
		for _, it := range w.server.items(alice) {
			if it.Key == "b1.1" {
				ref = it.Ref
			}
		}
		w.server.edit(alice, ref, func(ev *calendar.Event) {
			ev.Start, ev.End = ev.Start.Add(5*time.Hour), ev.End.Add(5*time.Hour)
		})
		d := w.explain("b1").Links[0].Decision
		if !strings.Contains(d.Refused, "b2") || !strings.Contains(d.Says, "reset") || fmt.Sprint(d.BookingFields) != "[time]" {
			w.Errorf("%+v", d)
		}
		if b := w.booking("b1"); b.Version != 1 {
			w.Error("explaining changed the booking")
		}
	})
}

func TestExplainOneSideMissing(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		l := w.explain("b1").Links[0]
		if l.State != "pending" || !l.NoItem || l.Intent == nil || !l.Decision.CreateItem || l.Groups != nil {
			w.Errorf("before the first pass: %+v", l)
		}
		w.pass("alice")
		w.server.remove(alice, w.only(alice).Ref)
		if l := w.explain("b1").Links[0]; !l.NoItem || !l.Decision.CancelBooking {
			w.Errorf("deleted in the calendar: %+v", l)
		}
		w.pass("alice")
		x := w.explain("b1")
		if x.Status != "cancelled" || x.Unlinked != "the booking is cancelled" || x.Links[0].State != "dead" || x.Links[0].Decision != nil {
			w.Errorf("afterwards: %+v", x)
		}
		w.book("b3", func(b *booking.Booking) { b.Start, b.End = b.Start.AddDate(0, 0, 1), b.End.AddDate(0, 0, 1) })
		w.pass("alice")
		if _, err := w.engine.Cancel(w.Context(), tenant, "b3", booking.Match{}); err != nil {
			w.Fatal(err)
		}
		if l := w.explain("b3").Links[0]; l.State != "deleting" || l.Item == nil || !l.Decision.DeleteItem {
			w.Errorf("cancelled over REST: %+v", l)
		}
	})
}

func TestExplainAnItemThatCannotBeRead(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.server.before = func(string) error { return fmt.Errorf("the database is not mounted: %w", fault.Unavailable) }
		l := w.explain("b1").Links[0]
		if l.ItemProblem != "the database is not mounted" || l.NoItem || l.Decision != nil || l.Base == nil {
			w.Errorf("%+v", l)
		}
		// Where another try may lock the account out, none is made.
		w.server.before = func(string) error { return fmt.Errorf("wrong password: %w", fault.Unauthorized) }
		if _, err := w.engine.Pass(w.Context(), tenant, "alice"); err != nil {
			w.Fatal(err)
		}
		calls := fmt.Sprint(w.server.calls)
		l = w.explain("b1").Links[0]
		if !strings.Contains(l.ItemProblem, "is left alone until") || !strings.Contains(l.ItemProblem, "wrong password") || len(l.Holds) != 1 {
			w.Errorf("%+v", l)
		}
		if fmt.Sprint(w.server.calls) != calls {
			w.Error("the server was called")
		}
	})
}

func TestExplainWhatIsLeftAlone(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		it := w.only(alice)
		it.Kind, it.Event.Recurrence = calendar.Master, "FREQ=HOURLY"
		w.server.add(alice, it)
		l := w.explain("b1").Links[0]
		if l.Item.Kind != "master" || l.Decision != nil || fmt.Sprint(l.Holds) != "[series left alone]" {
			w.Errorf("%+v", l)
		}
	})
}

func TestExplainWhyThereIsNoLink(t *testing.T) {
	each(t, func(w *world) {
		w.person(directory.Person{ID: "dora", Email: "dora@example.com", SyncDisabled: true})
		w.book("off", by("dora"))
		w.book("unwanted", at(11), func(b *booking.Booking) { b.SyncOff = true })
		for id, want := range map[string]string{
			"off": "the organizer's sync is switched off", "unwanted": "whoever made the booking does not want it in a calendar",
		} {
			if x := w.explain(id); x.Unlinked != want || len(x.Links) != 0 {
				w.Errorf("%s: %+v", id, x)
			}
		}
		if _, err := w.engine.Explain(w.Context(), tenant, "nothing"); !errors.Is(err, booking.ErrNotFound) {
			w.Errorf("no such booking: %v", err)
		}
		if _, err := w.engine.Explain(w.Context(), "Other", "off"); !errors.Is(err, booking.ErrNotFound) {
			w.Errorf("another tenant's: %v", err)
		}
	})
}

func TestExplainedGroupsCoverAllFields(t *testing.T) {
	t.Parallel()
	var all calendar.Fields
	for _, g := range explainedGroups {
		if all.Any(g.fields) {
			t.Errorf("%s overlaps with another group", g.name)
		}
		all |= g.fields
	}
	if all != calendar.AllFields {
		t.Errorf("%s is in no group", calendar.AllFields&^all)
	}
}
