package launch

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// misbehaving is a plugin of testplugin/bad that behaves as told at its start, in a folder of its own.
func misbehaving(t *testing.T, behave ...string) Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(binary("bad")))
	err := os.Link(binary("bad"), path) // a copy might still be open for writing where another test starts a process
	if err == nil {
		err = os.WriteFile(path+".behave", []byte(strings.Join(behave, "\n")), 0o600)
	}
	sum, sumErr := Sum(path)
	runDir, dirErr := os.MkdirTemp("", "run")
	if err := errors.Join(err, sumErr, dirErr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runDir) })
	return Options{Path: path, SHA256: sum, Log: hclog.NewNullLogger(), RunDir: runDir}
}

// startBad starts a plugin of testplugin/bad and kills it at the test's end.
func startBad(t *testing.T, behave ...string) (*Process, *journal) {
	t.Helper()
	j, log := newJournal()
	o := misbehaving(t, behave...)
	o.Log = log
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, j
}

func TestAStartThatFailsSaysWhatThePluginDid(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		behave string
		within time.Duration
		kind   fault.Kind
		want   []string
	}{
		{"exit 3", 0, fault.Unavailable, []string{"ended at once (exit status 3)", "it wrote last: bad: exiting as told"}},
		{"wire 2", 0, fault.Invalid, []string{
			"speaks version 2 of the wire, this host speaks 1", "install a build of the plugin made for this host, or a newer host",
		}},
		{"wire 0", 0, fault.Invalid, []string{"speaks version 0 of the wire", "install a newer build of the plugin"}},
		{"print", 0, fault.Unavailable, []string{`wrote "bad plugin is starting" to its standard output`, "no plugin, or prints"}},
		{"hang", 3 * time.Second, fault.Unavailable, []string{"no handshake within 3s"}},
		{"mute", 5 * time.Second, fault.Unavailable, []string{"did not attach and describe itself within 5s"}},
	} {
		t.Run(tc.behave, func(t *testing.T) {
			t.Parallel()
			o := misbehaving(t, tc.behave)
			o.StartTimeout = tc.within
			_, err := Start(t.Context(), o)
			if fault.Of(err) != tc.kind {
				t.Fatalf("start = %v, want %s", err, tc.kind)
			}
			if text := err.Error(); !strings.HasSuffix(text, ": "+string(tc.kind)) || strings.Count(text, string(tc.kind)) != 1 {
				t.Errorf("start = %v; want its kind once, at the end", err)
			}
			for _, want := range append(tc.want, o.Path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("start = %v; want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("start = %q: it is of several lines, or the caller's own", err)
			}
			if left, err := os.ReadDir(o.RunDir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestACallerWhoGivesUpAStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	j, log := newJournal()
	o := misbehaving(t, "hang")
	o.Log = log
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		j.wait("hanging as told")
		cancel()
	}()
	if _, err := Start(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("start = %v, want the caller's own", err)
	}
	if left, err := os.ReadDir(o.RunDir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTheProtocolThatWasAgreedOnIsKnown(t *testing.T) {
	t.Parallel()
	p, _ := startBad(t, "name other", "version 2.0.0")
	if d := p.Description(); p.Protocol() != 1 || d.Name != "other" || d.Version != "2.0.0" {
		t.Errorf("protocol %d, description %+v", p.Protocol(), d)
	}
}

func TestLeftAloneTheBadPluginBehavesWell(t *testing.T) {
	t.Parallel()
	p, _ := startBad(t)
	b := openBackend(t, p, BackendConfig{})
	m := backend.Mailbox{Address: "a@example.com"}
	if st, err := b.Probe(t.Context(), m); err != nil || st.Server != "bad backend" {
		t.Errorf("probe = %+v, %v", st, err)
	}
	var pages []backend.Page
	err := b.Pull(t.Context(), backend.PullRequest{Mailbox: m}, func(p backend.Page) error {
		pages = append(pages, p)
		return nil
	})
	if err != nil || len(pages) != 1 || !pages[0].Full || !pages[0].Last || pages[0].Next != "1" {
		t.Errorf("pull = %+v, %v", pages, err)
	}
	got, err := b.Fetch(t.Context(), m, []backend.Ref{"a", "b"})
	if err != nil || len(got) != 2 || fault.Of(got[1].Err) != fault.NotFound {
		t.Errorf("fetch = %+v, %v", got, err)
	}
	r, err := b.Apply(t.Context(), calendar.Mutation{Mailbox: m, Key: "k", Event: calendar.Event{Subject: "s"}})
	if err != nil || r.Item.Ref != "k" || r.Item.Event.Subject != "s" {
		t.Errorf("apply = %+v, %v", r, err)
	}
}

func TestOpeningIsBoundedByTheCallerAndTheHost(t *testing.T) {
	t.Parallel()
	o := misbehaving(t)
	o.OpenTimeout = time.Second
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	hang := BackendConfig{Settings: map[string]any{"misbehave": "open:hang"}}
	if _, err := p.OpenBackend(t.Context(), hang); fault.Of(err) != fault.Unavailable || !strings.Contains(err.Error(), "did not open the instance within 1s") {
		t.Errorf("without a limit of the caller's: %v, want unavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	if _, err := p.OpenBackend(ctx, hang); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with one: %v, want the caller's own", err)
	}
	openBackend(t, p, BackendConfig{}) // others go on
}

func TestACallReturnsAtItsDeadlineWhateverThePluginDoes(t *testing.T) {
	t.Parallel()
	for _, does := range []string{"hang", "mute", "freeze"} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			p, _ := startBad(t)
			b := openBackend(t, p, BackendConfig{})
			m := backend.Mailbox{Address: does}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := b.Probe(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("probe = %v, want the caller's own", err)
			}
			ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := b.Pull(ctx, backend.PullRequest{Mailbox: m}, func(backend.Page) error { return nil })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("pull = %v, want the caller's own", err)
			}
		})
	}
}

// falls makes the plugin do what the mailbox says, in a call that is left under way until the test ends.
func falls(t *testing.T, b Backend, j *journal, address string) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Probe(context.Background(), backend.Mailbox{Address: address})
		ended <- err
	}()
	j.wait(map[string]string{"hang": "hanging", "mute": "mute", "freeze": "freezing"}[address])
	return ended
}

