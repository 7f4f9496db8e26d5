package ews

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

// table is the reaction that each class of codes calls for, as our fact sheet on Exchange has it.
var table = map[fault.Kind]string{
	fault.Throttled: `ErrorServerBusy ErrorExceededConnectionCount ErrorTooManyObjectsOpened ErrorInsufficientResources
		ErrorNotEnoughMemory`,
	fault.Unavailable: `ErrorInternalServerTransientError ErrorInternalServerError ErrorMailboxStoreUnavailable
		ErrorMailboxFailover ErrorConnectionFailed ErrorADUnavailable ErrorADOperation ErrorTimeoutExpired
		ErrorNoRespondingCASInDestinationSite ErrorProxyRequestProcessingFailed ErrorBatchProcessingStopped ErrorNewEventStreamConnectionOpened`,
	fault.MailboxMoved: `ErrorMailboxMoveInProgress ErrorCrossSiteRequest ErrorProxyRequestNotAllowed ErrorWrongServerVersion`,
	fault.StateExpired: `ErrorInvalidSyncStateData ErrorSyncFolderNotFound`,
	fault.SubscriptionLost: `ErrorSubscriptionNotFound ErrorExpiredSubscription ErrorInvalidSubscription ErrorReadEventsFailed
		ErrorMissedNotificationEvents ErrorInvalidWatermark ErrorSubscriptionUnsubscribed ErrorExceededSubscriptionCount`,
	fault.Unsupported: `ErrorSubscriptionDelegateAccessNotSupported`,
	fault.NotFound: `ErrorItemNotFound ErrorCalendarOccurrenceIsDeletedFromRecurrence
		ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange`,
	fault.Conflict: `ErrorIrresolvableConflict ErrorStaleObject ErrorChangeKeyRequiredForWriteOperations ErrorInvalidChangeKey
		ErrorChangeKeyRequired`,
	fault.MailboxNotFound: `ErrorNonExistentMailbox ErrorMailboxConfiguration ErrorAccountDisabled ErrorMailRecipientNotFound
		ErrorInvalidSmtpAddress`,
	fault.Forbidden: `ErrorImpersonateUserDenied ErrorImpersonationDenied ErrorImpersonationFailed
		ErrorInvalidExchangeImpersonationHeaderData ErrorAccessDenied ErrorSubscriptionAccessDenied ErrorCalendarIsNotOrganizer
		ErrorFolderNotFound`,
	fault.Invalid: `ErrorSchemaValidation ErrorInvalidRequest ErrorInvalidServerVersion ErrorInvalidIdMalformed ErrorInvalidId
		ErrorInvalidPropertySet ErrorInvalidPropertyDelete ErrorInvalidPropertyRequest ErrorInvalidExtendedProperty
		ErrorInvalidExtendedPropertyValue ErrorSendMeetingInvitationsRequired ErrorSendMeetingCancellationsRequired
		ErrorSendMeetingInvitationsOrCancellationsRequired ErrorTimeZone ErrorRequestStreamTooBig ErrorCalendarViewRangeTooBig
		ErrorDuplicateSOAPHeader ErrorInvalidPushSubscriptionUrl ErrorInvalidSubscriptionRequest ErrorCannotDeleteObject
		ErrorQuotaExceeded ErrorMessageSizeExceeded ErrorItemSavePropertyError ErrorPropertyUpdate ErrorItemCorrupt
		ErrorOccurrenceCrossingBoundary ErrorCalendarDurationIsTooLong ErrorCalendarEndDateIsEarlierThanStartDate
		ErrorRecurrenceHasNoOccurrence ErrorOccurrenceTimeSpanTooBig ErrorRecurrenceEndDateTooBig ErrorCalendarInvalidRecurrence
		ErrorCalendarInvalidDayForWeeklyRecurrence ErrorUnsupportedRecurrence`,
}

const soapHead = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`

// faultWith is a SOAP fault as Exchange writes it.
func faultWith(code, detail string) string {
	return soapHead + `<s:Fault><faultcode xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">a:` + code +
		`</faultcode><faultstring xml:lang="en-US">secret subject</faultstring><detail>` +
		`<e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">` + code + `</e:ResponseCode>` +
		detail + `</detail></s:Fault></s:Body></s:Envelope>`
}

// messageWith is a GetItem answer whose one message failed.
func messageWith(code, detail string) string {
	return soapHead + `<m:GetItemResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"
		xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><m:ResponseMessages>
		<m:GetItemResponseMessage ResponseClass="Error"><m:MessageText>secret subject</m:MessageText><m:ResponseCode>` + code +
		`</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>` + detail + `<m:Items/></m:GetItemResponseMessage>
		</m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>`
}

