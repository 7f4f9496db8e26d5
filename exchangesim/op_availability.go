package exchangesim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// longestWindow is how much time GetUserAvailability looks at.
const longestWindow = 62 * 24 * time.Hour

// A window is what GetUserAvailability is asked about.
type window struct {
	start, end time.Time
	interval   time.Duration // of the merged view
	view       string
	zone       *time.Location // of the request, in which times are answered, without saying so
}

// getUserAvailability answers when people are busy.
func (c *call) getUserAvailability() (*node, error) {
	mailboxes := c.req.child("MailboxDataArray").all("MailboxData")
	if len(mailboxes) == 0 || len(mailboxes) > 100 {
		return nil, fail("ErrorInvalidArgument", "MailboxDataArray must hold 1 to 100 mailboxes.")
	}
	answer := el("m:GetUserAvailabilityResponse")
	if options := c.req.child("FreeBusyViewOptions"); options != nil {
		w, err := c.window(options)
		if err != nil {
			return nil, err
		}
		array := el("m:FreeBusyResponseArray")
		for _, m := range mailboxes {
			array.kids = append(array.kids, c.freeBusy(m.child("Email", "Address").value(), w))
		}
		answer.kids = append(answer.kids, array)
	}
	if c.req.child("SuggestionsViewOptions") != nil {
		refusal := failure("", fail("ErrorInvalidArgument", "Suggestions for meeting times are not available."))
		answer.kids = append(answer.kids, el("m:SuggestionsResponse", refusal))
	}
	if len(answer.kids) == 0 {
		return nil, fail("ErrorMissingArgument", "Neither FreeBusyViewOptions nor SuggestionsViewOptions is there.")
	}
	return answer, nil
}

// window reads FreeBusyViewOptions.
func (c *call) window(options *node) (window, error) {
	loc, err := c.serializedZone()
	if err != nil {
		return window{}, err
	}
	w := window{zone: loc, interval: 30 * time.Minute, view: options.child("RequestedView").value()}
	if w.start, err = parseTime(options.child("TimeWindow", "StartTime").value(), loc); err != nil {
		return w, err
	}
	if w.end, err = parseTime(options.child("TimeWindow", "EndTime").value(), loc); err != nil {
		return w, err
	}
	if text := options.child("MergedFreeBusyIntervalInMinutes").value(); text != "" {
		minutes, err := strconv.Atoi(text)
		if err != nil || minutes < 5 || minutes > 1440 {
			return w, fail("ErrorInvalidMergedFreeBusyInterval", "MergedFreeBusyIntervalInMinutes must be 5 to 1440.")
		}
		w.interval = time.Duration(minutes) * time.Minute
	}
	if w.view == "" {
		w.view = "FreeBusy"
	}
	switch {
	case !slices.Contains([]string{"MergedOnly", "FreeBusy", "FreeBusyMerged", "Detailed", "DetailedMerged"}, w.view):
		return w, fail("ErrorInvalidFreeBusyViewType", "RequestedView must be one of MergedOnly, FreeBusy, FreeBusyMerged, Detailed and DetailedMerged.")
	case !w.end.After(w.start):
		return w, fail("ErrorInvalidTimeInterval", "EndTime must be after StartTime.")
	case w.end.Sub(w.start) > longestWindow:
		return w, fail("ErrorTimeIntervalTooBig", "The time window must not be longer than 62 days.")
	}
	return w, nil
}

