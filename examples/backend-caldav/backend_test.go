package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

func morning() time.Time { return time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC) }

func TestAServerThatLeavesOffIsAskedOn(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		f, b := newFake(t, Settings{Batch: 2})
		b.limit, f.noLimit = 3, whole
		for i := range 8 {
			f.write(fmt.Sprintf("own%d.ics", i), plainEvent(fmt.Sprint("u", i)))
		}
		f.write("ours.ics", markedEvent("u9", "b1"))
		f.write("own0.ics", "") // gone since
		p, err := pullFrom(t.Context(), b, f.mailbox(), "")
		if err != nil {
			t.Fatal(err)
		}
		for i, page := range p.pages {
			if !page.Full || page.Last != (i == len(p.pages)-1) || len(page.Changes) > 2 {
				t.Errorf("page %d of %d: full %t, last %t, %d changes", i, len(p.pages), page.Full, page.Last, len(page.Changes))
			}
		}
		ours := p.changes["ours.ics"]
		if len(p.changes) != 9 || ours.Item == nil || ours.Item.ForeignKey != "b1" || p.changes["own1.ics"].Item != nil || !p.changes["own0.ics"].Deleted {
			t.Errorf("told of %d objects, ours %+v", len(p.changes), ours)
		}
		f.write("own3.ics", "")
		p, err = pullFrom(t.Context(), b, f.mailbox(), p.next)
		if err != nil || len(p.pages) != 1 || p.pages[0].Full || !p.pages[0].Last || len(p.changes) != 1 || !p.changes["own3.ics"].Deleted {
			t.Errorf("a deletion since: %+v, %v", p.pages, err)
		}
	}
}

func TestAPullThatIsCutOffGoesOnWhereItsAnswerBegan(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{Batch: 2})
	b.limit = 4
	for i := range 8 {
		f.write(fmt.Sprintf("own%d.ics", i), plainEvent(fmt.Sprint("u", i)))
	}
	stop := errors.New("enough")
	seen, last := map[backend.Ref]bool{}, backend.Cursor("")
	for n := 1; ; n++ {
		told := 0
		err := b.Pull(t.Context(), backend.PullRequest{Mailbox: f.mailbox(), Since: last}, func(p backend.Page) error {
			told++
			for _, ch := range p.Changes {
				seen[ch.Ref] = true
			}
			last = p.Next
			if told == n {
				return stop
			}
			return nil
		})
		if err == nil {
			break
		}
		if !errors.Is(err, stop) || n > 20 {
			t.Fatalf("try %d: %v", n, err)
		}
	}
	if len(seen) != 8 {
		t.Errorf("only %d of 8 objects were told of", len(seen))
	}
}

func TestAServerWithoutSyncCollectionIsCompared(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{Batch: 2})
	f.noSync = true
	for i := range 5 {
		f.write(fmt.Sprintf("own%d.ics", i), plainEvent(fmt.Sprint("u", i)))
	}
	f.write("ours.ics", markedEvent("u9", "b1"))
	p, err := pullFrom(t.Context(), b, f.mailbox(), "")
	if err != nil || len(p.changes) != 6 || p.changes["ours.ics"].Item == nil || len(p.pages) != 3 || !p.pages[2].Last || !p.pages[0].Full {
		t.Fatalf("%d pages of %d objects, %v", len(p.pages), len(p.changes), err)
	}
	again, err := pullFrom(t.Context(), b, f.mailbox(), p.next)
	if err != nil || len(again.changes) != 0 || again.next != p.next || !again.pages[0].Last {
		t.Errorf("nothing new: %+v, %v", again.pages, err)
	}
	f.write("own1.ics", plainEvent("u1"))
	if more, err := pullFrom(t.Context(), b, f.mailbox(), p.next); fault.Of(err) != fault.StateExpired || len(more.pages) != 0 {
		t.Errorf("something changed: %+v, %v; want state expired", more.pages, err)
	}
}

