package syncer

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func (w *world) shadow(on bool) {
	w.Helper()
	if err := w.engine.SetShadow(w.Context(), tenant, "alice", on); err != nil {
		w.Fatal(err)
	}
}

// report is what the sync of alice would do.
func (w *world) report() ShadowReport {
	w.Helper()
	row, found, err := w.store.ShadowReport(w.Context(), tenant, "alice")
	if err != nil || !found {
		w.Fatalf("report: %v, %v", found, err)
	}
	r, err := ParseShadowReport(row.Data)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (r ShadowReport) of(booking string) ShadowEntry {
	for _, x := range r.Entries {
		if x.Booking == booking {
			return x
		}
	}
	return ShadowEntry{}
}

// oldSync makes the item that another sync made for a booking: with the booking's id on it, or without any marker.
func (w *world) oldSync(b *booking.Booking, marked bool, change ...func(*calendar.Event)) calendar.Ref {
	w.Helper()
	ev := calendar.Event{UID: "uid-" + b.ID, Subject: b.Title, Start: b.Start, End: b.End, Zone: b.Zone, Busy: calendar.Occupied, Body: "made by the old sync"}
	f, err := fieldsOfBooking(w.Context(), w.store, b)
	if err != nil {
		w.Fatal(err)
	}
	if ev, err = eventOf(w.Context(), w.store, b, &f, nil, true); err != nil {
		w.Fatal(err)
	}
	for _, c := range change {
		c(&ev)
	}
	it := calendar.Item{Event: ev}
	if marked {
		it.ForeignKey = b.ID
	}
	return w.server.add(alice, it)
}

func TestShadowModePlansAndWritesNothing(t *testing.T) {
	each(t, func(w *world) {
		w.shadow(true)
		marked, bare := w.book("marked"), w.book("bare", at(11))
		w.book("missing", at(13))
		differs := w.book("differs", at(15))
		w.oldSync(marked, true)
		w.oldSync(bare, false)
		w.oldSync(differs, true, func(e *calendar.Event) { e.Subject = "Something else" })
		w.server.add(alice, calendar.Item{Event: calendar.Event{Subject: "Dentist", Start: marked.Start, End: marked.End}})
		w.server.add(alice, calendar.Item{ForeignKey: "of-the-old-sync", Event: calendar.Event{Subject: "Old", Start: marked.Start, End: marked.End}})
		before, changes := w.server.items(alice), w.changes()
		writes := w.server.calls["apply"]

		w.pass("alice")
		r := w.report()
		for id, want := range map[string]ShadowEntry{
			"marked":          {Action: ShadowAdopt, Found: byID},
			"bare":            {Action: ShadowAdopt, Found: byContent},
			"missing":         {Action: ShadowCreate},
			"differs":         {Action: ShadowUpdate, Found: byID, Fields: []string{"subject"}},
			"of-the-old-sync": {Action: ShadowLeave},
		} {
			if got := r.of(id); got.Action != want.Action || got.Found != want.Found || !slices.Equal(got.Fields, want.Fields) || got.Why == "" {
				w.Errorf("%s: %+v, want %+v", id, got, want)
			}
		}
		if r.Items != 5 || r.Bookings != 4 || !maps.Equal(r.Does, map[string]int{ShadowAdopt: 2, ShadowCreate: 1, ShadowUpdate: 1, ShadowLeave: 1}) {
			w.Errorf("report %+v", r)
		}
		if s := w.state("alice"); s.Status != store.StatusOK || s.Reason != shadowReason("alice") {
			w.Errorf("state %+v", s)
		}
		w.pass("alice")
		if w.server.calls["apply"] != writes || len(w.changes()) != len(changes) || len(w.server.items(alice)) != len(before) {
			w.Error("something was written")
		}
		if links, err := w.store.LinksOfBooking(w.Context(), tenant, "marked"); err != nil || len(links) != 0 {
			w.Errorf("links %+v, %v", links, err)
		}
	})
}

func TestTakeOverAdoptsWithoutMailAndDoublesNothing(t *testing.T) {
	each(t, func(w *world) {
		w.shadow(true)
		guests := func(b *booking.Booking) {
			b.Attendees = []booking.Attendee{{Email: "guest@example.org", Role: booking.Required}}
		}
		marked, bare := w.book("marked", guests), w.book("bare", at(11), guests)
		refs := []calendar.Ref{w.oldSync(marked, true), w.oldSync(bare, false)}
		w.book("missing", at(13), guests)
		// Two bookings that say the same, and three such items.
		twins := []string{"twin-1", "twin-2"}
		for range 2 {
			w.oldSync(w.book(twins[0], at(15), func(b *booking.Booking) { b.Title, b.Resources = "Twin", nil }), false)
		}
		w.oldSync(w.book(twins[1], at(15), func(b *booking.Booking) { b.Title, b.Resources = "Twin", nil }), false)
		w.pass("alice")
		total := len(w.server.items(alice))
		w.server.mails = nil

		w.shadow(false)
		w.pass("alice")
		for i, id := range []string{"marked", "bare"} {
			links, err := w.store.LinksOfBooking(w.Context(), tenant, id)
			if err != nil || len(links) != 1 || links[0].State != store.LinkLive || links[0].Ref != refs[i] {
				w.Errorf("%s: links %+v, %v", id, links, err)
			}
		}
		seen := map[calendar.Ref]bool{}
		for _, id := range twins {
			links, err := w.store.LinksOfBooking(w.Context(), tenant, id)
			if err != nil || len(links) != 1 || links[0].State != store.LinkLive || seen[links[0].Ref] {
				w.Fatalf("%s: links %+v, %v", id, links, err)
			}
			seen[links[0].Ref] = true
		}
		if n := len(w.server.items(alice)); n != total+1 {
			w.Errorf("%d items, want %d and the one that was missing", n, total)
		}
		if len(w.server.mails) > 0 {
			w.Errorf("mailed: %v", w.server.mails)
		}
		// From now on it is an ordinary pair, though it bears no marker.
		w.server.edit(alice, refs[1], func(e *calendar.Event) { e.Subject = "Renamed in Outlook" })
		w.pass("alice")
		if b := w.booking("bare"); b.Title != "Renamed in Outlook" {
			w.Errorf("title %q", b.Title)
		}
	})
}

// TestTakeOverLeavesPrivateAppointmentsAlone: what says the same and is somebody's own affair is no item of a booking.
func TestTakeOverLeavesPrivateAppointmentsAlone(t *testing.T) {
	each(t, func(w *world) {
		w.shadow(true)
		b1, b2 := w.book("b1", noOneElse), w.book("b2", at(11), noOneElse)
		hide := func(e *calendar.Event) { e.Class, e.Location, e.Attendees = calendar.Private, "at home", nil }
		elsewhere := func(e *calendar.Event) { e.Location, e.Attendees = "at the client's", nil }
		own := []calendar.Ref{w.oldSync(b1, false, hide), w.oldSync(b2, false, elsewhere)}
		old := w.oldSync(b2, false)
		w.pass("alice")
		if x := w.report().of("b1"); x.Action != ShadowCreate {
			w.Errorf("report %+v", x)
		}
		w.shadow(false)
		w.pass("alice")
		links, err := w.store.LinksOfBooking(w.Context(), tenant, "b2")
		if err != nil || len(links) != 1 || links[0].Ref != old {
			w.Errorf("links %+v, %v; want the item %s", links, err, old)
		}
		for _, it := range w.server.items(alice) {
			switch it.Ref {
			case own[0]:
				if it.Event.Class != calendar.Private || it.Event.Location != "at home" {
					w.Errorf("the private appointment is %+v", it.Event)
				}
			case own[1]:
				if it.Event.Location != "at the client's" {
					w.Errorf("the other appointment is %+v", it.Event)
				}
			}
		}
	})
}

// TestAnOldDeclineCancelsNothingAtTakeOver: whoever wants a booking cancelled when its room declines means what happens from now on.
func TestAnOldDeclineCancelsNothingAtTakeOver(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", MailOnError: true, ConflictBehaviour: directory.Cancel})
		w.shadow(true)
		declined := func(e *calendar.Event) {
			for i := range e.Attendees {
				if e.Attendees[i].Email == roomA {
					e.Attendees[i].Response = calendar.Declined
				}
			}
		}
		marked := w.oldSync(w.book("marked", noOneElse), true, declined)
		w.oldSync(w.book("bare", at(11), noOneElse), false, declined)
		w.server.before = func(call string) error { // the first reading breaks off
			if call == "page" {
				return fault.Unavailable
			}
			return nil
		}
		w.pass("alice")
		w.shadow(false)
		w.pass("alice")
		w.server.before = nil
		w.later(DefaultLimits().RetryMax)
		w.pass("alice")
		for _, id := range []string{"marked", "bare"} {
			b := w.booking(id)
			if b.Status != booking.Confirmed || b.SyncProblem != "the room room-a declined" {
				w.Errorf("%s is %s, problem %q", id, b.Status, b.SyncProblem)
			}
		}
		if news := w.news(); len(news) > 0 {
			w.Errorf("mailed of what is long known: %q", news)
		}
		w.server.edit(alice, marked, func(e *calendar.Event) { e.Attendees[0].Response = calendar.Accepted })
		w.pass("alice")
		w.server.edit(alice, marked, declined)
		w.pass("alice")
		if b := w.booking("marked"); b.Status != booking.Cancelled {
			w.Errorf("a new decline: the booking is %s", b.Status)
		}
	})
}

