package graph

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestNobodyIsMailedUnlessThatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.create(t, "bk-1", meeting())
	alone := w.create(t, "bk-2", desk())
	mails := len(w.sim.Mails())
	if mails == 0 {
		t.Fatal("the invitation was not sent")
	}
	moved := meeting()
	moved.Start, moved.End = moved.Start.Add(time.Hour), moved.End.Add(time.Hour)
	reminded := meeting()
	reminded.Reminder = nil
	update := func(item calendar.Item, e calendar.Event, f calendar.Fields) calendar.Mutation {
		return calendar.Mutation{Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: e, Fields: f}
	}
	for name, tc := range map[string]struct {
		m       calendar.Mutation
		refused bool
	}{
		"a new meeting":               {calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-3", Event: meeting()}, true},
		"another time":                {update(made, moved, calendar.FieldTime), true},
		"somebody less":               {update(made, desk(), calendar.FieldAttendees), true},
		"somebody more":               {update(alone, meeting(), calendar.FieldAttendees), true},
		"the end of it":               {calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: made.Ref}, true},
		"what it says already":        {update(made, meeting(), calendar.AllFields&^calendar.FieldReminder), false},
		"another reminder":            {update(made, reminded, calendar.FieldReminder), false},
		"a marker":                    {calendar.Mutation{Op: calendar.Update, Mailbox: w.alice, Ref: made.Ref, ForeignKey: "x"}, false},
		"another time, but of nobody": {update(alone, moved, calendar.FieldTime), false},
	} {
		_, err := w.Apply(t.Context(), tc.m)
		if tc.refused != (fault.Of(err) == fault.Unsupported) || !tc.refused && err != nil {
			t.Errorf("%s: %v; refused ought to be %t", name, err, tc.refused)
		}
	}
	if got := w.sim.Mails()[mails:]; len(got) > 0 {
		t.Errorf("mails went out: %+v", got)
	}
	if got, err := w.fetch(t, made.Ref); err != nil || !got.Event.Start.Equal(made.Event.Start) || len(got.Event.Attendees) != 3 || got.Event.Reminder != nil {
		t.Errorf("the meeting is now %+v, %v", got.Event, err)
	}
	if found, err := w.Find(t.Context(), w.alice, 0, "bk-3"); err != nil || len(found) > 0 {
		t.Errorf("the meeting that was refused: %+v, %v", found, err)
	}
	m := update(made, moved, calendar.FieldTime)
	m.Mail = calendar.MailConcerned
	if _, err := w.Apply(t.Context(), m); err != nil || len(w.sim.Mails()) == mails {
		t.Errorf("with mail: %v, %d mails", err, len(w.sim.Mails()))
	}
}

// A create whose answer was lost, or that was cut off anywhere, is made once.
// A series is a meeting, too, if somebody is invited to one of its occurrences alone.
func TestNobodyIsMailedForASeriesWithGuestsUnlessThatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	series := desk()
	series.Recurrence = "FREQ=DAILY;COUNT=3"
	guest := meeting()
	guest.Start, guest.End = guest.Start.AddDate(0, 0, 1), guest.End.AddDate(0, 0, 1)
	guests := series
	guests.Exceptions = []calendar.OccurrenceException{{Occurrence: guest.Start, Event: &guest}}
	alone := w.create(t, "bk-1", series)
	m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-2", Event: guests, Mail: calendar.MailAll}
	made, err := w.Apply(t.Context(), m)
	if err != nil || len(made.Item.Event.Exceptions) != 1 {
		t.Fatalf("%+v, %v", made, err)
	}
	mails := len(w.sim.Mails())
	renamed := guests
	renamed.Subject = "another"
	for name, m := range map[string]calendar.Mutation{
		"a new one":       {Op: calendar.Create, Key: "bk-3", Event: guests},
		"a guest more":    {Op: calendar.Update, Ref: alone.Ref, Event: guests, Fields: calendar.FieldRecurrence},
		"no guests":       {Op: calendar.Update, Ref: made.Item.Ref, Event: series, Fields: calendar.FieldRecurrence},
		"another subject": {Op: calendar.Update, Ref: made.Item.Ref, Event: renamed, Fields: calendar.FieldSubject},
		"the end of it":   {Op: calendar.Delete, Ref: made.Item.Ref},
	} {
		m.Mailbox = w.alice
		if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unsupported {
			t.Errorf("%s: %v, want Unsupported", name, err)
		}
	}
	if got := w.sim.Mails()[mails:]; len(got) > 0 {
		t.Errorf("mails went out: %+v", got)
	}
	if _, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: alone.Ref}); err != nil {
		t.Errorf("a series without guests: %v", err)
	}
}

func TestACreateWhoseAnswerWasLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	for _, quirks := range []exchangesim.GraphQuirks{{}, {RefuseRepeated: true}} {
		w := newWorld(t)
		w.sim.SetGraphQuirks(quirks)
		m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: desk(), First: true}
		w.sim.Faults().DropAfter("GraphCreateEvent", 1)
		if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
			t.Fatalf("a lost answer: %v, want Unavailable", err)
		}
		m.First = false
		if r, err := w.Apply(t.Context(), m); err != nil || !r.Repeated {
			t.Errorf("again: %+v, %v; want it repeated", r, err)
		}
		// Somebody took the markers away, so that it cannot be found: the server remembers the transactionId.
		m.Key = "bk-2"
		w.sim.Faults().DropAfter("GraphCreateEvent", 1)
		_, _ = w.Apply(t.Context(), m)
		if n := len(w.sim.Outlook("alice@example.com").Items()); n != 2 {
			t.Errorf("%d items, want 2", n)
		}
	}
}

// Two creates that both look before either writes make one item: the server takes a transactionId once.
func TestCreatesThatRaceMakeOneItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-1", Event: desk()}
	arrived, release := w.sim.Faults().PauseBefore("GraphCreateEvent")
	done := make(chan error, 1)
	go func() {
		_, err := w.Apply(t.Context(), m)
		done <- err
	}()
	<-arrived
	if _, err := w.open(t, Settings{}).Apply(t.Context(), m); err != nil {
		t.Error(err)
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

func TestWhatWasDeletedIsMadeAnewThoughItsTransactionIsKnown(t *testing.T) {
	t.Parallel()
	for _, quirks := range []exchangesim.GraphQuirks{{}, {RefuseRepeated: true}} {
		w := newWorld(t)
		w.sim.SetGraphQuirks(quirks)
		var refs []calendar.Ref
		for range 3 {
			item := w.create(t, "bk-1", desk())
			refs = append(refs, item.Ref)
			m := calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref}
			if r, err := w.Apply(t.Context(), m); err != nil || r.Repeated {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		if refs[0] == refs[1] || refs[1] == refs[2] {
			t.Errorf("refused: %t: the deleted item was given out again: %q", quirks.RefuseRepeated, refs)
		}
	}
}

// A server may answer a transactionId that it knows with the event that it made then, though that lies in Deleted Items.
func TestAnEventInDeletedItemsIsNoneThatWasMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.SetGraphQuirks(exchangesim.GraphQuirks{DeletedEventsFound: true})
	first := w.create(t, "bk-1", desk())
	if err := w.sim.Outlook("alice@example.com").Delete(w.idOf(t, first.Ref)); err != nil {
		t.Fatal(err)
	}
	known := transactionID(w.alice, "bk-1", 0)
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/events") {
			return nil, nil
		}
		body, _ := r.GetBody()
		if sent, _ := io.ReadAll(body); !strings.Contains(string(sent), known) {
			return nil, nil
		}
		again, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, r.URL.String()+"/"+url.PathEscape(string(first.Ref)), nil)
		again.Header.Set("Prefer", preferItems)
		again.Header.Set("Authorization", "Bearer "+w.line.token)
		resp, err := w.line.next.RoundTrip(again)
		if err == nil {
			resp.StatusCode = http.StatusCreated
			resp.Header.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		}
		return resp, err
	})
	if item := w.create(t, "bk-1", desk()); item.Ref == first.Ref {
		t.Error("what lies in Deleted Items was given out as made")
	}
	if n := len(w.sim.Outlook("alice@example.com").Items()); n != 1 {
		t.Errorf("%d items in the calendar, want 1", n)
	}
}

