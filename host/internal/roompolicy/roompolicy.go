// Package roompolicy knows the settings by which Exchange has a room's mailbox decide on invitations (Set-CalendarProcessing):
// what to set them to for a room that is booked through the hub, and which of them a refusal points to. Neither EWS nor Graph
// reads them, so an administrator has to look.
//
// It decides and reaches nothing.
package roompolicy

import (
	"regexp"
	"slices"
	"strings"
)

// A Setting is one parameter of Set-CalendarProcessing.
type Setting struct {
	Name  string
	Value string // as PowerShell takes it; empty: as the house likes, and not part of the command
	Why   string // one sentence
}

// settings are those that matter, in the order in which they are shown.
var settings = []Setting{
	{"AutomateProcessing", "AutoAccept", "With AutoUpdate or None the room never answers: a booking's room stays pending for ever."},
	{"AllowConflicts", "$false", "Exchange itself then refuses what collides, however it came about."},
	{
		"ConflictPercentageAllowed", "50",
		"With 0 a whole series is declined for one occurrence that collides. Otherwise the room declines those occurrences alone, which are listed and settled one by one. " +
			"Both this and MaximumConflictInstances have to allow it.",
	},
	{"MaximumConflictInstances", "50", "As ConflictPercentageAllowed."},
	{
		"BookingWindowInDays", "1080",
		"The default of 180 declines what the booking system lets people book further ahead. 1080 is the most that there is; less does where the booking system has a limit of its own.",
	},
	{
		"EnforceSchedulingHorizon", "$false",
		"With $true a series that goes on beyond the window, such as one without an end, is declined. With $false the room's calendar has it up to there, " +
			"and the booking keeps the room occupied beyond.",
	},
	{"MaximumDurationInMinutes", "0", "The default of 1440 declines bookings of more than a day. 0 is no limit."},
	{"AllowRecurringMeetings", "$true", "With $false every series is declined."},
	{"ScheduleOnlyDuringWorkHours", "$false", "With $true the room declines what lies outside its working hours, of which the booking system knows nothing."},
	{
		"AllBookInPolicy", "$true",
		"With $false only those in BookInPolicy may book. What others ask for is tentative until a delegate decides (AllRequestInPolicy, RequestInPolicy), or declined.",
	},
	{"AllRequestOutOfPolicy", "$false", "With $true what breaks a rule is not declined but tentative, until a delegate decides."},
	{"RemovePrivateProperty", "$false", "With $true private meetings lose their mark in the room's calendar, and their titles are seen by all who see that."},
	{"DeleteSubject", "", "With $true (the default) the room's calendar does not keep titles. A booking takes its title from its organizer's calendar, never from the room's."},
	{"AddOrganizerToSubject", "", "With $true (the default) the room's calendar shows the organizer as title. That is not taken for a change of the title."},
	{"DeleteComments", "", "With $true (the default) the room's calendar does not keep texts. They are not read from there."},
	{"ProcessExternalMeetingMessages", "", "With $false (the default) invitations from outside the organization are not processed, so they never become bookings."},
	{"AddAdditionalResponse", "", "With $true the room adds the text of AdditionalResponse to its answers, which is then part of the reasons that are shown here."},
}

// Settings returns the settings that matter, with our recommendation and why.
func Settings() []Setting { return slices.Clone(settings) }

// others are settings that a refusal may point to beside those.
var others = []string{"BookInPolicy", "AllRequestInPolicy", "RequestInPolicy", "ResourceDelegates", "MinimumDurationInMinutes", "EnforceCapacity"}

// GetCommand is the command that shows the settings of a room, and whatever else has a say.
func GetCommand(address string) string {
	names := make([]string, 0, len(settings)+len(others))
	for _, s := range settings {
		names = append(names, s.Name)
	}
	return "Get-CalendarProcessing -Identity " + quoted(address) + " | Format-List " + strings.Join(append(names, others[:4]...), ",")
}

// SetCommand is the command that sets a room as we recommend.
func SetCommand(address string) string {
	var b strings.Builder
	b.WriteString("Set-CalendarProcessing -Identity " + quoted(address))
	for _, s := range settings {
		if s.Value != "" {
			b.WriteString(" -" + s.Name + " " + s.Value)
		}
	}
	return b.String()
}

// quoted is text as PowerShell takes it literally. Typographic quotes end a literal, too.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range text {
		switch {
		case r < ' ':
			continue
		case strings.ContainsRune("'‘’‚‛", r):
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}

// A pointer tells which settings a wording points to.
type pointer struct {
	words    *regexp.Regexp
	settings []string
}

// pointers are tried all, in this order. Answers come in the language of the mailbox or of who keeps the room: English and German
// are known.
var pointers = []pointer{
	{regexp.MustCompile(`conflict|already (booked|reserved|taken)|konflikt|überschneid|bereits (gebucht|reserviert|belegt|vergeben)`), []string{"AllowConflicts", "ConflictPercentageAllowed", "MaximumConflictInstances"}},
	{
		regexp.MustCompile(`days? in advance|in the future|booking window|last (possible )?(booking )?date|tage? im voraus|in der zukunft|buchungszeitraum|buchungsfenster`),
		[]string{"BookingWindowInDays", "EnforceSchedulingHorizon"},
	},
	{regexp.MustCompile(`(maximum|longest|allowed|exceeds?).{0,40}(duration|length)|duration.{0,40}(exceed|long|maximum|allow)|too long|(höchst|maximal).{0,20}dauer|dauer.{0,40}(überschr|lang|maximal)|zu lang`), []string{"MaximumDurationInMinutes"}},
	{regexp.MustCompile(`too short|minimum (duration|length)|zu kurz|mindestdauer`), []string{"MinimumDurationInMinutes"}},
	{regexp.MustCompile(`(not|n['’]t) (accept|allow|support|schedule).{0,30}recurr|recurr.{0,60}(not|n['’]t|never)( be)? (accept|allow|support|permit)|serientermin.{0,60}nicht|serien?.{0,40}(nicht|keine)|keine serie`), []string{"AllowRecurringMeetings"}},
	{regexp.MustCompile(`end ?date|no end|without an end|endless|enddatum|ohne ende`), []string{"EnforceSchedulingHorizon"}},
	{regexp.MustCompile(`work(ing)? hours|arbeitszeit|geschäftszeit`), []string{"ScheduleOnlyDuringWorkHours"}},
	{regexp.MustCompile(`permission|not (authorized|allowed|permitted) to (book|reserve|schedule)|berechtig|nicht befugt`), []string{"AllBookInPolicy", "BookInPolicy", "AllRequestInPolicy", "RequestInPolicy"}},
	{regexp.MustCompile(`pending|approv|delegate|genehmig|stellvertret`), []string{"AllBookInPolicy", "BookInPolicy", "AllRequestOutOfPolicy", "ResourceDelegates"}},
	{regexp.MustCompile(`capacity|too many (people|attendees)|kapazität|zu viele (teilnehmer|personen)`), []string{"EnforceCapacity"}},
	{regexp.MustCompile(`external|outside (of )?(your|the|this|our) organi[sz]ation|extern|außerhalb (der|ihrer|unserer) organisation`), []string{"ProcessExternalMeetingMessages"}},
}

// maxText bounds what of a text is looked at.
const maxText = 4000

// Points returns the settings that a room's answer points to, the likeliest first, none twice; none if the text says nothing that is known.
func Points(text string) []string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	var out []string
	for _, p := range pointers {
		if !p.words.MatchString(text) {
			continue
		}
		for _, name := range p.settings {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
