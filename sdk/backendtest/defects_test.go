package backendtest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/conformance"
	"github.com/roomwire/roomwire/sdk/fault"
)

// readings are defects of how an event is read.
var readings = map[string]func(e *calendar.Event){
	"lines run together":             func(e *calendar.Event) { e.Body = strings.ReplaceAll(e.Body, "\n", " ") },
	"escapes stay":                   func(e *calendar.Event) { e.Subject = strings.ReplaceAll(e.Subject, ";", `\;`) },
	"only ASCII":                     func(e *calendar.Event) { e.Location = strings.Map(ascii, e.Location) },
	"no emoji":                       func(e *calendar.Event) { e.Body = strings.Map(basic, e.Body) },
	"long texts are cut":             func(e *calendar.Event) { e.Body = e.Body[:min(len(e.Body), 8<<10)] },
	"subjects are cut":               func(e *calendar.Event) { e.Subject = e.Subject[:min(len(e.Subject), 100)] },
	"empty is something":             func(e *calendar.Event) { e.Location += " " },
	"zones are lost":                 func(e *calendar.Event) { e.Zone = "" },
	"zones are made up":              func(e *calendar.Event) { e.Zone = "W. Europe Standard Time" },
	"the machine's zone":             func(e *calendar.Event) { e.Start = e.Start.In(time.FixedZone("here", 3600)) },
	"texts are padded":               func(e *calendar.Event) { e.Body = strings.Repeat("-", 2<<20) },
	"after the gap is an hour later": func(e *calendar.Event) { e.Start = afterGap(e.Start, e.Zone) },
	"years wrap":                     func(e *calendar.Event) { e.End = e.End.AddDate(e.Start.Year()-e.End.Year(), 0, 0) },
	"the end is inclusive":           func(e *calendar.Event) { e.End = e.End.Add(-time.Minute) },
	"days end too early":             func(e *calendar.Event) { e.End = e.End.AddDate(0, 0, days(*e, -1)) },
	"days begin elsewhere":           func(e *calendar.Event) { e.Start = e.Start.Add(elsewhereOffset(*e)) },
	"days are hours":                 func(e *calendar.Event) { e.AllDay = false },
	"midnights are days":             midnights,
	"one offset all year":            func(e *calendar.Event) { e.Start = winter(e.Start, e.Zone) },
	"the first of two hours":         func(e *calendar.Event) { e.Start = firstOfTwo(e.Start, e.Zone) },
	"reminders of 0 are none": func(e *calendar.Event) {
		if e.Reminder != nil && e.Reminder.Before == 0 {
			e.Reminder = nil
		}
	},
	"everybody is reminded": func(e *calendar.Event) {
		if e.Reminder == nil {
			e.Reminder = &calendar.Reminder{}
		}
	},
	"busy or free": func(e *calendar.Event) {
		if e.Busy != calendar.Free {
			e.Busy = calendar.Occupied
		}
	},
	"no personal class": func(e *calendar.Event) {
		if e.Class == calendar.Personal {
			e.Class = calendar.Private
		}
	},
	"rules are lost":       func(e *calendar.Event) { e.Recurrence = "" },
	"exceptions are lost":  func(e *calendar.Event) { e.Exceptions = nil },
	"left out, not moved":  leftOut,
	"occurrences by UTC":   func(e *calendar.Event) { shiftLast(e) },
	"nobody is invited":    func(e *calendar.Event) { e.Attendees = nil },
	"everybody must come":  mustCome,
	"rooms are lost":       func(e *calendar.Event) { e.Attendees = slices.DeleteFunc(slices.Clone(e.Attendees), isResource) },
	"reminders in seconds": inSeconds,
}

func ascii(r rune) rune {
	if r > 127 {
		return '?'
	}
	return r
}

func basic(r rune) rune {
	if r > 0xffff {
		return -1
	}
	return r
}

func days(e calendar.Event, n int) int {
	if e.AllDay && e.End.Sub(e.Start) > 24*time.Hour {
		return n
	}
	return 0
}

func elsewhereOffset(e calendar.Event) time.Duration {
	if !e.AllDay || e.Zone != "America/New_York" {
		return 0
	}
	return 4 * time.Hour
}

func midnights(e *calendar.Event) {
	at := location(e.Zone)
	if e.Start.In(at).Format("15:04") == "00:00" && e.End.In(at).Format("15:04") == "00:00" {
		e.AllDay = true
	}
}

func winter(t time.Time, zone string) time.Time {
	if t.In(location(zone)).IsDST() {
		return t.Add(time.Hour)
	}
	return t
}

