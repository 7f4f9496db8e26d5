package exchangesim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault is trouble for the next requests that match it.
type Fault struct {
	// Kind says what happens: "busy" (ErrorServerBusy with a back-off), "error" (a SOAP fault with ResponseCode), "status" (an
	// HTTP status with an empty body), "latency" (the request is carried out late), "drop-before" (the connection is cut and
	// nothing is done), "drop-after" (the request is carried out and the connection cut before the answer).
	Kind string `json:"kind"`
	// Operation, such as CreateItem, and Address of the mailbox select requests; empty means all but those to the login server,
	// which are known as OperationToken and OperationDiscovery; "Graph" means all of Graph. At the login server "error" takes an AADSTS code, such as 7000215.
	Operation string `json:"operation,omitempty"`
	Address   string `json:"address,omitempty"`
	// Count is how many requests are hit; 0 means one, -1 all until Reset.
	Count int `json:"count,omitempty"`
	// BackOff is what "busy" tells the client to wait; 0 means no hint. Delay is that of "latency". In milliseconds in JSON.
	BackOff Milliseconds `json:"backoff_ms,omitempty"`
	Delay   Milliseconds `json:"delay_ms,omitempty"`
	// Status is the HTTP status of "status", ResponseCode the EWS code of "error".
	Status       int    `json:"status,omitempty"`
	ResponseCode string `json:"response_code,omitempty"`
	// RetryAfter is the header of that name that goes with "status", in seconds; 0: none. EWS has no such header, Graph does.
	RetryAfter int `json:"retry_after,omitempty"`
}

// Milliseconds is a duration that JSON holds as a number of milliseconds.
type Milliseconds time.Duration

// MarshalJSON implements json.Marshaler.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Duration(m).Milliseconds(), 10), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Milliseconds) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil {
		return fmt.Errorf("milliseconds: %w", err)
	}
	*m = Milliseconds(time.Duration(n) * time.Millisecond)
	return nil
}

// Faults programs trouble; safe for concurrent use. What is programmed first is met first.
type Faults struct {
	server *Server

	mu       sync.Mutex
	rules    []*Fault
	pauses   []*pause
	rejected map[string]bool // user names in lower case; "" rejects all
	noTouch  bool
	lose     int
	twice    int
	held     bool
	blocked  bool
}

// A pause stops one request until it is released.
type pause struct {
	operation string
	arrived   chan struct{}
	release   chan struct{}
	after     bool
}

func newFaults(s *Server) *Faults { return &Faults{server: s, rejected: map[string]bool{}} }

// Add programs a fault.
func (f *Faults) Add(rule Fault) error {
	switch rule.Kind {
	case "busy", "latency", "drop-before", "drop-after":
	case "status":
		if rule.Status < 100 || rule.Status > 599 {
			return fmt.Errorf("fault %q: %d is not an HTTP status", rule.Kind, rule.Status)
		}
	case "error":
		if rule.ResponseCode == "" {
			return fmt.Errorf("fault %q needs a response code", rule.Kind)
		}
	default:
		return fmt.Errorf("fault %q is not known", rule.Kind)
	}
	if rule.Count == 0 {
		rule.Count = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule)
	return nil
}

// add is Add for rules that are right by construction.
func (f *Faults) add(rule Fault) {
	if err := f.Add(rule); err != nil {
		panic(err)
	}
}

// Busy lets the next n requests for a mailbox, or for all with an empty address, fail with ErrorServerBusy.
func (f *Faults) Busy(address string, n int, backoff time.Duration) {
	f.add(Fault{Kind: "busy", Address: address, Count: n, BackOff: Milliseconds(backoff)})
}

// Latency delays all requests until Reset.
func (f *Faults) Latency(d time.Duration) {
	f.add(Fault{Kind: "latency", Count: -1, Delay: Milliseconds(d)})
}

// Status answers the next n requests with an HTTP status and nothing else.
func (f *Faults) Status(code, n int) { f.add(Fault{Kind: "status", Status: code, Count: n}) }

// DropBefore cuts the connection of the next n requests for an operation before anything is done.
func (f *Faults) DropBefore(operation string, n int) {
	f.add(Fault{Kind: "drop-before", Operation: operation, Count: n})
}

// DropAfter carries the next n requests for an operation out, and cuts the connection before the answer.
func (f *Faults) DropAfter(operation string, n int) {
	f.add(Fault{Kind: "drop-after", Operation: operation, Count: n})
}

// Error lets the next n requests for an operation fail with a response code.
func (f *Faults) Error(operation, responseCode string, n int) {
	f.add(Fault{Kind: "error", Operation: operation, ResponseCode: responseCode, Count: n})
}

// PauseBefore stops the next request for an operation before it is carried out: arrived is closed when it is there, release
// lets it go on.
func (f *Faults) PauseBefore(operation string) (arrived <-chan struct{}, release func()) {
	return f.pause(operation, false)
}

// PauseAfter is PauseBefore, but the request has been carried out and its answer waits.
func (f *Faults) PauseAfter(operation string) (arrived <-chan struct{}, release func()) {
	return f.pause(operation, true)
}

func (f *Faults) pause(operation string, after bool) (<-chan struct{}, func()) {
	p := &pause{operation: operation, arrived: make(chan struct{}), release: make(chan struct{}), after: after}
	f.mu.Lock()
	f.pauses = append(f.pauses, p)
	f.mu.Unlock()
	return p.arrived, sync.OnceFunc(func() { close(p.release) })
}

// InvalidSyncState makes every SyncState given out for a mailbox so far invalid; an empty address means all mailboxes.
func (f *Faults) InvalidSyncState(address string) {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	for _, b := range f.server.byID {
		if address == "" || strings.EqualFold(b.owner.Address, address) {
			b.epoch++
		}
	}
}

