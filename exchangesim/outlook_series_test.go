package exchangesim_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// tuesdays is a series of five weeks at nine in Berlin, across the change of the clock, with two guests.
func tuesdays() exchangesim.Appointment {
	return exchangesim.Appointment{
		Subject: "Weekly", Location: "4.12", TimeZone: "W. Europe Standard Time",
		Start: time.Date(2026, 10, 13, 7, 0, 0, 0, time.UTC), End: time.Date(2026, 10, 13, 8, 0, 0, 0, time.UTC),
		Required:   []exchangesim.Attendee{{Address: "bob@example.com"}, {Address: "carol@example.com"}},
		Properties: map[string]string{"PublicStrings/AppointmentOid": "bk-1"},
		Recurrence: &exchangesim.Recurrence{Pattern: "Weekly", Interval: 1, Days: []string{"Tuesday"}, Count: 5},
	}
}

// shown lists what a series looks like.
func shown(t *testing.T, o *exchangesim.Outlook, id string) string {
	t.Helper()
	list, err := o.Occurrences(id, time.Time{}, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range list {
		mark := ""
		if x.Exception {
			mark = "*"
		}
		out = append(out, fmt.Sprintf("%s %s%s at %s", x.Start.Format("02.01. 15:04"), x.Subject, mark, x.Location))
	}
	return strings.Join(out, "\n")
}

func want(t *testing.T, what, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, wanted)
	}
}

func TestAPersonChangesOccurrences(t *testing.T) {
	t.Parallel()
	sim, _ := newSim(t, exchangesim.Options{CopyToAttendees: true})
	o := sim.Outlook("alice@example.com")
	id, err := o.Create(tuesdays())
	if err != nil {
		t.Fatal(err)
	}
	second, third := time.Date(2026, 10, 20, 7, 0, 0, 0, time.UTC), time.Date(2026, 10, 27, 8, 0, 0, 0, time.UTC)
	mails := len(sim.Mails())
	if err := o.UpdateOccurrence(id, second, func(a *exchangesim.Appointment) {
		a.Subject, a.Start, a.End = "Moved", a.Start.Add(26*time.Hour), a.End.Add(26*time.Hour)
	}); err != nil {
		t.Fatal(err)
	}
	if err := o.DeleteOccurrence(id, third); err != nil {
		t.Fatal(err)
	}
	want(t, "the series", shown(t, o, id), "13.10. 07:00 Weekly at 4.12\n21.10. 09:00 Moved* at 4.12\n03.11. 08:00 Weekly at 4.12\n10.11. 08:00 Weekly at 4.12")
	for i, kind := range []string{"update", "cancellation"} {
		if m := sim.Mails()[mails+i]; m.Kind != kind || len(m.To) != 2 || !m.Occurrence.Equal([]time.Time{second, third}[i]) {
			t.Errorf("mail %+v, want the %s of one occurrence", m, kind)
		}
	}
	bob := sim.Outlook("bob@example.com")
	if copies := bob.Items(); len(copies) != 1 || copies[0].Cancelled {
		t.Fatalf("in the attendee's calendar: %+v", copies)
	}
	want(t, "the attendee's copy", shown(t, bob, bob.Items()[0].ID), shown(t, o, id))
	if err := o.DeleteOccurrence(id, third); !errors.Is(err, exchangesim.ErrNoOccurrence) {
		t.Errorf("deleting it again: %v", err)
	}
	if err := o.UpdateOccurrence(id, second, func(a *exchangesim.Appointment) { a.Start = third.AddDate(0, 0, 8); a.End = a.Start }); err == nil {
		t.Error("an occurrence was moved beyond its neighbour")
	}
	if err := o.Update(id, func(a *exchangesim.Appointment) { a.Subject, a.Location = "Renamed", "5.01" }); err != nil {
		t.Fatal(err)
	}
	want(t, "after a change of title and place", shown(t, o, id),
		"13.10. 07:00 Renamed at 5.01\n21.10. 09:00 Moved* at 5.01\n03.11. 08:00 Renamed at 5.01\n10.11. 08:00 Renamed at 5.01")
	if err := o.Update(id, func(a *exchangesim.Appointment) { a.Recurrence.Count = 4 }); err != nil {
		t.Fatal(err)
	}
	want(t, "cut", shown(t, o, id), "13.10. 07:00 Renamed at 5.01\n21.10. 09:00 Moved* at 5.01\n03.11. 08:00 Renamed at 5.01")
	if err := o.Update(id, func(a *exchangesim.Appointment) {
		a.Start, a.End = a.Start.AddDate(0, 0, 1), a.End.AddDate(0, 0, 1)
		a.Recurrence.Days[0] = "Wednesday"
	}); err != nil {
		t.Fatal(err)
	}
	want(t, "on another day", shown(t, o, id),
		"14.10. 07:00 Renamed at 5.01\n21.10. 07:00 Renamed at 5.01\n28.10. 08:00 Renamed at 5.01\n04.11. 08:00 Renamed at 5.01")
	if err := o.Update(id, func(a *exchangesim.Appointment) { a.Recurrence.Pattern = "Fortnightly" }); err == nil {
		t.Error("a pattern that there is not was taken")
	}
}

func TestAPersonChangesAnOccurrenceAndAllThatFollow(t *testing.T) {
	t.Parallel()
	sim, _ := newSim(t, exchangesim.Options{})
	o := sim.Outlook("alice@example.com")
	id, err := o.Create(tuesdays())
	if err != nil {
		t.Fatal(err)
	}
	second, third := time.Date(2026, 10, 20, 7, 0, 0, 0, time.UTC), time.Date(2026, 10, 27, 8, 0, 0, 0, time.UTC)
	if err := o.UpdateOccurrence(id, second, func(a *exchangesim.Appointment) { a.Subject = "Own" }); err != nil {
		t.Fatal(err)
	}
	later := func(a *exchangesim.Appointment) { a.Start, a.End = a.Start.Add(time.Hour), a.End.Add(time.Hour) }
	made, err := o.ChangeFollowing(id, third, later)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "the old series", shown(t, o, id), "13.10. 07:00 Weekly at 4.12\n20.10. 07:00 Own* at 4.12")
	want(t, "the new series", shown(t, o, made), "27.10. 09:00 Weekly at 4.12\n03.11. 09:00 Weekly at 4.12\n10.11. 09:00 Weekly at 4.12")
	items := o.Items()
	if len(items) != 2 || items[0].UID == items[1].UID || items[1].Properties["PublicStrings/AppointmentOid"] != "bk-1" {
		t.Errorf("items = %+v", items)
	}
	if again, err := o.ChangeFollowing(made, third.Add(time.Hour), later); err != nil || again != made {
		t.Errorf("from the first on: %q, %v, want the series itself", again, err)
	}
	want(t, "changed from the first on", shown(t, o, made), "27.10. 10:00 Weekly at 4.12\n03.11. 10:00 Weekly at 4.12\n10.11. 10:00 Weekly at 4.12")
}

func TestControlActsOnOccurrences(t *testing.T) {
	t.Parallel()
	sim, ews := newSim(t, exchangesim.Options{})
	o := sim.Outlook("alice@example.com")
	id, err := o.Create(tuesdays())
	if err != nil {
		t.Fatal(err)
	}
	at := func(path, occurrence string) string {
		q := url.Values{"mailbox": {"alice@example.com"}, "id": {id}}
		if occurrence != "" {
			q.Set("occurrence", occurrence)
		}
		return strings.TrimSuffix(ews, "/EWS/Exchange.asmx") + "/sim/appointments/" + path + "?" + q.Encode()
	}
	if status := do(t, "PATCH", at("occurrence", "2026-10-20T09:00:00+02:00"), map[string]any{"subject": "Own"}, nil); status != 204 {
		t.Errorf("change: status %d", status)
	}
	if status := do(t, "DELETE", at("occurrence", "2026-11-03T08:00:00Z"), nil, nil); status != 204 {
		t.Errorf("delete: status %d", status)
	}
	if status := do(t, "DELETE", at("occurrence", "2026-11-03T08:00:00Z"), nil, nil); status != 404 {
		t.Errorf("delete again: status %d", status)
	}
	if status := do(t, "DELETE", at("occurrence", ""), nil, nil); status != 400 {
		t.Errorf("delete without saying which: status %d", status)
	}
	var list []exchangesim.Occurrence
	if status := do(t, "GET", at("occurrences", "")+"&from=2026-10-14T00:00:00Z&to=2026-11-01T00:00:00Z", nil, &list); status != 200 || len(list) != 2 || list[0].Subject != "Own" || !list[0].Exception {
		t.Errorf("list: status %d, %+v", status, list)
	}
	var made struct{ ID string }
	if status := do(t, "PATCH", at("following", "2026-10-27T08:00:00Z"), map[string]any{"location": "7"}, &made); status != 200 || made.ID == "" || made.ID == id {
		t.Errorf("following: status %d, %+v", status, made)
	}
	if got := len(o.Items()); got != 2 {
		t.Errorf("%d items", got)
	}
	whole := strings.Replace(at("", ""), "/appointments/?", "/appointments?", 1)
	if status := do(t, "PATCH", whole, map[string]any{"recurrence": nil}, nil); status != 204 || o.Items()[0].Recurrence != nil {
		t.Errorf("to a single one: status %d, %+v", status, o.Items()[0])
	}
}