func TestEveryCodeHasOneKind(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for kind, list := range table {
		for _, code := range strings.Fields(list) {
			if seen[code] {
				t.Errorf("%s has two kinds", code)
			}
			seen[code] = true
			if m, ok := codes[code]; !ok || m.kind != kind || m.text == "" {
				t.Errorf("%s means %+v (in the table: %t), want %s", code, m, ok, kind)
			}

			_, err := respond(500, faultWith(code, ""), "request-id", "r-1").GetFolder(t.Context(), ada)
			check(t, err, kind, code)
			got, err := respond(200, messageWith(code, ""), "request-id", "r-1").GetItems(t.Context(), ada, []string{"A"}, nil)
			if err == nil {
				err = got[0].Err
			}
			check(t, err, kind, code)
		}
	}
	for code := range codes {
		if !seen[code] {
			t.Errorf("%s is in the table of codes and not tested", code)
		}
	}
	if m := meaningOf("ErrorNeverHeardOf"); m.kind != fault.Unavailable {
		t.Errorf("an unknown code is %s, want Unavailable", m.kind)
	}
}

func check(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if kind == fault.NotFound && fault.Of(err) == fault.Forbidden {
		return // for a folder; see TestAFolderIsNeverAnItemThatIsGone
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		t.Errorf("%s: %v is no fault.Error", code, err)
		return
	}
	if e.Kind != kind || e.Code != code || e.ID != "r-1" {
		t.Errorf("%s: %+v, want kind %s and the server's code and id", code, e, kind)
	}
	if !strings.Contains(e.Error(), "ada@example.com") || strings.Contains(e.Error(), "secret") {
		t.Errorf("%s: message %q should name the mailbox and quote nothing", code, e.Error())
	}
}

func TestEveryCodeIsExchanges(t *testing.T) {
	t.Parallel()
	xsd, err := os.ReadFile(shared(t, "ews-schema", "messages.xsd"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`<xs:enumeration value="(Error\w+)"`).FindAllSubmatch(xsd, -1) {
		known[string(m[1])] = true
	}
	for code := range codes {
		if !known[code] {
			t.Errorf("%s is not in the schema's ResponseCodeType", code)
		}
	}
}

func TestBackOffHintIsFoundWhereverServersPutIt(t *testing.T) {
	t.Parallel()
	const (
		inTypes  = `<t:MessageXml xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><t:Value Name="BackOffMilliseconds">297749</t:Value></t:MessageXml>`
		inErrors = `<e:MessageXml xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors"><e:Value Name="BackOffMilliseconds">297749</e:Value></e:MessageXml>`
		inReply  = `<m:MessageXml><t:Value Name="BackOffMilliseconds"> 297749 </t:Value></m:MessageXml>`
		wrapped  = `<m:MessageXml><t:Value Name="InnerErrorMessageText">busy</t:Value><t:Value Name="InnerErrorResponseCode">ErrorServerBusy</t:Value><t:Value Name="BackOffMilliseconds">297749</t:Value></m:MessageXml>`
	)
	for name, c := range map[string]*Client{
		"SOAP fault":                    respond(500, faultWith("ErrorServerBusy", inTypes)),
		"SOAP fault, errors namespace":  respond(500, faultWith("ErrorServerBusy", inErrors)),
		"SOAP fault under 503":          respond(503, faultWith("ErrorServerBusy", inTypes)),
		"SOAP fault under 200":          respond(200, faultWith("ErrorServerBusy", inTypes)),
		"response message":              respond(200, messageWith("ErrorServerBusy", inReply)),
		"inside of an internal failure": respond(200, messageWith("ErrorInternalServerError", wrapped)),
		"header of a bare 503":          respond(503, "<html>Service Unavailable</html>", "Retry-After", "298"),
		"header beside a fault":         respond(503, faultWith("ErrorServerBusy", ""), "Retry-After", "298"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.GetItems(t.Context(), ada, []string{"A"}, nil)
			if err == nil {
				err = got[0].Err
			}
			if fault.Of(err) != fault.Throttled || fault.After(err).Round(time.Second) != 298*time.Second {
				t.Errorf("%v (%s), after %s; want Throttled for 297.749s", err, fault.Of(err), fault.After(err))
			}
		})
	}
}

func TestAbsurdBackOffIsBounded(t *testing.T) {
	t.Parallel()
	for _, ms := range []string{"-5", "2147483647", "99999999999999999999", "soon"} {
		_, err := respond(500, faultWith("ErrorServerBusy", `<MessageXml><Value Name="BackOffMilliseconds">`+ms+
			`</Value></MessageXml>`)).GetFolder(t.Context(), ada)
		if after := fault.After(err); after < 0 || after > maxPause {
			t.Errorf("%s ms became %s", ms, after)
		}
	}
}

