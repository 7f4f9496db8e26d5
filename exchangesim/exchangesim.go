// Package exchangesim is an in-memory Exchange server spoken to over EWS SOAP by any client.
//
// It behaves like Exchange 2019 on-premises, and on listeners of their own like Exchange Online with its login server, where a
// calendar client can tell: ids change when items move, change keys change
// on their own after a write, one edit causes several notifications, push subscriptions are retried and then dropped in
// silence, unknown versions are refused. It shares no code with the product it helps to test.
//
//	sim, err := exchangesim.New(exchangesim.Options{})
//	running, err := sim.Start("127.0.0.1:0")            // running.URL + "/EWS/Exchange.asmx"
//	id, err := sim.Outlook("alice@example.com").Create(exchangesim.Appointment{Subject: "Desk", Start: start, End: end})
package exchangesim

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/roomwire/roomwire/exchangesim/internal/login"
)

// Options configure a Server. The zero value is a server with the sample people.
type Options struct {
	People []Person // empty: SamplePeople
	Groups []Group  // distribution groups
	Domain string   // NetBIOS domain of logins; empty: EXAMPLE
	Logger *slog.Logger
	// RecordDir, if set, receives every request and answer body in numbered files.
	RecordDir string
	// Now is the server's clock; nil: time.Now. Waiting always uses real timers (those of a synctest bubble in one).
	Now func() time.Time
	// RetryBase is the pause before the first repetition of a push notification that was not accepted; 0: 30 seconds. It doubles.
	RetryBase time.Duration
	// Minute is the length of the minutes of StatusFrequency, Timeout and ConnectionTimeout, and of the 30 that a streaming
	// subscription lives without a connection; 0: a minute. Tests shorten it.
	Minute time.Duration
	// PushConnections is how many notifications are under way at once; 0: 64.
	PushConnections int
	// PushClient sends notifications; nil: a client that follows no redirects and uses no proxy.
	PushClient *http.Client
	// Generate adds so many people to People: user1@example.com, user2@example.com and so on, with the password "secret".
	Generate int
	// MaxSubscriptions per mailbox; 0: 5000, as on-premises.
	MaxSubscriptions int
	// HangingConnections is how many streaming connections one mailbox, or a caller who does not impersonate, may hold open;
	// 0: 10, as Exchange 2016 and later. Exchange 2013 has 3.
	HangingConnections int
	// Affinity puts the mailboxes on different back-end servers: a subscription is known only where it was made, to which
	// X-BackEndOverrideCookie or X-AnchorMailbox brings a request.
	Affinity bool
	// Budget throttles those who ask too much; nil: nobody.
	Budget *Budget
	// Latency is how long every request to EWS or Graph takes at least.
	Latency time.Duration
	// MaxRequestBytes is the longest request body; 0: 400 KiB, as documented.
	MaxRequestBytes int64
	// Schemes are the login schemes offered, of Negotiate, NTLM and Basic; empty: all.
	Schemes []string
	// ExtendedProtection is the mode of channel binding for NTLM over TLS.
	ExtendedProtection Protection
	// GraphPatience is how long Graph waits for the answer to a notification before that counts as a failure; 0: 3 seconds.
	GraphPatience time.Duration
	// Tenants are the organizations of Exchange Online; empty: SampleTenant and SampleSubsidiary.
	Tenants []Tenant
	// TokenLifetime is how long the access tokens of Tenants last; 0: an hour.
	TokenLifetime time.Duration
	// ForgetAnswers has an update that sets a list of attendees as a whole forget the answers of those whom it names without one.
	// What is appended to a list leaves the others alone.
	ForgetAnswers bool
	// CopyToAttendees delivers meetings into the calendars of attendees who have a mailbox here, as the Calendar Attendant does.
	// Rooms then answer by their CalendarProcessing.
	CopyToAttendees bool
}

// Protection says what the server demands of NTLM logins over TLS.
type Protection int

// The modes of Extended Protection that IIS knows.
const (
	ProtectionNone    Protection = iota // channel bindings are not looked at
	ProtectionAllow                     // one that is sent must be right
	ProtectionRequire                   // one must be sent and be right
)

