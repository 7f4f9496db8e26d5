package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// A check shows one rule of the contract.
type check struct {
	name    string
	section string // of docs/plugins/contract.md
	rule    string
	needs   needs
	do      func(c *checking)
}

// needs says what a check cannot be made without.
type needs uint

const (
	writing needs = 1 << iota
	reading       // by reference
	twoMailboxes
	finder
	pusher
	watcher
	complete
	responder
	drift
	freeBusy
	groups
	series
	attendees
	atURL // the mailbox has a URL, which can be another's
	cutOff
	absent
	unreachable
)

// missing says why a check cannot be made; empty if it can.
func (s *suite) missing(n needs) string {
	fetches := func() bool {
		_, err := s.instance().Fetch(context.Background(), s.Mailboxes[0], nil)
		return fault.Of(err) != fault.Unsupported
	}
	for _, one := range []struct {
		needs
		there  bool
		reason string
	}{
		{writing, !s.readOnly, "the backend only reads: Apply answers Unsupported"},
		{twoMailboxes, len(s.Mailboxes) > 1, "there is only one mailbox in Fixture.Mailboxes"},
		{finder, s.can.Finder, "the backend is no Finder"},
		{pusher, s.can.Pusher, "the backend is no Pusher"},
		{watcher, s.can.Watcher, "the backend is no Watcher"},
		{drift, s.can.Drift, "the backend is no DriftChecker"},
		{freeBusy, s.can.FreeBusy, "the backend tells no FreeBusy"},
		{groups, s.can.GroupExpander, "the backend is no GroupExpander"},
		{pusher, !s.delegate, "the mailbox is a delegate's and cannot be subscribed to"},
		{watcher, !s.delegate, "the mailbox is a delegate's and cannot be listened to"},
		{complete, s.can.Everything, "the backend is not Complete"},
		{responder, s.can.Responder, "the backend is no Responder"},
		{series, !s.can.Omits.Has(calendar.FieldRecurrence), "the calendar keeps no series: Omits has the recurrence"},
		{attendees, s.Attendees, "items with attendees are not allowed here (Fixture.Attendees): a server may send them mail"},
		{atURL, s.Mailboxes[0].URL != "", "the mailbox has no URL that could lead elsewhere"},
		{cutOff, s.CutOff != nil, "Fixture.CutOff is not set"},
		{absent, s.Absent != nil, "Fixture.Absent is not set"},
		{unreachable, s.Unreachable != nil, "Fixture.Unreachable is not set"},
	} {
		if n&one.needs != 0 && !one.there {
			return one.reason
		}
	}
	if n&reading != 0 && s.readOnly && !fetches() {
		return "the backend cannot read by reference: Fetch answers Unsupported"
	}
	return ""
}

// reporter is what a check says things to.
type reporter interface {
	Context() context.Context
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// checking is one check under way.
type checking struct {
	reporter
	*suite
	check
	b backend.Backend
	m backend.Mailbox

	mu   sync.Mutex
	made []calendar.Mutation // the deletions of what was made
	open []backend.Backend
	then []func(context.Context) // what else ends with the check
}

// show makes a check.
func (s *suite) show(t reporter, one check) {
	t.Helper()
	if why := s.missing(one.needs); why != "" {
		t.Skipf("not checked: %s", why)
	}
	c := &checking{reporter: t, suite: s, check: one, b: s.instance(), m: s.Mailboxes[0]}
	defer c.clean()
	one.do(c)
}

// clean removes what the check made.
func (c *checking) clean() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), cleanupTime)
	defer cancel()
	b := c.instance()
	for _, f := range slices.Backward(c.then) {
		f(ctx)
	}
	for _, d := range c.made {
		_ = c.remove(ctx, b, d) // what is left is seen in the end
	}
	for _, b := range c.open {
		closeOf(b)
	}
}

// after has f called when the check has ended.
func (c *checking) after(f func(context.Context)) { c.then = append(c.then, f) }

// violated says that a rule is not kept, and what was seen.
func (c *checking) violated(format string, args ...any) {
	c.Helper()
	c.Errorf("%s", c.explained(format, args...))
}

// broken is violated, and ends the check.
func (c *checking) broken(format string, args ...any) {
	c.Helper()
	c.Fatalf("%s", c.explained(format, args...))
}

func (c *checking) explained(format string, args ...any) string {
	return fmt.Sprintf(format, args...) + "\n    The rule: " + c.rule + "\n    It is told in docs/plugins/contract.md, under " + c.section + "."
}

// another opens another instance.
func (c *checking) another() backend.Backend {
	c.Helper()
	return c.opened(c.Open)
}

