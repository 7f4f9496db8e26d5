package exchangesim

import "time"

// GraphQuirks are those habits of Graph that a test can choose.
type GraphQuirks struct {
	// Concurrency is how many requests of one app for one mailbox may be under way; 0: 4. Requests is how many may come in ten
	// minutes; 0: 10,000. More are refused with 429.
	Concurrency int `json:"concurrency"`
	Requests    int `json:"requests_per_10_minutes"`
	// Replay is how many events that were told already a round of changes tells again; InOrder keeps the order in which things
	// changed, which otherwise is the other way round on every page.
	Replay  int  `json:"replay"`
	InOrder bool `json:"in_order"`
	// MinimalMasters lets delta tell as little of series masters as it does of occurrences.
	MinimalMasters bool `json:"minimal_masters"`
	// DeletedEventsFound lets an immutable id lead to an event that lies in Deleted Items.
	DeletedEventsFound bool `json:"deleted_events_found"`
	// NoTranslation refuses translateExchangeIds to everybody.
	NoTranslation bool `json:"no_translation"`
	// RefuseRepeated refuses a transactionId that was used, even where the request is the same.
	RefuseRepeated bool `json:"refuse_repeated"`
	// Shortest is the life in minutes that subscriptions with less are raised to; 0: 45.
	Shortest float64 `json:"shortest_minutes"`
	// SlowRules delays notifications to those who answer more than a tenth of them late, and drops them beyond 15 percent.
	SlowRules bool `json:"slow_rules"`
}

// usualQuirks are what Graph does.
func usualQuirks() GraphQuirks {
	return GraphQuirks{Replay: 1}
}

// SetGraphQuirks chooses habits from now on.
func (s *Server) SetGraphQuirks(q GraphQuirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.graphs.quirks = q
}

// GraphQuirks returns those chosen.
func (s *Server) GraphQuirks() GraphQuirks {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.graphs.quirks
}

// graphs is what a server keeps for Graph. Apart from the tables it is guarded by the server's lock.
type graphs struct {
	routes    map[string]graphOperation
	setters   map[string]graphSetter
	quirks    GraphQuirks
	uses      map[useKey]*use
	subs      map[string]*graphSub
	ends      map[string]*endpoint // of notifications, by kind and URL
	held      []*endpoint          // would send if notifications were not held back
	slots     chan struct{}        // one for each notification under way; nil until the first subscription
	sooner    chan struct{}        // of capacity 1: a subscription is due earlier than the clock knows
	inBatches int                  // requests that came within a batch
	clocked   bool                 // the goroutine that ends subscriptions runs
	sent      int                  // tries that were accepted
	failed    int                  // tries that were not
	dropped   int                  // notifications given up
}

func newGraphs() graphs {
	return graphs{
		routes: graphRoutes(), setters: graphSetters(), quirks: usualQuirks(), uses: map[useKey]*use{},
		subs: map[string]*graphSub{}, ends: map[string]*endpoint{}, sooner: make(chan struct{}, 1),
	}
}

// A graphBox is what only Graph knows of a mailbox.
type graphBox struct {
	transactions map[string]*item // by transactionId
	subs         []*graphSub
	epoch        int    // delta tokens of earlier epochs are refused
	refusal      string // how: gone, notfound or invalid
}

// forGraph returns what Graph knows of a mailbox, to be changed.
func (b *mailbox) forGraph() *graphBox {
	if b.graph == nil {
		b.graph = &graphBox{transactions: map[string]*item{}}
	}
	return b.graph
}

// transacted finds the item in a mailbox that was made with a transactionId, or nil.
func (k *graphBox) transacted(id string, b *mailbox) *item {
	it := k.transactions[id]
	if it == nil || b.steady[it.steady] != it {
		return nil
	}
	return it
}

// owns reports whether a mailbox lies in the tenant of who asks.
func (p principal) owns(b *mailbox) bool { return p.tenant.owns(b.owner.Address) }

// is reports whether two requests come from one app in one tenant.
func (p principal) is(o principal) bool { return p.app.ID == o.app.ID && p.tenant.ID == o.tenant.ID }

// A useKey is an app at a mailbox, and use what it takes there.
type useKey struct {
	app string
	box *mailbox
}

type use struct {
	underway int
	since    time.Time // when the ten minutes of count began
	count    int
}

// useWindow is how long requests are counted for.
const useWindow = 10 * time.Minute

// admit takes one of the places that the app has at the mailbox; s.mu is held. leave gives it back.
func (g *graphCall) admit() (leave func(), err error) {
	key := useKey{g.who.app.ID, g.box}
	u := g.graphs.uses[key]
	if u == nil {
		u = &use{since: g.now}
		g.graphs.uses[key] = u
	}
	if g.now.Sub(u.since) >= useWindow {
		u.since, u.count = g.now, 0
	}
	most, requests := g.graphs.quirks.Concurrency, g.graphs.quirks.Requests
	if most == 0 {
		most = 4
	}
	if requests == 0 {
		requests = 10_000
	}
	switch {
	case u.underway >= most:
		return nil, throttled("MailboxConcurrency", time.Second)
	case u.count >= requests:
		return nil, throttled("RequestRate", u.since.Add(useWindow).Sub(g.now))
	}
	u.underway++
	u.count++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		u.underway--
	}, nil
}