// TestTakeOverSurvivesACrash: it is done once, and begun anew where it was not done to its end.
func TestTakeOverSurvivesACrash(t *testing.T) {
	each(t, func(w *world) {
		w.shadow(true)
		for i, id := range []string{"b1", "b2", "b3"} {
			w.oldSync(w.book(id, at(9+i)), false)
		}
		w.pass("alice")
		w.shadow(false)
		w.server.before = func(call string) error {
			if call == "pull" {
				return fault.Unavailable
			}
			return nil
		}
		w.pass("alice")
		w.server.before = nil
		_ = w.store.Close()
		w.start()
		w.later(DefaultLimits().RetryMax)
		w.pass("alice")
		if n := len(w.server.items(alice)); n != 3 {
			w.Errorf("%d items, want 3", n)
		}
		if mb, _, err := w.store.Mailbox(w.Context(), tenant, "alice"); err != nil || mb.TakeOver {
			w.Errorf("still to be taken over: %v", err)
		}
	})
}

func TestWhatChangesInShadowModeIsCarriedOutAfterIt(t *testing.T) {
	each(t, func(w *world) {
		w.book("b1")
		w.pass("alice")
		w.shadow(true)
		w.book("b1", func(b *booking.Booking) { b.Title = "Renamed" })
		w.pass("alice")
		if got := w.only(alice).Event.Subject; got == "Renamed" {
			w.Error("written in shadow mode")
		}
		if x := w.report().of("b1"); x.Action != ShadowUpdate || x.Found != byLink {
			w.Errorf("report %+v", w.report())
		}
		w.shadow(false)
		w.pass("alice")
		if got := w.only(alice).Event.Subject; got != "Renamed" {
			w.Errorf("subject %q", got)
		}
	})
}

