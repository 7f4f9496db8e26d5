package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A meaning is what a code of Graph's means, and what to do about it.
type meaning struct {
	kind   fault.Kind
	remedy string
}

const (
	remedyRights = "the application needs the permission Calendars.ReadWrite with an administrator's consent, or the role " +
		"\"Application Calendars.ReadWrite\" with a scope that has this mailbox"
	remedyNoFolder  = "the mailbox or its calendar cannot be opened: it may not be set up yet, or the application lacks rights to it"
	remedyElsewhere = "the mailbox is not in Exchange Online: it is on premises, or has no licence"
)

// noFolder is in what Graph says with the code of an item that is not there when it is the mailbox, or its calendar, that it
// cannot open: "Default folder Root not found."
var noFolder = regexp.MustCompile(`(?i)\bfolder\b`)

// meanings are keyed by the code in lower case: Graph itself is not of one mind about it. What is not here is judged by the
// HTTP status, and never means that something is gone.
var meanings = map[string]meaning{
	"mailboxnotenabledforrestapi":                    {fault.MailboxMoved, remedyElsewhere},
	"mailboxnotsupportedforrestapi":                  {fault.MailboxMoved, remedyElsewhere},
	"errormailboxmoveinprogress":                     {fault.MailboxMoved, "the mailbox is being moved"},
	"errorinvaliduser":                               {fault.MailboxNotFound, "the tenant has no user of this address"},
	"request_resourcenotfound":                       {fault.MailboxNotFound, "the tenant has no user of this address"},
	"resourcenotfound":                               {fault.MailboxNotFound, "the tenant has no mailbox of this address"},
	"errornonexistentmailbox":                        {fault.MailboxNotFound, "the tenant has no mailbox of this address"},
	"erroritemnotfound":                              {fault.NotFound, ""},
	"errorcalendaroccurrenceisdeletedfromrecurrence": {fault.NotFound, ""},
	"erroraccessdenied":                              {fault.Forbidden, remedyRights},
	"accessdenied":                                   {fault.Forbidden, remedyRights},
	"authorization_requestdenied":                    {fault.Forbidden, remedyRights},
	"invalidauthenticationtoken":                     {fault.Unauthorized, "the token was refused: look at the tenant, the application and its secret"},
	"unauthorized":                                   {fault.Unauthorized, ""},
	"errorirresolvableconflict":                      {fault.Conflict, ""},
	"errorstaleobject":                               {fault.Conflict, ""},
	"syncstatenotfound":                              {fault.StateExpired, ""},
	"syncstateinvalid":                               {fault.StateExpired, ""},
	"errorinvalidsyncstatedata":                      {fault.StateExpired, ""},
	"resyncrequired":                                 {fault.StateExpired, ""},
	"fullsyncrequired":                               {fault.StateExpired, ""},
	"applicationthrottled":                           {fault.Throttled, ""},
	"toomanyrequests":                                {fault.Throttled, ""},
	"activitylimitreached":                           {fault.Throttled, ""},
	"errorexceededmessagelimit":                      {fault.Throttled, ""},
	"mailboxconcurrency":                             {fault.Throttled, ""},
	"errorserverbusy":                                {fault.Throttled, ""},
	"errorquotaexceeded":                             {fault.Invalid, "the mailbox is full"},
	"errormailboxstoreunavailable":                   {fault.Unavailable, ""},
	"errorinternalservererror":                       {fault.Unavailable, ""},
}

// byStatus are the kinds of answers without a code that is known. 404, 410 and 412 are left to the codes, and to those who
// know what they asked: a proxy's page says so, too.
var byStatus = map[int]fault.Kind{
	http.StatusUnauthorized:          fault.Unauthorized,
	http.StatusForbidden:             fault.Forbidden,
	http.StatusTooManyRequests:       fault.Throttled,
	http.StatusServiceUnavailable:    fault.Throttled,
	http.StatusBadRequest:            fault.Invalid,
	http.StatusRequestEntityTooLarge: fault.Invalid,
	http.StatusUnprocessableEntity:   fault.Invalid,
}

// failed makes an error of an answer that is none of success.
func (r request) failed(a answer) error {
	var f failure
	_ = json.Unmarshal(a.body, &f) // a page of HTML has no code
	code := f.Error.Code
	m, known := meanings[strings.ToLower(code)]
	if !known {
		m = meaning{kind: fault.Unavailable}
		if kind, ok := byStatus[a.status]; ok && (kind != fault.Invalid || code != "") {
			m.kind = kind
		}
		if m.kind == fault.Forbidden {
			m.remedy = remedyRights
		}
	}
	if m.kind == fault.Forbidden && r.rights != "" {
		m.remedy = r.rights
	}
	if m.kind == fault.NotFound && (!r.item || noFolder.MatchString(f.Error.Message)) {
		m = meaning{kind: fault.Unavailable, remedy: remedyNoFolder}
	}
	e := &fault.Error{Kind: m.kind, Code: code, ID: a.header.Get("request-id")}
	if e.ID == "" {
		e.ID = f.Error.Inner.RequestID
	}
	e.Message = fmt.Sprintf("%s of %s: Graph answered HTTP %d %s", r.doing, r.mailbox.Address, a.status, http.StatusText(a.status))
	if code != "" {
		e.Message += " (" + clippedTo(code, 80) + ")"
	}
	if said := r.shown(strings.Join(strings.Fields(f.Error.Message), " ")); said != "" {
		e.Message += ": " + strings.TrimSuffix(clippedTo(said, 300), ".")
	}
	if m.remedy != "" {
		e.Message += "; " + m.remedy
	}
	if m.kind == fault.Unauthorized {
		e.Scope = fault.ScopeServer
	}
	if m.kind == fault.Throttled || m.kind == fault.Unavailable {
		// Read by the rules of fault, whatever the status was.
		e.After = fault.After(fault.FromResponse(&http.Response{StatusCode: http.StatusServiceUnavailable, Header: a.header}))
	}
	if a.status == http.StatusGatewayTimeout && e.After > 0 {
		e.Kind = fault.Throttled
	}
	return &refusal{fault: e, status: a.status, coded: code != ""}
}

// shown takes what is to be hidden out of the server's words, before they are cut.
func (r request) shown(said string) string {
	for _, secret := range r.hide {
		if len(secret) > 1 {
			said = strings.ReplaceAll(said, secret, "…")
		}
	}
	return said
}

// A refusal is an answer that is an error: the fault, and what decides who asked more closely.
type refusal struct {
	fault  *fault.Error
	status int
	coded  bool // Graph itself said so
}

// Error implements error.
func (r *refusal) Error() string { return r.fault.Error() }

// Unwrap gives the fault.
func (r *refusal) Unwrap() error { return r.fault }

// as is the refusal as one of another kind.
func (r *refusal) as(kind fault.Kind) error {
	e := *r.fault
	e.Kind = kind
	return &e
}
