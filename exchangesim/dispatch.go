package exchangesim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/exchangesim/internal/login"
)

// An operation answers one EWS request with the element inside the body. It runs with the server's lock held. An error
// becomes a SOAP fault.
type operation func(*call) (*node, error)

// operations are those of this server, by the name of the request element.
func operations() map[string]operation {
	table := map[string]operation{
		"GetFolder":           (*call).getFolder,
		"FindFolder":          (*call).findFolder,
		"CreateFolder":        (*call).createFolder,
		"DeleteFolder":        (*call).deleteFolder,
		"SyncFolderHierarchy": (*call).syncFolderHierarchy,
		"SyncFolderItems":     (*call).syncFolderItems,
		"GetItem":             (*call).getItem,
		"FindItem":            (*call).findItem,
		"CreateItem":          (*call).createItem,
		"UpdateItem":          (*call).updateItem,
		"DeleteItem":          (*call).deleteItem,
		"MoveItem":            (*call).moveItem,
		"CopyItem":            (*call).copyItem,
		"Subscribe":           (*call).subscribe,
		"Unsubscribe":         (*call).unsubscribe,
		"GetEvents":           (*call).getEvents,
	}
	for name, op := range peripheralOperations() {
		table[name] = op
	}
	return table
}

// A call is one EWS request on its way through an operation.
type call struct {
	*Server
	name   string // of the operation, such as GetItem
	req    *node  // the request element
	caller *Person
	// edition is the kind of Exchange that was asked, app who asks with a token; nil on-premises.
	edition edition
	app     *principal
	actor   *Person // whom the request acts as; the caller unless impersonating
	// impersonation is the SOAP header that asks to act as somebody else, or nil.
	impersonation *node
	route         route     // how the request came to a back-end server
	zoneID        string    // of the TimeZoneContext; UTC without one
	now           time.Time // one instant for the whole request
}

// versions are the values of RequestServerVersion that Exchange 2019 knows.
var versions = []string{
	"Exchange2007", "Exchange2007_SP1", "Exchange2009", "Exchange2010", "Exchange2010_SP1", "Exchange2010_SP2", "Exchange2012",
	"Exchange2013", "Exchange2013_SP1", "Exchange2015", "Exchange2016",
	"V2015_10_05", "V2016_01_06", "V2016_04_13", "V2016_07_13", "V2016_10_10", "V2017_01_07", "V2017_04_14", "V2017_07_11",
}

// streaming is the one operation that is answered bit by bit.
const streaming = "GetStreamingEvents"

const xmlContentType = "text/xml; charset=utf-8"

// ServeHTTP implements http.Handler: EWS under /EWS/ in any letter case, the control API under /sim/. NTLM needs the
// connection state that HTTPServer, Start and ConnContext set up; without it only Basic is offered.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.ToLower(r.URL.Path)
	switch {
	case path == "/sim" || strings.HasPrefix(path, "/sim/"):
		s.serveControl(w, r)
	case path == "/ews/exchange.asmx" || strings.HasPrefix(path, "/ews/") && describes(path):
		markAnswer(w, r)
		if hasConnState(r.Context()) {
			s.logins.ServeHTTP(w, r)
			return
		}
		s.basicLogin.ServeHTTP(w, r.WithContext(login.ConnContext(r.Context(), nil)))
	default:
		http.NotFound(w, r)
	}
}

// markAnswer gives an answer the id by which a server's log would know it, and the client's own if it wishes so.
func markAnswer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("request-id", newGUID())
	w.Header().Set("X-FEServer", "sim-fe")
	if back, err := parseBool(strings.ToLower(r.Header.Get("return-client-request-id"))); err == nil && back {
		w.Header().Set("client-request-id", r.Header.Get("client-request-id"))
	}
}

// serveEWS handles an authenticated request on-premises.
func (s *Server) serveEWS(w http.ResponseWriter, r *http.Request) {
	account, _ := login.From(r.Context())
	caller, _ := account.Tag.(*Person)
	s.exchange(w, r, client{person: caller})
}

// A client is who sent a request, and to what kind of Exchange.
type client struct {
	person  *Person
	edition edition
	app     *principal // nil for people
}

