package exchange

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/plugins/internal/series"
	"github.com/roomwire/roomwire/plugins/internal/zones"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func day(text string) time.Time { return utc(text + " 00:00") }

func moments(t time.Time, minutes int) time.Time { return t.Add(time.Duration(minutes) * time.Minute) }

// edges are moments around which clocks are put forward and back, or where the date differs from UTC's.
var edges = []struct{ zone, at string }{
	{"Europe/Berlin", "2026-03-29 01:00"}, {"Europe/Berlin", "2026-10-25 01:00"}, {"Europe/London", "2026-10-25 01:00"},
	{"America/New_York", "2026-03-08 07:00"}, {"America/New_York", "2026-11-01 06:00"}, {"Pacific/Auckland", "2026-04-04 14:00"},
	{"Pacific/Auckland", "2026-09-26 14:00"}, {"Asia/Beirut", "2026-03-28 22:00"}, {"Africa/Cairo", "2026-04-23 22:00"},
	{"America/Havana", "2026-03-08 05:00"}, {"Australia/Lord_Howe", "2026-10-03 15:30"}, {"Asia/Kolkata", "2026-01-01 00:00"},
	{"Pacific/Kiritimati", "2026-12-31 10:00"}, {"Pacific/Honolulu", "2026-01-01 10:00"}, {"", "2026-06-30 23:00"},
}

// home returns the zone as it comes back: many share one Windows id.
func home(t *testing.T, zone string) string {
	t.Helper()
	if zone == "" {
		return ""
	}
	id, ok := zones.Windows(zone)
	if !ok {
		t.Fatalf("no Windows id for %s", zone)
	}
	back, _ := zones.IANA(id)
	return back
}

func TestTimesSurviveARoundTripAtEveryEdge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	for i, edge := range edges {
		at := utc(edge.at)
		date := at
		if edge.zone != "" {
			where, err := zones.Location(edge.zone)
			if err != nil {
				t.Fatal(err)
			}
			date = at.In(where)
		}
		first := day(date.Format("2006-01-02"))
		for j, e := range []calendar.Event{
			{Start: moments(at, -30), End: moments(at, 30)},
			{Start: moments(at, -1), End: at},
			{Start: at, End: moments(at, 1)},
			{Start: at, End: at},
			{Start: first, End: first.AddDate(0, 0, 1), AllDay: true},
			{Start: first.AddDate(0, 0, -1), End: first.AddDate(0, 0, 2), AllDay: true},
		} {
			e.Zone, e.Subject, e.Busy = edge.zone, "edge", calendar.Free
			item := w.create(t, fmt.Sprint("bk-", i, "-", j), e)
			e.Zone = home(t, edge.zone)
			if got := written(item.Event); !reflect.DeepEqual(got, e) {
				t.Errorf("%s %s came back as\n%+v, want\n%+v", edge.zone, edge.at, got, e)
			}
		}
	}
}

func TestAllDayBecomesTimedAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	e := calendar.Event{
		Subject: "x", Start: day("2026-10-25"), End: day("2026-10-27"), AllDay: true, Zone: "Europe/Berlin", Busy: calendar.Free,
	}
	item := w.create(t, "bk-1", e)
	for _, next := range []calendar.Event{
		{Start: utc("2026-10-25 01:30"), End: utc("2026-10-25 02:30"), Zone: "Europe/London"},
		{Start: day("2026-11-01"), End: day("2026-11-02"), AllDay: true, Zone: "America/New_York"},
		{Start: day("2026-11-01"), End: day("2026-11-02"), AllDay: true},
	} {
		r, err := w.Apply(t.Context(), calendar.Mutation{
			Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: next, Fields: calendar.FieldTime,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := written(r.Item.Event), series.Overlay(e, next, calendar.FieldTime); !reflect.DeepEqual(got, want) {
			t.Errorf("now\n%+v, want\n%+v", got, want)
		}
	}
}

// TestWhatOutlookMakesOfAnAllDayEventIsRead uses people of three zones: the days are those that the person sees.
func TestWhatOutlookMakesOfAnAllDayEventIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	for address, start := range map[string]string{
		"alice@example.com": "2026-12-01 23:00", "bob@example.com": "2026-12-02 00:00", "carol@example.com": "2026-12-02 05:00",
	} {
		id, err := w.sim.Outlook(address).Create(exchangesim.Appointment{
			Subject: "holiday", Start: utc(start), End: utc(start).AddDate(0, 0, 2), AllDay: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Fetch(t.Context(), w.mailbox(address), []backend.Ref{backend.Ref(id)})
		if err != nil || got[0].Err != nil {
			t.Fatal(err, got[0].Err)
		}
		if e := got[0].Item.Event; !e.AllDay || !e.Start.Equal(day("2026-12-02")) || !e.End.Equal(day("2026-12-04")) {
			t.Errorf("%s: %v to %v", address, e.Start, e.End)
		}
	}
}

// TestAnyEventSurvivesARoundTrip writes random events to the server and reads them back.
func TestAnyEventSurvivesARoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		e := drawEvent(rt)
		key := fmt.Sprint("bk-", n)
		r, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Create, Mailbox: w.alice, Key: key, Event: e})
		if err != nil {
			rt.Fatal(err)
		}
		got := written(r.Item.Event)
		e.Zone = home(t, e.Zone)
		if e.Busy == calendar.BusyUnspecified {
			e.Busy = calendar.Occupied // the server's choice
		}
		if !reflect.DeepEqual(got, e) {
			rt.Fatalf("came back as\n%+v, want\n%+v", got, e)
		}
	})
}

