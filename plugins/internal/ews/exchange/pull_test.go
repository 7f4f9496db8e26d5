package exchange

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestPullReadsWhatIsOursAndOnlyNamesTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	ours := w.create(t, "bk-1", desk())
	outlook := w.sim.Outlook("alice@example.com")
	own, err := outlook.Create(exchangesim.Appointment{Subject: "dentist", Start: utc("2026-12-02 08:00"), End: utc("2026-12-02 09:00")})
	if err != nil {
		t.Fatal(err)
	}
	addin, err := outlook.Create(exchangesim.Appointment{
		Subject: "by the add-in", Start: utc("2026-12-03 08:00"), End: utc("2026-12-03 09:00"),
		Properties: map[string]string{exchangesim.PropertyKey("PublicStrings", "AppointmentOid"): "4711"},
	})
	if err != nil {
		t.Fatal(err)
	}

	changes, pages := w.pull(t, "")
	byRef := map[backend.Ref]backend.Change{}
	for _, c := range changes {
		byRef[c.Ref] = c
	}
	if len(changes) != 3 || len(byRef) != 3 {
		t.Fatalf("%d changes, want 3", len(changes))
	}
	if c := byRef[ours.Ref]; c.Item == nil || c.Item.Key != "bk-1" || c.Item.ForeignKey != "oid-bk-1" ||
		!reflect.DeepEqual(written(c.Item.Event), desk()) {
		t.Errorf("ours: %+v", c.Item)
	}
	if c := byRef[backend.Ref(addin)]; c.Item == nil || c.Item.Key != "" || c.Item.ForeignKey != "4711" {
		t.Errorf("the add-in's: %+v", c.Item)
	}
	if c := byRef[backend.Ref(own)]; c.Item != nil || c.Deleted {
		t.Errorf("Alice's own affair: %+v", c)
	}
	for _, p := range pages {
		if !p.Full {
			t.Error("a pull from nothing is not full")
		}
	}

	// From here on only what changed.
	if err := outlook.Update(string(ours.Ref), func(a *exchangesim.Appointment) { a.Subject = "moved" }); err != nil {
		t.Fatal(err)
	}
	if err := outlook.Delete(addin); err != nil {
		t.Fatal(err)
	}
	changes, pages = w.pull(t, cursor(pages))
	got := map[backend.Ref]string{}
	for _, c := range changes {
		switch {
		case c.Deleted:
			got[c.Ref] = "deleted"
		case c.Item != nil:
			got[c.Ref] = c.Item.Event.Subject
		}
	}
	if want := map[backend.Ref]string{ours.Ref: "moved", backend.Ref(addin): "deleted"}; !reflect.DeepEqual(got, want) {
		t.Errorf("changes %v, want %v", got, want)
	}
	if last := pages[len(pages)-1]; last.Full || !last.Last {
		t.Errorf("the page %+v should be the last of a pull that is not full", last)
	}
	if changes, _ = w.pull(t, cursor(pages)); len(changes) != 0 {
		t.Errorf("nothing happened, and yet %v", changes)
	}
}

func TestPullPagesAndCanBeCutOffAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	outlook := w.sim.Outlook("alice@example.com")
	const n = 2*pageSize + 10
	for i := range n {
		a := exchangesim.Appointment{Subject: fmt.Sprint("item ", i), Start: utc("2026-12-02 08:00"), End: utc("2026-12-02 09:00")}
		if i%100 == 0 {
			a.Properties = map[string]string{exchangesim.PropertyKey("PublicStrings", "AppointmentOid"): fmt.Sprint(i)}
		}
		if _, err := outlook.Create(a); err != nil {
			t.Fatal(err)
		}
	}
	changes, pages := w.pull(t, "")
	if len(changes) != n || len(pages) != 3 {
		t.Errorf("%d changes in %d pages, want %d in 3", len(changes), len(pages), n)
	}
	items := 0
	for _, c := range changes {
		if c.Item != nil {
			items++
		}
	}
	if items != 6 {
		t.Errorf("%d items in full, want 6", items)
	}

	cut := errors.New("the host went away")
	var stored backend.Page
	err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, func(p backend.Page) error { stored = p; return cut })
	if !errors.Is(err, cut) {
		t.Fatalf("%v, want what emit returned", err)
	}
	rest, pages := w.pull(t, stored.Next)
	if len(stored.Changes)+len(rest) != n {
		t.Errorf("%d and %d changes, want %d in all", len(stored.Changes), len(rest), n)
	}
	for _, p := range pages {
		if p.Full {
			t.Error("a pull that goes on says it is full: what came before would be taken for deleted")
		}
	}
}

func TestPullDropsNothingWhenAnItemCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	emitted := 0
	pull := func() error {
		return w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, func(backend.Page) error { emitted++; return nil })
	}
	for _, code := range []string{"ErrorInternalServerError", "ErrorServerBusy", "ErrorAccessDenied", "ErrorItemCorrupt"} {
		w.sim.Faults().Error("GetItem", code, 1)
		if err := pull(); err == nil || emitted != 0 {
			t.Errorf("%s: %v after %d pages, want an error and none", code, err, emitted)
		}
	}
	// Gone between the two calls: the server says so, and only then it counts.
	arrived, release := w.sim.Faults().PauseAfter("SyncFolderItems")
	done := make(chan []backend.Change)
	go func() {
		changes, _ := w.pull(t, "")
		done <- changes
	}()
	<-arrived
	if err := w.sim.Outlook("alice@example.com").Delete(string(item.Ref)); err != nil {
		t.Error(err)
	}
	release()
	if got := <-done; len(got) != 1 || !got[0].Deleted || got[0].Ref != item.Ref {
		t.Errorf("%+v, want the item deleted", got)
	}
}

func TestPullSaysWhenItsCursorIsOfNoUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	_, pages := w.pull(t, "")
	w.sim.Faults().InvalidSyncState("")
	none := func(backend.Page) error { t.Error("a page"); return nil }
	for _, since := range []backend.Cursor{cursor(pages), "garbage", "\x00\xff"} {
		if err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice, Since: since}, none); fault.Of(err) != fault.StateExpired {
			t.Errorf("%v, want StateExpired", err)
		}
	}
	w.sim.Faults().Error("SyncFolderItems", "ErrorInvalidSyncStateData", 1)
	if err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, none); fault.Of(err) != fault.Unavailable {
		t.Errorf("from the beginning: %v, want Unavailable: there is nothing to begin anew from", err)
	}
}

func TestFetchAnswersEachReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	first, second := w.create(t, "bk-1", desk()), w.create(t, "bk-2", desk())
	if err := w.sim.Outlook("alice@example.com").Delete(string(first.Ref)); err != nil {
		t.Fatal(err)
	}
	got, err := w.Fetch(t.Context(), w.alice, []backend.Ref{second.Ref, first.Ref, second.Ref})
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Item.Key != "bk-2" || fault.Of(got[1].Err) != fault.NotFound || got[2].Item.Key != "bk-2" {
		t.Errorf("fetched %+v", got)
	}
	w.sim.Faults().Status(500, 1)
	if got, err := w.Fetch(t.Context(), w.alice, []backend.Ref{second.Ref}); err == nil {
		t.Errorf("a failed read answers %+v", got)
	}
	if none, err := w.Fetch(t.Context(), w.alice, nil); err != nil || len(none) != 0 {
		t.Errorf("nothing asked: %v, %v", none, err)
	}
}

func TestFindByEitherMarker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	item := w.create(t, "bk-1", desk())
	w.create(t, "BK-1", desk())
	for by, value := range map[backend.Marker]string{backend.OurKey: "bk-1", backend.ForeignKey: "oid-bk-1"} {
		if got, err := w.Find(t.Context(), w.alice, by, value); err != nil || len(got) != 1 || got[0].Ref != item.Ref {
			t.Errorf("marker %d: %+v, %v; want the one item", by, got, err)
		}
		if got, err := w.Find(t.Context(), w.alice, by, "nobody's"); err != nil || len(got) != 0 {
			t.Errorf("marker %d: %+v, %v; want none", by, got, err)
		}
	}
	if _, err := w.Find(t.Context(), w.alice, backend.OurKey, ""); fault.Of(err) != fault.Invalid {
		t.Errorf("%v, want Invalid", err)
	}
	w.sim.Faults().DropBefore("FindItem", 1)
	if _, err := w.Find(t.Context(), w.alice, backend.OurKey, "bk-1"); err == nil {
		t.Error("a failed search finds nothing without an error")
	}
}

func TestProbeAndRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	status, err := w.Probe(t.Context(), w.alice)
	if err != nil || status.Delegate || len(status.Server) < len("Exchange 15.") || status.Server[:12] != "Exchange 15." {
		t.Errorf("%+v, %v", status, err)
	}
	as := func(id identity) *Backend { return w.open(t, id, w.at.CertificatePEM) }
	for name, tt := range map[string]struct {
		b    *Backend
		m    backend.Mailbox
		want fault.Kind
	}{
		"no such mailbox":         {w.Backend, w.mailbox("nobody@example.com"), fault.MailboxNotFound},
		"no right to impersonate": {as(identity{`EXAMPLE\svc-plain`, true}), w.alice, fault.Forbidden},
		"no folder permission":    {as(bob), w.alice, fault.Forbidden},
		"wrong user":              {as(identity{`EXAMPLE\nobody`, true}), w.alice, fault.Unauthorized},
		"untrusted certificate":   {w.open(t, service, nil), w.alice, fault.Unavailable},
		"no such service":         {w.Backend, backend.Mailbox{Address: w.alice.Address, URL: w.at.URL + "/nothing"}, fault.Unavailable},
		"nobody listens":          {w.Backend, backend.Mailbox{Address: w.alice.Address, URL: "https://127.0.0.1:1/EWS/Exchange.asmx"}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.b.Probe(t.Context(), tt.m)
			if fault.Of(err) != tt.want || err == nil {
				t.Errorf("%v (%s), want %s", err, fault.Of(err), tt.want)
			}
			t.Log(err)
		})
	}
}

func TestDelegatesDoEverythingButSubscribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, bob)
	w.sim.SetDelegates("alice@example.com", "bob@example.com")
	status, err := w.Probe(t.Context(), w.alice)
	if err != nil || !status.Delegate {
		t.Errorf("%+v, %v; want a delegate", status, err)
	}
	item := w.create(t, "bk-1", desk())
	if changes, _ := w.pull(t, ""); len(changes) != 1 || changes[0].Item == nil || changes[0].Item.Key != "bk-1" {
		t.Errorf("pulled %+v", changes)
	}
	if found, err := w.Find(t.Context(), w.alice, backend.OurKey, "bk-1"); err != nil || len(found) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
	r, err := w.Apply(t.Context(), calendar.Mutation{
		Op: calendar.Update, Mailbox: w.alice, Ref: item.Ref, Event: calendar.Event{Location: "x"}, Fields: calendar.FieldLocation,
	})
	if err != nil || r.Item.Event.Location != "x" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := w.Apply(t.Context(), calendar.Mutation{Op: calendar.Delete, Mailbox: w.alice, Ref: item.Ref}); err != nil {
		t.Error(err)
	}
	if got := w.sim.Outlook("alice@example.com").Deleted(); len(got) != 1 {
		t.Errorf("Alice's Deleted Items: %+v", got)
	}
	_, err = w.Subscribe(t.Context(), backend.SubscribeRequest{Mailbox: w.alice, URL: "http://127.0.0.1:1/"})
	if fault.Of(err) != fault.Unsupported || w.sim.Count("Subscribe") != 0 {
		t.Errorf("subscribing: %v, want Unsupported without asking the server", err)
	}
}

func TestFindByUIDWhoeverMadeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service)
	start := utc("2026-12-01 08:00")
	outlook := w.sim.Outlook(w.alice.Address)
	for _, uid := range []string{"", "deadbeef", "event-1@example.com", "Event-1@example.com", "R\u00f6\u00dfe <&> \u4f1a"} {
		id, err := outlook.Create(exchangesim.Appointment{UID: uid, Subject: "x", Start: start, End: start.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		item, err := w.fetch(t, backend.Ref(id))
		if err != nil || item.Event.UID == "" || uid != "" && item.Event.UID != uid {
			t.Fatalf("made with UID %q, it has %q, %v", uid, item.Event.UID, err)
		}
		asked := []string{item.Event.UID}
		if uid == "" {
			asked = append(asked, strings.ToLower(item.Event.UID))
		}
		for _, a := range asked {
			if got, err := w.Find(t.Context(), w.alice, backend.ByUID, a); err != nil || len(got) != 1 || got[0].Ref != item.Ref {
				t.Errorf("UID %q: %+v, %v; want the one item", a, got, err)
			}
		}
	}
	for _, uid := range []string{"nobody's", "040000008200E00074C5B7101A82E008", "event-1@example.co"} {
		if got, err := w.Find(t.Context(), w.alice, backend.ByUID, uid); err != nil || len(got) != 0 {
			t.Errorf("UID %q: %+v, %v; want none", uid, got, err)
		}
	}
	if _, err := w.Find(t.Context(), w.alice, backend.ByUID, ""); fault.Of(err) != fault.Invalid {
		t.Errorf("%v, want Invalid", err)
	}
}
