package plan

import "github.com/roomwire/roomwire/sdk/calendar"

// Roomless returns f without its rooms and without those that single occurrences have of their own.
func Roomless(f Fields) Fields {
	days := f.byDay()
	for day, x := range days {
		if x.Own.Any(calendar.FieldResources) {
			days[day] = mixed(x, Exception{}, calendar.FieldResources)
		}
	}
	f.Resources = nil
	return f.excepted(days)
}