// LoseNotifications loses the next n notifications of events on their way; to the server they were delivered.
func (f *Faults) LoseNotifications(n int) { f.set(func() { f.lose = n }) }

// DuplicateNotifications sends each of the next n notifications of events twice.
func (f *Faults) DuplicateNotifications(n int) { f.set(func() { f.twice = n }) }

// HoldNotifications keeps notifications of events back until Release.
func (f *Faults) HoldNotifications() { f.set(func() { f.held = true }) }

// Release sends the notifications that were held back.
func (f *Faults) Release() {
	f.set(func() { f.held = false })
	f.server.resumePushes()
}

// BlockNotifications lets every try to send a notification fail, as a firewall would, until UnblockNotifications.
func (f *Faults) BlockNotifications() { f.set(func() { f.blocked = true }) }

// UnblockNotifications lets notifications through again. Those that failed are tried again when their time comes.
func (f *Faults) UnblockNotifications() { f.set(func() { f.blocked = false }) }

// RejectAuth refuses the logins of a user, by name without domain or by UPN, from now on; an empty name means everybody.
func (f *Faults) RejectAuth(user string) {
	f.set(func() { f.rejected[strings.ToLower(user)] = true })
}

// TouchAfterWrite says whether an item's change key changes once more, on its own, right after a client wrote the item. It
// does unless switched off.
func (f *Faults) TouchAfterWrite(on bool) { f.set(func() { f.noTouch = !on }) }

// Reset ends all faults.
func (f *Faults) Reset() {
	f.set(func() {
		f.rules, f.pauses, f.rejected, f.noTouch, f.lose, f.twice = nil, nil, map[string]bool{}, false, 0, 0
		f.held, f.blocked = false, false
	})
	f.server.resumePushes()
}

// List returns the faults that still wait for requests.
func (f *Faults) List() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []Fault{}
	for _, r := range f.rules {
		list = append(list, *r)
	}
	return list
}

func (f *Faults) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *Faults) touches() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.noTouch
}

func (f *Faults) rejects(user string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rejected[""] || f.rejected[strings.ToLower(user)]
}

// A plan is what the faults do to one request.
type plan struct {
	cutBefore, cutAfter bool
	status, retryAfter  int
	fault               *ewsError
	delay               time.Duration
	before, after       []*pause
}

// plan takes what is programmed for a request. Latency and pauses come on top of the first other fault that matches.
func (f *Faults) plan(operation, address string) plan {
	f.mu.Lock()
	defer f.mu.Unlock()
	var p plan
	decided := false
	var rules []*Fault
	for _, r := range f.rules {
		matches := r.means(operation) && (r.Address == "" || strings.EqualFold(r.Address, address))
		if matches && (r.Kind == "latency" || !decided) {
			decided = decided || r.Kind != "latency"
			r.apply(&p)
			if r.Count > 0 {
				r.Count--
			}
		}
		if r.Count != 0 {
			rules = append(rules, r)
		}
	}
	f.rules = rules
	var pauses []*pause
	for _, w := range f.pauses {
		switch {
		case w.operation != operation:
			pauses = append(pauses, w)
		case w.after:
			p.after = append(p.after, w)
		default:
			p.before = append(p.before, w)
		}
	}
	f.pauses = pauses
	return p
}

// means reports whether a rule is about an operation. A batch of Graph's has to be named: otherwise its requests are hit.
func (r *Fault) means(operation string) bool {
	switch {
	case r.Operation == operation:
		return true
	case isLogin(operation) || operation == operationBatch:
		return false
	}
	return r.Operation == "" || r.Operation == "Graph" && strings.HasPrefix(operation, "Graph")
}

func isLogin(operation string) bool {
	return operation == OperationToken || operation == OperationDiscovery
}

func (r *Fault) apply(p *plan) {
	switch r.Kind {
	case "busy":
		p.fault = serverBusy(time.Duration(r.BackOff))
	case "error":
		p.fault = fail(r.ResponseCode, "The request failed as it was programmed to.")
	case "status":
		p.status, p.retryAfter = r.Status, r.RetryAfter
	case "latency":
		p.delay += time.Duration(r.Delay)
	case "drop-before":
		p.cutBefore = true
	case "drop-after":
		p.cutAfter = true
	}
}

// take is plan for a call, after its latency and its pauses. A client that goes away meanwhile ends the request.
func (f *Faults) take(ctx context.Context, c *call) plan {
	f.server.mu.Lock()
	address := c.target()
	f.server.mu.Unlock()
	return f.meet(ctx, c.name, address)
}

// meet is plan for a request of any kind, after its latency and its pauses.
func (f *Faults) meet(ctx context.Context, operation, address string) plan {
	p := f.plan(operation, address)
	there := f.server.rest(ctx, p.delay)
	if !f.server.stopAt(ctx, p.before) || !there {
		p.cutBefore = true
	}
	return p
}

// rest waits; it reports whether the client is still there.
func (s *Server) rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

// stopAt holds a request at pauses; it reports whether the client is still there.
func (s *Server) stopAt(ctx context.Context, pauses []*pause) bool {
	for _, w := range pauses {
		close(w.arrived)
		select {
		case <-w.release:
		case <-ctx.Done():
			return false
		case <-s.ctx.Done():
			return false
		}
	}
	return true
}

// deliveries is how often the next notification is sent.
func (f *Faults) deliveries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lose > 0:
		f.lose--
		return 0
	case f.twice > 0:
		f.twice--
		return 2
	}
	return 1
}

// holds reports whether notifications of events are held back.
func (f *Faults) holds() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held
}

// blocks reports whether notifications get nowhere.
func (f *Faults) blocks() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocked
}
