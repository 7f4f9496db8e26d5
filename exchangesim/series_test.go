package exchangesim

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const weekly = `<t:Subject>Weekly</t:Subject><t:Start>2026-10-20T09:00:00</t:Start><t:End>2026-10-20T10:00:00</t:End><t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek></t:WeeklyRecurrence><t:NumberedRecurrence><t:StartDate>2026-10-20</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence></t:Recurrence><t:StartTimeZone Id="W. Europe Standard Time"/>`

func (c *testClient) view() []*node {
	c.t.Helper()
	return c.must(`<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:CalendarView StartDate="2026-10-01T00:00:00Z" EndDate="2027-10-01T00:00:00Z"/><m:ParentFolderIds>`+calendarFolder+`</m:ParentFolderIds></m:FindItem>`).child("RootFolder", "Items").children()
}

func starts(items []*node) string {
	var list []string
	for _, n := range items {
		list = append(list, n.child("CalendarItemType").value()+" "+n.child("Start").value())
	}
	return strings.Join(list, "\n")
}

func TestSeriesIsExpandedInTheView(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	master, _ := c.create(weekly)
	items := c.view()
	want := "Occurrence 2026-10-20T07:00:00Z\nOccurrence 2026-10-27T08:00:00Z\nOccurrence 2026-11-03T08:00:00Z\nOccurrence 2026-11-10T08:00:00Z"
	if got := starts(items); got != want { // the clocks change in between
		t.Fatalf("view:\n%s\nwant:\n%s", got, want)
	}
	second := items[1].child("ItemId").attr("Id")
	c.must(updateItem("AlwaysOverwrite", itemID(second, ""), setField("calendar:Start", "<t:Start>2026-10-27T12:00:00Z</t:Start>")+setField("calendar:End", "<t:End>2026-10-27T13:00:00Z</t:End>")))
	c.must(deleteItem("MoveToDeletedItems", `<t:OccurrenceItemId RecurringMasterId="`+master+`" InstanceIndex="3"/>`))
	want = "Occurrence 2026-10-20T07:00:00Z\nException 2026-10-27T12:00:00Z\nOccurrence 2026-11-10T08:00:00Z"
	if got := starts(c.view()); got != want {
		t.Errorf("view:\n%s\nwant:\n%s", got, want)
	}
	occurrence := func(index string) string {
		return getItem(`<t:OccurrenceItemId RecurringMasterId="`+master+`" InstanceIndex="`+index+`"/>`, "calendar:OriginalStart")
	}
	if got := c.must(occurrence("2")).child("Items", "CalendarItem", "OriginalStart").value(); got != "2026-10-27T08:00:00Z" {
		t.Errorf("OriginalStart = %s", got)
	}
	if got := c.code(occurrence("3")); got != "ErrorCalendarOccurrenceIsDeletedFromRecurrence" {
		t.Errorf("deleted occurrence: %s", got)
	}
	if got := c.code(occurrence("5")); got != "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange" {
		t.Errorf("occurrence beyond the end: %s", got)
	}
	if got := c.code(updateItem("AlwaysOverwrite", itemID(second, ""), setField("calendar:Start", "<t:Start>2026-10-19T12:00:00Z</t:Start>"))); got != "ErrorOccurrenceCrossingBoundary" {
		t.Errorf("crossing a neighbour: %s", got)
	}
	n := c.must(getItem(`<t:RecurringMasterItemId OccurrenceId="`+second+`"/>`, "calendar:Recurrence", "calendar:ModifiedOccurrences", "calendar:DeletedOccurrences", "calendar:CalendarItemType", "calendar:LastOccurrence")).child("Items", "CalendarItem")
	if n.child("ItemId").attr("Id") != master || n.child("CalendarItemType").value() != "RecurringMaster" {
		t.Errorf("master = %+v", n)
	}
	if len(n.child("ModifiedOccurrences").children()) != 1 || n.child("DeletedOccurrences", "DeletedOccurrence", "Start").value() != "2026-11-03T08:00:00Z" || n.child("LastOccurrence", "Start").value() != "2026-11-10T08:00:00Z" {
		t.Errorf("exceptions of the master = %+v", n)
	}
	if changes, _, _ := c.sync("", "512"); len(changes) != 1 {
		t.Errorf("the series is %d items to a sync, want 1", len(changes))
	}
	if items := s.Outlook("alice@example.com").Items(); len(items) != 1 || items[0].Recurrence == nil {
		t.Errorf("Outlook sees %+v", items)
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		r    Recurrence
		want []string
	}{
		{"every other day", Recurrence{Pattern: "Daily", Interval: 2, Start: "2026-12-30", Count: 3}, []string{"2026-12-30", "2027-01-01", "2027-01-03"}},
		{"until", Recurrence{Pattern: "Daily", Interval: 1, Start: "2026-12-30", End: "2026-12-31"}, []string{"2026-12-30", "2026-12-31"}},
		{"two days a week, every other week", Recurrence{Pattern: "Weekly", Interval: 2, Days: []string{"Monday", "Thursday"}, FirstDay: "Monday", Start: "2026-12-03", Count: 3}, []string{"2026-12-03", "2026-12-14", "2026-12-17"}},
		{"weekdays", Recurrence{Pattern: "Weekly", Interval: 1, Days: []string{"Weekday"}, Start: "2026-12-04", Count: 2}, []string{"2026-12-04", "2026-12-07"}},
		{"last day of the month", Recurrence{Pattern: "AbsoluteMonthly", Interval: 1, Day: 31, Start: "2027-01-31", Count: 3}, []string{"2027-01-31", "2027-02-28", "2027-03-31"}},
		{"second Tuesday", Recurrence{Pattern: "RelativeMonthly", Interval: 1, Days: []string{"Tuesday"}, Index: "Second", Start: "2026-12-01", Count: 2}, []string{"2026-12-08", "2027-01-12"}},
		{"last Friday of June", Recurrence{Pattern: "RelativeYearly", Days: []string{"Friday"}, Index: "Last", Month: "June", Start: "2026-12-01", Count: 2}, []string{"2027-06-25", "2028-06-30"}},
		{"every year", Recurrence{Pattern: "AbsoluteYearly", Day: 29, Month: "February", Start: "2027-01-01", Count: 2}, []string{"2027-02-28", "2028-02-29"}},
	} {
		var got []string
		tc.r.dates(func(_ int, y int, m time.Month, d int) bool {
			got = append(got, time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
			return true
		})
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// An occurrence's id has its day in it, its change key is the series', and both the pattern and the times of a series, written by a
// client, cost it its exceptions.
func TestWhatBecomesOfExceptions(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	master, _ := c.create(weekly)
	key := func(n *node) string { return n.child("ItemId").attr("ChangeKey") }
	shown := func() *node {
		return c.must(getItem(itemID(master, ""), "calendar:ModifiedOccurrences", "calendar:DeletedOccurrences")).child("Items", "CalendarItem")
	}
	change := func() string {
		items := c.view()
		c.must(updateItem("AlwaysOverwrite", itemID(items[1].child("ItemId").attr("Id"), ""), setField("item:Subject", "<t:Subject>Own</t:Subject>")))
		c.must(deleteItem("MoveToDeletedItems", itemID(items[2].child("ItemId").attr("Id"), "")))
		return items[1].child("ItemId").attr("Id")
	}
	second := change()
	now := shown()
	if got := now.child("ModifiedOccurrences", "Occurrence"); key(got) != key(now) || got.child("ItemId").attr("Id") != second {
		t.Errorf("the exception is %+v, of the series %+v", got, now)
	}
	rule := func(day, start string) string {
		return setField("calendar:StartTimeZone", `<t:StartTimeZone Id="W. Europe Standard Time"/>`) +
			setField("calendar:Recurrence", `<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>`+day+`</t:DaysOfWeek></t:WeeklyRecurrence><t:NoEndRecurrence><t:StartDate>`+start+`</t:StartDate></t:NoEndRecurrence></t:Recurrence>`)
	}
	for name, update := range map[string]string{
		"the rule":  rule("Tuesday", "2026-10-20"),
		"the times": setField("calendar:Start", "<t:Start>2026-10-20T10:00:00</t:Start>") + setField("calendar:End", "<t:End>2026-10-20T11:00:00</t:End>"),
	} {
		c.must(updateItem("AlwaysOverwrite", itemID(master, ""), update))
		if now := shown(); now.child("ModifiedOccurrences") != nil || now.child("DeletedOccurrences") != nil {
			t.Errorf("after a change of %s there are exceptions: %+v", name, now)
		}
		if got := change(); got != second {
			t.Errorf("after a change of %s the occurrence of the same day has another id", name)
		}
	}
	c.must(updateItem("AlwaysOverwrite", itemID(master, ""), rule("Wednesday", "2026-10-21")))
	if got := c.code(getItem(itemID(second, ""), "item:Subject")); got != "ErrorItemNotFound" {
		t.Errorf("the id of a Tuesday leads to a Wednesday: %s", got)
	}
}

func TestAnOccurrenceIsNotMovedIntoItsNeighbour(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{})
	c.create(strings.Replace(strings.Replace(weekly, "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek></t:WeeklyRecurrence>",
		"<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>", 1), "2026-10-20T10:00:00", "2026-10-20T17:00:00", 1))
	second := c.view()[1].child("ItemId").attr("Id")
	end := func(at string) string {
		return updateItem("AlwaysOverwrite", itemID(second, ""), setField("calendar:End", "<t:End>"+at+"</t:End>"))
	}
	if got := c.code(end("2026-10-22T09:30:00")); got != "ErrorOccurrenceCrossingBoundary" {
		t.Errorf("longer than until the next: %s", got)
	}
	c.must(end("2026-10-22T02:00:00")) // across midnight
}

func TestYearsApartAreMonthsToEWS(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	id, err := s.Outlook("alice@example.com").Create(Appointment{
		Subject: "Audit", Start: time.Date(2026, 12, 3, 9, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 3, 10, 0, 0, 0, time.UTC),
		Recurrence: &Recurrence{Pattern: "AbsoluteYearly", Interval: 2, Day: 3, Month: "December", Count: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	n := c.must(getItem(itemID(id, ""), "calendar:Recurrence", "calendar:LastOccurrence")).child("Items", "CalendarItem")
	if got := n.child("Recurrence", "AbsoluteMonthlyRecurrence", "Interval").value(); got != "24" {
		t.Errorf("interval %q: %+v", got, n)
	}
	if got := n.child("LastOccurrence", "Start").value(); !strings.HasPrefix(got, "2030-12-03") {
		t.Errorf("the last is on %s", got)
	}
}

func TestOccurrencesGoByTheClock(t *testing.T) {
	t.Parallel()
	berlin := mustZone("W. Europe Standard Time")
	for wall, want := range map[string]string{
		"2026-03-28 02:30": "2026-03-28 01:30", "2026-03-29 01:59": "2026-03-29 00:59", "2026-03-29 02:30": "2026-03-29 01:30",
		"2026-03-29 03:00": "2026-03-29 01:00", "2026-10-25 01:59": "2026-10-24 23:59", "2026-10-25 02:30": "2026-10-25 00:30",
		"2026-10-25 03:00": "2026-10-25 02:00", "2026-10-26 02:30": "2026-10-26 01:30",
	} {
		at, err := time.Parse("2006-01-02 15:04", wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := onClock(at, berlin).UTC().Format("2006-01-02 15:04"); got != want {
			t.Errorf("%s is %s UTC, want %s", wall, got, want)
		}
	}
}