// serializedZone reads the TimeZone of the request. It gives the rules of one year, so a zone of Windows with the same clock
// in this year stands in for it.
func (c *call) serializedZone() (*time.Location, error) {
	n := c.req.child("TimeZone")
	if n == nil {
		return mustZone(c.zoneID), nil
	}
	number := func(path ...string) int {
		i, err := strconv.Atoi(n.child(path...).value())
		if err != nil {
			return -1 << 20 // refused below
		}
		return i
	}
	base, standard, daylight := number("Bias"), number("StandardTime", "Bias"), number("DaylightTime", "Bias")
	for _, minutes := range []int{base, base + standard, base + daylight} {
		if minutes < -24*60 || minutes > 24*60 {
			return nil, fail("ErrorTimeZone", "The TimeZone of the request isn't valid.")
		}
	}
	winter, summer := time.Duration(base+standard)*time.Minute, time.Duration(base+daylight)*time.Minute
	january, july := winter, summer
	begins := number("DaylightTime", "Month")
	if begins > number("StandardTime", "Month") { // in the south
		january, july = summer, winter
	}
	if id, ok := zoneByClock(c.now.Year(), january, july, time.Month(begins)); ok {
		return mustZone(id), nil
	}
	return time.FixedZone("", -int(winter/time.Second)), nil
}

// zoneByClock finds a zone of Windows by its distances from UTC in January and July and, if they differ, the month in which
// summer begins (0: any).
func zoneByClock(year int, january, july time.Duration, summer time.Month) (string, bool) {
	for _, id := range zoneIDs() {
		loc := mustZone(id)
		at := func(month time.Month) time.Duration {
			_, offset := time.Date(year, month, 15, 12, 0, 0, 0, loc).Zone()
			return -time.Duration(offset) * time.Second
		}
		if at(time.January) != january || at(time.July) != july {
			continue
		}
		if january == july && len(changesIn(loc, year)) > 0 {
			continue
		}
		if january == july || summer == 0 || slices.ContainsFunc(changesIn(loc, year), func(c clockChange) bool {
			return c.bias == min(january, july) && c.wall.Month() == summer
		}) {
			return id, true
		}
	}
	return "", false
}

// freeBusy answers for one mailbox.
func (c *call) freeBusy(address string, w window) *node {
	box, err := c.mailboxFor(address)
	if err != nil {
		refusal := failure("", fail("ErrorMailRecipientNotFound", "Unable to resolve e-mail address %s to an Active Directory object.", address))
		return el("m:FreeBusyResponse", refusal, el("m:FreeBusyView", el("t:FreeBusyViewType", "None")))
	}
	view := w.view
	if !c.mayOpen(box.known("calendar")) { // everybody may know when, but not what
		view = strings.Replace(view, "Detailed", "FreeBusy", 1)
	}
	busy := c.busyTimes(box, w)
	answer := el("m:FreeBusyView", el("t:FreeBusyViewType", view))
	if strings.HasSuffix(view, "Merged") || view == "MergedOnly" {
		answer.kids = append(answer.kids, el("t:MergedFreeBusy", merged(busy, w)))
	}
	if view != "MergedOnly" {
		events := el("t:CalendarEventArray")
		for _, v := range busy {
			events.kids = append(events.kids, c.calendarEvent(v, box, w.zone, strings.HasPrefix(view, "Detailed")))
		}
		if len(events.kids) > 0 {
			answer.kids = append(answer.kids, events)
		}
		answer.kids = append(answer.kids, c.workingHours(box.owner))
	}
	message := success("")
	return el("m:FreeBusyResponse", message, answer)
}

// busyTimes are the items and occurrences of a calendar in a window, in order of time.
func (c *call) busyTimes(box *mailbox, w window) []*view {
	var found []*view
	add := func(v *view) {
		if v.start.Before(w.end) && v.end.After(w.start) && !v.c.cancelled {
			found = append(found, v)
		}
	}
	for _, it := range box.known("calendar").items {
		switch {
		case it.kind != "CalendarItem":
		case it.recurrence == nil:
			add(c.viewOf(it))
		default:
			c.occurrences(it, func(v *view) bool {
				add(v)
				return v.original.Before(w.end)
			})
		}
	}
	slices.SortStableFunc(found, func(a, b *view) int { return a.start.Compare(b.start) })
	return found
}