// TestNothingOfOthersWritesForAShadow: what a room answers, what a person decides and what a scan waits for.
func TestNothingOfOthersWritesForAShadow(t *testing.T) {
	rooms(t, func(w *world) {
		w.withMails()
		w.person(directory.Person{ID: "alice", Email: alice, DisplayName: "Alice", MailOnError: true, ConflictBehaviour: directory.Cancel})
		w.book("b1", noOneElse)
		w.pass("alice")
		own := w.only(alice)
		w.server.identify(alice, own.Ref, "u1")
		w.pass("alice")
		copied := w.server.add(roomA, calendar.Item{ReadOnly: true, Response: calendar.Accepted, Event: own.Event})
		w.server.edit(roomA, copied, func(ev *calendar.Event) { ev.UID, ev.Organizer.Email = "u1", alice })
		w.pass("room-a")
		w.unheard(func() { w.server.lie(alice, own.Ref, func(ev *calendar.Event) { ev.Subject = "Else" }) })
		w.scan(store.Scan{Target: store.ScanPerson, Name: "alice", Thorough: true})
		d := w.one(fieldsDiffer)
		before, err := w.engine.StartScan(w.Context(), store.Scan{Tenant: tenant, Target: store.ScanPerson, Name: "alice"})
		if err != nil {
			t.Fatal(err)
		}

		w.shadow(true)
		w.server.remove(roomA, copied)
		w.pass("room-a")
		w.pass("alice")
		b := w.booking("b1")
		if b.Status != booking.Confirmed || w.answerOf(b, roomA).State != booking.AnswerDeclined || len(w.news()) > 0 {
			t.Errorf("booking %s, mails %q", b.Status, w.news())
		}
		for _, use := range []string{UseBooking, UseCalendar} {
			if err := w.engine.Resolve(w.Context(), tenant, d.ID, Resolution{Use: use, Mail: true}); err == nil || !strings.Contains(err.Error(), "shadow mode") {
				t.Errorf("use %s: %v", use, err)
			}
			many, err := w.engine.ResolveAll(w.Context(), tenant, []int64{d.ID}, Resolution{Use: use}, true)
			if err != nil || len(many) != 1 || !strings.Contains(many[0].Refused, "shadow mode") {
				t.Errorf("use %s: %+v, %v", use, many, err)
			}
		}
		after, err := w.engine.StartScan(w.Context(), store.Scan{Tenant: tenant, Target: store.ScanPerson, Name: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []int64{before.ID, after.ID} {
			if s, _, err := w.store.Scan(w.Context(), tenant, id); err != nil || s.Ended.IsZero() || s.Counts.Failed != 1 {
				t.Errorf("scan %+v, %v", s, err)
			}
		}
	})
}

func TestAnImportIntoShadowModeLeavesRoomsAlone(t *testing.T) {
	each(t, func(w *world) {
		people := []directory.Person{
			{Tenant: tenant, ID: "dora", Email: "dora@example.com", SyncMode: "Memory", Kind: directory.KindPerson},
			{Tenant: tenant, ID: "room-z", Email: "room-z@example.com", SyncMode: "Memory", Kind: directory.KindResource},
		}
		if _, err := w.engine.ImportPersons(w.Context(), tenant, people, ImportOptions{Shadow: true}); err != nil {
			w.Fatal(err)
		}
		for id, want := range map[string]bool{"dora": true, "room-z": false} {
			if row, _, err := w.store.Person(w.Context(), tenant, id); err != nil || row.Shadow != want {
				w.Errorf("%s: shadow %v, %v", id, row.Shadow, err)
			}
		}
	})
}

func TestShadowModeOfNobody(t *testing.T) {
	each(t, func(w *world) {
		if err := w.engine.SetShadow(context.Background(), tenant, "nobody", true); err == nil {
			w.Error("no error")
		}
	})
}

// A move waits until shadow mode is over: neither side is written before.
func TestAMoveWaitsForTheEndOfShadowMode(t *testing.T) {
	movers(t, func(w *world, _ *twoModes) {
		w.booked(3)
		w.book("waits", at(18))
		w.shadow(true)
		w.server.edit(alice, w.itemOf("b1.1").Ref, func(e *calendar.Event) { e.Subject = "in Outlook" })
		was := w.booking("b1").Title
		w.silently(func() {
			w.ask("Other", dry)
			w.pass("alice")
			w.moved(store.MoveDone)
			w.ask("Other")
			w.pass("alice")
			w.mode("Memory")
		})
		if got := w.booking("b1").Title; got != was {
			w.Errorf("the booking was renamed to %q in shadow mode", got)
		}
		w.shadow(false)
		w.pass("alice")
		w.pass("alice")
		w.mode("Other")
		if n, title := len(w.server.items(alice)), w.booking("b1").Title; n != 4 || title != "in Outlook" {
			w.Errorf("%d items and the title %q after the take-over, want 4 and that of the calendar", n, title)
		}
	})
}
