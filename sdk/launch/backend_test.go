package launch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/internal/wire"
)

func TestAbilitiesAreTrueAcrossTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	for _, tc := range []struct {
		abilities string
		want      backend.Abilities
	}{
		{"", backend.Abilities{}},
		{"pusher", backend.Abilities{Pusher: true}},
		{"finder", backend.Abilities{Finder: true}},
		{"both", backend.Abilities{Pusher: true, Finder: true}},
		{"watcher", backend.Abilities{Watcher: true}},
		{"asked", backend.Abilities{Watcher: true, AskingOnly: true}},
		{"drift", backend.Abilities{Drift: true}},
		{"all", backend.Abilities{Pusher: true, Finder: true, Watcher: true}},
		{"people", backend.Abilities{FreeBusy: true, GroupExpander: true}},
	} {
		b := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": tc.abilities}})
		if got := abilitiesOf(b); got != tc.want {
			t.Errorf("%q: %+v, want %+v", tc.abilities, got, tc.want)
		}
	}
}

func abilitiesOf(b Backend) backend.Abilities {
	_, pusher := backend.As[backend.Pusher](b)
	_, finder := backend.As[backend.Finder](b)
	_, watcher := backend.As[backend.Watcher](b)
	_, responder := backend.As[backend.Responder](b)
	_, answers := backend.As[backend.Answers](b)
	_, drift := backend.As[backend.DriftChecker](b)
	_, freeBusy := backend.As[backend.FreeBusy](b)
	_, groups := backend.As[backend.GroupExpander](b)
	can := backend.AbilitiesOf(b)
	return backend.Abilities{
		Pusher: pusher, Finder: finder, Watcher: watcher, Responder: responder, Answers: answers, FreeBusy: freeBusy, GroupExpander: groups,
		Drift:      drift,
		AskingOnly: can.AskingOnly, Everything: can.Everything, Omits: can.Omits,
	}
}

func TestWhatThePluginLacksIsUnsupported(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{}).(instance)
	_, found := b.Find(t.Context(), backend.Mailbox{}, backend.OurKey, "k")
	_, answered := b.Answer(t.Context(), backend.Mailbox{}, "r", "room@example.com")
	_, listened := b.Listen(t.Context(), backend.ListenRequest{})
	for what, err := range map[string]error{
		"Find": found, "Answer": answered, "Listen": listened, "Respond": b.Respond(t.Context(), backend.Reaction{Response: calendar.Accepted}),
	} {
		if fault.Of(err) != fault.Unsupported {
			t.Errorf("%s of a plugin that has none: %v, want unsupported", what, err)
		}
	}
}

func TestWhatRoomsNeedCrossesTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": "rooms"}})
	if can := backend.AbilitiesOf(b); can != (backend.Abilities{Everything: true, Responder: true, Answers: true}) {
		t.Fatalf("it can %+v", can)
	}
	for _, everything := range []bool{false, true} {
		err := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "x"}, Everything: everything}, func(page backend.Page) error {
			if whole := page.Changes[0].Item != nil; whole != everything {
				t.Errorf("Everything %v reached the plugin as %v", everything, whole)
			}
			if everything && page.Changes[0].Item.Response != calendar.TentativelyAccepted {
				t.Errorf("the own answer came as %d", page.Changes[0].Item.Response)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	r := backend.Reaction{
		Mailbox: backend.Mailbox{Address: "room@example.com", URL: "u"}, Ref: "r", Occurrence: time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC),
		Response: calendar.Declined, Comment: "taken",
	}
	able, _ := backend.As[backend.Responder](b)
	err := able.Respond(t.Context(), r)
	if want := fmt.Sprintf("%+v for room@example.com: conflict", r); fault.Of(err) != fault.Conflict || err.Error() != want {
		t.Errorf("the plugin was given %v, want %s", err, want)
	}
	answers, _ := backend.As[backend.Answers](b)
	if text, err := answers.Answer(t.Context(), r.Mailbox, r.Ref, "room2@example.com"); err != nil || text != "room@example.com u \"r\" room2@example.com" {
		t.Errorf("answer = %q, %v", text, err)
	}
}

func TestTheStateOfACalendarCrossesTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": "drift"}})
	d, able := backend.As[backend.DriftChecker](b)
	if !able {
		t.Fatal("it is no DriftChecker")
	}
	got, err := d.State(t.Context(), backend.Mailbox{Address: "a@example.com", URL: "u"}, "since\x00")
	if want := `a@example.com u "since\x00" for a@example.com`; err != nil || got != want {
		t.Errorf("State = %q, %v; want %q", got, err, want)
	}
}

func TestEveryKindOfFaultCrossesTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	check := func(what string, err error, kind fault.Kind) {
		t.Helper()
		e, ok := errors.AsType[*fault.Error](err)
		if !errors.Is(err, kind) || !ok {
			t.Fatalf("%s: %v, want kind %s", what, err, kind)
		}
		want := fault.Error{Kind: kind, Message: e.Message, After: 90 * time.Second, Scope: fault.ScopeServer, Code: "ErrorCode", ID: "42"}
		if *e != want || e.Error() != "doing it: a message \uFFFD (ErrorCode)" {
			t.Errorf("%s: %+v says %q, want %+v", what, *e, e, want)
		}
	}
	var refs []backend.Ref
	for _, kind := range fault.Kinds() {
		_, err := b.Probe(t.Context(), backend.Mailbox{Address: "kind:" + string(kind)})
		check("call", err, kind)
		refs = append(refs, backend.Ref(kind))
	}
	fetched, err := b.Fetch(t.Context(), backend.Mailbox{}, refs)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range fetched {
		check("item", f.Err, fault.Kind(refs[i]))
	}
	if _, err := b.Probe(t.Context(), backend.Mailbox{Address: "kind:of its own"}); fault.Of(err) != fault.Unavailable {
		t.Errorf("an unknown kind: %v, want unavailable", err)
	}
}

func TestEmitReturnsWhenTheHostHasStoredThePage(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	var cursors []backend.Cursor
	err := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "xyz"}, Since: "s\x00\xff"}, func(page backend.Page) error {
		st, err := b.Probe(t.Context(), backend.Mailbox{Address: "emitted"})
		if want := fmt.Sprint(len(cursors)); err != nil || st.Server != want {
			t.Errorf("while page %d is being stored emit has returned %s times, %v", len(cursors)+1, st.Server, err)
		}
		if page.Full || page.Last != (len(cursors) == 2) || len(page.Changes) != 1 || !page.Changes[0].Deleted {
			t.Errorf("page = %+v", page)
		}
		cursors = append(cursors, page.Next)
		return nil
	})
	if want := []backend.Cursor{"s\x00\xff+0\xff", "s\x00\xff+1\xff", "s\x00\xff+2\xff"}; err != nil || !slices.Equal(cursors, want) {
		t.Errorf("cursors = %q, %v; want %q: they are opaque bytes", cursors, err, want)
	}
}

func TestThePullIsCutOffByTheHostsOwnError(t *testing.T) {
	t.Parallel()
	p, j := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	full := errors.New("the disk is full")
	pages := 0
	err := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "xyz"}}, func(backend.Page) error {
		if pages++; pages == 2 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || pages != 2 {
		t.Errorf("pull = %v after %d pages, want the host's error after 2", err, pages)
	}
	j.wait("pull cut off: pages=2")
	ctx, cancel := context.WithCancel(t.Context())
	err = b.Pull(ctx, backend.PullRequest{Mailbox: backend.Mailbox{Address: "xyz"}}, func(backend.Page) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled pull: %v", err)
	}
}

func TestEverythingOfABackendCrossesTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": "both"}})
	start := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	m := calendar.Mutation{
		Op: calendar.Create, Mailbox: backend.Mailbox{Address: "a", URL: "u"}, Key: "k", ForeignKey: "f", Ref: "r\xff",
		IfRevision: "v\x00", Fields: calendar.AllFields, Mail: calendar.MailConcerned,
		Event: calendar.Event{
			UID: "u", Subject: "s", Body: "b\r\n", Location: "l", Start: start, End: start.Add(time.Hour), Zone: "Europe/Berlin",
			Busy: calendar.WorkingElsewhere, Class: calendar.Confidential, Reminder: &calendar.Reminder{Before: 15 * time.Minute},
			Organizer: calendar.Address{Name: "o", Email: "o@example.com"}, Cancelled: true, Recurrence: "FREQ=DAILY",
			Attendees: []calendar.Attendee{{Address: calendar.Address{Email: "r@example.com"}, Role: calendar.Resource, Response: calendar.Declined}},
		},
	}
	r, err := b.Apply(t.Context(), m)
	if err != nil || !r.Repeated || r.Item.Ref != m.Ref || r.Item.Revision != m.IfRevision || r.Item.Key != "k" || r.Item.ForeignKey != "f" {
		t.Errorf("apply = %+v, %v", r, err)
	}
	if !reflect.DeepEqual(r.Item.Event, m.Event) {
		t.Errorf("event = %+v, want %+v", r.Item.Event, m.Event)
	}

	fetched, err := b.Fetch(t.Context(), backend.Mailbox{Address: "a"}, []backend.Ref{"x", "not found", "y"})
	if err != nil || len(fetched) != 3 || fetched[0].Item.Ref != "x" || fault.Of(fetched[1].Err) != fault.NotFound ||
		fetched[2].Item.Event.Subject != "a\uFFFD" {
		t.Errorf("fetch = %+v, %v", fetched, err)
	}
	if _, err := b.Fetch(t.Context(), backend.Mailbox{Address: "short"}, []backend.Ref{"x"}); fault.Of(err) != fault.Internal {
		t.Errorf("a fetch that answers too little: %v, want internal", err)
	}

	items, err := b.(backend.Finder).Find(t.Context(), backend.Mailbox{}, backend.OurKey, "k")
	if err != nil || len(items) != 2 || items[0].Key != "k" || items[1].Key != "AppointmentOid" {
		t.Errorf("find = %+v, %v; want the key, and the default marker's name", items, err)
	}
	if items, err := b.(backend.Finder).Find(t.Context(), backend.Mailbox{}, backend.ForeignKey, "f"); err != nil || items[0].ForeignKey != "f" {
		t.Errorf("find by the foreign key = %+v, %v", items, err)
	}
	checkPusher(t, b.(backend.Pusher))
}