func TestACursorIsGoodForItsCalendarOnly(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	p, err := pullFrom(t.Context(), b, f.mailbox(), "")
	if err != nil {
		t.Fatal(err)
	}
	other := f.mailbox()
	other.URL += "team/"
	for name, tc := range map[string]struct {
		m     backend.Mailbox
		since backend.Cursor
	}{
		"of another calendar": {other, p.next}, "too old": {f.mailbox(), p.next + "99"}, "garbage": {f.mailbox(), "x"},
	} {
		if got, err := pullFrom(t.Context(), b, tc.m, tc.since); fault.Of(err) != fault.StateExpired {
			t.Errorf("%s: %+v, %v; want state expired", name, got, err)
		}
	}
}

func TestWhatTheServerIsSilentOfIsAskedForAlone(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	f.write("a.ics", markedEvent("u1", "b1"))
	f.silent = "a.ics"
	got, err := b.Fetch(t.Context(), f.mailbox(), []backend.Ref{"gone.ics", "a.ics"})
	if err != nil || fault.Of(got[0].Err) != fault.NotFound || got[1].Err != nil || got[1].Item.ForeignKey != "b1" {
		t.Fatalf("%+v, %v", got, err)
	}
	f.write("a.ics", "")
	if got, err := b.Fetch(t.Context(), f.mailbox(), []backend.Ref{"a.ics"}); err != nil || fault.Of(got[0].Err) != fault.NotFound {
		t.Errorf("gone: %+v, %v", got, err)
	}
}

func TestADamagedObjectMattersOnlyIfItIsOurs(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	f.write("own.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nno line\r\n")
	p, err := pullFrom(t.Context(), b, f.mailbox(), "")
	if err != nil || p.changes["own.ics"].Item != nil || len(p.changes) != 1 {
		t.Fatalf("a person's own: %+v, %v", p, err)
	}
	f.write("ours.ics", strings.Replace(markedEvent("u1", "b1"), "DTSTART:20270301T090000Z", "DTSTART:soon", 1))
	if p, err := pullFrom(t.Context(), b, f.mailbox(), p.next); fault.Of(err) != fault.Unavailable || len(p.pages) != 0 {
		t.Errorf("ours: %+v, %v; want no page", p, err)
	}
}

func TestWhoIsFasterIsNotOverwritten(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	r, err := b.Apply(t.Context(), creation(t, f.mailbox(), "k1"))
	if err != nil {
		t.Fatal(err)
	}
	name := string(r.Item.Ref)
	faster := func() {
		f.beforePut = nil
		f.write(name, strings.Replace(f.text(name), "SUMMARY:Meeting", "SUMMARY:Theirs", 1))
	}
	m := calendar.Mutation{Op: calendar.Update, Mailbox: f.mailbox(), Ref: r.Item.Ref, IfRevision: r.Item.Revision, Event: r.Item.Event, Fields: calendar.FieldLocation}
	m.Event.Location = "Here"
	f.beforePut = faster
	if _, err := b.Apply(t.Context(), m); fault.Of(err) != fault.Conflict || !strings.Contains(f.text(name), "Theirs") {
		t.Errorf("with a revision: %v; want conflict\n%s", err, f.text(name))
	}
	m.IfRevision = ""
	f.write(name, strings.Replace(f.text(name), "SUMMARY:Theirs", "SUMMARY:Meeting", 1))
	f.beforePut = faster
	if got, err := b.Apply(t.Context(), m); err != nil || got.Item.Event.Subject != "Theirs" || got.Item.Event.Location != "Here" {
		t.Errorf("without one: %+v, %v; want both changes", got, err)
	}
	f.beforePut = func() { f.write(name, "") }
	m.Event.Location = "There"
	if _, err := b.Apply(t.Context(), m); fault.Of(err) != fault.NotFound {
		t.Errorf("gone meanwhile: %v; want not found", err)
	}
}

func TestAnEventThatIsThereIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	m := creation(t, f.mailbox(), "k1")
	first, err := b.Apply(t.Context(), m)
	if err != nil || first.Repeated {
		t.Fatal(first, err)
	}
	home := string(first.Item.Ref)
	name := home
	for what, change := range map[string]func(){
		"as it was": func() {},
		"without its marker": func() {
			f.write(name, strings.NewReplacer("X-ROOMWIRE-BOOKING-ID:k1\r\n", "").Replace(f.text(name)))
		},
		"by another name": func() {
			text := f.text(name)
			f.write(name, "")
			f.write("moved.ics", text)
			name = "moved.ics"
			f.refuse = "409 C:no-uid-conflict"
		},
	} {
		change()
		for _, surely := range []bool{false, true} {
			m.First = surely
			if what == "by another name" && surely {
				f.refuse = "409 C:no-uid-conflict"
			}
			got, err := b.Apply(t.Context(), m)
			if err != nil || !got.Repeated || got.Item.Key != "k1" || string(got.Item.Ref) != name {
				t.Errorf("%s, first %t: %+v, %v; want it repeated", what, surely, got, err)
			}
		}
		f.refuse = ""
		if name == "moved.ics" { // the others of the table begin as it was
			f.write(home, f.text(name))
			f.write(name, "")
			name = home
		}
	}
	f.write(name, "")
	f.refuse = "409 C:no-uid-conflict"
	if _, err := b.Apply(t.Context(), m); fault.Of(err) != fault.Invalid {
		t.Errorf("its UID is in another calendar: %v; want invalid", err)
	}
	f.refuse = "507 D:quota-not-exceeded"
	if _, err := b.Apply(t.Context(), m); fault.Of(err) != fault.Unavailable {
		t.Errorf("no space: %v; want unavailable", err)
	}
}