// A Server is one Exchange organization in memory; safe for concurrent use.
type Server struct {
	opts       Options
	log        *slog.Logger
	logins     http.Handler // EWS behind Negotiate, NTLM and Basic
	basicLogin http.Handler // EWS behind Basic alone, for connections without state
	controls   http.Handler // the API under /sim/
	operations map[string]operation
	itemFields []field
	faults     *Faults
	recorder   *recorder
	started    time.Time
	secret     []byte // signs sync states and watermarks, so those of another server are refused

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	mu sync.Mutex
	onlineState
	people      []*Person
	groups      []Group
	users       map[string]*Person  // by address and by DOMAIN\user, in lower case
	boxes       map[string]*mailbox // by every address in lower case
	byID        map[string]*mailbox // by mailbox GUID
	certificate *tls.Certificate    // of the TLS listeners
	mails       []Mail
	replies     replies
	arrivals    int // of meetings from outside
	counts      map[string]int
	subs        map[string]*subscription
	streams     map[*stream]struct{} // that are open
	pushes      pushes
	throttle    throttle
	graphs      graphs
	subCounter  uint64
	undelivered int           // notification groups queued or in flight
	idle        chan struct{} // closed and replaced when undelivered falls to zero
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if len(o.People) == 0 {
		o.People = SamplePeople()
	}
	if o.Domain == "" {
		o.Domain = "EXAMPLE"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RetryBase == 0 {
		o.RetryBase = 30 * time.Second
	}
	if o.Minute == 0 {
		o.Minute = time.Minute
	}
	if o.PushConnections == 0 {
		o.PushConnections = 64
	}
	if o.PushClient == nil {
		o.PushClient = defaultPushClient(o.PushConnections)
	}
	if o.HangingConnections == 0 {
		o.HangingConnections = 10
	}
	if o.MaxSubscriptions == 0 {
		o.MaxSubscriptions = 5000
	}
	if o.GraphPatience == 0 {
		o.GraphPatience = 3 * time.Second
	}
	if len(o.Tenants) == 0 {
		o.Tenants = []Tenant{SampleTenant(), SampleSubsidiary()}
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = time.Hour
	}
	if o.MaxRequestBytes == 0 {
		o.MaxRequestBytes = 400 << 10
	}
	return o
}

// New makes a server. Close it when done.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{
		opts:       o,
		log:        o.Logger,
		operations: operations(),
		itemFields: itemFields(),
		started:    o.Now(),
		secret:     make([]byte, 16),
		users:      map[string]*Person{},
		boxes:      map[string]*mailbox{},
		byID:       map[string]*mailbox{},
		counts:     map[string]int{},
		subs:       map[string]*subscription{},
		streams:    map[*stream]struct{}{},
		pushes:     pushes{sooner: make(chan struct{}, 1)},
		throttle:   newThrottle(o.Budget),
		idle:       make(chan struct{}),

		onlineState: newOnlineState(o),
	}
	_, _ = rand.Read(s.secret) // never fails
	s.faults = newFaults(s)
	s.controls = s.control()
	s.graphs = newGraphs()
	s.graph = http.HandlerFunc(s.serveGraph)
	s.ctx, s.stop = context.WithCancel(context.Background())
	var err error
	if s.recorder, err = newRecorder(o.RecordDir); err != nil {
		return nil, err
	}
	if err := s.startTenants(); err != nil {
		return nil, err
	}
	for _, p := range o.People {
		if err := s.AddPerson(p); err != nil {
			return nil, err
		}
	}
	for _, g := range o.Groups {
		if err := s.SetGroup(g); err != nil {
			return nil, err
		}
	}
	if err := s.generate(o.Generate); err != nil {
		return nil, err
	}
	lo := login.Options{
		Accounts:      s.account,
		Schemes:       o.Schemes,
		DefaultDomain: o.Domain,
		Protection:    login.Protection(o.ExtendedProtection),
		Certificate:   s.shownCertificate,
	}
	s.logins = login.Handler(lo, http.HandlerFunc(s.serveEWS))
	lo.Schemes = []string{login.Basic}
	s.basicLogin = login.Handler(lo, http.HandlerFunc(s.serveEWS))
	return s, nil
}

// Close ends all subscriptions and waits for the senders of notifications.
func (s *Server) Close() error {
	s.mu.Lock()
	s.stop() // under the lock: no sender starts afterwards
	for _, sub := range s.subs {
		sub.end()
	}
	for _, sub := range s.graphs.subs {
		sub.end()
	}
	s.mu.Unlock()
	s.faults.Reset()
	s.work.Wait()
	s.opts.PushClient.CloseIdleConnections()
	return s.recorder.failure()
}

// Faults programs trouble.
func (s *Server) Faults() *Faults { return s.faults }

// Count returns how many requests for an EWS operation, such as "CreateItem", were served. An empty operation counts all.
func (s *Server) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if operation != "" {
		return s.counts[operation]
	}
	n := 0
	for _, c := range s.counts {
		n += c
	}
	return n
}

// WaitIdle returns when every notification queued so far has been delivered, given up or dropped. Notifications that are
// held back by Faults keep it waiting.
func (s *Server) WaitIdle(ctx context.Context) error {
	for {
		s.mu.Lock()
		n, idle := s.undelivered, s.idle
		s.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("%d notifications are still on their way: %w", n, ctx.Err())
		}
	}
}

// settled counts n notification groups as done with; s.mu is held.
func (s *Server) settled(n int) {
	if n == 0 {
		return
	}
	s.undelivered -= n
	if s.undelivered == 0 {
		close(s.idle)
		s.idle = make(chan struct{})
	}
}

func (s *Server) now() time.Time { return s.opts.Now() }

// find returns the mailbox with that address; s.mu is held.
func (s *Server) find(address string) *mailbox { return s.boxes[strings.ToLower(address)] }
