package syncer

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/remedy"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/sdk/fault"
)

// farFuture is later than anything scheduled.
var farFuture = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// followDelay is how long the others wait for who goes first to a server after a pause.
const followDelay = 10 * time.Second

// busyServerDelay is how long a mailbox waits when its server's places are taken.
const busyServerDelay = 250 * time.Millisecond

// A reaction is how a kind of fault is met.
type reaction struct {
	status store.Status
	base   time.Duration // first wait; zero: Limits.RetryBase
	max    time.Duration // waits double up to this; zero: Limits.RetryMax
	server bool          // the server's other mailboxes are left alone, too
	remedy string        // where it does not depend on the mode
}

// shut is how a server is met that lets nobody in though the login is good.
var shut = reaction{status: store.StatusAttention, base: 5 * time.Minute, max: time.Hour, server: true}

var reactions = map[fault.Kind]reaction{
	fault.Throttled:    {status: store.StatusWaiting},
	fault.Unavailable:  {status: store.StatusWaiting},
	fault.Conflict:     {status: store.StatusWaiting},
	fault.Internal:     {status: store.StatusWaiting, remedy: "this is a defect of the plugin: its log says more"},
	fault.MailboxMoved: {status: store.StatusWaiting, base: 2 * time.Minute, max: 30 * time.Minute},
	// Every try with a wrong password counts towards locking the service account out.
	fault.Unauthorized:    {status: store.StatusAttention, base: 5 * time.Minute, max: time.Hour, server: true},
	fault.Forbidden:       {status: store.StatusAttention, base: 15 * time.Minute, max: 6 * time.Hour},
	fault.MailboxNotFound: {status: store.StatusAttention, base: time.Hour, max: 24 * time.Hour},
	fault.Invalid: {
		status: store.StatusAttention, base: 15 * time.Minute, max: 6 * time.Hour,
		remedy: "check the person's sync mode and URL",
	},
	fault.Unsupported: {
		status: store.StatusAttention, base: 15 * time.Minute, max: 6 * time.Hour,
		remedy: "choose another sync mode for the person",
	},
}

// trouble makes a failed pass the person's state and says when to try again. until, if set, is when the pause ends
// that the pass ran into.
func (e *Engine) trouble(ctx context.Context, p *pass, cause error, until time.Time) (Outcome, error) {
	kind := fault.Of(cause)
	r := reactionTo(cause)
	now, failures, paused := e.now(), p.mb.Failures, !until.IsZero()
	if !paused {
		if p.person.State.Kind != string(kind) {
			failures = 0 // another trouble than before begins anew
		}
		failures++
		until = now.Add(e.wait(p, r, failures, fault.After(cause)))
		if fe, ok := faultOf(cause); p.mode.Name != "" && (r.server || ok && fe.Scope == fault.ScopeServer && kind == fault.Throttled) {
			why := cause
			if ok {
				why = fe // without the name of the mailbox it was met with
			}
			server := serverOf(p.mode.Name, p.mailbox.URL)
			e.pauses.set(server, pause{until: until, err: why})
			e.Log.Warn("a server is left alone by everybody", "server", server, "kind", string(kind), "error", sentence(why), "until", until)
		}
	} else {
		left := until.Sub(now)
		until = until.Add(spread(left, p.mb.Tenant, p.mb.Person) - left) // not all at once
	}
	e.Meter.Failed(p.person.SyncMode, kind, until.Sub(now))
	reason := sentence(cause)
	log := e.Log.With("tenant", p.mb.Tenant, "person", p.mb.Person, "kind", string(kind), "error", reason, "again", until)
	if fe, ok := faultOf(cause); ok && fe.ID != "" {
		log = log.With("request-id", fe.ID)
	}
	switch {
	case paused:
		log.Debug("the sync of a mailbox waits for its server") // which was told of when the pause began
	case r.status == store.StatusAttention:
		log.Warn("the sync of a mailbox needs attention")
	default:
		log.Info("the sync of a mailbox waits")
	}
	mode, remedy := Mode{}, remedyFor(cause, r, p.mode.Auth)
	if !paused {
		mode = e.elsewhere(ctx, p, kind)
	}
	if mode.Name != "" && p.isRoom() {
		followed, advice, err := e.followRoom(ctx, p, mode)
		if err != nil || followed {
			return Outcome{Next: now}, err
		}
		mode, remedy = Mode{}, advice
	}
	err := e.inPass(ctx, p, func(ctx context.Context, tx *store.Tx) (err error) {
		if mode.Name != "" {
			if remedy, err = e.offer(ctx, tx, p, mode); err != nil {
				return err
			}
		}
		p.mb.Failures, p.mb.WaitUntil, p.mb.NextDue = failures, until, until
		if err := tx.SaveMailbox(ctx, p.mb); err != nil {
			return err
		}
		before := p.person.State
		if before.Status != r.status || before.Kind != string(kind) {
			if err := e.record(ctx, tx, p.mb.Tenant, p.mb.Person, "", "sync "+string(r.status), reason); err != nil {
				return err
			}
		}
		return tx.SetPersonState(ctx, p.mb.Tenant, p.mb.Person, store.PersonState{
			Status: r.status, Kind: string(kind), Reason: reason, Remedy: remedy, Since: now, Until: until,
		})
	})
	return Outcome{Next: until}, err
}