func checkPusher(t *testing.T, push backend.Pusher) {
	t.Helper()
	sub, err := push.Subscribe(t.Context(), backend.SubscribeRequest{URL: "https://host/?k=1", StatusInterval: time.Minute})
	if err != nil || sub.ID != "https://host/?k=1" || !sub.Expires.Equal(time.Unix(60, 0)) {
		t.Errorf("subscribe = %+v, %v", sub, err)
	}
	sub, err = push.Subscribe(t.Context(), backend.SubscribeRequest{URL: "u", Existing: &backend.Subscription{ID: "old"}})
	if err != nil || sub.ID != "old" {
		t.Errorf("renew = %+v, %v", sub, err)
	}
	if err := push.Unsubscribe(t.Context(), backend.Mailbox{}, sub); fault.Of(err) != fault.Unsupported {
		t.Errorf("unsubscribe = %v", err)
	}
	reply, err := push.Receive(t.Context(), backend.Inbound{
		Method: "POST", Query: "?a", Header: http.Header{"Content-Type": {"text/xml"}, "X": {"\xff"}}, Body: []byte("\xffbody"), Trusted: true,
	})
	if err != nil || reply.Status != 202 || reply.ContentType != "text/xml" || string(reply.Body) != "POST?a\xffbody" {
		t.Errorf("receive = %+v, %v", reply, err)
	}
	if want := []backend.Hint{{Subscription: "a", Kind: backend.Alive}, {Kind: backend.Lost}, {Kind: backend.Dirty}}; !slices.Equal(reply.Hints, want) {
		t.Errorf("hints = %+v, want %+v", reply.Hints, want)
	}
}

func TestAMessageHasALimit(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	push := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": "pusher"}}).(backend.Pusher)
	large := make([]byte, wire.MaxMessage-1<<20)
	if reply, err := push.Receive(t.Context(), backend.Inbound{Body: large}); err != nil || len(reply.Body) != len(large) {
		t.Errorf("a MiB below: %d bytes back, %v", len(reply.Body), err)
	}
	if _, err := push.Receive(t.Context(), backend.Inbound{Body: make([]byte, wire.MaxMessage+1<<20)}); fault.Of(err) != fault.Invalid {
		t.Errorf("a MiB above: %v, want invalid: it can never get through", err)
	}
}

func TestOpenSaysWhyNot(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	_, err := p.OpenBackend(t.Context(), BackendConfig{Settings: map[string]any{"refuse": "the URL is missing"}})
	if fault.Of(err) != fault.Invalid || err.Error() != "the URL is missing: invalid" {
		t.Errorf("error = %v", err)
	}
	if _, err := p.OpenAuth(t.Context(), nil); fault.Of(err) != fault.Invalid {
		t.Errorf("a backend opened for authorization: %v", err)
	}
}

func TestPeopleCrossTheWire(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{Settings: map[string]any{"abilities": "people"}}).(instance)
	m := backend.Mailbox{Address: "alice"}
	from, to := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 2, 0, 0, 0, 0, time.UTC)
	got, err := b.FreeBusy(t.Context(), m, []string{"bob", string(fault.MailboxNotFound)}, from, to)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	want := []backend.BusyTime{ // in order, and without what is private
		{Start: from, End: to, Busy: calendar.Occupied, Private: true},
		{Start: to, End: to.Add(time.Hour), Busy: calendar.WorkingElsewhere, Subject: "alice\uFFFD"},
	}
	if got[0].Address != "bob" || !slices.Equal(got[0].Busy, want) {
		t.Errorf("%+v, want %+v", got[0], want)
	}
	if got[1].Busy != nil || fault.Of(got[1].Err) != fault.MailboxNotFound {
		t.Errorf("%+v, want an error of its own", got[1])
	}
	if _, err := b.FreeBusy(t.Context(), m, []string{"bob", "short"}, from, to); fault.Of(err) != fault.Internal {
		t.Errorf("one answer too few: %v, want a defect of the plugin", err)
	}
	members, err := b.Members(t.Context(), m, "team")
	if err != nil || !slices.Equal(members, []calendar.Address{{Name: "team\uFFFD", Email: "alice"}}) {
		t.Errorf("%+v, %v", members, err)
	}
	if _, err := b.Members(t.Context(), m, "alice"); fault.Of(err) != fault.NotFound {
		t.Errorf("no group: %v", err)
	}
	plain := openBackend(t, p, BackendConfig{}).(instance)
	if _, err := plain.FreeBusy(t.Context(), m, nil, from, to); fault.Of(err) != fault.Unsupported {
		t.Errorf("of a backend without free/busy: %v", err)
	}
	if _, err := plain.Members(t.Context(), m, "team"); fault.Of(err) != fault.Unsupported {
		t.Errorf("of a backend without groups: %v", err)
	}
}