func drawEvent(rt *rapid.T) calendar.Event {
	text := rapid.StringMatching(`([a-zA-Z0-9äöü€👋<>&"'][ \ta-zA-Z0-9äöü€👋<>&"'\]]{0,20})?[a-z0-9]`)
	edge := rapid.SampledFrom(edges).Draw(rt, "edge")
	e := calendar.Event{
		Subject: text.Draw(rt, "subject"), Location: text.Draw(rt, "location"),
		Body:  strings.Join(rapid.SliceOfN(text, 0, 3).Draw(rt, "body"), "\n"),
		Zone:  edge.zone,
		Busy:  rapid.SampledFrom([]calendar.Busy{0, 1, 2, 3, 4, 5}).Draw(rt, "busy"),
		Class: rapid.SampledFrom([]calendar.Class{0, 1, 2, 3}).Draw(rt, "class"),
	}
	e.Start = moments(utc(edge.at), rapid.IntRange(-2000, 2000).Draw(rt, "start"))
	e.End = moments(e.Start, rapid.IntRange(0, 5000).Draw(rt, "length"))
	if rapid.Bool().Draw(rt, "all day") {
		e.AllDay, e.Start = true, e.Start.Truncate(24*time.Hour)
		e.End = e.Start.AddDate(0, 0, rapid.IntRange(1, 30).Draw(rt, "days"))
	}
	if rapid.Bool().Draw(rt, "reminder") {
		e.Reminder = &calendar.Reminder{Before: time.Duration(rapid.IntRange(0, 20160).Draw(rt, "before")) * time.Minute}
	}
	for role := calendar.Required; role <= calendar.Resource; role++ {
		for i := range rapid.IntRange(0, 3).Draw(rt, "people") {
			e.Attendees = append(e.Attendees, calendar.Attendee{Role: role, Address: calendar.Address{
				Name: text.Draw(rt, "name"), Email: fmt.Sprintf("p%d.%d@example.net", role, i),
			}})
		}
	}
	return e
}

