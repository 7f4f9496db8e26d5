package authtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backendtest/memcal"
	"github.com/roomwire/roomwire/sdk/conformance"
	"github.com/roomwire/roomwire/sdk/fault"
)

// named lists the checks of a report that ended so.
func named(r *conformance.Report, how conformance.Outcome) []string {
	var names []string
	for _, one := range r.Results() {
		if one.Outcome == how {
			names = append(names, one.Name)
		}
	}
	return names
}

func TestPluginsWithoutFaultPass(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fixture func(*testing.T) Fixture
		skipped []string
	}{
		"a token": {tokenFixture, []string{
			"Open/AsksNobody", "Challenge/GarbageInTheMiddleIsUnauthorized", "Header/ExpiresLater", "Target/MailboxesHaveTheirOwnHeaders",
			"Target/ASecondAttemptIsAnother", "Context/EndsALoginUnderWay", "Issuer/ThatIsAwayIsUnavailable",
		}},
		"two legs": {nonceFixture, []string{
			"Open/RefusesWhatCanNeverWork", "Open/CarriesOrRefusesWhatIsOdd", "Open/AsksNobody", "Header/ExpiresLater",
			"Target/MailboxesHaveTheirOwnHeaders", "Target/ASecondAttemptIsAnother", "Context/EndsALoginUnderWay", "Instances/DoNotMix",
			"Issuer/ThatIsAwayIsUnavailable", "Secrets/AreInNoLog",
		}},
		"an issuer": {issuerFixture, []string{
			"Open/RefusesWhatCanNeverWork", "Open/CarriesOrRefusesWhatIsOdd", "Challenge/GarbageInTheMiddleIsUnauthorized", "Instances/DoNotMix",
			"Server/TakesTheLogin", "Server/TakesLoginsLegByLeg", "Server/TakesManyAtOnce", "Server/TellsAccountsApart",
			"Server/RefusesAWrongSecret", "Secrets/AreInNoLog",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := conformance.NewReport(t.Context(), nil)
			Run(r, tc.fixture(t))
			for _, one := range r.Results() {
				if one.Outcome == conformance.Failed {
					t.Errorf("%s: %q", one.Name, one.Said)
				}
			}
			if got := named(r, conformance.Skipped); !slices.Equal(got, tc.skipped) {
				t.Errorf("skipped %q, want %q", got, tc.skipped)
			}
		})
	}
}

func TestItRunsInTests(t *testing.T) {
	t.Parallel()
	f := tokenFixture(t)
	f.Issuer = &Issuer{Asked: func() int { return 0 }}
	f.Only = func(name string) bool { return !slices.Contains(skippedForTokens(), name) }
	Run(t, f)
}

func skippedForTokens() []string {
	return []string{
		"Challenge/GarbageInTheMiddleIsUnauthorized", "Header/ExpiresLater", "Target/MailboxesHaveTheirOwnHeaders",
		"Target/ASecondAttemptIsAnother", "Context/EndsALoginUnderWay", "Issuer/ThatIsAwayIsUnavailable",
	}
}

// bearer is a token plugin whose legs are as f makes them.
func bearer(f func(ctx context.Context, l leg) (auth.Header, error)) plug { return plug{leg: f} }

func good() (auth.Header, error) { return auth.Header{Value: "Bearer t0ken-alice"}, nil }

// A defect is what somebody does wrong, and the check that tells.
type defect struct {
	check   string
	fixture func(*testing.T) Fixture
	do      func(f *Fixture)
}

// opens makes a defect of a plug.
func opens(p plug) func(*Fixture) { return func(f *Fixture) { f.Open = open(p) } }

func TestEveryDefectIsFound(t *testing.T) {
	t.Parallel()
	for name, d := range defects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := d.fixture(t)
			if !strings.HasPrefix(d.check, "Server/") {
				f.URL, f.OtherURL = "", "" // TLS takes its time
			}
			d.do(&f)
			r := conformance.NewReport(t.Context(), nil)
			Run(r, f)
			if !slices.Contains(named(r, conformance.Failed), d.check) {
				t.Errorf("%s did not fail; these did: %q", d.check, named(r, conformance.Failed))
			}
			for _, one := range r.Results() {
				if said := fmt.Sprint(one.Said); strings.Contains(said, "t0ken-") || strings.Contains(said, "s3cret-") {
					t.Errorf("%s shows a secret: %s", one.Name, said)
				}
			}
		})
	}
}

func defects(t *testing.T) map[string]defect {
	all := map[string]defect{}
	for _, some := range []map[string]defect{openDefects(), legDefects(), targetDefects(), mixingDefects(), serverDefects(t)} {
		for name, d := range some {
			all[name] = d
		}
	}
	return all
}

