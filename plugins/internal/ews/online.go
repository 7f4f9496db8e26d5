package ews

import (
	"hash/maphash"
	"net/http"
	"strings"
	"sync"

	"github.com/roomwire/roomwire/sdk/fault"
)

// CodeDisabled is the Code of the error that says that Exchange Online has shut EWS: for everybody or for this application
// where it reaches as far as the server, else for a mailbox, of which it is not known yet whether it is the only one.
const CodeDisabled = "EWSDisabled"

const (
	// storm is how many mailboxes in a row are refused before it is taken for a refusal of all.
	storm = 3
	// maxAdmitted bounds what is remembered of who was let in. Whoever comes later counts as if they never were.
	maxAdmitted = 1 << 17
)

// An Online makes a Client one for Exchange Online: what a refusal means there, and what is to be done about it, differs
// from a server on premises. It remembers, as long as it lives, whom the server let in: HTTP 403 is the answer both for a
// single mailbox and for a whole tenant, and only the others tell which of the two it is. Make one with NewOnline for each
// identity; it is safe for concurrent use.
type Online struct {
	mu       sync.Mutex
	seed     maphash.Seed
	admitted map[uint64]struct{} // mailboxes that were let in, ever
	refused  map[uint64]struct{} // since then, and until anybody is let in again
}

// NewOnline returns an Online that has met nobody.
func NewOnline() *Online {
	return &Online{seed: maphash.MakeSeed(), admitted: map[uint64]struct{}{}, refused: map[uint64]struct{}{}}
}

// admit records that a mailbox was let in; nil is told nothing.
func (o *Online) admit(mailbox string) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.refused)
	if len(o.admitted) < maxAdmitted {
		o.admitted[o.id(mailbox)] = struct{}{}
	}
}

// refuse records that a mailbox was refused with HTTP 403 and reports whether all are by now. Those that were never let in
// say nothing of the others, unless nobody ever was: they may be the few whose own switch is off.
func (o *Online) refuse(mailbox string) (all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := o.id(mailbox)
	if _, known := o.admitted[id]; (known || len(o.admitted) == 0) && len(o.refused) < storm {
		o.refused[id] = struct{}{}
	}
	return len(o.refused) >= storm
}

func (o *Online) id(mailbox string) uint64 { return maphash.String(o.seed, strings.ToLower(mailbox)) }

// status says what an HTTP status means in Exchange Online; nil if the same as everywhere.
func (o *Online) status(resp *http.Response, mailbox string) *fault.Error {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return &fault.Error{Kind: fault.Unauthorized, Scope: fault.ScopeServer,
			Message: "Exchange Online refuses the access token: it is not for this service, or has ended"}
	case http.StatusForbidden:
		if o.refuse(mailbox) {
			return &fault.Error{Kind: fault.Forbidden, Scope: fault.ScopeServer, Code: CodeDisabled,
				Message: "Exchange Online answers HTTP 403 for one mailbox after the other: EWS is switched off for the tenant, or this " +
					"application is not on its allow list (Set-OrganizationConfig -EwsAllowedAppIDs). Microsoft switches EWS off in " +
					"Exchange Online, tenant by tenant since 2026-10-01 and for good on 2027-04-01"}
		}
		return whyRefused(resp.Header.Get(policyReason))
	}
	return nil
}

// policyReason is the header in which Exchange Online says why EWS is refused ("Control access to EWS in Exchange", Microsoft).
// It tells a switch from a list, and not whether it is the mailbox's or the tenant's.
const policyReason = "X-EWS-Policy-Reason"

// whyRefused says why one mailbox is refused, by what the server says in policyReason.
func whyRefused(reason string) *fault.Error {
	e := &fault.Error{Kind: fault.Forbidden, Scope: fault.ScopeMailbox, Code: CodeDisabled}
	switch reason = strings.ToLower(reason); {
	case strings.Contains(reason, "disabled"):
		e.Message = "Exchange Online denies access to this mailbox, with HTTP 403: EWS is switched off for it (Get-CASMailbox, EwsEnabled) or for the " +
			"tenant (Get-OrganizationConfig, EwsEnabled)"
	case strings.Contains(reason, "policy"):
		e.Message = "Exchange Online denies access to this mailbox, with HTTP 403: this application is not on the list of those that may use EWS " +
			"(Set-OrganizationConfig -EwsAllowedAppIDs), or a list of user agents keeps it out (EwsAllowList, EwsBlockList)"
	default:
		e.Code = "HTTP 403"
		e.Message = "Exchange Online denies access to this mailbox: EWS may be off for it (Get-CASMailbox, EwsEnabled), or it is outside " +
			"the scope of the application's role"
	}
	return e
}

// onlineTexts are what codes mean to an administrator of Exchange Online, where that differs: there are no service accounts
// and no ApplicationImpersonation role, but applications with permissions.
var onlineTexts = map[string]string{
	"ErrorImpersonateUserDenied": "the application may not act for this mailbox; check the scope of its role " +
		"Application EWS.AccessAsApp (RBAC for Applications), or that full_access_as_app was granted with an administrator's consent",
	"ErrorImpersonationDenied": "the application may not act for mailboxes; grant it the application permission full_access_as_app " +
		"with an administrator's consent, or the role Application EWS.AccessAsApp (RBAC for Applications)",
	"ErrorImpersonationFailed": "Exchange Online could not act for this mailbox; does its account have a licence for it?",
	"ErrorAccessDenied": "access denied; check that the application has full_access_as_app, or that the scope of its role " +
		"Application EWS.AccessAsApp (RBAC for Applications) holds the mailbox",
	"ErrorFolderNotFound":           "the calendar is not there, or the application may not see it",
	"ErrorNonExistentMailbox":       "there is no mailbox with this address in Exchange Online; is it on premises, or without a licence?",
	"ErrorMailboxConfiguration":     "the mailbox is not set up properly in Exchange Online; is it on premises, or without a licence?",
	"ErrorSubscriptionAccessDenied": "the subscription belongs to another application",
	"ErrorExceededSubscriptionCount": "the mailbox has too many subscriptions; Exchange Online allows 20, those of all applications " +
		"together",
}