func TestItemsAsOtherServersTellThem(t *testing.T) {
	t.Parallel()
	b, err := New(backend.Env{Markers: backend.DefaultMarkers()}, "test", OnPremises)
	if err != nil {
		t.Fatal(err)
	}
	m := backend.Mailbox{Address: "Ada@example.com"}
	base := func(change func(*ews.CalendarItem)) *ews.CalendarItem {
		i := &ews.CalendarItem{ItemID: ews.ItemID{ID: "A"}, Start: utc("2026-12-01 08:00"), End: utc("2026-12-01 09:00"), Type: "Single"}
		change(i)
		return i
	}
	tests := map[string]struct {
		item *ews.CalendarItem
		ok   func(backend.Item) bool
	}{
		"all day, no zone, central Europe": {
			base(func(i *ews.CalendarItem) {
				i.AllDay, i.Start, i.End = true, utc("2026-07-04 22:00"), utc("2026-07-05 22:00")
			}),
			func(i backend.Item) bool {
				return i.Event.Start.Equal(day("2026-07-05")) && i.Event.End.Equal(day("2026-07-06"))
			},
		},
		"all day, no zone, New York (recorded)": {
			base(func(i *ews.CalendarItem) {
				i.AllDay, i.Start, i.End = true, utc("2025-07-05 04:00"), utc("2025-07-06 04:00")
			}),
			func(i backend.Item) bool {
				return i.Event.Start.Equal(day("2025-07-05")) && i.Event.End.Equal(day("2025-07-06"))
			},
		},
		"all day, only the end's zone, Auckland": {
			base(func(i *ews.CalendarItem) {
				i.AllDay, i.Start, i.End = true, utc("2026-01-09 11:00"), utc("2026-01-10 11:00")
				i.EndZone.ID = "New Zealand Standard Time"
			}),
			func(i backend.Item) bool { return i.Event.Start.Equal(day("2026-01-10")) },
		},
		"all day that ends when it starts": {
			base(func(i *ews.CalendarItem) { i.AllDay, i.Start, i.End = true, day("2026-01-10"), day("2026-01-10") }),
			func(i backend.Item) bool { return i.Event.End.Equal(day("2026-01-11")) },
		},
		"all day in a zone of its own rules": {
			base(func(i *ews.CalendarItem) {
				i.AllDay, i.Start, i.End = true, utc("2026-01-09 10:45"), utc("2026-01-10 10:45")
				i.StartZone = ews.Zone{ID: "Customized Time Zone", Rules: &zones.Rules{
					Periods: []zones.Period{{ID: "p", Bias: -(13*time.Hour + 15*time.Minute)}},
				}}
			}),
			func(i backend.Item) bool { return i.Event.Start.Equal(day("2026-01-10")) && i.Event.Zone == "" },
		},
		"received bit": {
			base(func(i *ews.CalendarItem) {
				i.State = ews.State{Known: true, Bits: ews.StateMeeting | ews.StateReceived}
			}),
			func(i backend.Item) bool { return i.ReadOnly },
		},
		"the organizer's own, who has not responded (recorded)": {
			base(func(i *ews.CalendarItem) {
				i.State, i.Meeting, i.MyResponse = ews.State{Known: true, Bits: 1}, true, "NoResponseReceived"
			}),
			func(i backend.Item) bool { return !i.ReadOnly },
		},
		"no state, another organizer": {
			base(func(i *ews.CalendarItem) {
				i.Meeting, i.MyResponse, i.Organizer.Email = true, "Accept", "bob@example.com"
			}),
			func(i backend.Item) bool { return i.ReadOnly },
		},
		"no state, own organizer in other letters": {
			base(func(i *ews.CalendarItem) { i.Meeting, i.Organizer.Email = true, "ADA@example.com" }),
			func(i backend.Item) bool { return !i.ReadOnly },
		},
		"cancelled by state": {
			base(func(i *ews.CalendarItem) { i.State = ews.State{Known: true, Bits: 7} }),
			func(i backend.Item) bool { return i.Event.Cancelled && i.ReadOnly },
		},
		"directory name instead of an address": {
			base(func(i *ews.CalendarItem) {
				i.Organizer = ews.Address{Name: "Ada", Email: "/O=ORG/CN=ADA", Type: "EX"}
			}),
			func(i backend.Item) bool { return i.Event.Organizer == calendar.Address{Name: "Ada"} },
		},
		"values nobody knows": {
			base(func(i *ews.CalendarItem) { i.FreeBusy, i.Sensitivity, i.Type = "NoData", "Secret", "New" }),
			func(i backend.Item) bool {
				return i.Event.Busy == calendar.BusyUnspecified && i.Event.Class == calendar.Public && i.Kind == calendar.Single
			},
		},
		"text as Windows ends lines": {
			base(func(i *ews.CalendarItem) { i.Body = "a\r\nb\r\n\r\n" }),
			func(i backend.Item) bool { return i.Event.Body == "a\nb" },
		},
		"negative reminder": {
			base(func(i *ews.CalendarItem) { i.ReminderSet, i.ReminderLead = true, -5 }),
			func(i backend.Item) bool { return i.Event.Reminder != nil && i.Event.Reminder.Before == 0 },
		},
		"answers": {
			base(func(i *ews.CalendarItem) {
				for _, r := range []string{"Accept", "Tentative", "Decline", "Unknown", "NoResponseReceived", "Organizer"} {
					i.Required = append(i.Required, ews.Attendee{Response: r})
				}
			}),
			func(i backend.Item) bool {
				var got []calendar.Response
				for _, a := range i.Event.Attendees {
					got = append(got, a.Response)
				}
				return reflect.DeepEqual(got, []calendar.Response{1, 2, 3, 0, 0, 1})
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			item, err := b.fromEWS(m, tt.item)
			if err != nil || !tt.ok(item) {
				t.Errorf("%+v, %v", item, err)
			}
		})
	}
	for name, broken := range map[string]func(*ews.CalendarItem){
		"no id": func(i *ews.CalendarItem) { i.ID = "" }, "no start": func(i *ews.CalendarItem) { i.Start = time.Time{} },
		"no end": func(i *ews.CalendarItem) { i.End = time.Time{} },
	} {
		if _, err := b.fromEWS(m, base(broken)); fault.Of(err) != fault.Unavailable {
			t.Errorf("%s: %v, want Unavailable", name, err)
		}
	}
}

// Exchange knows "working elsewhere" since the version that every request asks for, 2013 SP1: it is neither refused nor turned into
// another state, in a single item and in an occurrence, and what is read is what was written.
func TestWorkingElsewhereComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	single, many := desk(), tuesdays()
	single.Attendees, many.Attendees = nil, nil
	single.Busy = calendar.WorkingElsewhere
	many.Exceptions = []calendar.OccurrenceException{on(t, many, "2026-10-13", func(e *calendar.Event) { e.Busy = calendar.WorkingElsewhere })}
	for key, e := range map[string]calendar.Event{"k1": single, "k2": many} {
		item := w.create(t, key, e)
		got, err := w.fetch(t, item.Ref)
		if err != nil || differs(got.Event, e) != "" || got.Revision != item.Revision {
			t.Errorf("%s: %v, %s", key, err, differs(got.Event, e))
		}
		again := w.mustUpdate(t, item, e, calendar.AllFields, calendar.MailNobody)
		if again.Revision != item.Revision {
			t.Errorf("%s was written once more", key)
		}
	}
	a, ok := w.sim.Outlook("alice@example.com").Find(func(a exchangesim.Appointment) bool { return a.Recurrence == nil })
	if !ok || a.BusyStatus != "WorkingElsewhere" || ews.Version != "Exchange2013_SP1" {
		t.Errorf("the item is %s, asked for as %s", a.BusyStatus, ews.Version)
	}
}