func (c *checking) opened(open func(context.Context) (backend.Backend, error)) backend.Backend {
	c.Helper()
	b, err := open(c.Context())
	if err != nil {
		c.Fatalf("opening another instance: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, b)
	return b
}

// apply makes a mutation and remembers to remove what it made. What a backend refuses to do silently, because it can write to
// a meeting only with mail, is done with mail where the check is one of those for which Fixture.Attendees is set.
func (c *checking) apply(b backend.Backend, m calendar.Mutation) (backend.Result, error) {
	r, err := b.Apply(c.Context(), m)
	if c.needs&attendees != 0 && m.Mail == calendar.MailNobody && fault.Of(err) == fault.Unsupported {
		m.Mail = calendar.MailAll
		r, err = b.Apply(c.Context(), m)
	}
	if err == nil && m.Op != calendar.Delete {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.made = append(c.made, deletion(m.Mailbox, m.Key, r.Item.Ref))
	}
	return r, err
}

// creation is a create of an event in the first mailbox, with a new key.
func (c *checking) creation(e calendar.Event) calendar.Mutation {
	return calendar.Mutation{Op: calendar.Create, Mailbox: c.m, Key: c.key(), Event: e}
}

// mustApply ends the check if the mutation fails.
func (c *checking) mustApply(b backend.Backend, m calendar.Mutation) calendar.Item {
	c.Helper()
	r, err := c.apply(b, m)
	if err != nil {
		c.Fatalf("%s an item in the calendar of %s: %v", opName(m.Op), m.Mailbox.Address, err)
	}
	return r.Item
}

func opName(op calendar.Op) string {
	return map[calendar.Op]string{calendar.Create: "creating", calendar.Update: "updating", calendar.Delete: "deleting"}[op]
}

// create makes an item of the sample event.
func (c *checking) create() calendar.Item {
	c.Helper()
	return c.mustApply(c.b, c.creation(c.event()))
}

// update is an update of an item.
func update(m backend.Mailbox, item calendar.Item, e calendar.Event, fields calendar.Fields) calendar.Mutation {
	return calendar.Mutation{Op: calendar.Update, Mailbox: m, Key: item.Key, Ref: item.Ref, Event: e, Fields: fields}
}

// edit is what somebody else does to an item, by another program.
func (c *checking) edit(item calendar.Item, text string) calendar.Item {
	c.Helper()
	e := item.Event
	e.Subject, e.Location = text, text
	e.Start, e.End = e.Start.AddDate(0, 0, 1), e.End.AddDate(0, 0, 1)
	return c.mustApply(c.another(), update(c.m, item, e, calendar.FieldSubject|calendar.FieldLocation|calendar.FieldTime))
}

// fetch reads an item; its error is the item's or the call's.
func (c *checking) fetch(b backend.Backend, m backend.Mailbox, ref calendar.Ref) (calendar.Item, error) {
	c.Helper()
	got, err := b.Fetch(c.Context(), m, []calendar.Ref{ref})
	if err != nil {
		return calendar.Item{}, err
	}
	if len(got) != 1 {
		c.broken("Fetch of one reference gave %d answers", len(got))
	}
	return got[0].Item, got[0].Err
}

// mustFetch ends the check if the item cannot be read.
func (c *checking) mustFetch(ref calendar.Ref) calendar.Item {
	c.Helper()
	item, err := c.fetch(c.b, c.m, ref)
	if err != nil {
		c.Fatalf("fetching an item of %s: %v", c.m.Address, err)
	}
	return item
}

// pull returns the pages of one Pull.
func (c *checking) pull(b backend.Backend, m backend.Mailbox, since calendar.Cursor) ([]backend.Page, error) {
	var pages []backend.Page
	err := b.Pull(c.Context(), backend.PullRequest{Mailbox: m, Since: since}, func(p backend.Page) error {
		pages = append(pages, p)
		return nil
	})
	return pages, err
}

// mustPull ends the check if the calendar cannot be pulled to the last page.
func (c *checking) mustPull(since calendar.Cursor) []backend.Page {
	c.Helper()
	pages, err := c.pull(c.b, c.m, since)
	if err != nil {
		c.Fatalf("pulling the calendar of %s: %v", c.m.Address, err)
	}
	if len(pages) == 0 || !pages[len(pages)-1].Last {
		c.broken("the pull ended without an error and without a last page")
	}
	return pages
}

// cursor pulls all that there is and returns where to go on from; it ends the check where there is nothing to go on from.
func (c *checking) cursor() calendar.Cursor {
	c.Helper()
	pages := c.mustPull("")
	next := pages[len(pages)-1].Next
	if next == "" {
		c.Skipf("not checked: the backend gives no cursor to go on from")
	}
	return next
}

// latest returns the last change of each item; an item occurs only once in it.
func latest(pages []backend.Page) map[calendar.Ref]calendar.Change {
	out := map[calendar.Ref]calendar.Change{}
	for _, p := range pages {
		for _, ch := range p.Changes {
			out[ch.Ref] = ch
		}
	}
	return out
}

// bearing returns the items that bear a key, as the pages leave them.
func bearing(pages []backend.Page, key string) []calendar.Item {
	var out []calendar.Item
	for _, ch := range latest(pages) {
		if ch.Item != nil && !ch.Deleted && ch.Item.Key == key {
			out = append(out, *ch.Item)
		}
	}
	return out
}

// soon asks until nothing is amiss, for as long as the server may lag behind.
func (c *checking) soon(amiss func() string) string {
	return c.within(c.Lag, amiss)
}

// within asks until nothing is amiss or the time is over; it asks once at least.
func (c *checking) within(d time.Duration, amiss func() string) string {
	end := time.Now().Add(d)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		what := amiss()
		if what == "" || !time.Now().Add(pause).Before(end) {
			return what
		}
		select {
		case <-time.After(pause):
		case <-c.Context().Done():
			return what
		}
	}
}

// errLate is what promptly reports of a call that does not return.
var errLate = errors.New("the call has not returned")

// promptly makes a call that ought to return at once, and gives up on it after Patience.
func (c *checking) promptly(call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	late := time.NewTimer(c.Patience)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errLate
	}
}