// exchange handles an authenticated request.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, from client) {
	if path := strings.ToLower(r.URL.Path); r.Method != http.MethodPost {
		s.serveDescription(w, r, path)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.opts.MaxRequestBytes))
	if err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			s.answer(w, "", body, http.StatusInternalServerError, from.edition.envelope(faultBody(fail("ErrorRequestStreamTooBig", "The request is longer than %d bytes.", tooBig.Limit))))
		}
		return // else the client went away
	}
	c, err := s.parse(from.person, body)
	if err != nil {
		s.answer(w, "", body, http.StatusInternalServerError, from.edition.envelope(faultBody(asEWS(err))))
		return
	}
	c.edition, c.app = from.edition, from.app
	c.route = s.routed(r, from.person)
	w.Header().Set("X-BEServer", c.route.name())
	if c.name == "Subscribe" && c.route.sticky {
		http.SetCookie(w, c.route.cookie())
	}
	leave, refused := s.admit(r.Context(), c)
	if refused != nil {
		s.answer(w, c.name, body, http.StatusInternalServerError, c.edition.envelope(faultBody(asEWS(refused))))
		return
	}
	defer leave()
	if !s.rest(r.Context(), s.opts.Latency) {
		panic(http.ErrAbortHandler)
	}
	if c.name == streaming {
		plan := s.faults.take(r.Context(), c)
		if plan.cutBefore || plan.cutAfter {
			panic(http.ErrAbortHandler)
		}
		if status, reply, hit := plan.answer(c.edition); hit {
			s.answer(w, c.name, body, status, reply)
			return
		}
		s.stream(r.Context(), w, c, body)
		return
	}
	status, reply := s.handle(r.Context(), c, body)
	s.answer(w, c.name, body, status, reply)
}

func (s *Server) answer(w http.ResponseWriter, name string, body []byte, status int, reply []byte) {
	s.recorder.record(name, body, reply)
	w.Header().Set("Content-Type", xmlContentType)
	w.Header().Set("Cache-Control", "private")
	w.WriteHeader(status)
	_, _ = w.Write(reply)
}

// handle carries a request out under the faults programmed for it, and returns the answer. It panics with
// http.ErrAbortHandler where a fault cuts the connection.
func (s *Server) handle(ctx context.Context, c *call, body []byte) (status int, reply []byte) {
	plan := s.faults.take(ctx, c)
	if plan.cutBefore {
		s.recorder.record(c.name, body, nil)
		panic(http.ErrAbortHandler)
	}
	if status, reply, hit := plan.answer(c.edition); hit {
		return status, reply
	}
	status, reply = s.run(c)
	if there := s.stopAt(ctx, plan.after); plan.cutAfter || !there {
		s.recorder.record(c.name, body, reply)
		panic(http.ErrAbortHandler)
	}
	return status, reply
}

// answer is what a plan answers instead of carrying the request out, if it does.
func (p plan) answer(e edition) (status int, reply []byte, hit bool) {
	switch {
	case p.status != 0:
		return p.status, []byte{}, true
	case p.fault != nil:
		return http.StatusInternalServerError, e.envelope(faultBody(p.fault)), true
	}
	return 0, nil, false
}

// run carries out a request. The answer is written without the lock: nothing changes what it is made of.
func (s *Server) run(c *call) (int, []byte) {
	body, err := s.carryOut(c)
	if err != nil {
		return http.StatusInternalServerError, c.edition.envelope(faultBody(asEWS(err)))
	}
	return http.StatusOK, c.edition.envelope(body)
}

// carryOut is run under the lock.
func (s *Server) carryOut(c *call) (*node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[c.name]++
	if err := c.identify(); err != nil {
		return nil, err
	}
	return s.operations[c.name](c)
}

// parse reads the envelope.
func (s *Server) parse(caller *Person, body []byte) (*call, error) {
	root, err := parseXML(body)
	if err != nil {
		return nil, fail("ErrorSchemaValidation", "The request failed schema validation: %v", err)
	}
	if root.name != "Envelope" || root.prefix != "s" {
		return nil, fail("ErrorSchemaValidation", "The request is not a SOAP 1.1 envelope.")
	}
	requests := root.child("Body").children()
	if len(requests) != 1 {
		return nil, fail("ErrorInvalidRequest", "The body of the request must hold exactly one operation.")
	}
	req := requests[0]
	c := &call{Server: s, name: strings.TrimSuffix(req.name, "Request"), req: req, caller: caller, actor: caller, zoneID: "UTC", now: s.now()}
	if _, ok := s.operations[c.name]; !ok && c.name != streaming {
		return nil, fail("ErrorInvalidRequest", "The operation %q is not known.", req.name)
	}
	return c, c.readHeader(root.child("Header"))
}

// readHeader takes over what the SOAP header says, apart from the impersonation.
func (c *call) readHeader(header *node) error {
	for _, name := range []string{"RequestServerVersion", "ExchangeImpersonation", "TimeZoneContext", "MailboxCulture", "DateTimePrecision"} {
		if len(header.all(name)) > 1 {
			return fail("ErrorDuplicateSOAPHeader", "The SOAP header %s may be there only once.", name)
		}
	}
	if v := header.child("RequestServerVersion"); v != nil && !slices.Contains(versions, v.attr("Version")) {
		return fail("ErrorInvalidServerVersion", "The specified server version is invalid.")
	}
	if z := header.child("TimeZoneContext", "TimeZoneDefinition"); z != nil {
		id, err := zoneDefinition(z)
		if err != nil {
			return err
		}
		c.zoneID = id
	}
	c.impersonation = header.child("ExchangeImpersonation")
	return nil
}
