// Command backend is a backend plugin for the tests of package launch: the mailbox's address says what a call does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/serve"
)

// Settings choose what the value returned by Open can do.
type Settings struct {
	Abilities string `json:"abilities" doc:"pusher, finder, both, watcher, drift, all, rooms, people or nothing"`
	Refuse    string `json:"refuse" doc:"what Open says instead of opening"`
	Secret    string `json:"secret" secret:"true"`
}

type plain struct {
	env     backend.Env
	emitted *atomic.Int64
}

type pusher struct{ plain }

type finder struct{ plain }

type both struct {
	pusher
}

type watcher struct{ plain }

type all struct{ both }

type rooms struct{ plain }

// Probe implements backend.Backend.
func (p plain) Probe(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	switch m.Address {
	case "panic":
		panic("a defect")
	case "exit":
		os.Exit(3)
	case "hang":
		p.env.Log.Info("hanging")
		<-ctx.Done()
		p.env.Log.Info("hang ended", "reason", ctx.Err().Error())
		return backend.Status{}, ctx.Err()
	case "environment":
		raw, err := json.Marshal(append(os.Environ(), os.Args...))
		return backend.Status{Server: string(raw)}, err
	case "stdin":
		raw, err := io.ReadAll(os.Stdin)
		return backend.Status{Server: fmt.Sprintf("%q", raw)}, err
	case "hold": // a connection whose end shows the end of the process
		_, err := net.Dial("tcp", m.URL)
		return backend.Status{Server: fmt.Sprint(os.Getpid())}, err
	case "emitted":
		return backend.Status{Server: fmt.Sprint(p.emitted.Load())}, nil
	case "logs":
		p.env.Log.Warn("a warning", "colour", "red")
		fmt.Fprintln(os.Stderr, `{"@message":5,"@level":{},"@timestamp":"never"}`)
		fmt.Fprintln(os.Stderr, "a plain line")
		return backend.Status{}, nil
	case "echo": // a server that shows what it was sent
		return backend.Status{}, p.echo(ctx, m)
	case "own timeout":
		_, err := net.DialTimeout("tcp", m.URL, time.Nanosecond)
		return backend.Status{}, errors.Join(err, context.DeadlineExceeded)
	}
	if kind, ok := strings.CutPrefix(m.Address, "kind:"); ok {
		return backend.Status{}, failure(fault.Kind(kind))
	}
	return p.post(ctx, m)
}

func failure(kind fault.Kind) error {
	return fmt.Errorf("doing it: %w", &fault.Error{
		Kind: kind, Message: "a message \xff", After: 90 * time.Second, Scope: fault.ScopeServer, Code: "ErrorCode", ID: "42",
	})
}

// post asks a server who it thinks that we are.
func (p plain) post(ctx context.Context, m backend.Mailbox) (backend.Status, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, strings.NewReader("a body"))
	if err != nil {
		return backend.Status{}, err
	}
	resp, err := p.env.HTTP.Do(req)
	if err != nil {
		return backend.Status{}, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return backend.Status{}, err
	}
	return backend.Status{Server: resp.Header.Get("X-Auth-User"), Delegate: !p.env.ActAs}, fault.FromResponse(resp)
}

// echo returns and logs what a server answers as an error.
func (p plain) echo(ctx context.Context, m backend.Mailbox) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		return err
	}
	resp, err := p.env.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	p.env.Log.Info("echo", "body", string(body))
	return errors.Join(fmt.Errorf("it said %q", body), err)
}

// Pull implements backend.Backend. It emits as many pages as the address of the mailbox has letters.
func (p plain) Pull(_ context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	if n, at, is := strings.Cut(req.Mailbox.Address, " large at "); is {
		return emit(large(n, at))
	}
	for i := range len(req.Mailbox.Address) {
		page := backend.Page{
			Changes: []backend.Change{{Ref: backend.Ref(fmt.Sprint(i)), Deleted: true}},
			Next:    req.Since + backend.Cursor(fmt.Sprintf("+%d\xff", i)), Full: req.Since == "",
			Last: i == len(req.Mailbox.Address)-1,
		}
		if err := emit(page); err != nil {
			p.env.Log.Info("pull cut off", "pages", i+1)
			return err
		}
		p.emitted.Add(1)
	}
	return nil
}

