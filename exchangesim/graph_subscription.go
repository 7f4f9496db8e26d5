package exchangesim

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The limits of subscriptions to events.
const (
	longestSubscription    = 10_080 * time.Minute
	mostGraphSubscriptions = 1000
	longestClientState     = 128
	handshakePatience      = 10 * time.Second
)

// A graphSub tells an app what happens to the events of a user. It is guarded by the server's lock.
type graphSub struct {
	server       *Server
	id           string
	who          principal // whose it is
	box          *mailbox
	resource     string // as it was sent
	changeType   string // as it was sent
	changes      []string
	url          string
	lifecycleURL string
	clientState  string
	tls          string
	expires      time.Time
	warn         time.Time // when reauthorizationRequired is due; zero: it was told
	immutable    bool
	pending      map[*note]struct{} // notifications that were not told yet
}

// alive reports whether a subscription has not expired.
func (sub *graphSub) alive(now time.Time) bool { return now.Before(sub.expires) }

// end forgets a subscription and what it would have told.
func (sub *graphSub) end() {
	s := sub.server
	if s.graphs.subs[sub.id] != sub {
		return
	}
	delete(s.graphs.subs, sub.id)
	known := sub.box.forGraph()
	known.subs = slices.DeleteFunc(known.subs, func(o *graphSub) bool { return o == sub })
	s.settled(len(sub.pending))
	sub.pending = map[*note]struct{}{}
}

// renew sets a new end.
func (sub *graphSub) renew(expires time.Time) {
	now := sub.server.now()
	sub.expires = expires
	sub.warn = expires.Add(-min(15*time.Minute, expires.Sub(now)/4))
	sub.server.graphClockSooner()
}

// body is a subscription as it is answered. Its clientState is only told to who makes it.
func (sub *graphSub) body(base string, clientState any) map[string]any {
	return map[string]any{
		"@odata.context": base + "/$metadata#subscriptions/$entity", "id": sub.id, "resource": sub.resource,
		"applicationId": sub.who.app.ID, "creatorId": guidOf(sub.who.app.ID), "changeType": sub.changeType,
		"clientState": clientState, "notificationUrl": sub.url, "lifecycleNotificationUrl": orNull(sub.lifecycleURL),
		"expirationDateTime": sub.expires.UTC().Format(graphInstant), "latestSupportedTlsVersion": sub.tls, "includeResourceData": nil,
		"encryptionCertificate": nil, "encryptionCertificateId": nil, "notificationQueryOptions": nil, "notificationUrlAppId": nil,
	}
}

// A wantedSubscription is the body of POST or PATCH.
type wantedSubscription struct {
	ChangeType          string     `json:"changeType"`
	Resource            string     `json:"resource"`
	NotificationURL     string     `json:"notificationUrl"`
	LifecycleURL        string     `json:"lifecycleNotificationUrl"`
	ClientState         string     `json:"clientState"`
	Expires             *time.Time `json:"expirationDateTime"`
	TLS                 string     `json:"latestSupportedTlsVersion"`
	IncludeResourceData bool       `json:"includeResourceData"`
}

func badSubscription(format string, args ...any) error {
	return graphFail(http.StatusBadRequest, "InvalidRequest", format, args...)
}

