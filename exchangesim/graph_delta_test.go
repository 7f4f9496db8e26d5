package exchangesim

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const aliceDelta = "/users/alice@example.com/calendarView/delta"

// round follows a delta link with small pages and returns what it told, last wins, by id.
func (c *graphClient) round(path string) (state map[string]object, deltaLink string) {
	c.t.Helper()
	values, link := c.preferring("odata.maxpagesize=3").pages(path)
	state = map[string]object{}
	for _, v := range values {
		e, _ := v.(object)
		state[text(e, "id")] = e
	}
	return state, link
}

func TestGraphDeltaTellsWhatChanged(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	o := s.Outlook("alice@example.com")
	var made []string
	for i := range 8 {
		made = append(made, text(c.create(desk(itoa(i), i)), "id"))
	}
	far := text(c.create(desk("far", 24*400)), "id")
	state, link := c.round(aliceDelta + days(30, 30))
	if len(state) != 8 || link == "" {
		t.Fatalf("the first round has %d events, link %q", len(state), link)
	}
	if state, _ := c.round(link); len(state) != 0 {
		t.Errorf("nothing changed, and the round has %d", len(state))
	}
	if err := o.Update(o.Items()[2].ID, func(a *Appointment) { a.Subject = "changed" }); err != nil {
		t.Fatal(err)
	}
	if err := o.Delete(o.Items()[3].ID); err != nil {
		t.Fatal(err)
	}
	c.want(http.StatusOK, http.MethodPatch, aliceEvents+"/"+far, object{"subject": "farther"})
	state, link = c.round(link)
	if state[made[2]]["subject"] != "changed" {
		t.Errorf("the change is told as %v", state[made[2]])
	}
	for what, id := range map[string]string{"deleted": made[3], "outside the window": far} {
		if text(state[id], "@removed", "reason") != "deleted" {
			t.Errorf("what is %s is told as %v", what, state[id])
		}
	}
	if got := c.event(far); got["subject"] != "farther" {
		t.Error("what is told as removed is gone")
	}
	if len(state) != 4 {
		t.Errorf("the round has %d entries, want 3 and one that is told again", len(state))
	}
	if _, err := o.Restore(o.Deleted()[0].ID); err != nil {
		t.Fatal(err)
	}
	state, _ = c.round(link)
	if state[made[3]]["subject"] != "3" {
		t.Errorf("what came back is told as %v", state[made[3]])
	}
	if state, _ = c.mutable().round(link); len(state) != 2 {
		t.Errorf("without immutable ids it is %d entries, want the new id and one told again", len(state))
	}
}

func TestGraphDeltaRefuses(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	for _, option := range []string{"$select=subject", "$expand=singleValueExtendedProperties", "$filter=x", "$orderby=subject", "$top=5"} {
		c.refused(http.StatusBadRequest, "ErrorInvalidUrlQuery", http.MethodGet, aliceDelta+days(1, 1)+"&"+option, nil)
	}
	c.refused(http.StatusBadRequest, "ErrorInvalidParameter", http.MethodGet, aliceDelta, nil)
	for how, want := range map[string]struct {
		status int
		code   string
	}{"gone": {410, "syncStateNotFound"}, "notfound": {404, "syncStateNotFound"}, "invalid": {400, "syncStateInvalid"}} {
		_, link := c.round(aliceDelta + days(1, 1))
		if err := s.ExpireDelta("alice@example.com", how); err != nil {
			t.Fatal(err)
		}
		status, answer := c.do(http.MethodGet, link, nil)
		if status != want.status || member(answer, "error", "code") != want.code {
			t.Errorf("%s: %d %v", how, status, answer)
		}
		if location := c.answer.Get("Location"); how == "gone" {
			if state, _ := c.round(location); len(state) != 0 || !strings.Contains(location, "startDateTime=") {
				t.Errorf("the fresh URL is %q", location)
			}
		}
	}
	_, link := c.round(aliceDelta + days(1, 1))
	s.Faults().InvalidSyncState("")
	c.refused(http.StatusGone, "syncStateNotFound", http.MethodGet, link, nil)
	c.refused(http.StatusGone, "syncStateNotFound", http.MethodGet, aliceDelta+"?$deltatoken=nonsense", nil)
}