// large returns a page of n items with a text of so many MiB each; with "+" after it the location has as many.
func large(n, mib string) backend.Page {
	page := backend.Page{Next: "end", Full: true, Last: true}
	items, _ := strconv.Atoi(n)
	mib, both := strings.CutSuffix(mib, "+")
	size, _ := strconv.Atoi(mib)
	location := ""
	if both {
		location = strings.Repeat("x", size<<20)
	}
	for i := range items {
		ref := backend.Ref(fmt.Sprint(i))
		page.Changes = append(page.Changes, backend.Change{Ref: ref, Item: &backend.Item{Ref: ref, Event: calendar.Event{
			Subject: "Minutes", Location: location, Body: strings.Repeat("x", size<<20), Start: time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC),
		}}})
	}
	return page
}

// Fetch implements backend.Backend. A reference that is a kind of fault is one.
func (p plain) Fetch(_ context.Context, m backend.Mailbox, refs []backend.Ref) ([]backend.Fetched, error) {
	var out []backend.Fetched
	for _, ref := range refs {
		f := backend.Fetched{Item: backend.Item{Ref: ref, Event: calendar.Event{Subject: m.Address + "\xff"}}}
		if slices.Contains(fault.Kinds(), fault.Kind(ref)) {
			f = backend.Fetched{Err: failure(fault.Kind(ref))}
		}
		out = append(out, f)
	}
	if m.Address == "short" {
		return nil, nil
	}
	if _, mib, is := strings.Cut(m.Address, "large at "); is {
		for i := range out {
			out[i].Item.Event = large("1", mib).Changes[0].Item.Event
		}
	}
	return out, nil
}

// Apply implements backend.Backend. It answers with what it was given.
func (p plain) Apply(_ context.Context, m calendar.Mutation) (backend.Result, error) {
	return backend.Result{
		Item:     backend.Item{Ref: m.Ref, Revision: m.IfRevision, Key: m.Key, ForeignKey: m.ForeignKey, Event: m.Event},
		Repeated: m.Op == calendar.Create && m.Mail == calendar.MailConcerned && m.Fields == calendar.AllFields,
	}, nil
}

// Find implements backend.Finder.
func (f finder) Find(_ context.Context, _ backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	if by == backend.ForeignKey {
		return []backend.Item{{ForeignKey: value}}, nil
	}
	return []backend.Item{{Key: value}, {Key: f.env.Markers.Foreign.Name}}, nil
}

// Find implements backend.Finder.
func (b both) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	return finder{b.plain}.Find(ctx, m, by, value)
}

// Subscribe implements backend.Pusher.
func (p pusher) Subscribe(_ context.Context, req backend.SubscribeRequest) (backend.Subscription, error) {
	s := backend.Subscription{ID: req.URL, Expires: time.Unix(0, 0).UTC().Add(req.StatusInterval)}
	if req.Existing != nil {
		s.ID = req.Existing.ID
	}
	return s, nil
}

// Unsubscribe implements backend.Pusher.
func (p pusher) Unsubscribe(_ context.Context, _ backend.Mailbox, s backend.Subscription) error {
	return fmt.Errorf("ending %s: %w", s.ID, fault.Unsupported)
}

// Receive implements backend.Pusher.
func (p pusher) Receive(_ context.Context, in backend.Inbound) (backend.Reply, error) {
	return backend.Reply{
		Status: 202, ContentType: in.Header.Get("Content-Type"), Body: append([]byte(in.Method+in.Query), in.Body...),
		Hints: []backend.Hint{{Subscription: "a", Kind: backend.Alive}, {Kind: backend.Lost}, {Kind: backend.Dirty}},
	}, nil
}

type drifting struct{ plain }

// State implements backend.DriftChecker. It tells what it was given.
func (drifting) State(ctx context.Context, m backend.Mailbox, since backend.Cursor) (string, error) {
	return fmt.Sprintf("%s %s %q for %s", m.Address, m.URL, since, backend.MailboxOf(ctx)), nil
}

// An asked is a watcher without streaming.
type asked struct{ watcher }

// AskingOnly implements backend.AskingOnly.
func (asked) AskingOnly() bool { return true }

// Listen implements backend.Watcher. It answers with what it was given.
func (w watcher) Listen(_ context.Context, r backend.ListenRequest) (backend.Subscription, error) {
	if r.Mailbox.Address == "delegate" {
		return backend.Subscription{}, failure(fault.Unsupported)
	}
	return backend.Subscription{ID: fmt.Sprint(r.Way, r.Timeout), Group: r.Group + "\xff", Mark: r.Mailbox.Address + "\xff"}, nil
}