// merged is a digit per interval: 0 free, 1 tentative, 2 busy, 3 out of office, 4 working elsewhere. The worst one counts.
func merged(busy []*view, w window) string {
	digits := make([]byte, int((w.end.Sub(w.start)+w.interval-1)/w.interval))
	for i := range digits {
		digits[i] = '0'
		begin := w.start.Add(time.Duration(i) * w.interval)
		worst := 0
		for _, v := range busy {
			if v.start.Before(begin.Add(w.interval)) && v.end.After(begin) {
				worst = max(worst, index(v.c.busy, "Free", "WorkingElsewhere", "Tentative", "Busy", "OOF"))
			}
		}
		digits[i] = "04123"[worst]
	}
	return string(digits)
}

// calendarEvent tells of one appointment. What a private one is about its owner alone is told.
func (c *call) calendarEvent(v *view, box *mailbox, in *time.Location, detailed bool) *node {
	at := func(t time.Time) string { return t.In(in).Format("2006-01-02T15:04:05") }
	n := el("t:CalendarEvent", el("t:StartTime", at(v.start)), el("t:EndTime", at(v.end)), el("t:BusyType", v.c.busy))
	if detailed {
		subject, location := v.c.subject, v.c.location
		if v.c.sensitivity == "Private" && c.delegate(box) {
			subject, location = "", ""
		}
		n.kids = append(n.kids, el("t:CalendarEventDetails",
			el("t:ID", v.id()), el("t:Subject", subject), el("t:Location", location),
			el("t:IsMeeting", boolean(v.c.meeting())), el("t:IsRecurring", boolean(v.index > 0)), el("t:IsException", boolean(v.exception)),
			el("t:IsReminderSet", boolean(v.c.reminderSet)), el("t:IsPrivate", boolean(v.c.sensitivity == "Private"))))
	}
	return n
}

// workingHours are those of every new mailbox: Monday to Friday from 8 to 17 in the owner's zone.
func (c *call) workingHours(owner *Person) *node {
	loc := mustZone(owner.TimeZone)
	year := c.now.Year()
	_, winter := time.Date(year, 1, 1, 0, 0, 0, 0, loc).Zone()
	_, summer := time.Date(year, 7, 1, 0, 0, 0, 0, loc).Zone()
	standard := -time.Duration(min(winter, summer)) * time.Second
	season := func(name string, bias time.Duration, c *clockChange, nth int) *node {
		n := el("t:"+name, el("t:Bias", strconv.Itoa(int(bias/time.Minute))))
		if c == nil {
			return add(n, "Time", "00:00:00", "DayOrder", "0", "Month", "0", "DayOfWeek", "Sunday")
		}
		if nth == -1 {
			nth = 5
		}
		return add(n, "Time", c.wall.Format("15:04:05"), "DayOrder", strconv.Itoa(nth), "Month", strconv.Itoa(int(c.wall.Month())), "DayOfWeek", c.wall.Weekday().String())
	}
	toStandard, toDaylight := season("StandardTime", 0, nil, 0), season("DaylightTime", 0, nil, 0)
	if r := ruleOf(loc, year, 0); r.seasonal() {
		for i := range r.changes {
			change := r.changes[i]
			if change.bias == standard {
				toStandard = season("StandardTime", 0, &change, r.nth[i][0])
			} else {
				toDaylight = season("DaylightTime", change.bias-standard, &change, r.nth[i][0])
			}
		}
	}
	return el("t:WorkingHours",
		el("t:TimeZone", el("t:Bias", strconv.Itoa(int(standard/time.Minute))), toStandard, toDaylight),
		el("t:WorkingPeriodArray", add(el("t:WorkingPeriod"), "DayOfWeek", "Monday Tuesday Wednesday Thursday Friday",
			"StartTimeInMinutes", "480", "EndTimeInMinutes", "1020")))
}

// add appends children that hold text alone, given as names and texts in turn.
func add(n *node, pairs ...string) *node {
	for i := 0; i+1 < len(pairs); i += 2 {
		n.kids = append(n.kids, el("t:"+pairs[i], pairs[i+1]))
	}
	return n
}
