package graph

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Subscribe implements backend.Pusher. The subscription in force is renewed, under the URL that it was made with; if that
// cannot be, a new one is made.
func (b *Backend) Subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	if req.Existing != nil && req.Existing.ID != "" {
		s, ok, err := b.renew(ctx, req)
		if err != nil || ok {
			return s, err
		}
	}
	made, err := b.subscribe(ctx, req)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusConflict {
		// One of ours that nobody knows any more is in the way.
		if err := b.clear(ctx, req); err != nil {
			return backend.Subscription{}, err
		}
		if made, err = b.subscribe(ctx, req); errors.As(err, &refused) && refused.status == http.StatusConflict {
			err = fmt.Errorf("%s: it leads to another address than ours, and has to end or be deleted first: %w", err.Error(), fault.SubscriptionLost)
		}
	}
	return made, err
}

// renew prolongs the subscription in force; false if it is gone, or is another application's.
func (b *Backend) renew(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, bool, error) {
	expires := b.expiry()
	r := b.subscribing(req.Mailbox, http.MethodPatch, "/subscriptions/"+url.PathEscape(req.Existing.ID), http.StatusOK)
	r.doing, r.body = "renewing the change subscription", subscription{Expires: &expires}
	var got subscription
	_, err := b.do(ctx, r, &got)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.coded &&
		(refused.status == http.StatusNotFound || refused.status == http.StatusForbidden) {
		return backend.Subscription{}, false, nil
	}
	if err != nil {
		return backend.Subscription{}, false, err
	}
	s := granted(req.Existing.ID, got, expires)
	s.Kept = true
	return s, true, nil
}

// place is an address of ours without its secret, which is the parameter k, or otherwise somewhere in the path.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	at := strings.ToLower(u.Scheme + "://" + u.Host)
	if !u.Query().Has("k") {
		return at
	}
	q := u.Query()
	q.Del("k")
	return at + strings.ToLower(u.Path) + "?" + q.Encode()
}

func granted(id string, s subscription, asked time.Time) backend.Subscription {
	out := backend.Subscription{ID: id, Expires: asked, Quiet: true}
	if s.Expires != nil && !s.Expires.IsZero() {
		out.Expires = s.Expires.UTC()
	}
	return out
}

func (b *Backend) expiry() time.Time { return b.now().UTC().Add(b.lifetime).Truncate(time.Second) }

func (b *Backend) subscribing(m backend.Mailbox, method, target string, ok int) request {
	return request{mailbox: m, doing: "subscribing to the calendar", method: method, target: target, ok: ok}
}

func resource(m backend.Mailbox) string { return "users/" + m.Address + "/events" }

// subscribe makes a subscription. While it does, the server asks at both addresses whether we are there.
func (b *Backend) subscribe(ctx context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	at, err := url.Parse(req.URL)
	if err != nil || at.Host == "" {
		return backend.Subscription{}, fmt.Errorf("subscribing to the calendar of %s: the public address of the notification endpoint is no URL: %w",
			req.Mailbox.Address, fault.Invalid)
	}
	lifecycle := *at
	lifecycle.Path, lifecycle.RawPath = strings.TrimRight(at.Path, "/")+"/lifecycle", ""
	expires := b.expiry()
	r := b.subscribing(req.Mailbox, http.MethodPost, "/subscriptions", http.StatusCreated)
	r.hide = secretsOf(at)
	r.body = subscription{
		ChangeType: "created,updated,deleted", Resource: resource(req.Mailbox), NotificationURL: req.URL, LifecycleURL: lifecycle.String(),
		ClientState: clientState(at.RawQuery), Expires: &expires, LatestTLS: "v1_2",
	}
	var got subscription
	if _, err := b.do(ctx, r, &got); err != nil {
		return backend.Subscription{}, err
	}
	if got.ID == "" {
		return backend.Subscription{}, r.wrap(fmt.Errorf("the server did not say which it made: %w", fault.Unavailable))
	}
	return granted(got.ID, got, expires), nil
}

// secretsOf are the parts of our address that are not repeated when the server repeats them.
func secretsOf(at *url.URL) []string {
	return []string{at.Query().Get("k"), at.RawQuery, at.EscapedPath()}
}

