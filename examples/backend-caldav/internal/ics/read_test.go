package ics

import (
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// object is one with lines of its event, and of further ones after a line of three dashes.
func anObject(lines string) string {
	events := strings.Split(lines, "---\n")
	for i, e := range events {
		events[i] = "BEGIN:VEVENT\nUID:u1\n" + e + "END:VEVENT\n"
	}
	return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"+strings.Join(events, "")+"END:VCALENDAR\n", "\n", "\r\n")
}

func read(t *testing.T, lines string) calendar.Item {
	t.Helper()
	item, err := mapper(t).Read(anObject(lines), "alice@example.com")
	if err != nil {
		t.Fatalf("%s: %v", lines, err)
	}
	return item
}

func TestTimesAreRead(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]calendar.Event{
		"DTSTART:20270712T100000Z\nDTEND:20270712T110000Z\n":                      {Start: at(t, "2027-07-12 10:00"), End: at(t, "2027-07-12 11:00")},
		"DTSTART:20270712T100000\nDTEND:20270712T110000\n":                        {Start: at(t, "2027-07-12 08:00"), End: at(t, "2027-07-12 09:00"), Zone: "Europe/Berlin"},
		"DTSTART:20270712T100000Z\nDURATION:PT1H30M\n":                            {Start: at(t, "2027-07-12 10:00"), End: at(t, "2027-07-12 11:30")},
		"DTSTART:20270712T100000Z\n":                                              {Start: at(t, "2027-07-12 10:00"), End: at(t, "2027-07-12 10:00")},
		"DTSTART:20270712T100000Z\nDTEND:20270712T090000Z\n":                      {Start: at(t, "2027-07-12 10:00"), End: at(t, "2027-07-12 10:00")},
		"DTSTART;TZID=Europe/Berlin:20270327T120000\nDURATION:P1D\n":              {Start: at(t, "2027-03-27 11:00"), End: at(t, "2027-03-28 10:00"), Zone: "Europe/Berlin"},
		"DTSTART;TZID=Europe/Berlin:20270327T120000\nDURATION:PT24H\n":            {Start: at(t, "2027-03-27 11:00"), End: at(t, "2027-03-28 11:00"), Zone: "Europe/Berlin"},
		"DTSTART;VALUE=DATE:20270712\nDTEND;VALUE=DATE:20270714\n":                {Start: at(t, "2027-07-12"), End: at(t, "2027-07-14"), AllDay: true},
		"DTSTART;VALUE=DATE:20270712\n":                                           {Start: at(t, "2027-07-12"), End: at(t, "2027-07-13"), AllDay: true},
		"DTSTART;VALUE=DATE:20270712\nDTEND;VALUE=DATE:20270712\n":                {Start: at(t, "2027-07-12"), End: at(t, "2027-07-13"), AllDay: true},
		"DTSTART;VALUE=DATE:20270712\nDURATION:P2W\n":                             {Start: at(t, "2027-07-12"), End: at(t, "2027-07-26"), AllDay: true},
		"DTSTART;X-ROOMWIRE-TZID=Europe/Berlin:20271031T013000Z\nDURATION:PT1H\n": {Start: at(t, "2027-10-31 01:30"), End: at(t, "2027-10-31 02:30"), Zone: "Europe/Berlin"},
	} {
		got := read(t, lines).Event
		if !got.Start.Equal(want.Start) || !got.End.Equal(want.End) || got.AllDay != want.AllDay || got.Zone != want.Zone {
			t.Errorf("%q is from %s to %s, all day %t, in %q", lines, got.Start, got.End, got.AllDay, got.Zone)
		}
	}
}

func TestWhatCannotBeReadSaysNothingOfTheEvent(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no iCalendar":       "<html>",
		"cut off":            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20270712T100000Z\r\n",
		"a parameter's end":  anObject("DTSTART;TZID=\n"),
		"no start":           anObject("SUMMARY:x\n"),
		"no time":            anObject("DTSTART:soon\n"),
		"the year zero":      anObject("DTSTART:00000101T000000Z\n"),
		"nested beyond need": strings.Repeat("BEGIN:X\r\n", 100000),
	} {
		if item, err := mapper(t).Read(text, ""); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %+v, %v; want unavailable", name, item, err)
		}
	}
	todo := "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
	if _, err := mapper(t).Read(todo, ""); fault.Of(err) != fault.Invalid {
		t.Errorf("a task: %v, want invalid", err)
	}
}