func firstOfTwo(t time.Time, zone string) time.Time {
	from, _ := t.In(location(zone)).ZoneBounds()
	if !from.IsZero() && t.Sub(from) < 30*time.Minute && !t.In(location(zone)).IsDST() {
		return t.Add(-time.Hour)
	}
	return t
}

func afterGap(t time.Time, zone string) time.Time {
	from, _ := t.In(location(zone)).ZoneBounds()
	if !from.IsZero() && t.Sub(from) < time.Hour && t.In(location(zone)).IsDST() {
		return t.Add(time.Hour)
	}
	return t
}

func leftOut(e *calendar.Event) {
	e.Exceptions = slices.Clone(e.Exceptions)
	for i := range e.Exceptions {
		e.Exceptions[i].Event = nil
	}
}

func shiftLast(e *calendar.Event) {
	if n := len(e.Exceptions); n > 0 && !e.AllDay {
		e.Exceptions = slices.Clone(e.Exceptions)
		e.Exceptions[n-1].Occurrence = e.Exceptions[n-1].Occurrence.Add(time.Hour)
	}
}

func mustCome(e *calendar.Event) {
	e.Attendees = slices.Clone(e.Attendees)
	for i := range e.Attendees {
		if e.Attendees[i].Role == calendar.Optional {
			e.Attendees[i].Role = calendar.Required
		}
	}
}

func isResource(a calendar.Attendee) bool { return a.Role == calendar.Resource }

func inSeconds(e *calendar.Event) {
	if e.Reminder != nil {
		e.Reminder = &calendar.Reminder{Before: e.Reminder.Before + 30*time.Second}
	}
}

