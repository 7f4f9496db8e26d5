package authtest

import (
	"context"
	"crypto/x509"
	"net/url"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/conformance"
)

// Open makes an instance of a plugin. The suite closes what it returns if it is an io.Closer.
type Open func(ctx context.Context) (auth.Authenticator, error)

// A Fixture is the plugin under examination, and what is needed to see whether it keeps the rules. Open and Traits are
// required; what cannot be examined without the others is skipped and says so.
type Fixture struct {
	Open   Open // an account that logs in
	Traits Traits

	// Other opens another account, in the same process: it shows that instances are kept apart.
	Other Open
	// Wrong opens an account whose secret the server at URL refuses.
	Wrong Open
	// Bad opens with settings that can never work, by what is wrong with them. Each must be fault.Invalid.
	Bad map[string]Open
	// Odd opens with settings that may be refused as those of Bad are, but if they are taken they must work, by what is
	// odd about them: a secret that ends with a line end.
	Odd map[string]Open

	// Restart ends the plugin's process and starts it anew; instances opened before are of no use then. Where it is nil, a
	// new instance stands for it.
	Restart func(ctx context.Context) error

	// URL is where a server demands the login of Open's account: a GET of it is 401 without and anything else with it. It
	// begins with https:// where the login can bind to a certificate, and for Basic, which is not sent without. OtherURL is the same for Other: it takes that account
	// alone, and URL's server does not take it.
	URL, OtherURL string
	RootCAs       *x509.CertPool // whom URL and OtherURL are trusted by; nil: the system's
	Proxy         *url.URL       // by which they are reached; nil: none
	// Challenges are what a server says to demand a login, by scheme; one that is missing is the scheme's name alone.
	Challenges map[string]string
	// Mailboxes are two that a plugin with Traits.PerMailbox can log in for; empty: two of example.com.
	Mailboxes [2]string

	Issuer *Issuer // of plugins that get tokens from a server

	// Secrets are texts that must be in no error and no log: what is secret in the settings of all of the above. Take
	// such as occur nowhere else. Headers are looked for as well, without being named.
	Secrets []string
	// Logged returns what the plugin has logged up to now.
	Logged func() string
	// Patience is how long a call is waited for; zero: a minute.
	Patience time.Duration
	// Only chooses checks by their names, such as Logins/DoNotMix; nil: all.
	Only func(name string) bool
}

// Traits are what the plugin says of itself, as in auth.Plugin.
type Traits struct {
	Schemes                   []string
	PerConnection, PerMailbox bool
	Attempts                  int // 0 means 1
}

// An Issuer is the server from which a plugin gets its tokens.
type Issuer struct {
	Away  Open       // with an issuer that is not there
	Stuck Open       // with an issuer that takes requests and never answers
	Asked func() int // how many requests the issuer of Fixture.Open has had
}

// maxLegs is how many legs a login may have.
const maxLegs = 8

// A suite is one run.
type suite[X conformance.T[X]] struct {
	Fixture
	seen evidence
}

// Run examines a plugin. Every check is one of t, named after the rule; what could not be checked is skipped and says why.
func Run[X conformance.T[X]](t X, f Fixture) {
	t.Helper()
	if f.Open == nil || len(f.Traits.Schemes) == 0 {
		t.Fatalf("the suite needs Fixture.Open and at least one of Fixture.Traits.Schemes")
	}
	if f.Patience == 0 {
		f.Patience = time.Minute
	}
	if f.Mailboxes == [2]string{} {
		f.Mailboxes = [2]string{"alice@example.com", "bob@example.com"}
	}
	f.Traits.Attempts = max(f.Traits.Attempts, 1)
	s := &suite[X]{Fixture: f, seen: evidence{secrets: map[string]string{}}}
	for _, secret := range f.Secrets {
		s.seen.secret(secret, "a secret of the settings")
	}
	for _, c := range []struct {
		name  string
		check func(X)
	}{
		{"Open/RefusesWhatCanNeverWork", s.bad},
		{"Open/CarriesOrRefusesWhatIsOdd", s.odd},
		{"Open/AsksNobody", s.openAsksNobody},
		{"Schemes/HaveNames", s.names},
		{"Schemes/EachIsAnswered", s.eachScheme},
		{"Schemes/AreFoundAmongOthers", s.amongOthers},
		{"Challenge/MayBeEmpty", s.emptyChallenge},
		{"Challenge/OfOtherSchemesIsUnauthorized", s.otherSchemes},
		{"Challenge/GarbageIsUnauthorized", s.garbage},
		{"Challenge/GarbageInTheMiddleIsUnauthorized", s.garbageInTheMiddle},
		{"Header/ExpiresLater", s.expires},
		{"Legs/ComeToAnEnd", s.legsEnd},
		{"Target/WithAndWithoutCertificate", s.binding},
		{"Target/MailboxesHaveTheirOwnHeaders", s.perMailbox},
		{"Target/ASecondAttemptIsAnother", s.attempts},
		{"Context/ThatHasEndedEndsTheLogin", s.endedContext},
		{"Context/EndsALoginUnderWay", s.stuckIssuer},
		{"Logins/DoNotMix", s.loginsDoNotMix},
		{"Logins/AtOnce", s.loginsAtOnce},
		{"Instances/DoNotMix", s.instancesDoNotMix},
		{"Issuer/ThatIsAwayIsUnavailable", s.issuerAway},
		{"Server/TakesTheLogin", s.serverTakes},
		{"Server/TakesLoginsLegByLeg", s.serverTakesInterleaved},
		{"Server/TakesManyAtOnce", s.serverTakesMany},
		{"Server/TellsAccountsApart", s.serverTellsApart},
		{"Server/RefusesAWrongSecret", s.serverRefuses},
		{"Restart/LogsInAsBefore", s.restart},
		{"Secrets/AreInNoError", s.secretsInErrors}, // of all the errors that there were
		{"Secrets/AreInNoLog", s.secretsInLog},
	} {
		if f.Only == nil || f.Only(c.name) {
			t.Run(c.name, c.check)
		}
	}
}