func TestThrottlingReachesAsFarAsTheBudget(t *testing.T) {
	t.Parallel()
	c := respond(500, faultWith("ErrorServerBusy", ""))
	for actAs, want := range map[bool]fault.Scope{true: fault.ScopeMailbox, false: fault.ScopeServer} {
		_, err := (&Client{ActAs: actAs, HTTP: c.HTTP}).GetFolder(t.Context(), ada)
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Scope != want {
			t.Errorf("ActAs %t: %+v, want scope %d", actAs, err, want)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]fault.Kind{
		401: fault.Unauthorized, 403: fault.Forbidden, 429: fault.Throttled, 503: fault.Throttled, 400: fault.Invalid,
		413: fault.Invalid, 404: fault.Unavailable, 410: fault.Unavailable, 409: fault.Unavailable, 412: fault.Unavailable,
		302: fault.Unavailable, 500: fault.Unavailable, 502: fault.Unavailable, 504: fault.Unavailable,
	} {
		err := respond(status, "<html>no</html>").DeleteItem(t.Context(), ada, "A", Nobody)
		if got := fault.Of(err); got != want {
			t.Errorf("HTTP %d is %s, want %s", status, got, want)
		}
	}
}

func TestWhatIsNoAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*Client{
		"login page":      respond(200, "<html><body>sign in</body></html>", "Content-Type", "text/html; charset=utf-8"),
		"empty":           respond(200, ""),
		"cut off":         respond(200, messageWith("NoError", "")[:200]),
		"another service": respond(200, "<feed/>"),
		"another answer":  respond(200, strings.ReplaceAll(messageWith("NoError", ""), "GetItemResponse", "FindItemResponse")),
		"no messages": respond(200, soapHead+`<m:GetItemResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">`+
			`<m:ResponseMessages/></m:GetItemResponse></s:Body></s:Envelope>`),
		"document type": respond(200, `<!DOCTYPE x [<!ENTITY a "b">]>`+messageWith("NoError", "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.GetItems(t.Context(), ada, []string{"A"}, nil)
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Unavailable {
				t.Errorf("%v, want Unavailable", err)
			}
		})
	}
}

func TestAFolderIsNeverAnItemThatIsGone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ErrorItemNotFound", "ErrorFolderNotFound"} {
		c := respond(500, faultWith(code, ""))
		_, probe := c.GetFolder(t.Context(), ada)
		_, pull := c.SyncFolderItems(t.Context(), ada, SyncRequest{Max: 1})
		_, find := c.FindItems(t.Context(), ada, marker)
		_, push := c.SubscribePush(t.Context(), ada, PushRequest{})
		_, create := c.CreateItem(t.Context(), ada, nil, Nobody)
		for _, err := range []error{probe, pull, find, push, create} {
			if fault.Of(err) != fault.Forbidden {
				t.Errorf("%s of the calendar: %v (%s), want Forbidden", code, err, fault.Of(err))
			}
		}
	}
}

func TestTransportFailure(t *testing.T) {
	t.Parallel()
	fails := func(err error) *Client {
		return &Client{HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })}}
	}
	for name, tt := range map[string]struct {
		err  error
		kind fault.Kind
		says string
	}{
		"dropped":     {io.ErrUnexpectedEOF, fault.Unavailable, "unexpected EOF"},
		"name":        {&net.DNSError{Err: "no such host", Name: "mail.example.com"}, fault.Unavailable, "name cannot be resolved"},
		"certificate": {x509.UnknownAuthorityError{}, fault.Unavailable, "ca_file"},
		"kept kind":   {fmt.Errorf("no credentials: %w", fault.Unauthorized), fault.Unauthorized, "no credentials"},
		"kept fault":  {&fault.Error{Kind: fault.Throttled, After: time.Minute, Message: "token limit"}, fault.Throttled, "token limit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := fails(tt.err).GetFolder(t.Context(), ada)
			if fault.Of(err) != tt.kind || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), ada.Address) {
				t.Errorf("%v (%s), want %s that says %q", err, fault.Of(err), tt.kind, tt.says)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	given := fails(context.Canceled)
	if _, err := given.GetFolder(ctx, ada); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up: %v, want context.Canceled", err)
	}
	if _, err := given.GetFolder(t.Context(), ada); fault.Of(err) != fault.Unavailable || errors.Is(err, context.Canceled) {
		t.Errorf("a plugin that died: %v, want Unavailable", err)
	}
	for _, url := range []string{"", "ht tp://x", "mail.example.com/EWS/Exchange.asmx", "ftp://x/y", "https:///EWS"} {
		if _, err := respond(200, "").GetFolder(t.Context(), calendarAt(url)); fault.Of(err) != fault.Invalid {
			t.Errorf("URL %q: %v, want Invalid", url, err)
		}
	}
}
