package exchangesim

import (
	"net/http"
	"strconv"
	"strings"
)

// backends is how many simulated back-end servers there are. The mailboxes lie on them by their GUIDs.
const backends = 4

// The headers and the cookie by which clients keep to one back-end server.
const (
	anchorHeader   = "X-AnchorMailbox"
	affinityHeader = "X-PreferServerAffinity"
	backendCookie  = "X-BackEndOverrideCookie"
)

// A route is how a request came to a back-end server.
type route struct {
	backend int
	sticky  bool // the client wishes to come to the same one again
}

// SetAffinity says whether it matters which back-end server a request for a subscription comes to, as Options.Affinity does.
func (s *Server) SetAffinity(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Affinity = on
}

// backendOf is the server on which a mailbox lies. Addresses without one are spread, too.
func (s *Server) backendOf(address string) int {
	var guid string
	if b := s.find(address); b != nil {
		guid = b.guid
	} else {
		guid = guidOf(address)
	}
	n, _ := strconv.ParseUint(guid[:2], 16, 8)
	return int(n % backends)
}

// routed finds the back-end server of a request: that of the cookie, else that of the anchor mailbox, else the caller's own.
func (s *Server) routed(r *http.Request, caller *Person) route {
	s.mu.Lock()
	defer s.mu.Unlock()
	sticky, err := parseBool(strings.ToLower(r.Header.Get(affinityHeader)))
	to := route{sticky: err == nil && sticky}
	if cookie, err := r.Cookie(backendCookie); err == nil && to.sticky {
		name, _, _ := strings.Cut(cookie.Value, "~")
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "sim-mbx-")); err == nil && n >= 0 && n < backends {
			to.backend = n
			return to
		}
	}
	anchor := r.Header.Get(anchorHeader)
	if anchor == "" && caller != nil {
		anchor = caller.Address
	}
	to.backend = s.backendOf(anchor)
	return to
}

// name is that of the server, as answers tell it.
func (r route) name() string { return "sim-mbx-" + strconv.Itoa(r.backend) }

// cookie brings the next request to the same server.
func (r route) cookie() *http.Cookie {
	return &http.Cookie{Name: backendCookie, Value: r.name() + "~1943310282", Path: "/", HttpOnly: true}
}

// reaches reports whether a request came to the server on which a subscription lies.
func (c *call) reaches(sub *subscription) bool {
	return !c.opts.Affinity || c.route.backend == sub.backend
}
