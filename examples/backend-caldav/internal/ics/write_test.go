package ics

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

var writtenAt = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// changeOf writes fields of e into an object of alice's calendar.
func changeOf(t *testing.T, text string, e calendar.Event, fields calendar.Fields) Changed {
	t.Helper()
	got, err := mapper(t).Change(text, Change{Event: e, Fields: fields, Owner: "alice@example.com", Now: writtenAt, Mail: calendar.MailAll})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// lines are those of an object, unfolded and sorted: the order of properties means nothing.
func lines(text string) []string {
	all := strings.Split(strings.TrimSpace(unfold.Replace(strings.ReplaceAll(text, "\r\n", "\n"))), "\n")
	slices.Sort(all)
	return all
}

// lost and gained are the lines that one text has and the other has not, but for when it was written.
func lost(before, after string) (out []string) {
	there := map[string]int{}
	for _, l := range lines(after) {
		there[canonical(l)]++
	}
	for _, l := range lines(before) {
		if there[canonical(l)]--; there[canonical(l)] < 0 && !strings.HasPrefix(l, "DTSTAMP:") && !strings.HasPrefix(l, "LAST-MODIFIED:") {
			out = append(out, l)
		}
	}
	return out
}

// canonical puts the parameters of a line in order and leaves out quotes.
func canonical(line string) string {
	line = strings.ReplaceAll(line, `"`, "")
	head, value, _ := strings.Cut(line, ":")
	parts := strings.Split(head, ";")
	slices.Sort(parts[1:])
	return strings.Join(parts, ";") + ":" + value
}

func TestAnUpdateTouchesNothingElse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file       string
		to         func(e *calendar.Event)
		fields     calendar.Fields
		goes, come []string
	}{
		{"outlook.ics", func(e *calendar.Event) { e.Subject = "Neu" }, calendar.FieldSubject,
			[]string{"SUMMARY;LANGUAGE=de:Quartalsgespräch"}, []string{"SUMMARY;LANGUAGE=de:Neu"}},
		{"outlook.ics", func(e *calendar.Event) { e.Busy = calendar.Free }, calendar.AllFields,
			[]string{"TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"}, []string{"TRANSP:TRANSPARENT", "X-MICROSOFT-CDO-BUSYSTATUS:FREE"}},
		{"outlook.ics", func(e *calendar.Event) { e.Reminder = minutes(30) }, calendar.FieldReminder, []string{"TRIGGER:-PT15M"}, []string{"TRIGGER:-PT30M"}},
		{"outlook.ics", func(e *calendar.Event) { e.Body = "new" }, calendar.FieldBody,
			[]string{`DESCRIPTION:Line one\nLine two\, with a comma\n`, `X-ALT-DESC;FMTTYPE=text/html:<html><body>Line one<br>Line two\, with a comma</body></html>`},
			[]string{"DESCRIPTION:new"}},
		{"outlook.ics", func(e *calendar.Event) { e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(time.Hour) }, calendar.FieldTime,
			[]string{`DTEND;TZID="W. Europe Standard Time":20270712T110000`, `DTSTART;TZID="W. Europe Standard Time":20270712T100000`, "SEQUENCE:0"},
			[]string{`DTEND;TZID=W. Europe Standard Time:20270712T120000`, `DTSTART;TZID=W. Europe Standard Time:20270712T110000`, "SEQUENCE:1"}},
		{"outlook.ics", func(e *calendar.Event) { e.Attendees = e.Attendees[1:] }, calendar.FieldAttendees,
			[]string{`ATTENDEE;CN="Bob Builder";RSVP=TRUE:mailto:bob@example.com`}, nil},
		{"outlook.ics", func(e *calendar.Event) { e.Attendees = nil }, calendar.FieldResources,
			[]string{`ATTENDEE;CN="Room A";CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT;RSVP=TRUE:mailto:room-a@example.com`}, nil},
		{"apple.ics", func(e *calendar.Event) { e.Location = "Rathaus" }, calendar.FieldLocation,
			[]string{`LOCATION:Stadthalle\nMarktplatz 1`, `X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-APPLE-RADIUS=70;X-TITLE="Stadthalle":geo:52.5,13.4`},
			[]string{"LOCATION:Rathaus"}},
		{"apple.ics", func(e *calendar.Event) { e.Attendees[0].Role = calendar.Required }, calendar.FieldAttendees,
			[]string{`ATTENDEE;CN="Bob";CUTYPE=INDIVIDUAL;EMAIL="bob@example.com";PARTSTAT=TENTATIVE;ROLE=OPT-PARTICIPANT:urn:uuid:0D1E2F30-0000-4000-8000-000000000001`},
			[]string{`ATTENDEE;CN=Bob;CUTYPE=INDIVIDUAL;EMAIL=bob@example.com;PARTSTAT=TENTATIVE;ROLE=REQ-PARTICIPANT:urn:uuid:0D1E2F30-0000-4000-8000-000000000001`}},
		{"apple.ics", func(e *calendar.Event) { e.Reminder = nil }, calendar.FieldReminder, []string{
			"ACTION:AUDIO", "ATTACH;VALUE=URI:Chord", "BEGIN:VALARM", "END:VALARM", "TRIGGER:-P1DT9H",
			"UID:8C0A9B1E-0000-4000-8000-000000000002", "X-WR-ALARMUID:8C0A9B1E-0000-4000-8000-000000000002",
		}, nil},
		{"thunderbird.ics", func(e *calendar.Event) { e.Exceptions = e.Exceptions[:1] }, calendar.FieldRecurrence, []string{
			"ACTION:DISPLAY", "BEGIN:VALARM", "BEGIN:VEVENT", "CREATED:20270211T080000Z", "DESCRIPTION:Default Mozilla Description",
			"DTSTART;TZID=Europe/Berlin:20270329T140000", "DURATION:PT45M", "END:VALARM", "END:VEVENT",
			"RECURRENCE-ID;TZID=Europe/Berlin:20270329T090000", "SEQUENCE:2", `SUMMARY:Jour fixe\, später`, "TRIGGER;VALUE=DURATION:-PT1H",
			"UID:3d6ccf0e-7a1a-4e5c-8f5e-0c9b3f9f0b11", "X-MOZ-GENERATION:4",
		}, []string{"SEQUENCE:3"}},
		{"thunderbird.ics", func(e *calendar.Event) {
			x := *e.Exceptions[1].Event
			x.Location = "Garten"
			e.Exceptions[1].Event = &x
		}, calendar.FieldRecurrence, []string{"SEQUENCE:2"}, []string{"LOCATION:Garten", "SEQUENCE:3"}},
		{"thunderbird.ics", func(e *calendar.Event) { e.End = e.End.Add(time.Hour) }, calendar.FieldTime,
			[]string{"DTEND;TZID=Europe/Berlin:20270315T093000", "SEQUENCE:2"}, []string{"DTEND;TZID=Europe/Berlin:20270315T103000", "SEQUENCE:3"}},
	} {
		text := sample(t, tc.file)
		item, err := mapper(t).Read(text, "alice@example.com")
		if err != nil {
			t.Fatal(err)
		}
		tc.to(&item.Event)
		got := changeOf(t, text, item.Event, tc.fields)
		slices.Sort(tc.goes)
		slices.Sort(tc.come)
		if l := lost(text, string(got.Text)); !slices.Equal(l, tc.goes) {
			t.Errorf("%s, %s: these lines go: %q\nwant %q", tc.file, got.Fields, l, tc.goes)
		}
		if l := lost(string(got.Text), text); !slices.Equal(l, tc.come) {
			t.Errorf("%s, %s: these lines come: %q\nwant %q", tc.file, got.Fields, l, tc.come)
		}
		after, err := mapper(t).Read(string(got.Text), "alice@example.com")
		if err != nil || differences(after.Event, item.Event)&tc.fields != 0 {
			t.Errorf("%s: after the update %s differ: %v", tc.file, differences(after.Event, item.Event)&tc.fields, err)
		}
		if again := changeOf(t, string(got.Text), item.Event, tc.fields); again.Text != nil {
			t.Errorf("%s: the same update once more writes %s", tc.file, again.Fields)
		}
	}
}