func TestAPingTellsAProcessThatAnswersFromOneThatDoesNot(t *testing.T) {
	t.Parallel()
	ping := func(t *testing.T, p *Process) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		return p.Ping(ctx)
	}
	for does, answers := range map[string]bool{"hang": true, "mute": false, "freeze": false} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			p, j := startBad(t)
			if err := ping(t, p); err != nil {
				t.Errorf("ping = %v before anything", err)
			}
			hanging := falls(t, openBackend(t, p, BackendConfig{}), j, does)
			err := ping(t, p)
			for !answers && err == nil { // it is about to fall silent
				err = ping(t, p)
			}
			if answers && err != nil || !answers && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ping = %v", err)
			}
			p.Kill()
			if err := <-hanging; fault.Of(err) != fault.Unavailable {
				t.Errorf("the call under way: %v, want unavailable", err)
			}
			if err := p.Ping(t.Context()); fault.Of(err) != fault.Unavailable {
				t.Errorf("ping = %v after the end, want unavailable", err)
			}
			if p.ExitErr() == nil {
				t.Error("a killed process ended in peace")
			}
		})
	}
}

func TestStopEndsAProcessThatDoesNotListen(t *testing.T) {
	t.Parallel()
	for _, does := range []string{"hang", "mute", "freeze"} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			p, j := startBad(t, "outlive")
			hanging := falls(t, openBackend(t, p, BackendConfig{}), j, does)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := p.Stop(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("stop = %v, want that it cut something off", err)
			}
			if err := <-hanging; fault.Of(err) != fault.Unavailable {
				t.Errorf("the call under way: %v, want unavailable", err)
			}
		})
	}
}

