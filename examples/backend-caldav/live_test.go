package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestTheCalendarIsFound(t *testing.T) {
	t.Parallel()
	r := newRadicale(t, "alice", "bob")
	r.calendar("bob", "private")
	root := func(person string) backend.Mailbox {
		return backend.Mailbox{Address: person + "@example.com", URL: r.url}
	}
	for name, tc := range map[string]struct {
		settings map[string]any
		user     string
		m        backend.Mailbox
		want     fault.Kind
	}{
		"by its own URL":                   {nil, "svc", r.mailbox("alice"), ""},
		"by its own URL without the slash": {nil, "svc", backend.Mailbox{Address: "alice@example.com", URL: r.url + "/alice/work"}, ""},
		"by the template":                  {map[string]any{"calendar_path": "/{user}/{calendar}", "calendar": "work"}, "svc", root("alice"), ""},
		"by asking":                        {nil, "alice", root("alice"), ""},
		"by asking and its name":           {map[string]any{"calendar": "work"}, "bob", root("bob"), ""},
		"one of several":                   {nil, "bob", root("bob"), fault.Invalid},
		"none of the name":                 {map[string]any{"calendar": "team"}, "bob", root("bob"), fault.MailboxNotFound},
		"of another person than asked for": {nil, "svc", root("alice"), fault.Invalid},
		"of nobody":                        {nil, "svc", backend.Mailbox{Address: "x@example.com", URL: r.url + "/x/work/"}, fault.MailboxNotFound},
		"a home instead of a calendar":     {nil, "svc", backend.Mailbox{Address: "alice@example.com", URL: r.url + "/alice/"}, fault.Invalid},
		"another's without the right":      {nil, "bob", r.mailbox("alice"), fault.Forbidden},
		"without a URL":                    {nil, "svc", backend.Mailbox{Address: "alice@example.com"}, fault.Invalid},
	} {
		b, err := r.plugin(tc.settings, tc.user).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st, err := b.Probe(t.Context(), tc.m)
		if fault.Of(err) != tc.want || err == nil && !strings.HasPrefix(st.Server, "CalDAV") {
			t.Errorf("%s: %+v, %v; want %q", name, st, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
		if tc.want != "" {
			continue
		}
		if made, err := b.Apply(t.Context(), creation(t, tc.m, name)); err != nil || made.Repeated {
			t.Errorf("%s: a create: %+v, %v", name, made, err)
		}
	}
	if n := len(r.names("alice")); n != 4 {
		t.Errorf("the calendar has %d events, want one of each way to it", n)
	}
}

func TestWhatOthersDoToAnEventIsSeen(t *testing.T) {
	t.Parallel()
	r := newRadicale(t, "alice")
	b, m := r.open(nil), r.mailbox("alice")
	r.put("/alice/work/dentist.ics", plainEvent("dentist"))
	made, err := b.Apply(t.Context(), creation(t, m, "k1"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := pullFrom(t.Context(), b, m, "")
	if err != nil {
		t.Fatal(err)
	}
	if ch, told := first.changes["dentist.ics"]; !told || ch.Item != nil {
		t.Errorf("the person's own is told as %+v", ch)
	}
	path := "/alice/work/" + string(made.Item.Ref)

	// Another program moves it and drops what it does not know.
	text := r.get(path)
	moved := strings.NewReplacer("20270301T100000", "20270302T110000", "20270301T110000", "20270302T120000", "X-ROOMWIRE-BOOKING-ID:k1\n", "").Replace(text)
	r.put(path, moved)
	p, err := pullFrom(t.Context(), b, m, first.next)
	if err != nil || len(p.changes) != 1 {
		t.Fatalf("%+v, %v; want the one that was moved", p.changes, err)
	}
	got := p.changes[made.Item.Ref].Item
	if got == nil || got.Key != "k1" || got.ForeignKey != "booking of k1" || !got.Event.Start.Equal(morning().AddDate(0, 0, 1).Add(3600e9)) || got.Revision == made.Item.Revision {
		t.Errorf("the moved one is %+v", got)
	}
	if found, err := b.(backend.Finder).Find(t.Context(), m, backend.OurKey, "k1"); err != nil || len(found) != 1 {
		t.Errorf("by its key: %+v, %v", found, err)
	}
	again, err := b.Apply(t.Context(), creation(t, m, "k1"))
	if err != nil || !again.Repeated || again.Item.Ref != made.Item.Ref {
		t.Errorf("made again: %+v, %v; want it repeated", again, err)
	}

	// What it was decided on is no longer there.
	update := calendar.Mutation{Op: calendar.Update, Mailbox: m, Ref: made.Item.Ref, IfRevision: made.Item.Revision, Event: made.Item.Event, Fields: calendar.FieldSubject}
	update.Event.Subject = "Other"
	if _, err := b.Apply(t.Context(), update); fault.Of(err) != fault.Conflict {
		t.Errorf("on an old revision: %v; want conflict", err)
	}
	update.IfRevision = got.Revision
	if _, err := b.Apply(t.Context(), update); err != nil {
		t.Errorf("on the present one: %v", err)
	}
	if text := r.get(path); !strings.Contains(text, "X-ROOMWIRE-BOOKING-ID:k1") || !strings.Contains(text, "20270302T110000") {
		t.Errorf("after the update it has not its marker again, or another time:\n%s", text)
	}

	r.must(http.StatusOK, http.MethodDelete, path, "")
	p, err = pullFrom(t.Context(), b, m, p.next)
	if err != nil || len(p.changes) != 1 || !p.changes[made.Item.Ref].Deleted {
		t.Errorf("deleted: %+v, %v", p.changes, err)
	}
	if text := r.get("/alice/work/dentist.ics"); !strings.Contains(text, "SUMMARY:own") {
		t.Errorf("the person's own has become\n%s", text)
	}
}

// Files as other programs write them go through the server and back.
func TestFilesOfOtherProgramsSurviveAnUpdate(t *testing.T) {
	t.Parallel()
	r := newRadicale(t, "alice")
	b, m := r.open(map[string]any{"time_zone": "Europe/Berlin"}), r.mailbox("alice")
	for _, name := range []string{"outlook.ics", "thunderbird.ics", "apple.ics"} {
		r.put("/alice/work/"+name, sampleFile(t, name))
		got, err := b.Fetch(t.Context(), m, []backend.Ref{backend.Ref(name)})
		if err != nil || got[0].Err != nil {
			t.Fatalf("%s: %v, %+v", name, err, got)
		}
		e := got[0].Item.Event
		e.Subject, e.Reminder = "Anders", nil
		after, err := b.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: m, Ref: backend.Ref(name), IfRevision: got[0].Item.Revision, Event: e, Fields: calendar.FieldSubject | calendar.FieldReminder,
		})
		if err != nil || after.Item.Event.Subject != "Anders" || after.Item.Event.Reminder != nil || len(after.Item.Event.Exceptions) != len(e.Exceptions) {
			t.Errorf("%s: %+v, %v", name, after.Item, err)
		}
		text := r.get("/alice/work/" + name)
		for _, kept := range map[string][]string{
			"outlook.ics":     {"X-MICROSOFT-CDO-IMPORTANCE:1", "X-ALT-DESC;", "TZID:W. Europe Standard Time"},
			"thunderbird.ics": {"X-MOZ-GENERATION:4", "RECURRENCE-ID;TZID=Europe/Berlin:20270329T090000", "TRIGGER"},
			"apple.ics":       {"X-APPLE-STRUCTURED-LOCATION", "ACTION:NONE", "/principals/users/alice/"},
		}[name] {
			if !strings.Contains(text, kept) {
				t.Errorf("%s has lost %q:\n%s", name, kept, text)
			}
		}
	}
}

// TestTroubleHasTheRightKind shows the part of the contract that needs a server over plain HTTP, in whose place others can answer.
func TestTroubleHasTheRightKind(t *testing.T) {
	t.Parallel()
	f, _ := newFake(t, Settings{})
	p, err := backendtest.Executable{Path: built + "/" + program("plugins/roomwire-backend-caldav")}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	backendtest.Run(t, backendtest.Fixture{
		Open: p.Open, Restart: p.Restart, CutOff: p.CutOff, Mailboxes: []backend.Mailbox{f.mailbox()},
		Only: func(name string) bool { return strings.HasPrefix(name, "Unavailable/") },
	})
}
