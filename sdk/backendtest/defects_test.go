package backendtest

import (
	"fmt"
	"strings"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// defects are what may be wrong with a backend, and the check that has to notice it.
var defects = map[string]string{
	"loses what it made when it is cut off": "Apply/CreateThatWasCutOffMayBeRepeated",
	"texts are padded":                      "Pages/PagesFitIntoAMessage",
	"instances mix":                         "Mailboxes/ManyAtOnceNeverMix",
	"Find finds what is gone":               "Finder/FindsNothingThatIsGone",
	"Find reads otherwise":                  "Finder/FindsItAsItIs",
	"Find knows no keys":                    "Finder/FindsByKey",
	"the state knows no deletes":            "DriftChecker/NoChangeHides",
	"there is no state without a cursor":    "DriftChecker/AFullPullHasAState",
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
	"marks are for ever":                      "Apply/RemarkReplacesTheMarkers",
	"marks come with content":                 "Apply/RemarkReplacesTheMarkers",
	"a delete takes everything":               "Apply/DeleteTakesItAway",
	"a delete names nothing":                  "Apply/DeleteTakesItAway",
	"a delete of what is gone fails":          "Apply/DeleteOfWhatIsGoneSucceeds",
	"an update loses the markers":             "Update/KeepsTheMarkers",
	"empty texts are not written":             "Update/ToEmptyTexts",

	"lines run together":         "Event/BodyOfManyLines",
	"escapes stay":               "Event/SubjectWithMarks",
	"only ASCII":                 "Event/LocationWithNonASCII",
	"no emoji":                   "Event/BodyWithEmoji",
	"long texts are cut":         "Event/LongBody",
	"subjects are cut":           "Event/LongSubject",
	"empty is something":         "Event/WithoutTexts",
	"zones are lost":             "Event/InAsiaKolkataInWinterAndSummer",
	"the machine's zone":         "Event/InUTC Pull/ItemsAreWellFormed",
	"the end is inclusive":       "Event/OfSeveralDaysByTheClock",
	"days end too early":         "Event/AllDayOfThreeDays",
	"days begin elsewhere":       "Event/AllDayInAmericaNewYork",
	"days are hours":             "Event/AllDayOfOneDay",
	"midnights are days":         "Event/FromMidnightToMidnightIsNotAllDay",
	"one offset all year":        "Event/InAmericaNewYorkInWinterAndSummer",
	"the first of two hours":     "Event/TheHourThatComesTwiceInEuropeBerlin",
	"reminders of 0 are none":    "Event/ReminderAtTheStart",
	"everybody is reminded":      "Event/ReminderNone",
	"reminders in seconds":       "Event/ReminderAQuarterBefore",
	"busy or free":               "Event/BusyOutOfOffice",
	"no personal class":          "Event/ClassPersonal",
	"rules are lost":             "Series/WeeklyAcrossAClockChange",
	"exceptions are lost":        "Series/MovedAndLeftOut",
	"left out, not moved":        "Series/AllDayWithExceptions",
	"occurrences by UTC":         "Series/MovedAndLeftOut",
	"series are single":          "Series/WeeklyInLordHowe",
	"occurrences by their day":   "Series/MovedAcrossMidnight",
	"occurrences have no title":  "Series/RetitledOccurrence Series/UpdateOfTheTitleKeepsTheExceptions",
	"everything ends":            "Series/WithoutAnEnd",
	"an end is a day early":      "Series/ByDate",
	"the last day is the 31st":   "Series/OnTheLastDayOfTheMonth",
	"years are months":           "Series/OnADayOfTheWeekInTheYear",
	"exceptions stay behind":     "Series/UpdateOfTheTitleKeepsTheExceptions",
	"what is left out stays out": "Series/WhatWasLeftOutComesBack",
	"the rule forgets the time":  "Series/UpdateOfTheTimeWithTheRule",
	"an update again undoes it":  "Series/UpdateTwiceIsOnce",
	"nobody is invited":          "Attendees/AreReadAsTheyWereWritten",
	"everybody must come":        "Attendees/AreReadAsTheyWereWritten",
	"rooms are lost":             "Attendees/AreReadAsTheyWereWritten",

	"cannot be silent, and writes all the same": "Attendees/SilenceIsKeptOrRefused",
	"rooms of a silent update are left out":     "Attendees/RoomsOfASilentUpdate",

	"Find takes a beginning":            "Finder/FindsNothingThatIsMerelyAlike",
	"Find does not mind the case":       "Finder/FindsNothingThatIsMerelyAlike",
	"Find knows keys alone":             "Finder/FindsByForeignKey",
	"Find gives one":                    "Finder/FindsAllThatBearIt",
	"none is an error":                  "Finder/NoneIsNoError",
	"Find looks everywhere":             "Mailboxes/FindKeepsThemApart",
	"mailboxes share a calendar":        "Mailboxes/PullKeepsThemApart",
	"a key of any calendar counts":      "Mailboxes/TheSameKeyIsAnItemInEach",
	"a cursor leads to its own mailbox": "Mailboxes/ACursorOfAnotherLeaksNothing",

	"free/busy fails for all":         "FreeBusy/AnswersForEachInOrder",
	"free/busy tells what is private": "FreeBusy/ShowsWhenAndNotWhatIsPrivate",
	"free/busy of any span":           "FreeBusy/TooLongASpanIsInvalid",
	"everybody is a group":            "Groups/AMailboxIsNoGroup",

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

	"everything is what bears a marker": "Pull/EverythingIsWhole",
	"any cursor does for everything":    "Pull/EverythingNeedsACursorOfItsOwn",
	"declining what is gone succeeds":   "Responder/AnswersAnInvitation",
	"an answer may be given once":       "Responder/AnswersAnInvitation",
	"answers are lost":                  "Responder/AnswersAnInvitation",
	"what is declined stays":            "Responder/AnswersAnInvitation",
	"everybody may answer":              "Responder/WhatIsNoInvitationIsInvalid",

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
