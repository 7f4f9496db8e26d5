package recurrence

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Refusal is why a rule cannot be kept in a calendar of Exchange.
type Refusal struct {
	Rule   string
	Reason string // a part of a sentence, e.g. "it takes place every hour"
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("the rule %q cannot be kept in a calendar of Exchange: %s", clipped(r.Rule), r.Reason)
}

func clipped(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Limits of Exchange.
const (
	maxCount = 999
	// mostLooked bounds how many occurrences are looked at to find the last one before an end by date.
	mostLooked = 10000
)

var maxInterval = map[Frequency]int{Daily: 999, Weekly: 99, Monthly: 99, Yearly: 99}

var frequencies = map[string]Frequency{"DAILY": Daily, "WEEKLY": Weekly, "MONTHLY": Monthly, "YEARLY": Yearly}

// codes are the days of the week in order.
var codes = []string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}

func dayOf(code string) (time.Weekday, bool) {
	i := slices.Index(codes, code)
	return time.Weekday((i + 1) % 7), i >= 0
}

func codeOf(d time.Weekday) string { return codes[(int(d)+6)%7] }

// fields are the parts of an RRULE, by name.
type fields map[string]string

func (f fields) take(name string) string {
	v := f[name]
	delete(f, name)
	return v
}

// Parse reads an RRULE, with or without that name in front, of a series that begins with s. What it takes place on by its start
// alone is filled in, and what says the same in two ways comes out as one: "every two years" is "every 24 months", and an end by
// date is the date of the last occurrence. The error is a *Refusal.
func Parse(text string, s Start) (Rule, error) {
	refuse := func(format string, args ...any) (Rule, error) {
		return Rule{}, &Refusal{Rule: text, Reason: fmt.Sprintf(format, args...)}
	}
	by := fields{}
	for pair := range strings.SplitSeq(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:"), ";") {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := by[name]; !ok || twice || value == "" {
			return refuse("it is no RRULE such as FREQ=WEEKLY;BYDAY=MO,TH;COUNT=8")
		}
		by[name] = value
	}
	freq := by.take("FREQ")
	r := Rule{Freq: frequencies[freq], Interval: 1, WeekStart: time.Monday}
	if r.Freq == 0 {
		return refuse("its FREQ is none of DAILY, WEEKLY, MONTHLY and YEARLY")
	}
	if v := by.take("INTERVAL"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxInterval[r.Freq] {
			return refuse("its INTERVAL must lie between 1 and %d", maxInterval[r.Freq])
		}
		r.Interval = n
	}
	first := s.Day(s.At)
	if why := r.ends(by.take("COUNT"), by.take("UNTIL"), s); why != "" {
		return refuse("%s", why)
	}
	if why := r.pattern(by, first); why != "" {
		return refuse("%s", why)
	}
	for name := range by {
		return refuse("no pattern has a %s", name)
	}
	if why := r.shorten(s, first); why != "" {
		return refuse("%s", why)
	}
	return r, nil
}

// ends reads how a rule ends; it returns what is wrong.
func (r *Rule) ends(count, until string, s Start) string {
	switch {
	case count != "" && until != "":
		return "it ends by COUNT and by UNTIL: leave out one of the two"
	case count != "":
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > maxCount {
			return fmt.Sprintf("its COUNT must lie between 1 and %d", maxCount)
		}
		r.Count = n
	case until != "":
		if day, err := time.Parse("20060102", until); err == nil {
			r.Until = day
			return ""
		}
		end, err := time.Parse("20060102T150405Z", until)
		if err != nil {
			if end, err = time.ParseInLocation("20060102T150405", until, s.zone()); err != nil {
				return "its UNTIL is neither a date (20270131) nor a moment (20270131T225959Z)"
			}
		}
		if r.Until = s.Day(end); !s.AllDay && s.On(r.Until).After(end) {
			r.Until = r.Until.AddDate(0, 0, -1) // it ends before that day's would have begun
		}
	}
	return ""
}