func openDefects() map[string]defect {
	bad := func(o Open) func(*Fixture) {
		return func(f *Fixture) { f.Bad["defect"] = o }
	}
	return map[string]defect{
		"takes settings that cannot work":    {"Open/RefusesWhatCanNeverWork", tokenFixture, bad(open(always("Bearer x")))},
		"says unavailable of bad settings":   {"Open/RefusesWhatCanNeverWork", tokenFixture, bad(refuse("no token"))},
		"panics at bad settings":             {"Open/RefusesWhatCanNeverWork", tokenFixture, bad(func(context.Context) (auth.Authenticator, error) { panic("oh") })},
		"repeats the secret of bad settings": {"Secrets/AreInNoError", tokenFixture, bad(refuse("%q is bad: %w", "t0ken-alice", fault.Invalid))},
		"sends a line end": {"Open/CarriesOrRefusesWhatIsOdd", tokenFixture, func(f *Fixture) {
			f.Odd["defect"] = open(always("Bearer t0ken-alice\r\nX-Injected: 1"))
		}},
		"logs the header": {"Secrets/AreInNoLog", tokenFixture, func(f *Fixture) {
			f.Logged = func() string { return "begin\nsending Bearer t0ken-alice\n" }
		}},
		"logs a header nobody named": {"Secrets/AreInNoLog", issuerFixture, func(f *Fixture) {
			f.Logged = func() string { return "token-3-for-alice@example.com" }
		}},
		"asks for a token in Open": {"Open/AsksNobody", issuerFixture, func(f *Fixture) {
			was := f.Open
			f.Open = func(ctx context.Context) (auth.Authenticator, error) {
				a, _ := was(ctx)
				exchange, _ := a.Begin(ctx, auth.Target{})
				_, err := exchange(ctx, nil)
				return a, err
			}
		}},
		"says unauthorized while the issuer is away": {"Issuer/ThatIsAwayIsUnavailable", issuerFixture, func(f *Fixture) {
			f.Issuer.Away = open(bearer(func(context.Context, leg) (auth.Header, error) {
				return auth.Header{}, fmt.Errorf("no token: %w", fault.Unauthorized)
			}))
		}},
		"makes up a token while the issuer is away": {"Issuer/ThatIsAwayIsUnavailable", issuerFixture, func(f *Fixture) {
			f.Issuer.Away = open(always("Bearer x"))
		}},
		"waits for an issuer beyond its context": {"Context/EndsALoginUnderWay", issuerFixture, func(f *Fixture) {
			f.Issuer.Stuck = open(bearer(func(context.Context, leg) (auth.Header, error) { select {} }))
			f.Patience = 2 * time.Second
			f.Only = func(name string) bool { return name == "Context/EndsALoginUnderWay" }
		}},
		"is another after a restart": {"Restart/LogsInAsBefore", tokenFixture, func(f *Fixture) {
			p := always("Bearer t0ken-alice")
			f.Open = func(context.Context) (auth.Authenticator, error) { return p, nil }
			f.Restart = func(context.Context) error {
				p = always("Bearer t0ken-alicf")
				return nil
			}
		}},
		"does not start again": {"Restart/LogsInAsBefore", tokenFixture, func(f *Fixture) {
			f.Restart = func(context.Context) error { return errors.New("exit status 2") }
		}},
	}
}