func TestStatesAreRead(t *testing.T) {
	t.Parallel()
	const start = "DTSTART:20270712T100000Z\n"
	for lines, want := range map[string]calendar.Busy{
		"":                     calendar.Occupied,
		"TRANSP:TRANSPARENT\n": calendar.Free,
		"TRANSP:OPAQUE\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\n":                   calendar.OutOfOffice,
		"TRANSP:TRANSPARENT\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\n":              calendar.Free, // somebody changed the one that he knows
		"TRANSP:OPAQUE\nX-MICROSOFT-CDO-BUSYSTATUS:FREE\n":                  calendar.Occupied,
		"TRANSP:TRANSPARENT\nX-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\n": calendar.WorkingElsewhere,
		"STATUS:TENTATIVE\n": calendar.Tentative,
	} {
		if got := read(t, start+lines).Event.Busy; got != want {
			t.Errorf("%q is %d, want %d", lines, got, want)
		}
	}
	for word, want := range map[string]calendar.Class{
		"PUBLIC": calendar.Public, "private": calendar.Private, "CONFIDENTIAL": calendar.Confidential, "X-PERSONAL": calendar.Personal, "X-OTHER": calendar.Private,
	} {
		if got := read(t, start+"CLASS:"+word+"\n").Event.Class; got != want {
			t.Errorf("class %s is %d, want %d", word, got, want)
		}
	}
	if !read(t, start+"STATUS:CANCELLED\n").Event.Cancelled {
		t.Error("STATUS:CANCELLED is not seen")
	}
	if got := read(t, start+"SUMMARY:a\\, b\\;c\\\\n, d\\:e\n").Event.Subject; got != `a, b;c\n, d:e` {
		t.Errorf("the escaped text is %q", got)
	}
}

func TestSeriesThatHaveNoWordsAreSeriesWithoutARule(t *testing.T) {
	t.Parallel()
	const start = "DTSTART:20270712T100000Z\nDTEND:20270712T110000Z\nRRULE:FREQ=DAILY;COUNT=5\n"
	for name, lines := range map[string]string{
		"further dates":     start + "RDATE:20270801T100000Z\n",
		"two rules":         start + "RRULE:FREQ=WEEKLY;COUNT=2\n",
		"dates alone":       "DTSTART:20270712T100000Z\nRDATE:20270801T100000Z\n",
		"this and future":   start + "---\nRECURRENCE-ID;RANGE=THISANDFUTURE:20270714T100000Z\nDTSTART:20270714T120000Z\n",
		"a rule of excepts": start + "EXRULE:FREQ=WEEKLY\n",
	} {
		if got := read(t, lines); got.Kind != calendar.Master || got.Event.Recurrence != "" || got.Event.Exceptions != nil || got.Omits != calendar.FieldRecurrence {
			t.Errorf("%s: kind %d, rule %q, %d exceptions; want a series without a rule", name, got.Kind, got.Event.Recurrence, len(got.Event.Exceptions))
		}
	}
	if got := read(t, "RECURRENCE-ID:20270712T100000Z\nDTSTART:20270712T100000Z\n"); got.Kind != calendar.Exception {
		t.Errorf("an invitation to one occurrence is of kind %d", got.Kind)
	}
}

