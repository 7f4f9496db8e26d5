// Package remedy says what people can do about faults of servers. What helps depends on how a sync mode logs in: a service
// account has a password and a management role, an application has a registration and permissions.
package remedy

import (
	"errors"
	"slices"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A login is how a mode logs in, as far as it matters here.
type login int

const (
	byPassword login = iota // a service account's: NTLM, Basic
	byToken                 // an application's: OAuth 2.0
)

func loginOf(auth []string) login {
	if slices.Contains(auth, "oauth") {
		return byToken
	}
	return byPassword
}

var remedies = map[fault.Kind]map[login]string{
	fault.Unauthorized: {
		byPassword: "check user and password of the sync mode's service account (roomwire config show says where they are set), and that it is not locked; run roomwire config apply after changing them",
		byToken:    "check the app registration in Entra ID: tenant_id, app_id, that the client secret or certificate of the sync mode is in force (roomwire config show says where they are set, roomwire doctor when they end), that its permissions are of the type Application and have admin consent, and that the token is for the cloud of the URL; run roomwire config apply after changing them",
	},
	fault.Forbidden: {
		byPassword: "give the service account the right to act for this mailbox: on-premises the management role ApplicationImpersonation with a scope that holds the mailbox, or with ExchangeUseImpersonation=false a permission on the calendar folder",
		byToken:    "give the application the right to this mailbox: the application permission full_access_as_app (EWS) or Calendars.ReadWrite (Graph) with an administrator's consent, or the role Application EWS.AccessAsApp or Application Calendars.ReadWrite (RBAC for Applications) with a scope that holds the mailbox; for EWS see also that it is on for the mailbox (Set-CASMailbox -EwsEnabled $true)",
	},
	fault.MailboxMoved: {
		byPassword: "wait for the move to end; if the mailbox moved to another server or to Exchange Online, move the person to the sync mode or URL that reaches it (roomwire person move)",
		byToken:    "wait for the move to end; if the mailbox moved to a server on premises, move the person to the sync mode that reaches it (roomwire person move)",
	},
	fault.MailboxNotFound: {
		byPassword: "check the person's mail address (the primary one is needed) and sync URL, and that the mailbox is enabled",
		byToken:    "check the person's mail address (the primary one is needed), that the mailbox is in Exchange Online and not on premises, and that it has a licence",
	},
}

// refusedByAll is what to do where nobody's mailbox may be acted for.
var refusedByAll = map[login]string{
	byPassword: "give the service account the management role ApplicationImpersonation with a scope that holds the mailboxes",
	byToken:    "move the people to Microsoft Graph, which stays: roomwire person move --to Microsoft365 --all-of O365. Until EWS ends on 2027-04-01 it can be allowed again: Set-OrganizationConfig -EwsEnabled $true -EwsAllowedAppIDs with the application's id beside those that are on the list (it takes up to 24 hours)",
}

// disabled is the Code by which backend-exchangeonline says that EWS is switched off, for the tenant or for a mailbox.
const disabled = "EWSDisabled"

// withoutEWS is what to do where EWS is switched off for a mailbox, and perhaps for all.
const withoutEWS = "move the person to Microsoft Graph, which stays (roomwire person move --to Microsoft365); or, until EWS ends on 2027-04-01, allow it again: " +
	"for the mailbox by Set-CASMailbox -EwsEnabled $true, for the tenant by Set-OrganizationConfig -EwsEnabled $true -EwsAllowedAppIDs with the application's id " +
	"beside those that are on the list (it takes up to 24 hours)"

// Of says what to do about err in a sync mode with these auth plugins; empty if it does not depend on them.
func Of(err error, auth []string) string {
	kind := fault.Of(err)
	if kind == fault.Forbidden && ByAll(err) {
		return refusedByAll[loginOf(auth)]
	}
	if kind == fault.Forbidden && Switched(err) {
		return withoutEWS
	}
	return remedies[kind][loginOf(auth)]
}

// Switched reports whether err says that EWS is switched off, so that no permission helps.
func Switched(err error) bool {
	fe, ok := errors.AsType[*fault.Error](err)
	return ok && fe.Code == disabled
}

// ByAll reports whether err is said to reach as far as the server or the credentials do.
func ByAll(err error) bool {
	fe, ok := errors.AsType[*fault.Error](err)
	return ok && fe.Scope == fault.ScopeServer
}