func TestNobodyIsToldSilentlyOrNotAtAll(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	f.schedules = true
	m := creation(t, f.mailbox(), "k1")
	m.Mail = calendar.MailAll
	m.Event.Attendees = []calendar.Attendee{{Address: calendar.Address{Email: "bob@example.com"}}}
	r, err := b.Apply(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	before := f.text(string(r.Item.Ref))
	update := calendar.Mutation{Op: calendar.Update, Mailbox: m.Mailbox, Ref: r.Item.Ref, Event: m.Event, Fields: calendar.FieldSubject}
	update.Event.Subject = "Other"
	remove := calendar.Mutation{Op: calendar.Delete, Mailbox: m.Mailbox, Ref: r.Item.Ref}
	for name, silent := range map[string]calendar.Mutation{"update": update, "delete": remove} {
		if _, err := b.Apply(t.Context(), silent); fault.Of(err) != fault.Unsupported || f.text(string(r.Item.Ref)) != before {
			t.Errorf("a silent %s: %v; want unsupported, and nothing written", name, err)
		}
	}
	f.schedules = false // the server tells nobody anyhow
	if _, err := b.Apply(t.Context(), update); err != nil {
		t.Errorf("silent where nobody is told: %v", err)
	}
	f.schedules, remove.Mail = true, calendar.MailAll
	if _, err := b.Apply(t.Context(), remove); err != nil || f.text(string(r.Item.Ref)) != "" {
		t.Errorf("a delete of which all are told: %v", err)
	}
}

func TestAnInvitationIsTheOrganizersAffair(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	f.write("theirs.ics", strings.Replace(markedEvent("u1", "b1"), "SUMMARY", "ORGANIZER:mailto:bob@example.com\r\nATTENDEE:mailto:alice@example.com\r\nSUMMARY", 1))
	for _, op := range []calendar.Op{calendar.Update, calendar.Delete} {
		m := calendar.Mutation{Op: op, Mailbox: f.mailbox(), Ref: "theirs.ics", Fields: calendar.FieldSubject}
		if _, err := b.Apply(t.Context(), m); fault.Of(err) != fault.Forbidden || f.text("theirs.ics") == "" {
			t.Errorf("operation %d: %v; want forbidden", op, err)
		}
	}
}

func TestMarkersAreFoundWhereTheServerCannotSearch(t *testing.T) {
	t.Parallel()
	for _, blind := range []bool{false, true} {
		f, b := newFake(t, Settings{Batch: 2})
		f.noFilter = blind
		later := strings.Replace(markedEvent("u1", "b1"), "SUMMARY", "CREATED:20270102T000000Z\r\nSUMMARY", 1)
		f.write("a.ics", later)
		f.write("b.ics", strings.Replace(later, "CREATED:20270102", "CREATED:20270101", 1))
		f.write("c.ics", markedEvent("u3", "b11"))
		f.write("d.ics", plainEvent("u4"))
		f.write("e.ics", markedEvent("u5", `b\,1`))
		got, err := b.Find(t.Context(), f.mailbox(), backend.ForeignKey, "b1")
		if err != nil || len(got) != 2 || got[0].Ref != "b.ics" || got[1].Ref != "a.ics" {
			t.Errorf("blind %t: %+v, %v; want b and a, the oldest first", blind, got, err)
		}
		if got, err := b.Find(t.Context(), f.mailbox(), backend.ForeignKey, "b,1"); err != nil || len(got) != 1 || got[0].Ref != "e.ics" {
			t.Errorf("blind %t: %+v, %v; want e", blind, got, err)
		}
	}
}

func TestACalendarIsWatchedByWhatTheServerHas(t *testing.T) {
	t.Parallel()
	f, b := newFake(t, Settings{})
	f.noSync = true // it still has a ctag
	sub, err := b.Listen(t.Context(), backend.ListenRequest{Mailbox: f.mailbox(), Way: backend.WayAsking})
	if err != nil {
		t.Fatal(err)
	}
	watch := func(m backend.Mailbox) (hints []backend.Hint, err error) {
		err = b.Watch(t.Context(), backend.WatchRequest{Way: backend.WayAsking, Watched: []backend.Watched{{Mailbox: m, Subscription: sub}}}, func(h []backend.Hint) error {
			hints = append(hints, h...)
			return nil
		})
		return hints, err
	}
	if h, err := watch(f.mailbox()); err != nil || len(h) != 1 || h[0].Kind != backend.Alive {
		t.Errorf("nothing new: %+v, %v", h, err)
	}
	f.write("a.ics", plainEvent("u1"))
	h, err := watch(f.mailbox())
	if err != nil || len(h) != 1 || h[0].Kind != backend.Dirty || h[0].Mark == "" {
		t.Fatalf("a change: %+v, %v", h, err)
	}
	sub.Mark = h[0].Mark
	if h, err := watch(f.mailbox()); err != nil || h[0].Kind != backend.Alive {
		t.Errorf("nothing since: %+v, %v", h, err)
	}
	f.noMarks = true
	if h, err := watch(f.mailbox()); err != nil || h[0].Kind != backend.Lost {
		t.Errorf("the server has no marks any more: %+v, %v", h, err)
	}
	for _, way := range []backend.Way{backend.WayAsking, backend.WayStreaming} {
		if _, err := b.Listen(t.Context(), backend.ListenRequest{Mailbox: f.mailbox(), Way: way}); fault.Of(err) != fault.Unsupported {
			t.Errorf("way %d: %v; want unsupported", way, err)
		}
	}
}

func TestSettingsThatCanNeverWorkAreRefused(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Settings{
		"zone":        {TimeZone: "Mars/Olympus"},
		"local zone":  {TimeZone: "Local"},
		"no path":     {CalendarPath: "calendars"},
		"a query":     {CalendarPath: "/?x"},
		"placeholder": {CalendarPath: "/{name}/"},
		"no calendar": {CalendarPath: "/{user}/{calendar}/"},
	} {
		if _, err := open(t.Context(), s, backend.Env{Markers: backend.DefaultMarkers(), Log: hclog.NewNullLogger()}); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v; want invalid", name, err)
		}
	}
	same := backend.Markers{Key: backend.Property{Name: "BookingId"}, Foreign: backend.Property{Set: "other", Name: "Booking-id"}}
	if _, err := open(t.Context(), Settings{}, backend.Env{Markers: same, Log: hclog.NewNullLogger()}); fault.Of(err) != fault.Invalid {
		t.Errorf("two markers in one property: %v; want invalid", err)
	}
}