// pattern reads the days; it returns what is wrong.
func (r *Rule) pattern(by fields, first time.Time) string {
	byDay, byMonthDay, byMonth, pos := by.take("BYDAY"), by.take("BYMONTHDAY"), by.take("BYMONTH"), by.take("BYSETPOS")
	if v := by.take("WKST"); v != "" {
		d, ok := dayOf(v)
		if !ok {
			return "its WKST is no day of the week"
		}
		r.WeekStart = d
	}
	why := r.days(byDay)
	if why != "" {
		return why
	}
	switch r.Freq {
	case Daily, Weekly:
		switch {
		case byMonthDay+byMonth+pos != "":
			return "a daily or weekly pattern has neither BYMONTH nor BYMONTHDAY nor BYSETPOS"
		case r.Ordinal != 0:
			return "a daily or weekly pattern has no numbered days"
		case r.Freq == Daily && byDay != "" && r.Interval > 1:
			return "a daily pattern with an INTERVAL has no days of the week"
		case r.Freq == Daily && byDay != "":
			r.Freq = Weekly
		case r.Freq == Weekly && byDay == "":
			r.Days = []time.Weekday{first.Weekday()}
		}
		if r.Freq == Daily || r.Interval == 1 || len(r.Days) == 1 {
			r.WeekStart = time.Monday // it makes no difference, and servers fill in what they like
		}
		return ""
	case Yearly:
		if why := r.ofYear(byMonth, byDay+byMonthDay, first); why != "" {
			return why
		}
	default:
		if byMonth != "" {
			return "a monthly pattern takes place in every month: leave out BYMONTH"
		}
	}
	r.WeekStart = time.Monday
	if byDay != "" {
		return r.relative(byMonthDay, pos)
	}
	if why := r.absolute(byMonthDay, pos, first); why != "" {
		return why
	}
	return ""
}

// ofYear reads the month of a yearly rule. One of every so many years is one of 12 times as many months, which is the only form that
// EWS has.
func (r *Rule) ofYear(byMonth, days string, first time.Time) string {
	r.Month = first.Month()
	if byMonth != "" {
		n, err := strconv.Atoi(byMonth)
		if err != nil || n < 1 || n > 12 {
			return "its BYMONTH is not one month, 1 to 12"
		}
		r.Month = time.Month(n)
	} else if days != "" {
		return "a yearly pattern with days needs its BYMONTH"
	}
	if r.Interval > 1 {
		if r.Interval*12 > maxInterval[Monthly] {
			return fmt.Sprintf("its INTERVAL must lie between 1 and %d", maxInterval[Monthly]/12)
		}
		if r.Month != first.Month() {
			return "its start is not one of its days"
		}
		r.Freq, r.Interval, r.Month = Monthly, r.Interval*12, 0
	}
	return ""
}

// days reads BYDAY: days, or one with a number before it.
func (r *Rule) days(list string) string {
	if list == "" {
		return ""
	}
	for i, one := range strings.Split(list, ",") {
		at := max(len(one)-2, 0)
		d, ok := dayOf(one[at:])
		if !ok || slices.Contains(r.Days, d) {
			return "its BYDAY is no list of days such as MO,TH"
		}
		r.Days = append(r.Days, d)
		if at == 0 && r.Ordinal == 0 {
			continue
		}
		n, err := strconv.Atoi(one[:at])
		if err != nil || i > 0 {
			return "numbered days must be one, such as 2MO"
		}
		r.Ordinal = n
	}
	slices.SortFunc(r.Days, func(a, b time.Weekday) int { return (int(a)+6)%7 - (int(b)+6)%7 })
	return ""
}

// relative completes a rule on a numbered day of the month.
func (r *Rule) relative(byMonthDay, pos string) string {
	if pos != "" {
		n, err := strconv.Atoi(pos)
		if err != nil || r.Ordinal != 0 {
			return "its BYSETPOS is not one number"
		}
		r.Ordinal = n
	}
	var names []string
	for _, d := range r.Days {
		names = append(names, codeOf(d))
	}
	switch {
	case byMonthDay != "":
		return "a pattern has either BYDAY or BYMONTHDAY"
	case r.Ordinal == 0:
		return "it takes place on several days of a month: say which one, such as 2MO"
	case r.Ordinal < -1 || r.Ordinal > 4:
		return "a numbered day is the first to the fourth, or the last (-1)"
	case len(names) > 1 && !slices.Contains([]string{"MO,TU,WE,TH,FR", "SA,SU", strings.Join(codes, ",")}, strings.Join(names, ",")):
		return "what is counted must be one day of the week, or Monday to Friday, or Saturday and Sunday, or every day"
	}
	return ""
}