// defects are what may be wrong with a backend, and the check that has to notice it.
var defects = map[string]string{
	"loses what it made when it is cut off": "Apply/CreateThatWasCutOffMayBeRepeated",
	"texts are padded":                      "Pages/PagesFitIntoAMessage",
	"instances mix":                         "Mailboxes/ManyAtOnceNeverMix",
	"Find finds what is gone":               "Finder/FindsNothingThatIsGone",
	"Find reads otherwise":                  "Finder/FindsItAsItIs",
	"Find knows no keys":                    "Finder/FindsByKey",
	"years wrap":                            "Event/AcrossTheEndOfTheYear",
	"after the gap is an hour later":        "Event/AroundTheGapInEuropeBerlin",
	"an update leaves the Zone":             "Update/ToAnotherZoneAtTheSameMoment",
	"an update leaves AllDay":               "Update/ToAllDayAndBack",
	"Pull reads otherwise":                  "Fetch/ReadsWhatPullTold",
	"nothing is an error":                   "Fetch/NothingForNothing",
	"tells what is old again":               "Cursor/WhatIsOldIsNotToldAgain",
	"tells everything only once":            "Pull/TwiceIsTheSame",
	"Probe fails where all is well":         "Probe/ReachesTheMailbox",
	"Open reaches the network":              "Open/ReachesNoServer",
	"no Watcher, sometimes":                 "Open/InstancesHaveTheSameAbilities Process/ARestartLeavesTheAbilities",
	"omits the time":                        "Open/OmitsNeverTheTime",
	"Close ends all":                        "Open/ClosingOneLeavesTheOthers",
	"absent is unavailable":                 "Probe/AbsentIsMailboxNotFound",
	"Probe changes something":               "Probe/ChangesNothing",
	"a full pull leaves one out":            "Pull/FullMentionsEveryItem",

	"Full is on the first page only": "Pages/FullIsSetOnEveryPage",
	"Full is on every pull":          "Pages/FullIsSetOnEveryPage",
	"no Last":                        "Pages/LastIsOnTheLastPage Process/ARestartTakesOldCursors",
	"a page follows the last":        "Pages/LastIsOnTheLastPage",
	"reads what is people's own":     "Pull/ReadsOnlyWhatBearsAMarker",
	"zones are made up":              "Event/InEuropeBerlinInWinterAndSummer",
	"goes on after emit failed":      "Pages/AnErrorOfEmitEndsIt",
	"swallows the error of emit":     "Pages/AnErrorOfEmitEndsIt",

	"tells of no create":                       "Cursor/TellsOfACreate",
	"tells of no update":                       "Cursor/TellsOfAnUpdate",
	"no word of what is deleted":               "Cursor/TellsOfADelete",
	"what is deleted is merely mentioned":      "Cursor/TellsOfADelete",
	"what is deleted is still there":           "Cursor/TellsOfADelete",
	"a delete does nothing":                    "Cursor/TellsWhatIsNoLongerThereByAFullPull",
	"an old cursor tells only the last change": "Cursor/AnOldOneStillCounts",
	"cursors die with the instance":            "Cursor/ServesAnotherInstance Process/ARestartForgetsNothing",
	"garbage is silence":                       "Cursor/GarbageIsNotSilence",
	"Next skips a page":                        "Pages/GoesOnAfterAnyPage",
	"nothing is expired":                       "Cursor/NothingIsNotExpired",

	"Fetch sorts":                      "Fetch/AnswersInOrder",
	"Fetch leaves out what is gone":    "Fetch/GoneIsNotFoundForThatItemAlone",
	"one that is gone fails the Fetch": "Fetch/AStrangeReferenceIsItsOwnTrouble",
	"gone is unavailable":              "Fetch/GoneIsNotFoundForThatItemAlone",

	"writes no ForeignKey":                    "Apply/CreateMakesTheItem",
	"no revisions":                            "Apply/CreateMakesTheItem",
	"a new item is read-only":                 "Apply/CreateMakesTheItem",
	"everything is repeated":                  "Apply/CreateMakesTheItem",
	"answers what was asked":                  "Apply/CreateMakesTheItem",
	"the ForeignKey is the Key":               "Apply/CreateWritesNoForeignKeyUnasked",
	"creates twice":                           "Apply/CreateTwiceIsOnce",
	"does not say Repeated":                   "Apply/CreateTwiceIsOnce",
	"a repeated create writes":                "Apply/CreateTwiceIsOnce",
	"a repeated create is a conflict":         "Apply/CreateTwiceIsOnce",
	"remembers keys itself":                   "Apply/CreateByAnotherInstanceIsOnce",
	"First writes no key":                     "Apply/CreateAfterFirstIsOnce",
	"a repeated create tells what was asked":  "Apply/CreateTwiceIsOnce Apply/RepeatedReportsTheItemAsItIs",
	"what was deleted is not made anew":       "Apply/CreateAfterDeleteMakesANewOne",
	"keys are alike whatever their case":      "Apply/CreateTellsKeysApart",
	"keys are alike by their beginning":       "Apply/CreateTellsKeysApart",
	"creates race":                            "Apply/CreateAtOnceIsOnce",
	"overwrites":                              "Apply/UpdateConflictsOnAStaleRevision",
	"writes, and then says conflict":          "Apply/UpdateConflictsOnAStaleRevision",
	"always a conflict":                       "Apply/UpdateGoesWithTheRevisionThatWasRead",
	"revisions stay":                          "Apply/UpdateGivesANewRevision",
	"an update makes what is gone":            "Apply/UpdateOfWhatIsGoneIsNotFound",
	"an update of what is gone is a conflict": "Apply/UpdateOfWhatIsGoneIsNotFound",
	"an update writes no ForeignKey":          "Apply/UpdateWritesAMissingForeignKey",
	"a delete takes everything":               "Apply/DeleteTakesItAway",
	"a delete names nothing":                  "Apply/DeleteTakesItAway",
	"a delete of what is gone fails":          "Apply/DeleteOfWhatIsGoneSucceeds",
	"an update loses the markers":             "Update/KeepsTheMarkers",
	"empty texts are not written":             "Update/ToEmptyTexts",

	"lines run together":      "Event/BodyOfManyLines",
	"escapes stay":            "Event/SubjectWithMarks",
	"only ASCII":              "Event/LocationWithNonASCII",
	"no emoji":                "Event/BodyWithEmoji",
	"long texts are cut":      "Event/LongBody",
	"subjects are cut":        "Event/LongSubject",
	"empty is something":      "Event/WithoutTexts",
	"zones are lost":          "Event/InAsiaKolkataInWinterAndSummer",
	"the machine's zone":      "Event/InUTC Pull/ItemsAreWellFormed",
	"the end is inclusive":    "Event/OfSeveralDaysByTheClock",
	"days end too early":      "Event/AllDayOfThreeDays",
	"days begin elsewhere":    "Event/AllDayInAmericaNewYork",
	"days are hours":          "Event/AllDayOfOneDay",
	"midnights are days":      "Event/FromMidnightToMidnightIsNotAllDay",
	"one offset all year":     "Event/InAmericaNewYorkInWinterAndSummer",
	"the first of two hours":  "Event/TheHourThatComesTwiceInEuropeBerlin",
	"reminders of 0 are none": "Event/ReminderAtTheStart",
	"everybody is reminded":   "Event/ReminderNone",
	"reminders in seconds":    "Event/ReminderAQuarterBefore",
	"busy or free":            "Event/BusyOutOfOffice",
	"no personal class":       "Event/ClassPersonal",
	"rules are lost":          "Series/WeeklyAcrossAClockChange",
	"exceptions are lost":     "Series/MovedAndLeftOut",
	"left out, not moved":     "Series/AllDayWithExceptions",
	"occurrences by UTC":      "Series/MovedAndLeftOut",
	"series are single":       "Series/WeeklyInLordHowe",
	"nobody is invited":       "Attendees/AreReadAsTheyWereWritten",
	"everybody must come":     "Attendees/AreReadAsTheyWereWritten",
	"rooms are lost":          "Attendees/AreReadAsTheyWereWritten",

	"Find takes a beginning":            "Finder/FindsNothingThatIsMerelyAlike",
	"Find does not mind the case":       "Finder/FindsNothingThatIsMerelyAlike",
	"Find knows keys alone":             "Finder/FindsByForeignKey",
	"Find gives one":                    "Finder/FindsAllThatBearIt",
	"none is an error":                  "Finder/NoneIsNoError",
	"Find looks everywhere":             "Mailboxes/FindKeepsThemApart",
	"mailboxes share a calendar":        "Mailboxes/PullKeepsThemApart",
	"a key of any calendar counts":      "Mailboxes/TheSameKeyIsAnItemInEach",
	"a cursor leads to its own mailbox": "Mailboxes/ACursorOfAnotherLeaksNothing",

	"garbage is a message":               "Pusher/GarbageIsInvalid",
	"no message":                         "Pusher/TellsOfAChange",
	"gives no hints":                     "Pusher/TellsOfAChange",
	"cannot subscribe":                   "Pusher/TellsOfAChange",
	"trusts everybody":                   "Pusher/UntrustedGetsNoHints",
	"answers with no status":             "Pusher/UntrustedGetsNoHints",
	"Receive asks the server":            "Pusher/ReceiveNeedsNoServerAndNoMemory",
	"keeps the old URL":                  "Pusher/AnotherSubscriptionTakesThePlace",
	"messages name another subscription": "Pusher/HintsAreOfTheirSubscription",
	"all subscriptions are one":          "Pusher/HintsAreOfTheirSubscription",
	"a second Unsubscribe fails":         "Pusher/UnsubscribeTwiceIsNoError",

	"tells only what comes after Watch": "Watcher/StreamingTellsWhatCameBeforeIt",
	"tells nothing to those who watch":  "Watcher/AskingTellsWhatCameBeforeIt",
	"tells of creates only":             "Watcher/StreamingTellsOfEachChange",
	"Mark stays":                        "Watcher/AskingTellsOfEachChange",
	"what is unknown is an error":       "Watcher/StreamingLosesWhatIsUnknown",
	"what is unknown is alive":          "Watcher/AskingLosesWhatIsUnknown",
	"Watch outlives its context":        "Watcher/StreamingEndsWithItsContext",
	"tells of what is not watched":      "Watcher/AskingTellsOnlyOfWhatIsWatched",
	"cannot listen":                     "Watcher/SomeWayIsSupported",

	"trouble is NotFound":             "Unavailable/WithoutANetwork Unavailable/WhereNobodyListens",
	"trouble is an empty calendar":    "Unavailable/WithoutANetwork",
	"trouble is no item":              "Unavailable/WithoutANetwork",
	"trouble is a deletion":           "Unavailable/WithoutANetwork",
	"500 is NotFound":                 "Unavailable/HTTP500",
	"takes anything for an answer":    "Unavailable/APageInsteadOfAnAnswer Unavailable/NothingInsteadOfAnAnswer",
	"everything is Unavailable":       "Unavailable/HTTP403IsForbidden",
	"forgets how long to wait":        "Unavailable/ThrottledSaysForHowLong",
	"ignores cancellation":            "Cancellation/WhileTheServerIsSilent Cancellation/ThatCameBefore",
	"goes on after its context ended": "Pages/InEmit",
}

