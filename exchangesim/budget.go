package exchangesim

import (
	"context"
	"strconv"
	"time"
)

// A Budget is a throttling policy: what one mailbox that a client acts as, or one caller who acts as himself, may draw. Every
// zero value means the one that Exchange 2013 and later have unless somebody changed it.
type Budget struct {
	// MaxConcurrency is how many requests, streaming ones apart, may be under way at once (EWSMaxConcurrency); 0: 27. More are
	// refused with ErrorExceededConnectionCount.
	MaxConcurrency int `json:"max_concurrency"`
	// MaxBurst is the balance of server time that nobody exceeds by resting (EwsMaxBurst); 0: 5 minutes.
	MaxBurst Milliseconds `json:"max_burst_ms"`
	// RechargeRate is the server time that comes back in an hour (EwsRechargeRate); 0: 15 minutes.
	RechargeRate Milliseconds `json:"recharge_rate_ms"`
	// CutoffBalance is how far below zero the balance may fall (EwsCutoffBalance); 0: 50 minutes. Below zero requests are slowed
	// down; at the cutoff all are refused with ErrorServerBusy for a while.
	CutoffBalance Milliseconds `json:"cutoff_balance_ms"`
	// RequestCost is the server time that a request is taken to cost, and ItemCost that of every item or folder it names; 0: 10
	// and 5 milliseconds. These two are the stand-in's own.
	RequestCost Milliseconds `json:"request_cost_ms"`
	ItemCost    Milliseconds `json:"item_cost_ms"`
}

const (
	// longestBackOff is the longest that ErrorServerBusy tells to wait.
	longestBackOff = 5 * time.Minute
	// longestSlowing is the longest that a request of somebody below zero is held up.
	longestSlowing = time.Second
)

// withDefaults fills in what was left out.
func (b Budget) withDefaults() Budget {
	if b.MaxConcurrency == 0 {
		b.MaxConcurrency = 27
	}
	for _, d := range []struct {
		value *Milliseconds
		usual time.Duration
	}{
		{&b.MaxBurst, 5 * time.Minute},
		{&b.RechargeRate, 15 * time.Minute},
		{&b.CutoffBalance, 50 * time.Minute},
		{&b.RequestCost, 10 * time.Millisecond},
		{&b.ItemCost, 5 * time.Millisecond},
	} {
		if *d.value == 0 {
			*d.value = Milliseconds(d.usual)
		}
	}
	return b
}

// BudgetUse says what a Budget did since it was set.
type BudgetUse struct {
	On     bool   `json:"on"`
	Policy Budget `json:"policy"`
	// Requests counts all that came; Slowed those that were held up, ServerBusy and ExceededConnections those that were refused.
	Requests            int `json:"requests"`
	Slowed              int `json:"slowed"`
	Refused             int `json:"refused"`
	ServerBusy          int `json:"server_busy"`
	ExceededConnections int `json:"exceeded_connections"`
	// ServerBusyShare is that of ErrorServerBusy in all requests, from 0 to 1.
	ServerBusyShare float64 `json:"server_busy_share"`
	// MostConcurrent is the most requests that one owner had under way; LowestBalance the lowest balance of any.
	MostConcurrent int          `json:"most_concurrent"`
	LowestBalance  Milliseconds `json:"lowest_balance_ms"`
}

// throttle keeps the budgets of a server. It is guarded by the server's lock.
type throttle struct {
	use    BudgetUse
	owners map[*Person]*balance
}

// A balance is what is left of somebody's budget.
type balance struct {
	left     time.Duration
	at       time.Time // as of which
	underway int
	busy     time.Time // until when all is refused
}

func newThrottle(b *Budget) throttle {
	t := throttle{owners: map[*Person]*balance{}}
	if b != nil {
		t.use.On, t.use.Policy = true, b.withDefaults()
		t.use.LowestBalance = t.use.Policy.MaxBurst
	}
	return t
}

// SetBudget throttles by b from now on, nobody if b is nil; all begin with a full balance, and the counting from zero.
func (s *Server) SetBudget(b *Budget) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttle = newThrottle(b)
}

// BudgetUse says what the budget did.
func (s *Server) BudgetUse() BudgetUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.throttle.use
	u.Refused = u.ServerBusy + u.ExceededConnections
	if u.Requests > 0 {
		u.ServerBusyShare = float64(u.ServerBusy) / float64(u.Requests)
	}
	return u
}

// admit charges a request to its owner's budget. It returns when the request may be carried out; leave is to be called when
// it was.
func (s *Server) admit(ctx context.Context, c *call) (leave func(), refused error) {
	s.mu.Lock()
	if !s.throttle.use.On {
		s.mu.Unlock()
		return func() {}, nil
	}
	own, slowed, refused := s.throttle.charge(c.owner(), c, time.Now())
	s.mu.Unlock()
	if refused != nil {
		return nil, refused
	}
	s.rest(ctx, slowed) // a client that goes away is noticed afterwards
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.name != streaming {
			own.underway--
		}
	}, nil
}

// owner is whom a request is charged to: the mailbox it acts as, else the caller.
func (c *call) owner() *Person {
	if sid := c.impersonation.child("ConnectingSID"); len(sid.children()) == 1 {
		if p, err := c.connecting(sid.kids[0].name, sid.kids[0].value()); err == nil {
			return p
		}
	}
	return c.caller
}

// charge takes the cost of a request from a balance; slowed is how long the request is to be held up.
func (t *throttle) charge(owner *Person, c *call, now time.Time) (own *balance, slowed time.Duration, refused error) {
	p, u := t.use.Policy, &t.use
	u.Requests++
	own = t.owners[owner]
	if own == nil {
		own = &balance{left: time.Duration(p.MaxBurst), at: now}
		t.owners[owner] = own
	}
	perHour := float64(p.RechargeRate) / float64(time.Hour)
	own.left = min(time.Duration(p.MaxBurst), own.left+time.Duration(perHour*float64(now.Sub(own.at))))
	own.at = now
	if own.left <= -time.Duration(p.CutoffBalance) && !own.busy.After(now) {
		own.busy = now.Add(min(longestBackOff, time.Duration(float64(-own.left)/perHour)))
	}
	if own.busy.After(now) {
		u.ServerBusy++
		return nil, 0, serverBusy(own.busy.Sub(now))
	}
	if c.name != streaming {
		if own.underway >= p.MaxConcurrency {
			u.ExceededConnections++
			return nil, 0, fail("ErrorExceededConnectionCount",
				"You have exceeded the available concurrent connections for your account.  Try again once your other requests have completed.")
		}
		own.underway++
		u.MostConcurrent = max(u.MostConcurrent, own.underway)
	}
	cost := time.Duration(p.RequestCost) + time.Duration(p.ItemCost)*time.Duration(things(c.req))
	own.left -= cost
	u.LowestBalance = min(u.LowestBalance, Milliseconds(own.left))
	if own.left < 0 {
		u.Slowed++
		slowed = min(longestSlowing, time.Duration(float64(cost)/perHour))
	}
	return own, slowed, nil
}

// things counts the items, folders and changes that a request names.
func things(req *node) int {
	n := 0
	for _, name := range []string{"ItemIds", "Items", "ItemChanges", "FolderIds", "Folders"} {
		n += len(req.child(name).children())
	}
	return n
}

func serverBusy(wait time.Duration) *ewsError {
	e := fail("ErrorServerBusy", "The server cannot service this request right now. Try again later.")
	if wait > 0 {
		e.values = []attr{{"BackOffMilliseconds", strconv.FormatInt(max(1, wait.Milliseconds()), 10)}}
	}
	return e
}
