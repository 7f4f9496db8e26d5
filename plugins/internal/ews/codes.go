package ews

import "github.com/roomwire/roomwire/sdk/fault"

// A meaning is what one of the server's codes says: its kind, how far it reaches, and a text for people.
type meaning struct {
	kind  fault.Kind
	scope fault.Scope
	text  string
}

// meaningOf returns what a response code means. What is not in the table is Unavailable: it is retried, and it never
// counts as "gone".
func meaningOf(code string) meaning {
	if m, ok := codes[code]; ok {
		return m
	}
	return meaning{fault.Unavailable, fault.ScopeMailbox, "the server reported a failure that Roomwire does not know"}
}

const (
	box  = fault.ScopeMailbox
	host = fault.ScopeServer
)

// codes maps every code that calls for a reaction of its own to one kind:
//
//	the server asks for a pause           Throttled, with After where it said how long
//	it did not work this time             Unavailable
//	the mailbox is elsewhere              MailboxMoved
//	the sync state is of no use           StateExpired
//	the subscription is gone or refused   SubscriptionLost
//	delegates cannot subscribe            Unsupported
//	the item does not exist               NotFound
//	the item changed                      Conflict
//	there is no such mailbox              MailboxNotFound
//	a right is missing                    Forbidden
//	our request, or an item's data, is at fault: no retry helps    Invalid
var codes = map[string]meaning{
	// The server asks for a pause. With impersonation the budget is that of the mailbox.
	"ErrorServerBusy":              {fault.Throttled, box, "the server is busy and asks for a pause"},
	"ErrorExceededConnectionCount": {fault.Throttled, box, "too many requests at once"},
	"ErrorTooManyObjectsOpened":    {fault.Throttled, box, "too many objects are open on the server"},
	"ErrorInsufficientResources":   {fault.Throttled, host, "the server lacks resources"},
	"ErrorNotEnoughMemory":         {fault.Throttled, host, "the server lacks memory"},

	// It did not work this time.
	"ErrorInternalServerTransientError": {fault.Unavailable, box, "the server failed for a moment"},
	"ErrorInternalServerError":          {fault.Unavailable, box, "the server failed"},
	"ErrorMailboxStoreUnavailable":      {fault.Unavailable, box, "the mailbox's database is not available"},
	"ErrorMailboxFailover":              {fault.Unavailable, box, "the mailbox is failing over to another server"},
	"ErrorConnectionFailed":             {fault.Unavailable, box, "the server could not reach the mailbox"},
	"ErrorADUnavailable":                {fault.Unavailable, host, "the server cannot reach Active Directory"},
	"ErrorADOperation":                  {fault.Unavailable, host, "the server had trouble with Active Directory"},
	"ErrorTimeoutExpired":               {fault.Unavailable, box, "the server ran out of time"},
	"ErrorNewEventStreamConnectionOpened": {fault.Unavailable, box,
		"another connection has taken the subscriptions over; does a second Roomwire serve these mailboxes?"},
	"ErrorNoRespondingCASInDestinationSite": {fault.Unavailable, box,
		"no client access server answers in the mailbox's site"},
	"ErrorProxyRequestProcessingFailed": {fault.Unavailable, box, "the server could not pass the request on"},
	"ErrorBatchProcessingStopped":       {fault.Unavailable, box, "the server stopped in the middle of a batch"},

	// The mailbox is elsewhere, or on its way.
	"ErrorMailboxMoveInProgress":  {fault.MailboxMoved, box, "the mailbox is being moved"},
	"ErrorCrossSiteRequest":       {fault.MailboxMoved, box, "the mailbox is in another site"},
	"ErrorProxyRequestNotAllowed": {fault.MailboxMoved, box, "the mailbox is served at another address"},
	"ErrorWrongServerVersion":     {fault.MailboxMoved, box, "the mailbox is on a server of another version"},

	// Sync state.
	"ErrorInvalidSyncStateData": {fault.StateExpired, box, "the server no longer knows the sync state"},
	"ErrorSyncFolderNotFound":   {fault.StateExpired, box, "the folder of the sync state is gone"},

	// Subscriptions.
	"ErrorSubscriptionNotFound":       {fault.SubscriptionLost, box, "the subscription is gone"},
	"ErrorExpiredSubscription":        {fault.SubscriptionLost, box, "the subscription has expired"},
	"ErrorInvalidSubscription":        {fault.SubscriptionLost, box, "the subscription is not valid"},
	"ErrorReadEventsFailed":           {fault.SubscriptionLost, box, "the server could not read the subscription's events"},
	"ErrorMissedNotificationEvents":   {fault.SubscriptionLost, box, "the server lost events"},
	"ErrorInvalidWatermark":           {fault.SubscriptionLost, box, "the watermark is not valid"},
	"ErrorSubscriptionUnsubscribed":   {fault.SubscriptionLost, box, "the subscription was ended"},
	"ErrorExceededSubscriptionCount":  {fault.SubscriptionLost, box, "the mailbox has too many subscriptions"},
	"ErrorInvalidPushSubscriptionUrl": {fault.Invalid, host, "the server does not accept the notification URL"},
	"ErrorInvalidSubscriptionRequest": {fault.Invalid, box, "the server does not accept the subscription"},
	"ErrorSubscriptionAccessDenied":   {fault.Forbidden, box, "the subscription belongs to another account"},
	"ErrorSubscriptionDelegateAccessNotSupported": {fault.Unsupported, box,
		"a mailbox reached by folder permission cannot be subscribed to; impersonation is needed"},

	// The item is gone.
	"ErrorItemNotFound": {fault.NotFound, box, "the item is not there"},
	"ErrorCalendarOccurrenceIsDeletedFromRecurrence":     {fault.NotFound, box, "the occurrence was deleted"},
	"ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange": {fault.NotFound, box, "the series has no such occurrence"},
	// Not a deletion that took place, and none that a retry would bring about.
	"ErrorCannotDeleteObject": {fault.Invalid, box, "the server refuses to delete the item"},

	// The item changed.
	"ErrorIrresolvableConflict":                {fault.Conflict, box, "the item was changed meanwhile"},
	"ErrorStaleObject":                         {fault.Conflict, box, "the item was changed meanwhile"},
	"ErrorChangeKeyRequiredForWriteOperations": {fault.Conflict, box, "the item's revision is needed"},
	"ErrorInvalidChangeKey":                    {fault.Conflict, box, "the item's revision is not valid"},
	"ErrorChangeKeyRequired":                   {fault.Conflict, box, "the item's revision is needed"},

	// The mailbox.
	"ErrorNonExistentMailbox":    {fault.MailboxNotFound, box, "there is no mailbox with this address"},
	"ErrorMailboxConfiguration":  {fault.MailboxNotFound, box, "the mailbox is not set up properly"},
	"ErrorAccountDisabled":       {fault.MailboxNotFound, box, "the mailbox's account is disabled"},
	"ErrorMailRecipientNotFound": {fault.MailboxNotFound, box, "there is no recipient with this address"},
	"ErrorInvalidSmtpAddress":    {fault.MailboxNotFound, box, "the address is not valid"},

	// Rights.
	"ErrorImpersonateUserDenied": {fault.Forbidden, box,
		"the service account may not impersonate this mailbox; check the scope of its ApplicationImpersonation role"},
	"ErrorImpersonationDenied": {fault.Forbidden, host,
		"the service account may not impersonate; assign it the ApplicationImpersonation role"},
	"ErrorImpersonationFailed": {fault.Forbidden, box, "the server could not impersonate this mailbox"},
	"ErrorInvalidExchangeImpersonationHeaderData": {fault.Forbidden, box,
		"the server cannot impersonate this address; it must be the mailbox's primary SMTP address"},
	"ErrorAccessDenied":           {fault.Forbidden, box, "access denied"},
	"ErrorFolderNotFound":         {fault.Forbidden, box, "the calendar is not there, or the account may not see it"},
	"ErrorCalendarIsNotOrganizer": {fault.Forbidden, box, "only the organizer may do this"},

	// Our request.
	"ErrorSchemaValidation":                              {fault.Invalid, box, "the server finds the request malformed"},
	"ErrorInvalidRequest":                                {fault.Invalid, box, "the server finds the request invalid"},
	"ErrorInvalidServerVersion":                          {fault.Invalid, host, "the server does not know Exchange2013_SP1: it is too old"},
	"ErrorInvalidIdMalformed":                            {fault.Invalid, box, "the item's id is malformed"},
	"ErrorInvalidId":                                     {fault.Invalid, box, "the item's id is not valid"},
	"ErrorInvalidPropertySet":                            {fault.Invalid, box, "a property cannot be set"},
	"ErrorInvalidPropertyDelete":                         {fault.Invalid, box, "a property cannot be removed"},
	"ErrorInvalidPropertyRequest":                        {fault.Invalid, box, "a property cannot be asked for"},
	"ErrorInvalidExtendedProperty":                       {fault.Invalid, box, "a marker's property is not valid"},
	"ErrorInvalidExtendedPropertyValue":                  {fault.Invalid, box, "a marker's value is not valid"},
	"ErrorSendMeetingInvitationsRequired":                {fault.Invalid, box, "the request does not say who gets mail"},
	"ErrorSendMeetingInvitationsOrCancellationsRequired": {fault.Invalid, box, "the request does not say who gets mail"},
	"ErrorSendMeetingCancellationsRequired":              {fault.Invalid, box, "the request does not say who gets mail"},
	"ErrorTimeZone":                                      {fault.Invalid, box, "the server does not know the time zone"},
	"ErrorRequestStreamTooBig":                           {fault.Invalid, box, "the request is too long"},
	"ErrorCalendarViewRangeTooBig":                       {fault.Invalid, box, "the time span is too long"},
	"ErrorDuplicateSOAPHeader":                           {fault.Invalid, box, "the request has a header twice"},

	// Data that Exchange does not take.
	"ErrorQuotaExceeded":         {fault.Invalid, box, "the mailbox is full"},
	"ErrorMessageSizeExceeded":   {fault.Invalid, box, "the item is too large"},
	"ErrorItemSavePropertyError": {fault.Invalid, box, "a property could not be saved"},
	"ErrorPropertyUpdate":        {fault.Invalid, box, "a property could not be changed"},
	"ErrorItemCorrupt":           {fault.Invalid, box, "the item is corrupt"},
	"ErrorOccurrenceCrossingBoundary": {fault.Invalid, box, "an occurrence of the series would be moved beyond or into the one before or " +
		"after it, which Exchange does not allow"},
	"ErrorOccurrenceTimeSpanTooBig":              {fault.Invalid, box, "the occurrences of the series are longer than the time between them"},
	"ErrorRecurrenceEndDateTooBig":               {fault.Invalid, box, "the series ends later than Exchange can keep"},
	"ErrorCalendarInvalidRecurrence":             {fault.Invalid, box, "Exchange cannot keep the rule of the series"},
	"ErrorCalendarInvalidDayForWeeklyRecurrence": {fault.Invalid, box, "Exchange cannot keep the days of the series"},
	"ErrorUnsupportedRecurrence":                 {fault.Invalid, box, "Exchange cannot keep the rule of the series"},
	"ErrorCalendarDurationIsTooLong":             {fault.Invalid, box, "the appointment is longer than five years"},
	"ErrorCalendarEndDateIsEarlierThanStartDate": {fault.Invalid, box, "the appointment ends before it starts"},
	"ErrorRecurrenceHasNoOccurrence":             {fault.Invalid, box, "the series has no occurrence"},
}