func dailyFive() object {
	e := desk("series", 0)
	e["recurrence"] = object{
		"pattern": object{"type": "daily", "interval": 1},
		"range":   object{"type": "numbered", "startDate": "2026-11-22", "numberOfOccurrences": 5},
	}
	return e
}

func TestGraphDeltaTellsOfSeries(t *testing.T) {
	t.Parallel()
	_, c, _ := serveGraphFor(t, Options{})
	master := text(c.create(dailyFive()), "id")
	state, link := c.round(aliceDelta + days(1, 30))
	if len(state) != 6 || text(state[master], "type") != "seriesMaster" || member(state[master], "recurrence") == nil {
		t.Fatalf("the round has %d entries, the master is %v", len(state), state[master])
	}
	var occurrences []object
	for id, e := range state {
		if id != master {
			occurrences = append(occurrences, e)
			if text(e, "type") != "occurrence" || text(e, "seriesMasterId") != master || e["subject"] != nil {
				t.Errorf("an occurrence is %v", e)
			}
		}
	}
	slices.SortFunc(occurrences, func(a, b object) int {
		return strings.Compare(text(a, "start", "dateTime"), text(b, "start", "dateTime"))
	})
	first, second := text(occurrences[0], "id"), text(occurrences[1], "id")
	c.want(http.StatusOK, http.MethodPatch, aliceEvents+"/"+first, object{"subject": "exception"})
	c.want(http.StatusNoContent, http.MethodDelete, aliceEvents+"/"+second, nil)
	state, link = c.round(link)
	if text(state[first], "type") != "exception" || state[first]["subject"] != "exception" || text(state[first], "originalStart") != "2026-11-22T12:00:00Z" {
		t.Errorf("the exception is told as %v", state[first])
	}
	if text(state[second], "@removed", "reason") != "deleted" {
		t.Errorf("the deleted occurrence is told as %v", state[second])
	}
	whole := c.want(http.StatusOK, http.MethodGet, aliceEvents+"/"+master+query("$select", "subject,cancelledOccurrences", "$expand", "exceptionOccurrences"), nil)
	if len(list(whole, "cancelledOccurrences")) != 1 || len(list(whole, "exceptionOccurrences")) != 1 || whole["start"] != nil {
		t.Errorf("the master is %v", whole)
	}
	if a, b := c.event(first), c.event(text(occurrences[2], "id")); a["iCalUId"] == b["iCalUId"] {
		t.Errorf("two occurrences have the iCalUId %v", a["iCalUId"])
	}
	short := dailyFive()["recurrence"].(object)
	short["range"].(object)["numberOfOccurrences"] = 2
	c.want(http.StatusOK, http.MethodPatch, aliceEvents+"/"+master, object{"recurrence": short})
	state, link = c.round(link)
	gone := 0
	for _, e := range state {
		if e["@removed"] != nil {
			gone++
		}
	}
	if gone != 3 || len(state) != 6 {
		t.Errorf("a shorter series is told as %d removals of %d entries", gone, len(state))
	}
	c.want(http.StatusNoContent, http.MethodDelete, aliceEvents+"/"+master, nil)
	if state, _ = c.round(link); state[master]["@removed"] == nil || len(state) != 6 { // with the occurrences it had before
		t.Errorf("the deleted series is told as %v", state)
	}
}

