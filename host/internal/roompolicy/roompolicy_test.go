package roompolicy

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestARefusalPointsToItsSettings(t *testing.T) {
	t.Parallel()
	conflicts := "AllowConflicts ConflictPercentageAllowed MaximumConflictInstances"
	for text, want := range map[string]string{
		"Your request was declined because there are conflicts.\r\n\r\nThe conflicts are:\r\nOrganizer and Time of Conflicting Meeting\r\nBob": conflicts,
		"Ihre Anfrage wurde aufgrund von Konflikten abgelehnt.":                                                                                conflicts,
		"The room is already booked.": conflicts,
		"This resource can only be scheduled up to 180 days in advance. The end time should fall before 5/28/2027.": "BookingWindowInDays EnforceSchedulingHorizon",
		"Die Ressource kann nur 180 Tage im Voraus gebucht werden.":                                                 "BookingWindowInDays EnforceSchedulingHorizon",
		"it exceeds the maximum duration of this resource, which is 59 minutes.":                                    "MaximumDurationInMinutes",
		"Die maximale Dauer wurde überschritten.":                                                                   "MaximumDurationInMinutes",
		"this resource does not accept recurring meetings.":                                                         "AllowRecurringMeetings",
		"Serientermine sind für diese Ressource nicht zulässig.":                                                    "AllowRecurringMeetings",
		"The recurring meeting has no end date.":                                                                    "EnforceSchedulingHorizon",
		"The resource is only available during working hours.":                                                      "ScheduleOnlyDuringWorkHours",
		"You don't have permission to book this resource.":                                                          "AllBookInPolicy BookInPolicy AllRequestInPolicy RequestInPolicy",
		"Your request was received and is pending approval.":                                                        "AllBookInPolicy BookInPolicy AllRequestOutOfPolicy ResourceDelegates",
		"The room's capacity is 4.":                                                                                 "EnforceCapacity",
		"Requests from outside the organization are not processed.":                                                 "ProcessExternalMeetingMessages",
		"The painters are there.": "",
		"":                        "",
		"This meeting is about our recurring revenue and lasts 2 hours.": "",
	} {
		if got := strings.Join(Points(text), " "); got != want {
			t.Errorf("%q points to %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsPointedToIsKnownAndNamedOnce(t *testing.T) {
	t.Parallel()
	known := slices.Clone(others)
	for _, s := range settings {
		known = append(known, s.Name)
	}
	words := []string{"conflict", "days in advance", "too long", "recurring meetings are not accepted", "permission", "pending", "capacity", "external", "no end", "x", "\xff"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 6).Draw(t, "words"), " ") + rapid.String().Draw(t, "more")
		got := Points(text)
		for i, name := range got {
			if !slices.Contains(known, name) || slices.Contains(got[:i], name) {
				t.Fatalf("%q points to %q", text, got)
			}
		}
	})
}

func TestCommandsAreWhatPowerShellTakes(t *testing.T) {
	t.Parallel()
	set := SetCommand("o'room’s@example.com\r\n")
	if !strings.HasPrefix(set, "Set-CalendarProcessing -Identity 'o''room’’s@example.com' -AutomateProcessing AutoAccept -AllowConflicts $false") {
		t.Errorf("set: %s", set)
	}
	get := GetCommand("room-a@example.com")
	for _, s := range Settings() {
		if s.Why == "" || !strings.Contains(get, s.Name) || (s.Value == "") == strings.Contains(set, "-"+s.Name+" ") {
			t.Errorf("%+v is not in the commands as it ought to be:\n%s\n%s", s, get, set)
		}
	}
}