// createSubscription answers POST /subscriptions. Both endpoints have to answer before it is there.
func (g *graphCall) createSubscription() (graphReply, error) {
	var in wantedSubscription
	if err := g.decode(&in); err != nil {
		return graphReply{}, err
	}
	sub, err := g.prepare(in)
	if err != nil {
		return graphReply{}, err
	}
	for _, target := range []string{sub.url, sub.lifecycleURL} {
		if err := g.handshake(target); err != nil {
			return graphReply{}, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.room(sub); err != nil { // another may have come meanwhile
		return graphReply{}, err
	}
	g.subCounter++
	sub.id = guidOf(sub.box.guid + sub.url + g.now.String() + retryAfter(time.Duration(g.subCounter)*time.Second))
	g.graphs.subs[sub.id] = sub
	known := sub.box.forGraph()
	known.subs = append(known.subs, sub)
	g.startGraphClock()
	sub.renew(sub.expires)
	return graphReply{status: http.StatusCreated, body: sub.body(g.base, orNull(sub.clientState))}, nil
}

// prepare checks what a new subscription is to be.
func (g *graphCall) prepare(in wantedSubscription) (*graphSub, error) {
	sub := &graphSub{
		server: g.Server, who: g.who, resource: in.Resource, changeType: in.ChangeType, url: in.NotificationURL, lifecycleURL: in.LifecycleURL,
		clientState: in.ClientState, tls: in.TLS, immutable: g.immutable, pending: map[*note]struct{}{},
	}
	if sub.tls == "" {
		sub.tls = "v1_2"
	}
	for kind := range strings.SplitSeq(in.ChangeType, ",") {
		kind = strings.ToLower(strings.TrimSpace(kind))
		if !slices.Contains([]string{"created", "updated", "deleted"}, kind) {
			return nil, badSubscription("'%s' is not a valid changeType.", in.ChangeType)
		}
		sub.changes = append(sub.changes, kind)
	}
	slices.Sort(sub.changes)
	switch {
	case in.IncludeResourceData:
		return nil, badSubscription("Rich notifications need an encryptionCertificate, and are not served here.")
	case len(in.ClientState) > longestClientState:
		return nil, badSubscription("clientState must not be longer than %d characters.", longestClientState)
	case !reachableURL(in.NotificationURL):
		return nil, badSubscription("notificationUrl must be an https URL.")
	case in.LifecycleURL != "" && !reachableURL(in.LifecycleURL):
		return nil, badSubscription("lifecycleNotificationUrl must be an https URL.")
	}
	var err error
	if sub.expires, err = g.expiry(in.Expires); err != nil {
		return nil, err
	}
	parts := strings.Split(strings.Trim(in.Resource, "/"), "/")
	if len(parts) == 4 && strings.EqualFold(parts[2], "calendar") {
		parts = slices.Delete(parts, 2, 3)
	}
	if len(parts) != 3 || !strings.EqualFold(parts[0], "users") || !strings.EqualFold(parts[2], "events") {
		return nil, badSubscription("Subscriptions to the resource '%s' are not served here.", in.Resource)
	}
	user, err := url.PathUnescape(parts[1])
	if err != nil {
		return nil, badSubscription("The resource '%s' is not well-formed.", in.Resource)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.user, g.operation.roles = user, calendarReaders
	if err := g.findUser(); err != nil {
		return nil, err
	}
	sub.box = g.box
	return sub, g.room(sub)
}

// expiry checks the end that a client wishes.
func (g *graphCall) expiry(wish *time.Time) (time.Time, error) {
	shortest := g.GraphQuirks().Shortest
	if shortest == 0 {
		shortest = 45
	}
	switch {
	case wish == nil:
		return time.Time{}, badSubscription("expirationDateTime is required.")
	case !wish.After(g.now):
		return time.Time{}, badSubscription("Subscription expiration must lie in the future.")
	case wish.Sub(g.now) > longestSubscription+time.Second:
		return time.Time{}, badSubscription("Subscription expiration can only be %d minutes in the future.", longestSubscription/time.Minute)
	}
	if least := g.now.Add(time.Duration(shortest * float64(time.Minute))); wish.Before(least) {
		return least, nil
	}
	return wish.UTC(), nil
}

// room checks that a mailbox has room for a subscription, and no other like it; s.mu is held.
func (g *graphCall) room(sub *graphSub) error {
	n := 0
	for _, o := range sub.box.forGraph().subs {
		if !o.alive(g.now) {
			continue
		}
		if n++; o.who.is(sub.who) && slices.Equal(o.changes, sub.changes) {
			return graphFail(http.StatusConflict, "Conflict", "A subscription of this application to the same resource and changeType exists: %s.", o.id)
		}
	}
	if n >= mostGraphSubscriptions {
		return graphFail(http.StatusForbidden, "Forbidden", "The mailbox has reached its limit of %d subscriptions.", mostGraphSubscriptions)
	}
	return nil
}

// reachableURL reports whether notifications can go to a URL: https, or anything on this machine.
func reachableURL(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	near := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && near
}

// handshake asks an endpoint to repeat a token.
func (g *graphCall) handshake(target string) error {
	if target == "" {
		return nil
	}
	failed := func(format string, args ...any) error {
		return graphFail(http.StatusBadRequest, "ValidationError", "Subscription validation request failed. "+format, args...)
	}
	if g.faults.blocks() {
		return failed("Notification endpoint could not be reached.")
	}
	ctx, cancel := context.WithTimeout(g.ctx, handshakePatience)
	defer cancel()
	token := "Validation: Testing client application reachability for subscription Request-Id: " + guidOf(target+time.Now().String())
	u, err := url.Parse(target)
	if err != nil {
		return failed("The URL is not well-formed.")
	}
	more := "validationToken=" + url.QueryEscape(token)
	if u.RawQuery != "" {
		more = u.RawQuery + "&" + more
	}
	u.RawQuery = more
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		return failed("The URL is not well-formed.")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := g.opts.PushClient.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return graphFail(http.StatusBadRequest, "ValidationError", "Subscription validation request timed out.")
		}
		return failed("Notification endpoint could not be reached.")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, longestReply))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err != nil || resp.StatusCode != http.StatusOK:
		return failed("HTTP status code is '%d'. Notification endpoint must respond with 200 OK to validation request.", resp.StatusCode)
	case kind != "text/plain":
		return failed("Response must have the content type text/plain.")
	case string(answer) != token:
		return failed("Response must exactly match validationToken query parameter.")
	}
	return nil
}