// pairs returns defects with all the checks that must notice each.
func pairs() map[string][]string {
	out := map[string][]string{}
	for defect, names := range defects {
		out[defect] = strings.Fields(names)
	}
	never := func(f calendar.Fields, names ...string) { out[fmt.Sprintf("an update never writes %d", f)] = names }
	also := func(f calendar.Fields, names ...string) { out[fmt.Sprintf("an update also writes %d", f)] = names }
	for i, f := range fieldNames {
		never(f.field, "Update/"+f.name+"Alone", "Update/EveryFieldAtOnce")
		also(f.field, "Update/"+fieldNames[(i+1)%len(fieldNames)].name+"Alone", "Update/NoField")
	}
	never(calendar.FieldAttendees, "Attendees/PeopleAlone", "Attendees/AllMayBeRemoved")
	never(calendar.FieldResources, "Attendees/ResourcesAlone", "Attendees/AllMayBeRemoved")
	never(calendar.FieldRecurrence, "Series/UpdateOfTheRule", "Series/UpdateOfTheExceptions", "Series/ToASingleEventAndBack")
	also(calendar.FieldAttendees, "Attendees/ResourcesAlone", "Attendees/StayWhenOthersAreWritten")
	also(calendar.FieldResources, "Attendees/PeopleAlone", "Attendees/StayWhenOthersAreWritten")
	also(calendar.FieldRecurrence, "Series/UpdateOfTheLocationKeepsTheSeries")
	return out
}