func TestUsageTellsWhatTheProcessUses(t *testing.T) {
	t.Parallel()
	p, _ := startBad(t)
	b := openBackend(t, p, BackendConfig{})
	before, err := p.Usage()
	if err != nil || before.Memory <= 0 {
		t.Fatalf("usage = %+v, %v", before, err)
	}
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "grow=100"}); err != nil {
		t.Fatal(err)
	}
	after, err := p.Usage()
	if grown := after.Memory - before.Memory; err != nil || grown < 90<<20 || after.CPU <= 0 || after.CPU < before.CPU {
		t.Errorf("usage = %+v, %v; before %+v", after, err, before)
	}
	p.Kill()
	if u, err := p.Usage(); fault.Of(err) != fault.Unavailable {
		t.Errorf("usage of an ended process = %+v, %v; want unavailable", u, err)
	}
}

func TestAFloodOfLogLinesIsDroppedAndCounted(t *testing.T) {
	t.Parallel()
	p, j := startBad(t)
	b := openBackend(t, p, BackendConfig{})
	const lines = 30_000
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: fmt.Sprintf("flood=%d", lines)}); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	said, dropped := j.String(), p.LogDropped()
	logged := strings.Count(said, "flooding") + strings.Count(said, "flooded")
	if dropped == 0 || int64(logged)+dropped != lines+1 {
		t.Errorf("%d lines logged, %d dropped of %d", logged, dropped, lines+1)
	}
	if !strings.Contains(said, "[WARN]  the plugin writes more than the log can take; lines were dropped: lines=") {
		t.Error("the log does not say that lines were dropped")
	}
}

func TestWhatIsPrintedAfterTheHandshakeHarmsNothing(t *testing.T) {
	t.Parallel()
	p, j := startBad(t, "print-after")
	j.wait("printed")
	b := openBackend(t, p, BackendConfig{})
	for range 3 {
		if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "print"}); err != nil {
			t.Fatal(err)
		}
	}
	j.wait("1|1|tcp|127.0.0.1:1|grpc|")
}

func TestAnAbilityThatIsClaimedAndNotServedIsUnsupported(t *testing.T) {
	t.Parallel()
	p, _ := startBad(t, "claim pusher,watcher,finder")
	b := openBackend(t, p, BackendConfig{})
	if got := abilitiesOf(b); got != (backend.Abilities{Pusher: true, Watcher: true, Finder: true}) {
		t.Fatalf("abilities = %+v", got)
	}
	_, subscribing := b.(backend.Pusher).Subscribe(t.Context(), backend.SubscribeRequest{})
	_, finding := b.(backend.Finder).Find(t.Context(), backend.Mailbox{}, backend.OurKey, "k")
	watching := b.(backend.Watcher).Watch(t.Context(), backend.WatchRequest{}, func([]backend.Hint) error { return nil })
	for _, err := range []error{subscribing, finding, watching} {
		if fault.Of(err) != fault.Unsupported {
			t.Errorf("%v, want unsupported", err)
		}
	}
}

func TestAFetchThatAnswersTooLittleIsADefect(t *testing.T) {
	t.Parallel()
	p, _ := startBad(t)
	b := openBackend(t, p, BackendConfig{})
	got, err := b.Fetch(t.Context(), backend.Mailbox{Address: "short"}, []backend.Ref{"a", "b"})
	if fault.Of(err) != fault.Internal || len(got) != 0 {
		t.Errorf("fetch = %+v, %v; want internal", got, err)
	}
}