// clear deletes subscriptions of this mailbox that lead to the same address of ours.
func (b *Backend) clear(ctx context.Context, req backend.SubscribeRequest) error {
	r := b.subscribing(req.Mailbox, http.MethodGet, "/subscriptions", http.StatusOK)
	r.doing = "listing the change subscriptions"
	for range maxPages {
		var l struct {
			Value *[]subscription `json:"value"`
			Next  string          `json:"@odata.nextLink"`
		}
		if _, err := b.do(ctx, r, &l); err != nil {
			return err
		}
		if l.Value == nil {
			return r.wrap(errNoList)
		}
		for _, s := range *l.Value {
			if !strings.EqualFold(strings.Trim(s.Resource, "/"), resource(req.Mailbox)) || place(s.NotificationURL) != place(req.URL) {
				continue
			}
			if err := b.Unsubscribe(ctx, req.Mailbox, backend.Subscription{ID: s.ID}); err != nil {
				return err
			}
		}
		if l.Next == "" {
			return nil
		}
		next, err := pathOf(req.Mailbox.URL, l.Next)
		if err != nil {
			return r.wrap(err)
		}
		r.target, r.link = "", next
	}
	return nil
}

// Unsubscribe implements backend.Pusher.
func (b *Backend) Unsubscribe(ctx context.Context, m backend.Mailbox, s backend.Subscription) error {
	r := b.subscribing(m, http.MethodDelete, "/subscriptions/"+url.PathEscape(s.ID), http.StatusNoContent)
	r.doing = "ending the change subscription"
	_, err := b.do(ctx, r, nil)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.coded && refused.status == http.StatusNotFound {
		return nil
	}
	return err
}

// clientState is what a subscription's messages have to bear. It follows from the secret in the URL, so that whoever reads a
// message knows it without having kept it.
func clientState(rawQuery string) string {
	q, _ := url.ParseQuery(rawQuery) // what can be read of it
	h := sha256.Sum256([]byte("roomwire clientState " + q.Get("k")))
	return hex.EncodeToString(h[:])
}

// longestToken bounds what of a handshake is sent back.
const longestToken = 4 << 10

// A message is what Graph sends.
type message struct {
	Value *[]notification `json:"value"`
}

type notification struct {
	Subscription string `json:"subscriptionId"`
	ClientState  string `json:"clientState"`
	ChangeType   string `json:"changeType"`
	Lifecycle    string `json:"lifecycleEvent"`
}

// Receive implements backend.Pusher: a handshake, changes or lifecycle events. What a message says is a hint and nothing
// more. Graph knows no answer that ends a subscription: what is not trusted is accepted and forgotten, and a handshake is
// not confirmed.
func (b *Backend) Receive(_ context.Context, in backend.Inbound) (backend.Reply, error) {
	q, _ := url.ParseQuery(in.Query) // what can be read of it
	if token := q.Get("validationToken"); token != "" {
		return handshake(token, in.Trusted), nil
	}
	var m message
	if err := json.Unmarshal(in.Body, &m); err != nil || m.Value == nil {
		return backend.Reply{}, fmt.Errorf("the message is no change notification of Microsoft Graph: %w", fault.Invalid)
	}
	reply := backend.Reply{Status: http.StatusAccepted}
	if in.Trusted {
		reply.Hints = hints(*m.Value, clientState(in.Query))
	}
	return reply, nil
}

func handshake(token string, trusted bool) backend.Reply {
	if !trusted || len(token) > longestToken {
		return backend.Reply{Status: http.StatusNotFound}
	}
	return backend.Reply{
		Status: http.StatusOK, ContentType: "text/plain", Body: []byte(token), Hints: []backend.Hint{{Kind: backend.Alive}},
	}
}

// hints says the gravest thing of each subscription, in the order of the messages. What does not bear the subscription's
// clientState is not Graph's.
func hints(all []notification, state string) []backend.Hint {
	var out []backend.Hint
	at := map[string]int{}
	for _, n := range all {
		if n.Subscription == "" || subtle.ConstantTimeCompare([]byte(n.ClientState), []byte(state)) != 1 {
			continue
		}
		kind := backend.Dirty
		if n.Lifecycle != "" { // reauthorizationRequired, subscriptionRemoved, missed: renew or make anew, and read
			kind = backend.Lost
		}
		i, seen := at[n.Subscription]
		if !seen {
			at[n.Subscription] = len(out)
			out = append(out, backend.Hint{Subscription: n.Subscription, Kind: kind})
			continue
		}
		out[i].Kind = max(out[i].Kind, kind)
	}
	return out
}