// fixture gives the suite all that a world has. Its mailboxes have a URL, behind which a server says that all is well.
func (w *world) fixture(t *testing.T) Fixture {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("calendar")) }))
	t.Cleanup(server.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return Fixture{
		Open: w.open, CutOff: w.cutOff,
		Mailboxes: []backend.Mailbox{{Address: "one@example.com", URL: server.URL}, {Address: "two@example.com", URL: server.URL}},
		Absent:    &backend.Mailbox{Address: "nobody@example.com", URL: server.URL},
		Notices:   &Notices{Listener: l}, Attendees: true, AtOnce: true,
	}
}

// TestEveryDefectIsNoticed: each thing that can be wrong makes the check fail that is named after the rule.
func TestEveryDefectIsNoticed(t *testing.T) {
	t.Parallel()
	known := Checks()
	for defect, names := range pairs() {
		for _, name := range names {
			t.Run(defect+"/"+name, func(t *testing.T) {
				t.Parallel()
				if !slices.Contains(known, name) {
					t.Fatalf("there is no check %s", name)
				}
				notices(t, defect, name)
			})
		}
	}
}

func notices(t *testing.T, defect, name string) {
	t.Helper()
	f := newWorld(defect).fixture(t)
	f.Only = func(check string) bool { return check == name }
	f.Patience = 300 * time.Millisecond // it is waited for what never comes
	r := conformance.NewReport(t.Context(), nil)
	Run(r, f)
	for _, one := range r.Results() {
		if one.Name != name {
			continue
		}
		if one.Outcome != conformance.Failed || !strings.Contains(strings.Join(one.Said, "\n"), "docs/plugins/contract.md") {
			t.Errorf("the check %s %s: %q", name, one.Outcome, one.Said)
		}
		return
	}
	t.Errorf("the check %s was not made: %+v", name, r.Results())
}

// TestEveryCheckNoticesSomething: there is no check that no backend could fail.
func TestEveryCheckNoticesSomething(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{"End/NothingIsLeft": true} // by TestWhatIsLeftIsTold
	for _, names := range pairs() {
		for _, name := range names {
			noticed[name] = true
		}
	}
	for _, name := range Checks() {
		if !noticed[name] && !alike(name, noticed) {
			t.Errorf("no defect shows that the check %s notices anything", name)
		}
	}
}

// alike reports whether a check differs only in its data from one that is known to notice something.
func alike(name string, noticed map[string]bool) bool {
	for _, family := range []string{
		"Event/In", "Event/AroundTheGap", "Event/TheHour", "Event/AllDay", "Event/SubjectWith", "Event/LocationWith", "Event/BodyWith",
		"Event/Reminder", "Event/Busy", "Event/Class", "Unavailable/HTTP", "Unavailable/A", "Watcher/",
	} {
		if !strings.HasPrefix(name, family) {
			continue
		}
		for other := range noticed {
			if strings.HasPrefix(other, family) {
				return true
			}
		}
	}
	return false
}

func TestAGoodBackendPasses(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	Run(t, w.fixture(t))
	for address, x := range w.boxes {
		if len(x.items) != 1 || x.items["own"].Event.Subject != "Dentist" {
			t.Errorf("in the calendar of %s there is %+v, want what was there before", address, x.items)
		}
	}
}