// An item in Deleted Items is deleted: whoever deletes it once more does not purge it, nor mail anybody.
func TestADeleteLeavesDeletedItemsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.SetGraphQuirks(exchangesim.GraphQuirks{DeletedEventsFound: true})
	item := w.create(t, "bk-1", meeting())
	o := w.sim.Outlook("alice@example.com")
	if err := o.Delete(o.Items()[0].ID); err != nil {
		t.Fatal(err)
	}
	mails := len(w.sim.Mails())
	if r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref}); err != nil || !r.Repeated {
		t.Errorf("%+v, %v; want Repeated", r, err)
	}
	if len(o.Deleted()) != 1 || len(w.sim.Mails()) != mails {
		t.Errorf("%d deleted items, %d mails more", len(o.Deleted()), len(w.sim.Mails())-mails)
	}
}

// Nor is it written to: whoever was told that the meeting is off would be told that it takes place.
func TestAnUpdateLeavesDeletedItemsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.SetGraphQuirks(exchangesim.GraphQuirks{DeletedEventsFound: true})
	for key, e := range map[string]calendar.Event{"bk-1": meeting(), "bk-2": desk()} {
		item := w.create(t, key, e)
		if err := w.sim.Outlook("alice@example.com").Delete(w.idOf(t, item.Ref)); err != nil {
			t.Fatal(err)
		}
		mails := len(w.sim.Mails())
		e.Location = "elsewhere"
		_, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Key: key, Ref: item.Ref, Event: e, Fields: calendar.FieldLocation, Mail: calendar.MailAll,
		})
		if fault.Of(err) != fault.NotFound || len(w.sim.Mails()) != mails {
			t.Errorf("%s: %v, want NotFound; %d mails more", key, err, len(w.sim.Mails())-mails)
		}
	}
}

func TestAnUpdateLosesNoEditThatComesBetweenItsReadAndItsWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "bk-1", desk())
	arrived, release := w.sim.Faults().PauseBefore("GraphUpdateEvent")
	done := make(chan error)
	go func() {
		_, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: calendar.Event{Subject: "ours"}, Fields: calendar.FieldSubject,
		})
		done <- err
	}()
	<-arrived
	o := w.sim.Outlook("alice@example.com")
	if err := o.Update(o.Items()[0].ID, func(a *exchangesim.Appointment) { a.Subject = "Alice's" }); err != nil {
		t.Error(err)
	}
	release()
	if err := <-done; fault.Of(err) != fault.Conflict {
		t.Errorf("%v, want Conflict", err)
	}
	if got := o.Items()[0].Subject; got != "Alice's" {
		t.Errorf("the subject is %q", got)
	}
}

func TestAnOnlineMeetingCanStillBeJoinedAfterItsTextWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "bk-1", desk())
	o := w.sim.Outlook("alice@example.com")
	if err := o.GoOnline(o.Items()[0].ID); err != nil {
		t.Fatal(err)
	}
	got, err := w.fetch(t, item.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.Event.Body, "____") || !strings.Contains(got.Event.Body, "second line") || got.Omits.Has(calendar.FieldBody) {
		t.Errorf("the text is %q, omitted: %s", got.Event.Body, got.Omits)
	}
	e := got.Event
	e.Body = "another <text>\n& more"
	if _, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: e, Fields: calendar.FieldBody | calendar.FieldSubject,
	}); err != nil {
		t.Fatal(err)
	}
	raw, err := w.readOne(t.Context(), w.alice, string(item.Ref))
	if err != nil || !raw.OnlineMeeting || !strings.Contains(raw.Body.Content, "____") || !strings.Contains(raw.Body.Content, "another <text>") {
		t.Errorf("online: %t, %v:\n%s", raw.OnlineMeeting, err, raw.Body.Content)
	}
	if strings.Contains(raw.Body.Content, "second line") {
		t.Error("the old text is still there")
	}
	if now, err := w.fetch(t, item.Ref); err != nil || now.Event.Body != e.Body {
		t.Errorf("read back %q, %v; want %q", now.Event.Body, err, e.Body)
	}
}

func TestAttendeesCopiesAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, exchangesim.Options{CopyToAttendees: true}, Settings{})
	w.create(t, "bk-1", meeting())
	bobs := w.mailbox("bob@example.com")
	changes, _, err := pullOf(t.Context(), w.Backend, bobs, "")
	if err != nil || len(changes) != 1 {
		t.Fatalf("Bob has %+v, %v", changes, err)
	}
	for _, m := range []calendar.Mutation{
		{Op: calendar.Update, Event: calendar.Event{Subject: "x"}, Fields: calendar.FieldSubject, Mail: calendar.MailAll},
		{Op: calendar.Delete, Mail: calendar.MailAll},
	} {
		m.Mailbox, m.Ref = bobs, changes[0].Ref
		if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Forbidden {
			t.Errorf("mutation %d of a copy: %v, want Forbidden", m.Op, err)
		}
	}
}

func TestBadMutationsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := func(change func(*calendar.Mutation)) calendar.Mutation {
		m := calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "k", Event: meeting()}
		change(&m)
		return m
	}
	for name, m := range map[string]calendar.Mutation{
		"no operation":      bad(func(m *calendar.Mutation) { m.Op = 0 }),
		"no key":            bad(func(m *calendar.Mutation) { m.Key = "" }),
		"no such audience":  bad(func(m *calendar.Mutation) { m.Mail = 9 }),
		"no times":          bad(func(m *calendar.Mutation) { m.Event.Start = time.Time{} }),
		"ends before start": bad(func(m *calendar.Mutation) { m.Event.End = m.Event.Start.Add(-time.Hour) }),
		"lasts no day":      bad(func(m *calendar.Mutation) { m.Event.AllDay, m.Event.End = true, m.Event.Start }),
		"no such zone":      bad(func(m *calendar.Mutation) { m.Event.Zone = "Mars/Olympus" }),
		"no such class":     bad(func(m *calendar.Mutation) { m.Event.Class = 17 }),
		"no address":        bad(func(m *calendar.Mutation) { m.Event.Attendees[0].Email = "" }),
		"no URL":            bad(func(m *calendar.Mutation) { m.Mailbox.URL = "" }),
		"exception of none": bad(func(m *calendar.Mutation) {
			m.Event.Exceptions = []calendar.OccurrenceException{{Occurrence: m.Event.Start}}
		}),
	} {
		if _, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
	if n := w.line.count("", ""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// Trouble is never an answer: nothing looks deleted, gone or in conflict because some machine in between said so.
func TestTroubleNeverLooksLikeADeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "bk-1", desk())
	_, pages := w.pull(t, "")
	for _, status := range []int{200, 204, 301, 400, 404, 409, 410, 412, 429, 500, 502, 503, 504} {
		w.line.twisted(func(r *http.Request) (*http.Response, error) {
			return answered(r, status, "<html>a proxy's page</html>"), nil
		})
		for name, err := range map[string]error{
			"a delete": second(w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref})),
			"an update": second(w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: desk(), Fields: calendar.FieldSubject,
			})),
			"a fetch":      second(w.Fetch(t.Context(), w.alice, []calendar.Ref{item.Ref})),
			"two fetches":  second(w.Fetch(t.Context(), w.alice, []calendar.Ref{item.Ref, item.Ref})),
			"a search":     second(w.Find(t.Context(), w.alice, 0, "bk-1")),
			"a full pull":  third(pullOf(t.Context(), w.Backend, w.alice, "")),
			"a pull":       third(pullOf(t.Context(), w.Backend, w.alice, next(pages))),
			"a probe":      second(w.Probe(t.Context(), w.alice)),
			"subscribing":  second(w.Subscribe(t.Context(), subscribing(w.alice))),
			"unsubscribed": w.Unsubscribe(t.Context(), w.alice, subscribed("x")),
		} {
			k := fault.Of(err)
			if status == 204 && name == "unsubscribed" || status == 410 && name == "a pull" {
				continue // it is what the operation answers with; reading everything does no harm
			}
			if k != fault.Unavailable && k != fault.Throttled {
				t.Errorf("HTTP %d: %s: %v (%s)", status, name, err, k)
			}
		}
	}
	w.line.twisted(nil)
	if _, err := w.fetch(t, item.Ref); err != nil {
		t.Errorf("the item: %v", err)
	}
}