func TestGraphDeltaSurvivesChangesOnTheWay(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	for i := range 9 {
		c.create(desk(itoa(i), i))
	}
	o := s.Outlook("alice@example.com")
	page := c.preferring("odata.maxpagesize=4").want(http.StatusOK, http.MethodGet, aliceDelta+days(1, 10), nil)
	items := o.Items()
	if err := o.HardDelete(items[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := o.Update(items[8].ID, func(a *Appointment) { a.Subject = "new" }); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	take := func(values []any) {
		for _, v := range values {
			if member(v, "@removed") != nil {
				delete(known, text(v, "id"))
			} else {
				known[text(v, "id")] = text(v, "subject")
			}
		}
	}
	take(list(page, "value"))
	values, link := c.pages(text(page, "@odata.nextLink"))
	take(values)
	values, _ = c.pages(link)
	take(values)
	if len(known) != 8 {
		t.Fatalf("%d events are known, want 8", len(known))
	}
	subjects := []string{}
	for _, subject := range known {
		subjects = append(subjects, subject)
	}
	if slices.Sort(subjects); subjects[0] != "1" || subjects[7] != "new" {
		t.Errorf("known are %v", subjects)
	}
}

func TestGraphPagesAndFinds(t *testing.T) {
	t.Parallel()
	s, c, _ := serveGraphFor(t, Options{})
	if _, err := s.Outlook("alice@example.com").CreateMany(Many{Count: 25, Start: noon, Marked: 5, Properties: map[string]string{
		"{8f1b4b0e-3c1b-4d52-9a51-6d7c1f3a2b10}/RoomwireBookingId": "it's-{n}",
	}}); err != nil {
		t.Fatal(err)
	}
	if first := c.want(http.StatusOK, http.MethodGet, aliceEvents, nil); len(list(first, "value")) != 10 || text(first, "@odata.nextLink") == "" {
		t.Errorf("the first page has %d events", len(list(first, "value")))
	}
	marked := func(value string) string {
		return "singleValueExtendedProperties/Any(ep: ep/id eq '" + markerID + "' and ep/value " + value + ")"
	}
	uid := s.Outlook("alice@example.com").Items()[4].UID
	for name, tc := range map[string]struct {
		filter string
		want   int
	}{
		"all":        {"", 25},
		"one marker": {marked("eq 'it''s-3'"), 1},
		"no marker":  {marked("eq 'it''s-9'"), 0},
		"any marker": {marked("ne null"), 5},
		"uid":        {"iCalUId eq '" + uid + "'", 1},
		"time":       {"start/dateTime ge '2026-11-22T14:00:00' and end/dateTime lt '2026-11-22T17:00:00Z'", 3},
		"or":         {"subject eq 'Appointment 1' or (startswith(subject,'appointment 2') and not (subject eq 'Appointment 2'))", 7},
		"type":       {"type eq 'seriesMaster'", 0},
	} {
		path := aliceEvents + query("$filter", tc.filter, "$top", "4", "$expand", "singleValueExtendedProperties($filter=id eq '"+markerID+"')")
		values, _ := c.pages(path)
		if len(values) != tc.want {
			t.Errorf("%s: %d events, want %d", name, len(values), tc.want)
		}
		if name == "one marker" && (len(values) != 1 || member(list(values[0], "singleValueExtendedProperties")[0], "value") != "it's-3") {
			t.Errorf("the marked one is %v", values)
		}
	}
	for _, bad := range []string{"nonsense eq 'x'", "subject eq", "(subject eq 'x'", "subject eq 'x", "subject is 'x'", "any(x:x eq 'y')", "')", ",", ":"} {
		c.with(func(c *graphClient) { c.lax = true }).want(http.StatusBadRequest, http.MethodGet, aliceEvents+query("$filter", bad), nil)
	}
	view, _ := c.pages("/users/alice@example.com/calendarView" + query("startDateTime", noon.Format(time.RFC3339), "endDateTime", noon.Add(5*time.Hour).Format(time.RFC3339), "$select", "subject,start"))
	if len(view) != 5 || member(view[0], "subject") != "Appointment 1" || member(view[0], "body") != nil {
		t.Errorf("the view is %v", view)
	}
	ordered, _ := c.pages(aliceEvents + query("$orderby", "start/dateTime desc", "$top", "1000"))
	if text(ordered[0], "subject") != "Appointment 25" {
		t.Errorf("the last one is %v", member(ordered[0], "subject"))
	}
	c.refused(http.StatusBadRequest, "ErrorCalendarViewRangeTooBig", http.MethodGet, "/users/alice@example.com/calendarView"+days(0, 2000), nil)
}