// TestWhatCannotBeCheckedIsSkipped: backends that can do little pass, and the report says what was not shown.
func TestWhatCannotBeCheckedIsSkipped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		open    func(w *world) backend.Backend
		skipped []string
	}{
		"keeps times alone": {
			func(w *world) backend.Backend {
				return struct{ partial }{partial{w.instance(false).(*memory), calendar.AllFields &^ calendar.FieldTime}}
			},
			[]string{"Series/MovedAndLeftOut", "Update/SubjectAlone", "Event/BusyFree"},
		},
		"only reads": {
			func(w *world) backend.Backend { return readOnly{w.instance(false)} },
			[]string{"Apply/CreateTwiceIsOnce", "Fetch/NothingForNothing", "Finder/FindsByKey", "Pusher/TellsOfAChange"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld("")
			f := w.fixture(t)
			f.Open = func(context.Context) (backend.Backend, error) { return tc.open(w), nil }
			f.CutOff = nil
			r := conformance.NewReport(t.Context(), nil)
			Run(r, f)
			outcomes := map[string]conformance.Outcome{}
			for _, one := range r.Results() {
				outcomes[one.Name] = one.Outcome
				if one.Outcome == conformance.Failed {
					t.Errorf("%s: %q", one.Name, one.Said)
				}
				if one.Outcome == conformance.Skipped && len(one.Said) == 0 {
					t.Errorf("%s is skipped without a reason", one.Name)
				}
			}
			for _, name := range tc.skipped {
				if outcomes[name] != conformance.Skipped {
					t.Errorf("%s is %q, want skipped", name, outcomes[name])
				}
			}
		})
	}
}

// readOnly reads what a world has.
type readOnly struct{ backend.Backend }

// Fetch implements backend.Backend.
func (r readOnly) Fetch(ctx context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	return backend.ReadOnly{}.Fetch(ctx, m, refs)
}

// Apply implements backend.Backend.
func (r readOnly) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	return backend.ReadOnly{}.Apply(ctx, m)
}

func TestWhatIsLeftIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	f := w.fixture(t)
	f.Only = func(check string) bool { return check == "Apply/CreateMakesTheItem" }
	f.Open = func(context.Context) (backend.Backend, error) { return undeletable{w.instance(false).(*memory)}, nil }
	r := conformance.NewReport(t.Context(), nil)
	Run(r, f)
	want := map[string]conformance.Outcome{"Apply/CreateMakesTheItem": conformance.Passed, "End/NothingIsLeft": conformance.Failed}
	got := map[string]conformance.Outcome{}
	for _, one := range r.Results() {
		got[one.Name] = one.Outcome
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWhatIsCalledOffIsRemoved: the checks end with the context of the report, and what they made is removed after it.
func TestWhatIsCalledOffIsRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld("")
	f := w.fixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.Only = func(check string) bool { return strings.HasPrefix(check, "Pages/") }
	made := 0
	f.Open = func(context.Context) (backend.Backend, error) {
		return counting{w.instance(false).(*memory), func() {
			if made++; made == 7 {
				cancel()
			}
		}}, nil
	}
	r := conformance.NewReport(ctx, nil)
	Run(r, f)
	if n := len(w.boxes["one@example.com"].items); n != 1 || !r.Failed() || made < 7 {
		t.Errorf("%d items are there after %d were made, failed: %v; want the one of before, and a failure", n, made, r.Failed())
	}
}

// TestWhatCannotBeOpenedIsAFailure: nothing is examined then.
func TestWhatCannotBeOpenedIsAFailure(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Fixture{
		"nothing": {},
		"no settings": {
			Open:      func(context.Context) (backend.Backend, error) { return nil, fault.Invalid },
			Mailboxes: []backend.Mailbox{{Address: "one@example.com"}},
		},
	} {
		r := conformance.NewReport(t.Context(), nil)
		Run(r, f)
		if got := r.Results(); len(got) != 1 || got[0].Name != "Begin" || got[0].Outcome != conformance.Failed {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// counting calls done with each create.
type counting struct {
	*memory
	done func()
}

// Apply implements backend.Backend.
func (c counting) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Op == calendar.Create {
		defer c.done()
	}
	return c.memory.Apply(ctx, m)
}

type undeletable struct{ *memory }

// Apply implements backend.Backend.
func (u undeletable) Apply(ctx context.Context, m calendar.Mutation) (backend.Result, error) {
	if m.Op == calendar.Delete {
		return backend.Result{}, fmt.Errorf("the server refuses: %w", fault.Invalid)
	}
	return u.memory.Apply(ctx, m)
}