// An answer of success that holds no event is some gateway's: nothing may have been written.
func TestAWriteIsNotTakenForDoneUnlessTheEventCameBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "bk-1", desk())
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		switch {
		case r.Method == http.MethodPatch:
			return answered(r, http.StatusOK, "{}"), nil
		case strings.HasSuffix(r.URL.Path, "/events") && r.Method == http.MethodPost:
			return answered(r, http.StatusCreated, "{}"), nil
		}
		return nil, nil
	})
	for name, m := range map[string]calendar.Mutation{
		"an update": {Op: calendar.Update, Ref: item.Ref, Event: calendar.Event{Subject: "x"}, Fields: calendar.FieldSubject},
		"a create":  {Op: calendar.Create, Key: "bk-2", First: true, Event: desk()},
	} {
		m.Mailbox = w.alice
		if r, err := w.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %+v, %v; want Unavailable", name, r, err)
		}
	}
}

// What Graph says of a mailbox that it cannot open is the same, but for the words, as of an item that is not there. However it
// words it, no item is gone by that.
func TestAMailboxThatCannotBeOpenedIsNotEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.create(t, "bk-1", desk())
	_, pages := w.pull(t, "")
	other := w.create(t, "bk-2", desk())
	for _, words := range []string{"Default folder Root not found.", "The specified object was not found in the store., Default folder Calendar not found.", "?"} {
		body := `{"error":{"code":"ErrorItemNotFound","message":"` + words + `"}}`
		w.line.twisted(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "$batch") {
				return answered(r, http.StatusNotFound, body), nil
			}
			content, _ := r.GetBody()
			var sent struct{ Requests []batchRequest }
			_ = json.NewDecoder(content).Decode(&sent)
			var parts []string
			for _, one := range sent.Requests {
				parts = append(parts, fmt.Sprintf(`{"id":%q,"status":404,"body":%s}`, one.ID, body))
			}
			return answered(r, http.StatusOK, `{"responses":[`+strings.Join(parts, ",")+`]}`), nil
		})
		for name, err := range map[string]error{
			"a delete": second(w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref})),
			"an update": second(w.Apply(t.Context(), calendar.Mutation{
				Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: desk(), Fields: calendar.FieldSubject,
			})),
			"a create":    second(w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: "bk-3", Event: desk()})),
			"a fetch":     second(w.Fetch(t.Context(), w.alice, []calendar.Ref{item.Ref})),
			"two fetches": second(w.Fetch(t.Context(), w.alice, []calendar.Ref{item.Ref, other.Ref})),
			"a search":    second(w.Find(t.Context(), w.alice, 0, "bk-1")),
			"a full pull": third(pullOf(t.Context(), w.Backend, w.alice, "")),
			"a pull":      third(pullOf(t.Context(), w.Backend, w.alice, next(pages))),
			"a probe":     second(w.Probe(t.Context(), w.alice)),
		} {
			if fault.Of(err) != fault.Unavailable {
				t.Errorf("%s: %s: %v (%s), want Unavailable", words, name, err, fault.Of(err))
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }
