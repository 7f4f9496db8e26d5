package exchange

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/plugins/internal/seriestest"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// TestWhatPeopleAddToAnItemOutlivesEveryWrite: categories, files, importance, somebody else's property, the way to join an online
// meeting, and the class where it is not what is written, of an item and of an occurrence that somebody changed.
func TestWhatPeopleAddToAnItemOutlivesEveryWrite(t *testing.T) {
	t.Parallel()
	flag := exchangesim.PropertyKey("00062008-0000-0000-c000-000000000046", "MyFlag")
	for _, repeats := range []bool{false, true} {
		t.Run(map[bool]string{false: "single", true: "series"}[repeats], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, service)
			o := w.sim.Outlook("alice@example.com")
			for i, write := range seriestest.Writes(repeats) {
				e := desk()
				e.Attendees = nil
				e.End = e.Start.Add(time.Hour)
				if repeats {
					e.Recurrence = "FREQ=DAILY;COUNT=8"
				}
				key := fmt.Sprint("k", i)
				item := w.create(t, key, e)
				items := o.Items()
				id := items[len(items)-1].ID
				if err := o.Update(id, func(a *exchangesim.Appointment) {
					a.Categories, a.Importance, a.Attachments, a.Sensitivity = []string{"Blue", "Travel"}, "High", []string{"agenda.pdf"}, "Confidential"
					a.Properties[flag] = "follow up"
				}); err != nil {
					t.Fatal(err)
				}
				if err := o.GoOnline(id); err != nil {
					t.Fatal(err)
				}
				second := e.Start.AddDate(0, 0, 1)
				if repeats {
					if err := o.UpdateOccurrence(id, second, func(a *exchangesim.Appointment) {
						a.Subject, a.Categories, a.Importance = "Mine", []string{"Red"}, "Low"
						a.Attachments = append(a.Attachments, "minutes.pdf")
					}); err != nil {
						t.Fatal(err)
					}
				}
				now, err := w.fetch(t, item.Ref)
				if err != nil || repeats && len(now.Event.Exceptions) != 1 {
					t.Fatalf("%s: %v, %+v", write.Name, err, now.Event)
				}
				want := now.Event
				want.Exceptions = nil
				for _, x := range now.Event.Exceptions {
					own := *x.Event
					want.Exceptions = append(want.Exceptions, calendar.OccurrenceException{Occurrence: x.Occurrence, Event: &own})
				}
				write.Change(&want)
				m := calendar.Mutation{
					Op: calendar.Update, Mailbox: w.alice, Key: key, Ref: item.Ref, Event: want, Fields: write.Fields, Remark: write.Remark,
				}
				if write.Tells {
					m.Mail = calendar.MailConcerned
				}
				if write.Remark {
					m.Key, m.ForeignKey = key+"-later", "oid-later"
				}
				if _, err := w.Apply(t.Context(), m); err != nil {
					t.Errorf("%s: %v", write.Name, err)
					continue
				}
				got, _ := o.Find(func(a exchangesim.Appointment) bool { return a.ID == id })
				if !slices.Equal(got.Categories, []string{"Blue", "Travel"}) || got.Importance != "High" || !slices.Equal(got.Attachments, []string{"agenda.pdf"}) ||
					got.Properties[flag] != "follow up" || !strings.Contains(got.Body, "teams.microsoft.com") {
					t.Errorf("%s: the item is %+v", write.Name, got)
				}
				if class := map[bool]string{true: "Private", false: "Confidential"}[write.Name == "class"]; got.Sensitivity != class {
					t.Errorf("%s: the item is %s, want %s", write.Name, got.Sensitivity, class)
				}
				if !repeats || write.Rule {
					continue
				}
				list, err := o.Occurrences(id, second, second.Add(time.Minute))
				if err != nil || len(list) != 1 {
					t.Fatalf("%s: %d, %v", write.Name, len(list), err)
				}
				if x := list[0]; !x.Exception || x.Subject != "Mine" || !slices.Equal(x.Categories, []string{"Red"}) || x.Importance != "Low" ||
					!slices.Equal(x.Attachments, []string{"agenda.pdf", "minutes.pdf"}) || x.Properties[flag] != "follow up" ||
					!strings.Contains(x.Body, "teams.microsoft.com") {
					t.Errorf("%s: the occurrence is %+v", write.Name, x)
				}
			}
		})
	}
}