func TestTheEndOfAProcessIsKnownWithItsLastWords(t *testing.T) {
	t.Parallel()
	for does, want := range map[string][]string{
		"exit=4": {"exit status 4", "bad: exiting as told"}, "crash": {"exit status 2", "panic: bad: crashing as told"},
	} {
		t.Run(does, func(t *testing.T) {
			t.Parallel()
			p, _ := startBad(t)
			b := openBackend(t, p, BackendConfig{})
			if _, err := b.Probe(t.Context(), backend.Mailbox{Address: does}); fault.Of(err) != fault.Unavailable {
				t.Errorf("the call that ended it: %v, want unavailable", err)
			}
			<-p.Exited()
			if err := p.ExitErr(); err == nil || err.Error() != want[0] || p.LastWords() != want[1] {
				t.Errorf("it ended with %v saying %q, want %q", err, p.LastWords(), want)
			}
		})
	}
}

func TestACrashRightAfterTheStartIsNoticed(t *testing.T) {
	t.Parallel()
	for behave, want := range map[string]string{"crash 1ms": "exit status 4", "panic 1ms": "exit status 2"} {
		t.Run(behave, func(t *testing.T) {
			t.Parallel()
			p, err := Start(t.Context(), misbehaving(t, behave))
			if err == nil {
				<-p.Exited()
				err = p.ExitErr()
			} // else it had ended before the host was done with the start, which says so
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it ended with %v, want %s", err, want)
			}
		})
	}
}

func TestAChildThatIsLeftBehindDoesNotHideTheEnd(t *testing.T) {
	t.Parallel()
	l := listen(t)
	p, _ := startBad(t, "child "+l.Addr().String())
	held, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close() // ends the child
	kill(t, p.PID())
	<-p.Exited()
	if p.ExitErr() == nil {
		t.Error("the reason of the end is not known")
	}
}

func TestNoSecretShowsInAnErrorOrTheLog(t *testing.T) {
	t.Parallel()
	const token = "pä$s/w+rd &8\"x"
	p, j := startBad(t)
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"token": token}})
	_, probed := b.Probe(t.Context(), backend.Mailbox{Address: "leak"})
	pulled := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "leak"}}, func(backend.Page) error { return nil })
	fetched, err := b.Fetch(t.Context(), backend.Mailbox{Address: "leak"}, []backend.Ref{"a"})
	if err != nil {
		t.Fatal(err)
	}
	_, opened := p.OpenBackend(t.Context(), BackendConfig{Settings: map[string]any{"token": token, "misbehave": "open:leak"}})
	p.Kill() // the whole log has been read then
	for what, text := range map[string]string{
		"probe": full(probed), "pull": full(pulled), "item": full(fetched[0].Err), "open": full(opened), "log": j.String(), "last words": p.LastWords(),
	} {
		if !strings.Contains(text, "leak") || !strings.Contains(text, "(secret)") {
			t.Errorf("%s: %q says nothing of the leak", what, text)
		}
		checkHidden(t, what, text, token)
	}
}

// full is all that an error can show.
func full(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return e.Error() + " " + e.Code + " " + e.ID
}

func checkHidden(t *testing.T, what, text, secret string) {
	t.Helper()
	for _, form := range []string{
		secret, "W3rty", "w+rd", "w%2Brd", base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
	} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows %q: %s", what, form, text)
		}
	}
}

// The backend's process was never told the password, but is given the header that holds it.
func TestNoPasswordOfAnotherPluginShowsInTheBackends(t *testing.T) {
	t.Parallel()
	const password = "correct horse"
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, ok := r.BasicAuth()
		if !ok {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, user, " is ", given, ", by ", r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	basic, _ := startPlugin(t, "basic")
	p, j := startPlugin(t, "backend")
	id := identity(t, basic, map[string]any{"user": "alice", "password": password})
	b := openBackend(t, p, BackendConfig{Identities: []Identity{id}, HTTP: HTTPOptions{
		CAPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}),
	}})
	_, err := b.Probe(t.Context(), backend.Mailbox{Address: "echo", URL: s.URL})
	p.Kill()
	for what, text := range map[string]string{"error": full(err), "log": j.String()} {
		if !strings.Contains(text, "alice is (secret), by Basic (secret)") {
			t.Errorf("%s: %s", what, text)
		}
	}
}
