package exchange

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestCreateIsReadBackAsItWasSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	if item.Ref == "" || item.Revision == "" || item.Key != "bk-1" || item.ForeignKey != "oid-bk-1" || item.ReadOnly ||
		item.Kind != calendar.Single || item.Modified.IsZero() {
		t.Errorf("created %+v", item)
	}
	if got, want := written(item.Event), desk(); !reflect.DeepEqual(got, want) {
		t.Errorf("read back\n%+v, want\n%+v", got, want)
	}
	if item.Event.UID == "" || item.Event.Organizer.Email != "alice@example.com" {
		t.Errorf("the server's own fields: UID %q, organizer %+v", item.Event.UID, item.Event.Organizer)
	}
	seen := w.sim.Outlook("alice@example.com").Items()
	if len(seen) != 1 || seen[0].Subject != desk().Subject || seen[0].TimeZone != "W. Europe Standard Time" ||
		!marked(seen[0], "bk-1") || !marked(seen[0], "oid-bk-1") {
		t.Errorf("Alice sees %+v", seen)
	}
	if mails := w.sim.Mails(); len(mails) != 0 {
		t.Errorf("a silent create sent %+v", mails)
	}
}

func TestCreateHappensOnceWhateverBecomesOfTheAnswer(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]func(*exchangesim.Faults){
		"nothing":               func(*exchangesim.Faults) {},
		"dropped after effect":  func(f *exchangesim.Faults) { f.DropAfter("CreateItem", 1) },
		"dropped before effect": func(f *exchangesim.Faults) { f.DropBefore("CreateItem", 1) },
		"busy":                  func(f *exchangesim.Faults) { f.Error("CreateItem", "ErrorServerBusy", 1) },
		"search fails":          func(f *exchangesim.Faults) { f.DropBefore("FindItem", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, service)
			trouble(w.sim.Faults())
			m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: desk()}
			first, err := w.Apply(t.Context(), m)
			if (err != nil) != (name != "nothing") {
				t.Errorf("first try: %v", err)
			}
			if k := fault.Of(err); err != nil && k != fault.Unavailable && k != fault.Throttled {
				t.Errorf("first try is %s, want a kind to retry", k)
			}
			second, err := w.Apply(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if happened := name == "nothing" || name == "dropped after effect"; second.Repeated != happened {
				t.Errorf("second try: repeated %t, want %t", second.Repeated, happened)
			}
			third, err := w.Apply(t.Context(), m)
			if err != nil || !third.Repeated || third.Item.Ref != second.Item.Ref ||
				(first.Item.Ref != "" && first.Item.Ref != second.Item.Ref) {
				t.Errorf("tries made %q, %q and %q (%v)", first.Item.Ref, second.Item.Ref, third.Item.Ref, err)
			}
			if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
				t.Errorf("%d items, want 1", n)
			}
		})
	}
}

func TestCreateSucceedsThoughItCannotBeReadBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	w.sim.Faults().Error("GetItem", "ErrorInternalServerError", 1)
	item := w.create(t, "bk-1", desk())
	if item.Ref == "" || item.Revision == "" || item.Key != "bk-1" || !reflect.DeepEqual(item.Event, desk()) {
		t.Errorf("created %+v", item)
	}
}

func TestCreateAnswersWithTheOldestOfCopies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	if _, err := w.sim.Outlook("alice@example.com").Copy(string(item.Ref)); err != nil {
		t.Fatal(err)
	}
	again, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: desk()})
	if err != nil || !again.Repeated || again.Item.Ref != item.Ref {
		t.Errorf("%+v, %v; want %q", again, err, item.Ref)
	}
	if both, err := w.Find(t.Context(), w.alice, 0, "bk-1"); err != nil || len(both) != 2 {
		t.Errorf("found %d items, %v; want the item and its copy", len(both), err)
	}
}

func TestUpdateWritesOnlyTheChosenFields(t *testing.T) {
	t.Parallel()
	changed := desk()
	changed.Subject, changed.Body, changed.Location = "New", "", ""
	changed.Start, changed.End, changed.Zone = utc("2027-03-28 00:30"), utc("2027-03-28 01:30"), "America/New_York"
	changed.Busy, changed.Class, changed.Reminder = calendar.OutOfOffice, calendar.Public, nil
	changed.Attendees = []calendar.Attendee{
		{Address: calendar.Address{Name: "Carol Clark", Email: "carol@example.com"}},
		{Address: calendar.Address{Name: "Room B", Email: "room-b@example.com"}, Role: calendar.Resource},
	}
	for i := range 10 {
		field := calendar.Fields(1 << i)
		if i == 9 {
			field = calendar.AllFields
		}
		t.Run(field.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, service)
			item := w.create(t, "bk-1", desk())
			item, err := w.fetch(t, item.Ref)
			if err != nil {
				t.Fatal(err)
			}
			r, err := w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Key: "bk-1", IfRevision: item.Revision,
				Event: changed, Fields: field,
			})
			if err != nil {
				t.Fatal(err)
			}
			want := series.Overlay(desk(), changed, field)
			if got := written(r.Item.Event); !reflect.DeepEqual(got, want) {
				t.Errorf("now\n%+v, want\n%+v", got, want)
			}
			if r.Item.Key != "bk-1" || r.Item.ForeignKey != "oid-bk-1" {
				t.Errorf("markers %q, %q", r.Item.Key, r.Item.ForeignKey)
			}
		})
	}
}

func TestUpdateOfAnItemThatChangedIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	if err := w.sim.Outlook("alice@example.com").Update(string(item.Ref), func(a *exchangesim.Appointment) {
		a.Subject = "Alice's"
	}); err != nil {
		t.Fatal(err)
	}
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Key: "bk-1", IfRevision: item.Revision,
		Event: calendar.Event{Subject: "ours"}, Fields: calendar.FieldSubject,
	}
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Conflict {
		t.Fatalf("%v, want Conflict", err)
	}
	if got, _ := w.fetch(t, item.Ref); got.Event.Subject != "Alice's" {
		t.Errorf("Alice's edit is lost: %q", got.Event.Subject)
	}
	m.IfRevision = ""
	if r, err := w.Apply(t.Context(), m); err != nil || r.Item.Event.Subject != "ours" {
		t.Errorf("without a revision: %+v, %v", r, err)
	}
}

// TestUpdateLosesNoEditThatComesBetweenItsReadAndItsWrite holds the write back until Alice has changed the item.
func TestUpdateLosesNoEditThatComesBetweenItsReadAndItsWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	arrived, release := w.sim.Faults().PauseBefore("UpdateItem")
	done := make(chan error)
	go func() {
		_, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Key: "bk-1",
			Event: calendar.Event{Subject: "ours"}, Fields: calendar.FieldSubject,
		})
		done <- err
	}()
	<-arrived
	if err := w.sim.Outlook("alice@example.com").Update(string(item.Ref), func(a *exchangesim.Appointment) {
		a.Subject = "Alice's"
	}); err != nil {
		t.Error(err)
	}
	release()
	if err := <-done; fault.Of(err) != fault.Conflict {
		t.Errorf("%v, want Conflict", err)
	}
}

func TestUpdateFindsAnItemThatWasMovedAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	outlook := w.sim.Outlook("alice@example.com")
	if err := outlook.Delete(string(item.Ref)); err != nil {
		t.Fatal(err)
	}
	m := calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Key: "bk-1", ForeignKey: "oid-bk-1",
		Event: calendar.Event{Subject: "moved"}, Fields: calendar.FieldSubject,
	}
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.NotFound {
		t.Fatalf("in Deleted Items: %v, want NotFound", err)
	}
	id, err := outlook.Restore(outlook.Deleted()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Apply(t.Context(), m)
	if err != nil || string(r.Item.Ref) != id || r.Item.Event.Subject != "moved" {
		t.Errorf("%+v, %v; want item %q", r.Item, err, id)
	}
}

func TestUpdateAddsTheForeignMarkerWhereItIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: desk()})
	if err != nil || r.Item.ForeignKey != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, oid := range []string{"oid-1", "oid-2"} { // the second finds one and leaves it
		r, err = w.Apply(t.Context(), calendar.Mutation{Op: calendar.Update, Mailbox: w.alice, Ref: r.Item.Ref, ForeignKey: oid})
		if err != nil || r.Item.ForeignKey != "oid-1" {
			t.Errorf("writing %s: %q, %v; want oid-1", oid, r.Item.ForeignKey, err)
		}
	}
	if n := w.sim.Count("UpdateItem"); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}

func TestUpdateStandsThoughItCannotBeReadBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	arrived, release := w.sim.Faults().PauseAfter("UpdateItem")
	done := make(chan calendar.Event)
	go func() {
		r, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: calendar.Event{Subject: "new"}, Fields: calendar.FieldSubject,
		})
		if err != nil {
			t.Error(err)
		}
		done <- r.Item.Event
	}()
	<-arrived
	w.sim.Faults().Error("GetItem", "ErrorInternalServerError", 1)
	release()
	want := desk()
	want.Subject = "new"
	if got := <-done; !reflect.DeepEqual(written(got), want) {
		t.Errorf("reported\n%+v, want\n%+v", got, want)
	}
}

func TestDeleteMovesToDeletedItemsAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	kept := w.create(t, "bk-2", desk())
	m := calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref, Key: "bk-1", IfRevision: "long ago"}
	for _, gone := range []bool{false, true} {
		if r, err := w.Apply(t.Context(), m); err != nil || r.Item.Ref != item.Ref || r.Repeated != gone {
			t.Errorf("%+v, %v; want Repeated %v", r, err, gone)
		}
	}
	outlook := w.sim.Outlook("alice@example.com")
	if gone := outlook.Deleted(); len(gone) != 1 || !marked(gone[0], "bk-1") {
		t.Errorf("Deleted Items: %+v", gone)
	}
	if left := outlook.Items(); len(left) != 1 || left[0].ID != string(kept.Ref) {
		t.Errorf("left: %+v", left)
	}
	w.sim.Faults().DropAfter("DeleteItem", 1)
	m.Ref = kept.Ref
	if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
		t.Errorf("a lost answer: %v, want Unavailable", err)
	}
	if _, err := w.Apply(t.Context(), m); err != nil {
		t.Errorf("the repetition: %v", err)
	}
}

func TestFailuresNeverLookLikeADeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	for _, status := range []int{404, 410, 412, 500, 503} {
		w.sim.Faults().Status(status, 1)
		_, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref})
		if k := fault.Of(err); err == nil || k == fault.NotFound || k == fault.Conflict {
			t.Errorf("HTTP %d: %v (%s)", status, err, k)
		}
	}
	if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

func TestMailGoesToWhomTheMutationSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	apply := func(m calendar.Mutation) calendar.Item {
		t.Helper()
		m.Mailbox = w.alice
		r, err := w.Apply(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return r.Item
	}
	count := func(what string, want int) {
		t.Helper()
		if got := len(w.sim.Mails()); got != want {
			t.Errorf("after %s: %d mails, want %d", what, got, want)
		}
	}
	item := apply(calendar.Mutation{Op: calendar.Create, Key: "bk-1", Event: desk(), Mail: calendar.MailAll})
	count("creating for all", 1)
	moved := desk()
	moved.Start, moved.End = moved.Start.Add(time.Hour), moved.End.Add(time.Hour)
	apply(calendar.Mutation{Op: calendar.Update, Ref: item.Ref, Event: moved, Fields: calendar.FieldTime})
	count("a silent change", 1)
	apply(calendar.Mutation{Op: calendar.Update, Ref: item.Ref, Event: desk(), Fields: calendar.FieldTime, Mail: calendar.MailConcerned})
	count("a new time, which concerns everybody", 2)
	if to := w.sim.Mails()[1].To; len(to) != 3 {
		t.Errorf("the new time was told to %v, want all three", to)
	}
	apply(calendar.Mutation{Op: calendar.Update, Ref: item.Ref, Fields: calendar.FieldReminder, Mail: calendar.MailConcerned})
	count("a reminder, which concerns nobody", 2)
	without := desk()
	without.Attendees = without.Attendees[1:]
	apply(calendar.Mutation{
		Op: calendar.Update, Ref: item.Ref, Event: without, Fields: calendar.FieldAttendees, Mail: calendar.MailConcerned,
	})
	count("removing Bob", 3)
	if last := w.sim.Mails()[2]; last.Kind != "cancellation" || len(last.To) != 1 || last.To[0] != "bob@example.com" {
		t.Errorf("removing Bob sent %+v", last)
	}
	apply(calendar.Mutation{Op: calendar.Delete, Ref: item.Ref, Mail: calendar.MailAll})
	count("a cancellation", 4)
	item = apply(calendar.Mutation{Op: calendar.Create, Key: "bk-2", Event: desk()})
	apply(calendar.Mutation{Op: calendar.Delete, Ref: item.Ref})
	count("a silent create and delete", 4)
}

func TestAttendeesCopiesAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	sim, err := exchangesim.New(exchangesim.Options{CopyToAttendees: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, sim, service)
	w.create(t, "bk-1", desk())
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Create, Mailbox: w.alice, Key: "bk-2", Event: desk(), Mail: calendar.MailAll,
	})
	if err != nil {
		t.Fatal(err)
	}
	copies := sim.Outlook("bob@example.com").Items()
	if len(copies) != 1 {
		t.Fatalf("Bob has %d items, want the copy of one meeting", len(copies))
	}
	bobs := w.mailbox("bob@example.com")
	for _, m := range []calendar.Mutation{
		{Op: calendar.Update, Event: calendar.Event{Subject: "x"}, Fields: calendar.FieldSubject}, {Op: calendar.Delete},
	} {
		m.Mailbox, m.Ref = bobs, calendar.Ref(copies[0].ID)
		if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Forbidden {
			t.Errorf("mutation %d of a copy: %v, want Forbidden", m.Op, err)
		}
	}
	// The copy may bear our key: it is not the item that a create for Bob means.
	if r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: bobs, Key: "bk-2", Event: desk()}); err != nil || r.Repeated {
		t.Errorf("Bob's own item: repeated %t, %v", r.Repeated, err)
	}
	if got, err := w.fetch(t, r.Item.Ref); err != nil || got.ReadOnly {
		t.Errorf("the organizer's item: read-only %t, %v", got.ReadOnly, err)
	}
}

func TestASeriesIsNotMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	id, err := w.sim.Outlook("alice@example.com").Create(exchangesim.Appointment{
		Subject: "weekly", Start: utc("2026-12-01 08:00"), End: utc("2026-12-01 09:00"),
		Recurrence: &exchangesim.Recurrence{Pattern: "Weekly", Interval: 1, Days: []string{"Tuesday"}, Start: "2026-12-01", Count: 4},
	})
	if err != nil {
		t.Fatal(err)
	}
	item, err := w.fetch(t, calendar.Ref(id))
	if err != nil || item.Kind != calendar.Master {
		t.Fatalf("%+v, %v; want a master", item, err)
	}
	_, err = w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: desk(), Fields: calendar.FieldTime,
	})
	if fault.Of(err) != fault.Unsupported {
		t.Errorf("%v, want Unsupported", err)
	}
}

func TestBadMutationsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	bad := func(change func(*calendar.Mutation)) calendar.Mutation {
		m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "k", Event: desk()}
		change(&m)
		return m
	}
	for name, m := range map[string]calendar.Mutation{
		"no operation":      bad(func(m *calendar.Mutation) { m.Op = 0 }),
		"no key":            bad(func(m *calendar.Mutation) { m.Key = "" }),
		"no such audience":  bad(func(m *calendar.Mutation) { m.Mail = 9 }),
		"no times":          bad(func(m *calendar.Mutation) { m.Event.Start = time.Time{} }),
		"ends before start": bad(func(m *calendar.Mutation) { m.Event.End = utc("2026-11-30 00:00") }),
		"lasts no day":      bad(func(m *calendar.Mutation) { m.Event.AllDay, m.Event.End = true, m.Event.Start }),
		"no such zone":      bad(func(m *calendar.Mutation) { m.Event.Zone = "Mars/Olympus" }),
		"no such class":     bad(func(m *calendar.Mutation) { m.Event.Class = 17 }),
		"no address":        bad(func(m *calendar.Mutation) { m.Event.Attendees[0].Email = "" }),
		"no URL":            bad(func(m *calendar.Mutation) { m.Mailbox.URL = "" }),
	} {
		if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	if n := w.sim.Count(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	var e *fault.Error
	w.sim.Faults().Busy("", 1, 5*time.Minute)
	if _, err := w.Apply(t.Context(), bad(func(*calendar.Mutation) {})); !errors.As(err, &e) || e.After != 5*time.Minute || e.ID == "" {
		t.Errorf("a busy server: %+v, want After 5m and a request id", err)
	}
}

func TestAZoneIsWrittenOnlyWhenItChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		old, now string
		written  bool
	}{
		{"Europe/Berlin", "Europe/Berlin", false},
		{"Europe/Berlin", "Europe/Vienna", false}, // the same to Exchange
		{"Europe/Berlin", "Europe/London", true},
		{"", "", true}, // a zone without a name may be anything
	} {
		dir := t.TempDir()
		sim, err := exchangesim.New(exchangesim.Options{RecordDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorldOf(t, sim, service)
		e := desk()
		e.Zone = tt.old
		item := w.create(t, "bk-1", e)
		e.Zone, e.Start = tt.now, e.Start.Add(-time.Hour)
		r, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: e, Fields: calendar.FieldTime,
		})
		if err != nil || !r.Item.Event.Start.Equal(e.Start) || r.Item.Event.Zone != home(t, tt.now) {
			t.Errorf("%s to %s: %+v, %v", tt.old, tt.now, r.Item.Event, err)
		}
		sent, err := filepath.Glob(filepath.Join(dir, "*UpdateItem.req.xml"))
		if err != nil || len(sent) != 1 {
			t.Fatal(sent, err)
		}
		doc, err := os.ReadFile(sent[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(doc), "StartTimeZone"); got != tt.written {
			t.Errorf("%q to %q: zone written %t, want %t", tt.old, tt.now, got, tt.written)
		}
	}
}
