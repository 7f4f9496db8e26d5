package exchangesim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// startGraphClock lets subscriptions end, and warns of it; s.mu is held.
func (s *Server) startGraphClock() {
	if s.graphs.clocked || s.ctx.Err() != nil {
		return
	}
	s.graphs.clocked = true
	s.work.Go(s.runGraphClock)
}

// graphClockSooner tells the clock that something may be due earlier.
func (s *Server) graphClockSooner() {
	select {
	case s.graphs.sooner <- struct{}{}:
	default:
	}
}

func (s *Server) runGraphClock() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.graphs.sooner:
		case <-s.ctx.Done():
			return
		}
		timer.Reset(s.dueGraph())
	}
}

// dueGraph does what is due, and returns how long it is to the next, at most an hour.
func (s *Server) dueGraph() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.now(), time.Hour
	for _, sub := range s.graphs.subs {
		if !sub.alive(now) {
			sub.end() // in silence
			continue
		}
		if !sub.warn.IsZero() && !now.Before(sub.warn) {
			sub.warn = time.Time{}
			sub.lifecycle("reauthorizationRequired")
		}
		next := sub.expires
		if !sub.warn.IsZero() {
			next = sub.warn
		}
		wait = min(wait, next.Sub(now))
	}
	return max(wait, time.Millisecond)
}

// GraphSubscription describes a subscription that is alive.
type GraphSubscription struct {
	ID          string    `json:"id"`
	Mailbox     string    `json:"mailbox"`
	App         string    `json:"app"`
	Resource    string    `json:"resource"`
	ChangeTypes []string  `json:"change_types"`
	URL         string    `json:"url"`
	Lifecycle   string    `json:"lifecycle_url"`
	ClientState string    `json:"client_state"`
	Expires     time.Time `json:"expires"`
	Immutable   bool      `json:"immutable"`
	Queued      int       `json:"queued"` // notifications not told yet
}

// GraphSubscriptions lists what is subscribed, by mailbox.
func (s *Server) GraphSubscriptions() []GraphSubscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []GraphSubscription{}
	for _, sub := range s.sortedSubs() {
		if sub.alive(s.now()) {
			list = append(list, GraphSubscription{
				ID: sub.id, Mailbox: sub.box.owner.Address, App: sub.who.app.ID, Resource: sub.resource, ChangeTypes: sub.changes,
				URL: sub.url, Lifecycle: sub.lifecycleURL, ClientState: sub.clientState, Expires: sub.expires, Immutable: sub.immutable,
				Queued: len(sub.pending),
			})
		}
	}
	return list
}

// TellLifecycle sends reauthorizationRequired, subscriptionRemoved or missed about the subscriptions of a mailbox, or of all with an
// empty address. subscriptionRemoved ends them. It returns how many there were.
func (s *Server) TellLifecycle(address, what string) (int, error) {
	if !slices.Contains([]string{"reauthorizationRequired", "subscriptionRemoved", "missed"}, what) {
		return 0, fmt.Errorf("%q is not a lifecycle event", what)
	}
	return s.eachSub(address, func(sub *graphSub) {
		sub.lifecycle(what)
		if what == "subscriptionRemoved" {
			sub.end()
		}
	}), nil
}

// ExpireGraph lets the subscriptions of a mailbox, or of all with an empty address, end in silence, as if their time had come.
func (s *Server) ExpireGraph(address string) int {
	return s.eachSub(address, func(sub *graphSub) { sub.end() })
}

func (s *Server) eachSub(address string, do func(*graphSub)) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, sub := range s.sortedSubs() {
		if sub.alive(s.now()) && (address == "" || strings.EqualFold(address, sub.box.owner.Address)) {
			do(sub)
			n++
		}
	}
	return n
}

// ExpireDelta makes every delta token given out for a mailbox so far invalid; an empty address means all mailboxes. how says with
// what they are refused: gone (410 with a Location), notfound (404 syncStateNotFound) or invalid (400 syncStateInvalid).
func (s *Server) ExpireDelta(address, how string) error {
	if !slices.Contains([]string{"", "gone", "notfound", "invalid"}, how) {
		return fmt.Errorf("%q is not a way to refuse a delta token", how)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.byID {
		if address == "" || strings.EqualFold(b.owner.Address, address) {
			known := b.forGraph()
			known.epoch++
			known.refusal = how
		}
	}
	return nil
}