func legDefects() map[string]defect {
	return map[string]defect{
		"has no exchange":     {"Schemes/EachIsAnswered", tokenFixture, opens(plug{made: func(context.Context, auth.Target) auth.Exchange { return nil }})},
		"has an empty header": {"Schemes/EachIsAnswered", tokenFixture, opens(always(""))},
		"has a scheme alone":  {"Schemes/EachIsAnswered", tokenFixture, opens(always("Bearer "))},
		"answers by another scheme": {"Schemes/EachIsAnswered", tokenFixture, func(f *Fixture) {
			f.Traits.Schemes = []string{"Bearer", "Token"}
		}},
		"names a scheme twice":    {"Schemes/HaveNames", tokenFixture, func(f *Fixture) { f.Traits.Schemes = []string{"Bearer", "bearer"} }},
		"names what is no scheme": {"Schemes/HaveNames", tokenFixture, func(f *Fixture) { f.Traits.Schemes = []string{"Bearer", "Bearer realm"} }},
		"knows its scheme by one spelling": {"Schemes/AreFoundAmongOthers", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			if !strings.Contains(strings.Join(l.challenge, ","), "Bearer") {
				return auth.Header{}, fault.Unauthorized
			}
			return good()
		}))},
		"looks at the beginning of a list only": {"Schemes/AreFoundAmongOthers", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			if !strings.HasPrefix(strings.ToLower(l.challenge[0]), "bearer") {
				return auth.Header{}, fault.Unauthorized
			}
			return good()
		}))},
		"panics without a challenge": {"Challenge/MayBeEmpty", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			_ = l.challenge[0]
			return good()
		}))},
		"says unavailable of other schemes": {"Challenge/OfOtherSchemesIsUnauthorized", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			if len(l.challenge) > 0 && strings.HasPrefix(l.challenge[0], "Unheard-Of") {
				return auth.Header{}, errors.New("what is this?")
			}
			return good()
		}))},
		"panics at an open quote": {"Challenge/GarbageIsUnauthorized", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			for _, c := range l.challenge {
				if _, rest, found := strings.Cut(c, `realm="`); found {
					_ = rest[:strings.Index(rest, `"`)]
				}
			}
			return good()
		}))},
		"sends back what the server said": {"Challenge/GarbageIsUnauthorized", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			return auth.Header{Value: "Bearer t0ken-alice " + strings.Join(l.challenge, " ")}, nil
		}))},
		"panics in the second leg": {"Challenge/GarbageInTheMiddleIsUnauthorized", nonceFixture, opens(plug{leg: func(_ context.Context, l leg) (auth.Header, error) {
			if l.number == 2 {
				_ = l.challenge[0][len("Nonce "):]
			}
			return nonceLeg("s3cret-alice", l)
		}})},
		"sends back a line end in the second leg": {"Challenge/GarbageInTheMiddleIsUnauthorized", nonceFixture, opens(plug{leg: func(_ context.Context, l leg) (auth.Header, error) {
			if l.number == 2 && len(l.challenge) == 1 {
				return auth.Header{Value: l.challenge[0] + ":proof-of-s3cret-alice"}, nil
			}
			return nonceLeg("s3cret-alice", l)
		}})},
		"has expired when it is new": {"Header/ExpiresLater", issuerFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			return auth.Header{Value: "Bearer token-for-" + l.Mailbox, Expires: time.Unix(1, 0)}, nil
		}))},
		"wants ever another leg": {"Legs/ComeToAnEnd", nonceFixture, opens(plug{leg: func(context.Context, leg) (auth.Header, error) {
			return auth.Header{Value: "Nonce hello", More: true}, nil
		}})},
		"shows the header in an error": {"Secrets/AreInNoError", tokenFixture, opens(bearer(func(_ context.Context, l leg) (auth.Header, error) {
			if len(l.challenge) == 0 {
				return auth.Header{}, fmt.Errorf("nobody asked for Bearer t0ken-alice: %w", fault.Unauthorized)
			}
			return good()
		}))},
	}
}

func targetDefects() map[string]defect {
	return map[string]defect{
		"cannot bind": {"Target/WithAndWithoutCertificate", tokenFixture, opens(plug{begin: func(_ context.Context, t auth.Target) error {
			if len(t.ChannelBinding) > 32 {
				return fmt.Errorf("the hash is too long: %w", fault.Internal)
			}
			return nil
		}, leg: func(context.Context, leg) (auth.Header, error) { return good() }})},
		"panics without TLS": {"Target/WithAndWithoutCertificate", tokenFixture, opens(plug{begin: func(_ context.Context, t auth.Target) error {
			_ = t.ChannelBinding[0]
			return nil
		}, leg: func(context.Context, leg) (auth.Header, error) { return good() }})},
		"does not look at the mailbox":  {"Target/MailboxesHaveTheirOwnHeaders", tokenFixture, func(f *Fixture) { f.Traits.PerMailbox = true }},
		"tries the same password twice": {"Target/ASecondAttemptIsAnother", tokenFixture, func(f *Fixture) { f.Traits.Attempts = 2 }},
		"fails at the second attempt": {"Target/ASecondAttemptIsAnother", issuerFixture, opens(plug{begin: func(_ context.Context, t auth.Target) error {
			if t.Retry > 0 {
				return errors.New("again?")
			}
			return nil
		}, leg: func(context.Context, leg) (auth.Header, error) { return good() }})},
		"takes an ended context for a refusal": {"Context/ThatHasEndedEndsTheLogin", tokenFixture, opens(bearer(func(ctx context.Context, _ leg) (auth.Header, error) {
			if ctx.Err() != nil {
				return auth.Header{}, fmt.Errorf("no login: %w", fault.Unauthorized)
			}
			return good()
		}))},
		"is of no use after an ended context": {"Context/ThatHasEndedEndsTheLogin", tokenFixture, func(f *Fixture) {
			f.Open = func(context.Context) (auth.Authenticator, error) {
				var broken atomic.Bool
				return bearer(func(ctx context.Context, _ leg) (auth.Header, error) {
					if ctx.Err() != nil {
						broken.Store(true)
					}
					if broken.Load() {
						return auth.Header{}, errors.New("broken")
					}
					return good()
				}), nil
			}
		}},
	}
}

func mixingDefects() map[string]defect {
	return map[string]defect{
		"counts legs for all logins together": {"Logins/DoNotMix", nonceFixture, func(f *Fixture) {
			f.Open = func(context.Context) (auth.Authenticator, error) {
				var legs atomic.Int64
				return plug{leg: func(_ context.Context, l leg) (auth.Header, error) {
					l.number = int(legs.Add(1)-1)%2 + 1
					return nonceLeg("s3cret-alice", l)
				}}, nil
			}
		}},
		"can do one login at a time": {"Logins/AtOnce", tokenFixture, func(f *Fixture) {
			f.Only = func(name string) bool { return name == "Logins/AtOnce" }
			f.Open = func(context.Context) (auth.Authenticator, error) {
				var calls atomic.Int64
				together := make(chan struct{})
				return bearer(func(context.Context, leg) (auth.Header, error) {
					switch calls.Add(1) {
					case 1, 2: // alone
						return good()
					case 3:
						<-together
					case 4:
						close(together)
					}
					return auth.Header{}, errors.New("busy")
				}), nil
			}
		}},
		"gives one login's header to another": {"Logins/AtOnce", tokenFixture, func(f *Fixture) {
			f.Only = func(name string) bool { return name == "Logins/AtOnce" }
			f.Open = func(context.Context) (auth.Authenticator, error) {
				var calls atomic.Int64
				return bearer(func(context.Context, leg) (auth.Header, error) {
					if calls.Add(1) > 10 {
						return auth.Header{Value: "Bearer t0ken-bob"}, nil
					}
					return good()
				}), nil
			}
		}},
		"keeps the account in a global variable": {"Instances/DoNotMix", tokenFixture, func(f *Fixture) {
			var mu sync.Mutex
			global := ""
			account := func(token string) Open {
				return func(context.Context) (auth.Authenticator, error) {
					mu.Lock()
					defer mu.Unlock()
					global = token
					return bearer(func(context.Context, leg) (auth.Header, error) {
						mu.Lock()
						defer mu.Unlock()
						return auth.Header{Value: "Bearer " + global}, nil
					}), nil
				}
			}
			f.Open, f.Other = account("t0ken-alice"), account("t0ken-bob")
		}},
		"has one header for every account": {"Instances/DoNotMix", tokenFixture, func(f *Fixture) { f.Other = f.Open }},
		"keeps the password in a global variable": {"Server/TellsAccountsApart", nonceFixture, func(f *Fixture) {
			var global atomic.Value
			account := func(password string) Open {
				return func(context.Context) (auth.Authenticator, error) {
					global.Store(password)
					return plug{leg: func(_ context.Context, l leg) (auth.Header, error) { return nonceLeg(global.Load().(string), l) }}, nil
				}
			}
			f.Open, f.Other = account("s3cret-alice"), account("s3cret-bob")
		}},
		"keeps a login's state in the instance": {"Server/TakesLoginsLegByLeg", nonceFixture, func(f *Fixture) {
			f.Open = func(context.Context) (auth.Authenticator, error) {
				var last atomic.Int64
				return plug{made: func(context.Context, auth.Target) auth.Exchange {
					id, n := last.Add(1), 0
					return func(_ context.Context, challenge []string) (auth.Header, error) {
						n++
						h, err := nonceLeg("s3cret-alice", leg{number: n, challenge: challenge})
						if n == 1 {
							h.Value += fmt.Sprint(id)
						} else if id != last.Load() {
							h.Value = "Nonce stale"
						}
						return h, err
					}
				}}, nil
			}
		}},
	}
}

func serverDefects(t *testing.T) map[string]defect {
	return map[string]defect{
		"logs in with what the server does not take": {"Server/TakesTheLogin", tokenFixture, opens(always("Bearer wrong"))},
		"ends after some logins": {"Server/TakesManyAtOnce", nonceFixture, func(f *Fixture) {
			f.Open = func(context.Context) (auth.Authenticator, error) {
				var logins atomic.Int64
				return plug{begin: func(context.Context, auth.Target) error {
					if logins.Add(1) > 8 {
						return errors.New("too many")
					}
					return nil
				}, leg: nonces("s3cret-alice").leg}, nil
			}
		}},
		"says invalid of a wrong password": {"Server/RefusesAWrongSecret", nonceFixture, func(f *Fixture) {
			f.Wrong = open(plug{leg: func(_ context.Context, l leg) (auth.Header, error) {
				h, err := nonceLeg("s3cret-wrong", l)
				if !h.More {
					err = fmt.Errorf("that will not work: %w", fault.Invalid)
				}
				return h, err
			}})
		}},
		"is examined with a server that lets everybody in": {"Server/TakesTheLogin", tokenFixture, func(f *Fixture) {
			f.URL = serveTLS(t, memcal.New("a@example.com")).URL + "/calendars/a@example.com"
		}},
	}
}