// ownSubscription finds a subscription of the app by the id in the path; s.mu is held.
func (g *graphCall) ownSubscription() (*graphSub, error) {
	sub := g.graphs.subs[g.ids[0]]
	if sub == nil || !sub.alive(g.now) || !sub.who.is(g.who) {
		return nil, graphFail(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
	}
	return sub, nil
}

func (g *graphCall) listSubscriptions() (graphReply, error) {
	value := []any{}
	for _, sub := range g.sortedSubs() {
		if sub.alive(g.now) && sub.who.is(g.who) {
			body := sub.body(g.base, nil)
			delete(body, "@odata.context")
			value = append(value, body)
		}
	}
	return graphReply{status: http.StatusOK, body: map[string]any{"@odata.context": g.base + "/$metadata#subscriptions", "value": value}}, nil
}

// sortedSubs are all subscriptions in an order that stays; s.mu is held.
func (s *Server) sortedSubs() []*graphSub {
	list := make([]*graphSub, 0, len(s.graphs.subs))
	for _, sub := range s.graphs.subs {
		list = append(list, sub)
	}
	slices.SortFunc(list, func(a, b *graphSub) int {
		return cmp.Or(strings.Compare(a.box.owner.Address, b.box.owner.Address), strings.Compare(a.id, b.id))
	})
	return list
}

func (g *graphCall) getSubscription() (graphReply, error) {
	sub, err := g.ownSubscription()
	if err != nil {
		return graphReply{}, err
	}
	return graphReply{status: http.StatusOK, body: sub.body(g.base, nil)}, nil
}

// updateSubscription answers PATCH: a new end, which reauthorizes as well, or a new notificationUrl, which has to answer first.
func (g *graphCall) updateSubscription() (graphReply, error) {
	var fields map[string]json.RawMessage
	if err := g.decode(&fields); err != nil {
		return graphReply{}, err
	}
	for name := range fields {
		if name != "expirationDateTime" && name != "notificationUrl" && !strings.HasPrefix(name, "@odata.") {
			return graphReply{}, badSubscription("The property '%s' of a subscription cannot be changed.", name)
		}
	}
	var in wantedSubscription
	if err := g.decode(&in); err != nil {
		return graphReply{}, err
	}
	if err := g.hasSubscription(); err != nil {
		return graphReply{}, err
	}
	var expires time.Time
	if in.Expires != nil {
		var err error
		if expires, err = g.expiry(in.Expires); err != nil {
			return graphReply{}, err
		}
	}
	if in.NotificationURL != "" {
		if !reachableURL(in.NotificationURL) {
			return graphReply{}, badSubscription("notificationUrl must be an https URL.")
		}
		if err := g.handshake(in.NotificationURL); err != nil {
			return graphReply{}, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	sub, err := g.ownSubscription() // it may have gone meanwhile
	if err != nil {
		return graphReply{}, err
	}
	if in.NotificationURL != "" {
		sub.url = in.NotificationURL
	}
	if !expires.IsZero() {
		sub.renew(expires)
	}
	return graphReply{status: http.StatusOK, body: sub.body(g.base, nil)}, nil
}

// hasSubscription is ownSubscription without the lock.
func (g *graphCall) hasSubscription() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, err := g.ownSubscription()
	return err
}

func (g *graphCall) deleteSubscription() (graphReply, error) {
	sub, err := g.ownSubscription()
	if err != nil {
		return graphReply{}, err
	}
	sub.end()
	return graphReply{status: http.StatusNoContent}, nil
}

// reauthorize keeps a subscription going without a new end.
func (g *graphCall) reauthorize() (graphReply, error) {
	sub, err := g.ownSubscription()
	if err != nil {
		return graphReply{}, err
	}
	sub.warn = time.Time{}
	return graphReply{status: http.StatusNoContent}, nil
}