// absolute completes a rule on a day of the month.
func (r *Rule) absolute(list, pos string, first time.Time) string {
	most := 31
	if r.Freq == Yearly {
		most = longest(r.Month)
	}
	switch {
	case list == "" && pos == "":
		r.MonthDay = first.Day()
	case list == "-1" && (pos == "" || pos == "-1" || pos == "1"):
		r.MonthDay = most
		return ""
	case list == "28,29" && pos == "-1":
		r.MonthDay = 29
		return ""
	case list == "28,29,30" && pos == "-1":
		r.MonthDay = 30
		return ""
	case list == "28,29,30,31" && pos == "-1":
		r.MonthDay = most
		return ""
	default:
		n, err := strconv.Atoi(list)
		if err != nil || n < 1 || n > 31 || pos != "" {
			return "its day of the month is not one of 1 to 31, or -1 for the last"
		}
		r.MonthDay = n
	}
	shortest := 28
	if r.Freq == Yearly {
		if r.MonthDay > most {
			return fmt.Sprintf("its month has no day %d", r.MonthDay)
		}
		if r.Month != time.February {
			shortest = most
		}
	}
	if r.MonthDay > shortest {
		return fmt.Sprintf("Exchange takes the last day of months that have no day %d, and a rule leaves them out: "+
			"write BYMONTHDAY=%s to have the last day then", r.MonthDay, lastOf(r.MonthDay, most))
	}
	return ""
}

// lastOf writes the day d of the month, or its last where there is none.
func lastOf(d, most int) string {
	switch {
	case d >= most:
		return "-1"
	case d == 29:
		return "28,29;BYSETPOS=-1"
	default:
		return "28,29,30;BYSETPOS=-1"
	}
}

// longest is the number of a month's last day, in a leap year.
func longest(month time.Month) int { return time.Date(2024, month+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// shorten makes an end by date the date of the last occurrence, as Exchange keeps it. It returns what is wrong.
func (r *Rule) shorten(s Start, first time.Time) string {
	n, last := 0, time.Time{}
	for day := range r.Dates(s) {
		if n++; n == 1 && !day.Equal(first) {
			return "its start is not one of its days"
		}
		if last = day; r.Until.IsZero() {
			return ""
		}
		if n > mostLooked {
			return ""
		}
	}
	if n == 0 {
		return "it has no occurrence"
	}
	r.Until = last
	return ""
}

// String returns the rule in its canonical form, without "RRULE:" in front: what Parse makes of it with the same start is equal.
func (r Rule) String(s Start) string {
	var b strings.Builder
	b.WriteString("FREQ=")
	for name, f := range frequencies {
		if f == r.Freq {
			b.WriteString(name)
		}
	}
	add := func(name, value string) { b.WriteString(";" + name + "=" + value) }
	if r.Interval > 1 {
		add("INTERVAL", strconv.Itoa(r.Interval))
	}
	most := 31
	if r.Freq == Yearly {
		most = longest(r.Month)
		add("BYMONTH", strconv.Itoa(int(r.Month)))
	}
	var days []string
	for _, d := range r.Days {
		days = append(days, codeOf(d))
	}
	switch {
	case r.Freq == Daily:
	case r.Freq == Weekly:
		add("BYDAY", strings.Join(days, ","))
		if r.WeekStart != time.Monday {
			add("WKST", codeOf(r.WeekStart))
		}
	case r.Ordinal != 0 && len(days) == 1:
		add("BYDAY", strconv.Itoa(r.Ordinal)+days[0])
	case r.Ordinal != 0:
		add("BYDAY", strings.Join(days, ","))
		add("BYSETPOS", strconv.Itoa(r.Ordinal))
	case r.MonthDay <= 28 || r.Freq == Yearly && r.MonthDay <= most && r.Month != time.February:
		add("BYMONTHDAY", strconv.Itoa(r.MonthDay))
	default:
		add("BYMONTHDAY", lastOf(r.MonthDay, most))
	}
	switch {
	case r.Count > 0:
		add("COUNT", strconv.Itoa(r.Count))
	case r.Until.IsZero():
	case s.AllDay:
		add("UNTIL", r.Until.Format("20060102"))
	default:
		add("UNTIL", s.On(r.Until).UTC().Format("20060102T150405Z")) // the start of the last occurrence, as the RFC has it
	}
	return b.String()
}

// Canonical returns text in its canonical form: Parse and String in one. The error is a *Refusal.
func Canonical(text string, s Start) (string, error) {
	r, err := Parse(text, s)
	if err != nil {
		return "", err
	}
	return r.String(s), nil
}