// Watch implements backend.Watcher. It tells of what is watched, and then, with For, nothing until it is ended.
func (w watcher) Watch(ctx context.Context, r backend.WatchRequest, emit func([]backend.Hint) error) error {
	for i, on := range r.Watched {
		hint := backend.Hint{Subscription: on.Subscription.ID, Kind: backend.HintKind(i), Mark: on.Subscription.Mark + on.Subscription.Group}
		if err := emit([]backend.Hint{hint, {Subscription: fmt.Sprintf("%d %s %s", r.Way, r.For, backend.MailboxOf(ctx))}}); err != nil {
			w.env.Log.Info("watch cut off", "by", err.Error())
			return err
		}
	}
	if r.For == 0 {
		return failure(fault.Throttled)
	}
	w.env.Log.Info("watching")
	<-ctx.Done()
	w.env.Log.Info("watch ended")
	return fmt.Errorf("watching: %w", ctx.Err())
}

// Listen implements backend.Watcher.
func (a all) Listen(ctx context.Context, r backend.ListenRequest) (backend.Subscription, error) {
	return watcher{a.plain}.Listen(ctx, r)
}

// Watch implements backend.Watcher.
func (a all) Watch(ctx context.Context, r backend.WatchRequest, emit func([]backend.Hint) error) error {
	return watcher{a.plain}.Watch(ctx, r, emit)
}

// PullsEverything implements backend.Complete.
func (rooms) PullsEverything() bool { return true }

// Pull implements backend.Backend. It emits one change, in full if everything is asked for.
func (rooms) Pull(_ context.Context, req backend.PullRequest, emit func(backend.Page) error) error {
	change := backend.Change{Ref: "r"}
	if req.Everything {
		change.Item = &backend.Item{Ref: "r", Response: calendar.TentativelyAccepted}
	}
	return emit(backend.Page{Changes: []backend.Change{change}, Last: true})
}

// Respond implements backend.Responder. It tells what it was given.
func (rooms) Respond(ctx context.Context, r backend.Reaction) error {
	return fmt.Errorf("%+v for %s: %w", r, backend.MailboxOf(ctx), fault.Conflict)
}

// Answer implements backend.Answers. It tells what it was given.
func (rooms) Answer(_ context.Context, m backend.Mailbox, ref backend.Ref, attendee string) (string, error) {
	return fmt.Sprintf("%s %s %q %s", m.Address, m.URL, ref, attendee), nil
}

type people struct{ plain }

// FreeBusy implements backend.FreeBusy. An address that is a kind of fault is one; of "short" there is no answer.
func (p people) FreeBusy(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	var out []backend.Availability
	for _, a := range addresses {
		one := backend.Availability{Address: a, Busy: []backend.BusyTime{
			{Start: to, End: to.Add(time.Hour), Busy: calendar.WorkingElsewhere, Subject: backend.MailboxOf(ctx) + "\xff"},
			{Start: from, End: to, Busy: calendar.Busy(99), Subject: "secret", Location: "secret", Private: true},
		}}
		if slices.Contains(fault.Kinds(), fault.Kind(a)) {
			one = backend.Availability{Address: a, Err: failure(fault.Kind(a))}
		}
		if a != "short" {
			out = append(out, one)
		}
	}
	return out, nil
}

// Members implements backend.GroupExpander.
func (p people) Members(_ context.Context, m backend.Mailbox, group string) ([]calendar.Address, error) {
	if group == m.Address {
		return nil, failure(fault.NotFound)
	}
	return []calendar.Address{{Name: group + "\xff", Email: m.Address}}, nil
}

// Close implements io.Closer.
func (p plain) Close() error {
	p.env.Log.Info("instance closed")
	return nil
}

func open(_ context.Context, s Settings, env backend.Env) (backend.Backend, error) {
	if s.Refuse != "" {
		return nil, fmt.Errorf("%s: %w", s.Refuse, fault.Invalid)
	}
	p := plain{env: env, emitted: &atomic.Int64{}}
	switch s.Abilities {
	case "pusher":
		return pusher{p}, nil
	case "finder":
		return finder{p}, nil
	case "both":
		return both{pusher{p}}, nil
	case "drift":
		return drifting{p}, nil
	case "watcher":
		return watcher{p}, nil
	case "asked":
		return asked{watcher{p}}, nil
	case "people":
		return people{p}, nil
	case "rooms":
		return rooms{p}, nil
	case "all":
		return all{both{pusher{p}}}, nil
	default:
		return p, nil
	}
}

func main() {
	serve.Backend(backend.Plugin[Settings]{Name: "test", Version: "0.1.0", Open: open})
}