func TestTheEndOfASeriesIsReadAsItWasMeant(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"DTSTART;TZID=Europe/Berlin:20271020T090000\nRRULE:FREQ=DAILY;UNTIL=20271025\n":         "FREQ=DAILY;UNTIL=20271025T215959Z",
		"DTSTART;TZID=Europe/Berlin:20271101T090000\nRRULE:FREQ=DAILY;UNTIL=20271105T090000\n":  "FREQ=DAILY;UNTIL=20271105T080000Z",
		"DTSTART;TZID=Europe/Berlin:20271101T090000\nRRULE:FREQ=DAILY;UNTIL=20271105T080000Z\n": "FREQ=DAILY;UNTIL=20271105T080000Z",
		"DTSTART;VALUE=DATE:20271101\nRRULE:FREQ=DAILY;UNTIL=20271105T080000Z\n":                "FREQ=DAILY;UNTIL=20271105",
	} {
		if got := read(t, lines).Event.Recurrence; got != want {
			t.Errorf("%q is %s, want %s", lines, got, want)
		}
	}
	// Evolution leaves occurrences out by their date.
	got := read(t, "DTSTART;TZID=Europe/Berlin:20271101T090000\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE;VALUE=DATE:20271103\n").Event.Exceptions
	if len(got) != 1 || !got[0].Occurrence.Equal(at(t, "2027-11-03 08:00")) {
		t.Errorf("the exceptions are %+v", got)
	}
}

func TestOnlyAlarmsBeforeTheStartAreReminders(t *testing.T) {
	t.Parallel()
	const start = "DTSTART:20270712T100000Z\n"
	alarm := func(action, trigger string) string {
		return "BEGIN:VALARM\nACTION:" + action + "\nTRIGGER" + trigger + "\nEND:VALARM\n"
	}
	for lines, want := range map[string]int{
		alarm("DISPLAY", ":-PT15M"):                             15,
		alarm("AUDIO", ":-P1W"):                                 7 * 24 * 60,
		alarm("DISPLAY", ":PT0S"):                               0,
		alarm("DISPLAY", ";RELATED=START:-PT90S"):               1,
		alarm("DISPLAY", ":-PT5M") + alarm("DISPLAY", ":-PT1H"): 60,
		alarm("DISPLAY", ":PT5M"):                               -1,
		alarm("DISPLAY", ";RELATED=END:-PT5M"):                  -1,
		alarm("DISPLAY", ";VALUE=DATE-TIME:20270712T090000Z"):   -1,
		alarm("EMAIL", ":-PT5M"):                                -1,
		alarm("NONE", ";VALUE=DATE-TIME:19760401T005545Z"):      -1,
	} {
		got := -1
		if r := read(t, start+lines).Event.Reminder; r != nil {
			got = int(r.Before.Minutes())
		}
		if got != want {
			t.Errorf("%q reminds %d minutes before, want %d", lines, got, want)
		}
	}
}

func TestMarkersAreSeenWithoutReadingTheObject(t *testing.T) {
	t.Parallel()
	m := mapper(t)
	for name, tc := range map[string]struct {
		text string
		want Marks
	}{
		"both":                  {anObject("X-ROOMWIRE-BOOKING-ID:k\\,1\nX-APPOINTMENT-OID:f1\n"), Marks{"k,1", "f1"}},
		"folded":                {anObject("X-ROOMWIRE-BOOK\n ING-ID:k\n 1\n"), Marks{"k1", ""}},
		"with a parameter":      {anObject("X-APPOINTMENT-OID;X-P=\"a:b\":f1\n"), Marks{"", "f1"}},
		"none":                  {anObject("SUMMARY:X-ROOMWIRE-BOOKING-ID:k1\n"), Marks{}},
		"only the UID":          {strings.Replace(anObject(""), "UID:u1", "UID:k1@roomwire", 1), Marks{"k1", ""}},
		"of the calendar":       {"BEGIN:VCALENDAR\r\nX-APPOINTMENT-OID:f1\r\nEND:VCALENDAR\r\n", Marks{}},
		"in what is no object":  {"BEGIN:VEVENT\nX-APPOINTMENT-OID:f1\n", Marks{"", "f1"}},
		"of somebody's damaged": {anObject("DTSTART;;;\nno line\n"), Marks{}},
	} {
		if got := m.Marks(tc.text); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	for name, want := range map[string]string{
		"RoomwireBookingId": "X-ROOMWIRE-BOOKING-ID", "AppointmentOid": "X-APPOINTMENT-OID", "x-my prop_2": "X-MY-PROP-2", "ÄÖ": "", "-": "",
	} {
		if got := MarkerProperty(name); got != want {
			t.Errorf("MarkerProperty(%s) = %q, want %q", name, got, want)
		}
	}
}
