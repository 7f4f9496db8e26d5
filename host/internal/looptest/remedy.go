package looptest

import (
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/remedy"
	"github.com/roomwire/roomwire/sdk/fault"
)

// modeRemedies say what to do when a sync mode cannot be used at all.
var modeRemedies = map[fault.Kind]string{
	fault.Invalid:     "correct the sync_mode block in roomwire.hcl, or the person's sync mode; roomwire config check explains every fault",
	fault.Unavailable: "roomwire plugin list says whether the mode's plugins run; the text above names why not",
	fault.Unsupported: "choose another sync mode for the person",
}

// remedies say what to do about a kind of fault in any step.
var remedies = map[fault.Kind]string{
	fault.Unauthorized: "check user and password of the sync mode's service account (roomwire config show says where they are set), " +
		"and that it is not locked",
	fault.Forbidden: "give the service account the right to act for this mailbox: on-premises the management role ApplicationImpersonation " +
		"with a scope that holds the mailbox, or with ExchangeUseImpersonation=false a permission on the calendar folder",
	fault.MailboxNotFound: "check the person's mail address (the primary one is needed) and sync URL, and that the mailbox is enabled",
	fault.MailboxMoved:    "wait for the move to end; if the mailbox moved for good, change the person's sync mode or URL",
	fault.Throttled:       "test again later; if it happens often, lower sync.workers_per_server or raise the account's throttling policy",
	fault.Unavailable: "check the sync URL, network, firewall and proxy between this host and the server, its certificate, " +
		"and that the mailbox's database is mounted",
	fault.Unsupported: "choose another sync mode for the person",
	fault.Internal:    "this is a defect of the plugin: its lines in the host's log say more",
	fault.Invalid:     "check the person's sync mode and URL",
	fault.Conflict:    "test again; something else changes the item at the same time, such as a calendar assistant",
}

// stepRemedies go before remedies.
var stepRemedies = map[string]map[fault.Kind]string{
	StepCreate: {
		fault.Forbidden: "the mailbox can be read but not written to: give the service account the right to create items in the calendar " +
			"(Editor or Owner without impersonation), and see that no retention hold or policy keeps appointments from being made",
		fault.Invalid: "the server refuses the appointment itself: its own code is in the text above; " +
			"see whether a policy or agent of the server forbids it",
	},
	StepChange: {
		fault.Forbidden: "items can be made but not changed: give the service account the right to edit items in the calendar " +
			"(Editor or Owner without impersonation)",
		fault.NotFound: "somebody or something removed the item right after it was made: an assistant, a retention policy, another sync product",
	},
	StepDelete: {
		fault.Forbidden: "items can be made but not deleted: give the service account the right to delete items in the calendar " +
			"(Editor or Owner without impersonation); until then the item stays, removing it is tried again, and it may be deleted by hand",
		fault.Conflict: "see whether a litigation hold or another product restores deleted appointments; removing the item is tried again",
	},
}

func remedyFor(step string, err error, auth []string) string {
	kind := fault.Of(err)
	if slices.Contains(auth, "oauth") { // there is no service account
		if s := remedy.Of(err, auth); s != "" {
			return s
		}
	}
	if s, ok := stepRemedies[step][kind]; ok {
		return s
	}
	if s, ok := remedies[kind]; ok {
		return s
	}
	return remedies[fault.Unavailable]
}

// sentence is err for people: the kinds that it was wrapped with say nothing more at its end.
func sentence(err error) string {
	s := err.Error()
	for trimmed := true; trimmed; {
		trimmed = false
		for _, k := range fault.Kinds() {
			if short, cut := strings.CutSuffix(s, ": "+string(k)); cut {
				s, trimmed = short, true
			}
		}
	}
	return s
}