func TestWhatASeriesCannotSayIsNotDamaged(t *testing.T) {
	t.Parallel()
	const further = "DTSTART:20270712T100000Z\nDTEND:20270712T110000Z\nRRULE:FREQ=DAILY;COUNT=5\nRDATE:20270801T100000Z\n"
	e := read(t, further).Event
	e.Subject = "kept"
	if got := lost(anObject(further), string(changeOf(t, anObject(further), e, calendar.AllFields).Text)); len(got) > 0 {
		t.Errorf("an update of the subject takes %q", got)
	}
	later := e
	later.Start, later.End = e.Start.Add(time.Hour), e.End.Add(time.Hour)
	ruled := e
	ruled.Recurrence = "FREQ=DAILY;COUNT=6"
	moved, err := mapper(t).Read(sample(t, "thunderbird.ics"), "alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	moved.Event.Start = moved.Event.Start.Add(-time.Hour)
	for name, tc := range map[string]struct {
		text   string
		e      calendar.Event
		fields calendar.Fields
	}{
		"another beginning":                 {anObject(further), later, calendar.FieldTime},
		"another rule":                      {anObject(further), ruled, calendar.FieldRecurrence},
		"another beginning with exceptions": {sample(t, "thunderbird.ics"), moved.Event, calendar.FieldTime},
	} {
		if got, err := mapper(t).Change(tc.text, Change{Event: tc.e, Fields: tc.fields, Now: writtenAt}); fault.Of(err) != fault.Unsupported {
			t.Errorf("%s: %s, %v; want unsupported", name, got.Text, err)
		}
	}
}

func TestWhoIsToldIsSaidInTheObject(t *testing.T) {
	t.Parallel()
	start := at(t, "2027-07-12 10:00")
	e := calendar.Event{Subject: "x", Start: start, End: start.Add(time.Hour), Attendees: []calendar.Attendee{
		invited("Bob", "bob@example.com", calendar.Required, calendar.NoResponse),
	}}
	c := Change{Event: e, Key: "k1", Owner: "alice@example.com", Now: writtenAt}
	silent, err := mapper(t).New(c)
	if err != nil || !strings.Contains(string(silent), "SCHEDULE-AGENT=CLIENT") || mapper(t).Informs(string(silent)) {
		t.Fatalf("made silently, the server is not kept from telling: %s, %v", silent, err)
	}
	c.Mail = calendar.MailAll
	loud, err := mapper(t).New(c)
	if err != nil || strings.Contains(string(loud), "SCHEDULE-AGENT") || !mapper(t).Informs(string(loud)) {
		t.Fatalf("made for all to know, it is not left to the server: %s, %v", loud, err)
	}
	if !strings.Contains(string(loud), "ORGANIZER:mailto:alice@example.com") {
		t.Errorf("an invitation comes from nobody: %s", loud)
	}
	e.Subject = "y"
	for _, tc := range []struct {
		text    []byte
		mail    calendar.Mail
		fields  calendar.Fields
		informs bool
		agent   bool
	}{
		{silent, calendar.MailNobody, calendar.FieldSubject, false, true},
		{silent, calendar.MailConcerned, calendar.FieldSubject, false, false},
		{loud, calendar.MailNobody, calendar.FieldSubject, true, false},
		{loud, calendar.MailAll, calendar.FieldSubject, false, false},
		{loud, calendar.MailNobody, calendar.FieldBusy, false, false},
	} {
		e.Busy = calendar.Free
		got, err := mapper(t).Change(string(tc.text), Change{Event: e, Fields: tc.fields, Mail: tc.mail, Owner: "alice@example.com", Now: writtenAt})
		if err != nil || got.Informs != tc.informs || strings.Contains(string(got.Text), "SCHEDULE-AGENT=CLIENT") != tc.agent {
			t.Errorf("mail %d, %s: informs %t, %v\n%s", tc.mail, tc.fields, got.Informs, err, got.Text)
		}
	}
}

func TestAnEventThatCanNeverBeIsRefused(t *testing.T) {
	t.Parallel()
	start := at(t, "2027-10-31 01:30") // in Berlin, half past two for the second time
	good := calendar.Event{Start: start, End: start.Add(time.Hour), Zone: "Europe/Berlin"}
	for name, tc := range map[string]struct {
		to   func(e *calendar.Event)
		want fault.Kind
	}{
		"no time":                {func(e *calendar.Event) { e.Start = time.Time{} }, fault.Invalid},
		"over before it starts":  {func(e *calendar.Event) { e.End = e.Start.Add(-1) }, fault.Invalid},
		"no day":                 {func(e *calendar.Event) { e.AllDay, e.End = true, e.Start }, fault.Invalid},
		"no zone":                {func(e *calendar.Event) { e.Zone = "Mars/Olympus" }, fault.Invalid},
		"the machine's zone":     {func(e *calendar.Event) { e.Zone = "Local" }, fault.Invalid},
		"no busy state":          {func(e *calendar.Event) { e.Busy = 99 }, fault.Invalid},
		"no class":               {func(e *calendar.Event) { e.Class = 99 }, fault.Invalid},
		"nobody invited":         {func(e *calendar.Event) { e.Attendees = []calendar.Attendee{{}} }, fault.Invalid},
		"no rule":                {func(e *calendar.Event) { e.Zone, e.Recurrence = "", "every day" }, fault.Invalid},
		"more than a rule":       {func(e *calendar.Event) { e.Zone, e.Recurrence = "", "FREQ=DAILY\r\nEXDATE:20270712T100000Z" }, fault.Invalid},
		"a series twice an hour": {func(e *calendar.Event) { e.Recurrence = "FREQ=DAILY" }, fault.Unsupported},
	} {
		e := good
		tc.to(&e)
		if text, err := mapper(t).New(Change{Event: e, Key: "k1", Now: writtenAt}); fault.Of(err) != tc.want {
			t.Errorf("%s: %v, want %s\n%s", name, err, tc.want, text)
		}
	}
	if _, err := mapper(t).New(Change{Event: good, Key: "k1", Now: writtenAt}); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestWhatIsWrittenCannotBreakOutOfItsLine(t *testing.T) {
	t.Parallel()
	const evil = "x\r\nATTACH:http://example.com/\r\nEND:VEVENT\x00\x07 \u2028\"quoted\";a=b"
	start := at(t, "2027-07-12 10:00")
	text, err := mapper(t).New(Change{
		Event: calendar.Event{Subject: evil, Body: evil, Location: evil, Start: start, End: start, Attendees: []calendar.Attendee{
			{Address: calendar.Address{Name: evil, Email: "bob@example.com\r\nATTACH:x"}},
		}},
		Key: "k\r\n1", ForeignKey: evil, Owner: "alice@example.com", Now: writtenAt,
	})
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\r\n") {
		if len(line) > lineLength {
			t.Errorf("a line has %d bytes: %q", len(line), line)
		}
	}
	o, err := mapper(t).parse(string(text))
	if err != nil || o.main().Props.Get("ATTACH") != nil || len(o.main().Props["ATTENDEE"]) != 1 {
		t.Errorf("the object has more than it ought to: %v\n%s", err, text)
	}
}