func reactionTo(cause error) reaction {
	kind := fault.Of(cause)
	if kind == fault.Forbidden && remedy.ByAll(cause) {
		return shut
	}
	if r, known := reactions[kind]; known {
		return r
	}
	return reactions[fault.Unavailable]
}

func remedyFor(cause error, r reaction, auth []string) string {
	if text := remedy.Of(cause, auth); text != "" {
		return text
	}
	return r.remedy
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

// wait doubles with every failure in a row, never shorter than what the server asks for, and differs between
// mailboxes so that they do not come back all at once.
func (e *Engine) wait(p *pass, r reaction, failures int, asked time.Duration) time.Duration {
	base, most := r.base, r.max
	if base == 0 {
		base = e.limits().RetryBase
	}
	if most == 0 {
		most = e.limits().RetryMax
	}
	d := base
	for range min(failures-1, 16) {
		d = min(2*d, most)
	}
	return max(spread(d, p.mb.Tenant, p.mb.Person), asked)
}

func faultOf(err error) (*fault.Error, bool) {
	for err != nil {
		if fe, ok := err.(*fault.Error); ok {
			return fe, true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return nil, false
		}
		err = u.Unwrap()
	}
	return nil, false
}

// serverOf names what a pause or a limit holds for: a server with the credentials of a mode.
func serverOf(mode, rawURL string) string {
	host := rawURL
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		host = u.Host
	}
	return mode + "@" + strings.ToLower(host)
}

// A pause keeps everybody away from a server. When it is over one mailbox goes first; the others follow if it gets in.
type pause struct {
	until  time.Time
	err    error // why
	trying bool  // somebody has gone
}

type pauses struct {
	mu sync.Mutex
	by map[string]pause
}

func newPauses() *pauses { return &pauses{by: map[string]pause{}} }

func (p *pauses) set(server string, why pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by[server] = why
}

// of returns the pause of a server, if it lasts.
func (p *pauses) of(server string, now time.Time) (pause, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	why, found := p.by[server]
	return why, found && why.until.After(now)
}

// An entry is who may go to a server.
type entry int

const (
	everybody entry = iota
	nobody          // before the end of the pause
	first           // the caller goes first, and says by tried how it went
	second          // somebody else has gone first and is not back
)

// enter asks to go to a server. why is the pause that is, or was.
func (p *pauses) enter(server string, now time.Time) (why pause, who entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	why, found := p.by[server]
	switch {
	case !found:
		return why, everybody
	case why.until.After(now):
		return why, nobody
	case why.trying:
		return why, second
	}
	tried := why
	tried.trying = true
	p.by[server] = tried
	return why, first
}

// tried says how it went for who went first after a pause. Unless the server answered, the next one is the first. A pause that
// was set meanwhile stands.
func (p *pauses) tried(server string, why pause, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, found := p.by[server]
	switch {
	case !found || !now.until.Equal(why.until):
	case answered:
		delete(p.by, server)
	default:
		now.trying = false
		p.by[server] = now
	}
}

// lift ends the pause of a server, if there is one: whoever comes next goes first, also while somebody has gone who does not know that.
func (p *pauses) lift(server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why, found := p.by[server]; found {
		why.until, why.trying = time.Time{}, false // what tried says of the one who has gone is about the pause that was
		p.by[server] = why
	}
}

// freshSubscription is how old a push subscription may be and still be trusted at the start of the host: its server
// repeats what it could not deliver meanwhile.
const freshSubscription = 10 * time.Minute

// Resume takes the work up at the start of the host: every mailbox is subscribed to anew and pulled, because nobody
// listened while no host ran, and those that wait after a failure are tried, because whatever was in the way may be
// mended. What a server asked for is honoured. It returns how many mailboxes waited.
func (e *Engine) Resume(ctx context.Context) (waited int64, err error) {
	e.pauses.mu.Lock()
	clear(e.pauses.by)
	e.pauses.mu.Unlock()
	err = e.tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if waited, err = tx.ResumeMailboxes(ctx); err != nil {
			return err
		}
		_, err = tx.StartMailboxes(ctx, freshSubscription)
		return err
	})
	return waited, err
}

// servers bounds how many mailboxes of one server are worked on at once.
type servers struct {
	mu   sync.Mutex
	busy map[string]int
}

func newServers() *servers { return &servers{busy: map[string]int{}} }

// enter takes one of the places of a server, of which there are at least one.
func (s *servers) enter(server string, most int) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[server] >= max(1, most) {
		return nil, false
	}
	s.busy[server]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.busy[server]--; s.busy[server] == 0 {
			delete(s.busy, server)
		}
	}, true
}
