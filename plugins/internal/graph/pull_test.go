package graph

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// latestOf is how changes leave each item.
func latestOf(changes []backend.Change) map[calendar.Ref]backend.Change {
	out := map[calendar.Ref]backend.Change{}
	for _, ch := range changes {
		out[ch.Ref] = ch
	}
	return out
}

// ref returns the reference of an appointment in Alice's calendar.
func (w *world) ref(t *testing.T, id string) calendar.Ref {
	t.Helper()
	ids, err := w.sim.GraphIDs("alice@example.com", id)
	if err != nil {
		t.Fatal(err)
	}
	return calendar.Ref(ids.Immutable)
}

func (w *world) own(t *testing.T, a exchangesim.Appointment) calendar.Ref {
	t.Helper()
	id, err := w.sim.Outlook("alice@example.com").Create(a)
	if err != nil {
		t.Fatal(err)
	}
	return w.ref(t, id)
}

// idOf returns the id over EWS of the appointment with a reference.
func (w *world) idOf(t *testing.T, ref calendar.Ref) string {
	t.Helper()
	ids, err := w.sim.GraphIDs("alice@example.com", string(ref))
	if err != nil {
		t.Fatal(err)
	}
	return ids.EWS
}

func TestAPullFromNothingMentionsEverythingAndReadsOnlyWhatIsMarked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inside := w.create(t, "bk-1", desk())
	far := desk()
	far.Start, far.End = far.Start.AddDate(9, 0, 0), far.End.AddDate(9, 0, 0)
	outside := w.create(t, "bk-2", far)
	dentist := w.own(t, exchangesim.Appointment{Subject: "Dentist", Start: soon(3, "10:00"), End: soon(3, "11:00")})
	weekly := w.own(t, exchangesim.Appointment{
		Subject: "Gym", Start: soon(1, "18:00"), End: soon(1, "19:00"),
		Recurrence: &exchangesim.Recurrence{Pattern: "Daily", Interval: 7, Start: soon(1, "18:00").Format(time.DateOnly), Count: 40},
	})
	changes, pages := w.pull(t, "")
	got := latestOf(changes)
	for _, item := range []backend.Item{inside, outside} {
		if ch := got[item.Ref]; ch.Item == nil || ch.Item.Key != item.Key || ch.Deleted {
			t.Errorf("%s: %+v", item.Key, ch)
		}
	}
	for _, ref := range []calendar.Ref{dentist, weekly} {
		if ch, ok := got[ref]; !ok || ch.Item != nil || ch.Deleted {
			t.Errorf("a person's own: %+v, mentioned: %t", ch, ok)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d items are mentioned, want 4: occurrences count for their series", len(got))
	}
	for i, p := range pages {
		if !p.Full || p.Last != (i == len(pages)-1) || p.Next == "" {
			t.Errorf("page %d of %d: Full %t, Last %t", i+1, len(pages), p.Full, p.Last)
		}
	}
	if got, err := w.fetch(t, outside.Ref); err != nil || got.Key != "bk-2" {
		t.Errorf("a booking beyond the window cannot be fetched: %+v, %v", got, err)
	}
}

func TestADeltaTellsWhatHappened(t *testing.T) {
	t.Parallel()
	for name, quirks := range map[string]exchangesim.GraphQuirks{
		"plain":                      {InOrder: true},
		"repeats and reorders":       {Replay: 5},
		"deleted items can be read":  {DeletedEventsFound: true},
		"masters are told minimally": {MinimalMasters: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sim.SetGraphQuirks(quirks)
			o := w.sim.Outlook("alice@example.com")
			items := map[string]backend.Item{}
			for _, key := range []string{"changed", "trashed", "destroyed", "left", "twice", "untouched"} {
				items[key] = w.create(t, key, desk())
			}
			series := desk()
			series.Recurrence, series.Zone = "FREQ=WEEKLY;COUNT=5", ""
			items["series"] = w.create(t, "series", series)
			_, pages := w.pull(t, "")
			for range 2 { // the writes' own echoes
				_, pages = w.pull(t, next(pages))
			}
			edit := func(key string, change func(*exchangesim.Appointment)) {
				if err := o.Update(w.idOf(t, items[key].Ref), change); err != nil {
					t.Fatal(key, err)
				}
			}
			edit("changed", func(a *exchangesim.Appointment) { a.Subject = "changed" })
			edit("twice", func(a *exchangesim.Appointment) { a.Subject = "once" })
			edit("twice", func(a *exchangesim.Appointment) { a.Subject = "twice" })
			edit("left", func(a *exchangesim.Appointment) {
				a.Start, a.End = a.Start.AddDate(5, 0, 0), a.End.AddDate(5, 0, 0)
			})
			edit("series", func(a *exchangesim.Appointment) { a.Location = "elsewhere" })
			if err := errors.Join(o.Delete(w.idOf(t, items["trashed"].Ref)), o.HardDelete(w.idOf(t, items["destroyed"].Ref))); err != nil {
				t.Fatal(err)
			}
			dentist := w.own(t, exchangesim.Appointment{Subject: "Dentist", Start: soon(3, "10:00"), End: soon(3, "11:00")})

			changes, pages := w.pull(t, next(pages))
			got := latestOf(changes)
			for key, subject := range map[string]string{"changed": "changed", "twice": "twice", "left": "Desk 4.12 & <window>", "series": "Desk 4.12 & <window>"} {
				ch := got[items[key].Ref]
				if ch.Deleted || ch.Item == nil || ch.Item.Event.Subject != subject {
					t.Errorf("%s: %+v", key, ch)
				}
			}
			if s := got[items["series"].Ref]; s.Item != nil && (s.Item.Event.Location != "elsewhere" || s.Item.Kind != calendar.Master) {
				t.Errorf("the series: %+v", s.Item)
			}
			for _, key := range []string{"trashed", "destroyed"} {
				if ch := got[items[key].Ref]; !ch.Deleted || ch.Item != nil {
					t.Errorf("%s: %+v, want Deleted", key, ch)
				}
				if _, err := w.fetch(t, items[key].Ref); fault.Of(err) != fault.NotFound {
					t.Errorf("%s was fetched: %v, want NotFound", key, err)
				}
			}
			if ch, ok := got[dentist]; !ok || ch.Item != nil || ch.Deleted {
				t.Errorf("the dentist: %+v", ch)
			}
			for _, p := range pages {
				if p.Full {
					t.Error("a page of a delta is Full")
				}
			}
			// The one that left the window is there, and found by the next full pull.
			changes, _ = w.pull(t, "")
			if ch := latestOf(changes)[items["left"].Ref]; ch.Item == nil {
				t.Errorf("the item that left the window: %+v", ch)
			}
		})
	}
}

// A pull that is cut off after any page goes on in another process, while the calendar changes.
func TestAPullGoesOnAfterAnyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := map[string]bool{}
	for i := range 230 {
		key := fmt.Sprintf("bk-%d", i)
		keys[key] = true
		e := desk()
		e.Start, e.End = e.Start.AddDate(0, 0, i), e.End.AddDate(0, 0, i)
		w.create(t, key, e)
	}
	_, pages := w.pull(t, "")
	for cut := range pages[:len(pages)-1] {
		w.pageByPage(t, cut, keys)
	}
}

// pageByPage pulls anew, stops after a page, and goes on by another backend after something was changed.
func (w *world) pageByPage(t *testing.T, cut int, keys map[string]bool) {
	t.Helper()
	var told []backend.Change
	var at backend.Cursor
	enough := errors.New("enough")
	n := 0
	err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, func(p backend.Page) error {
		told, at = append(told, p.Changes...), p.Next
		if n++; n == cut+1 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("the pull that was cut off: %v", err)
	}
	key := fmt.Sprintf("late-%d", cut)
	keys[key] = true
	late := w.create(t, key, desk())
	o := w.sim.Outlook("alice@example.com")
	if err := o.Update(w.idOf(t, late.Ref), func(a *exchangesim.Appointment) { a.Location = "new" }); err != nil {
		t.Fatal(err)
	}
	rest, pages, err := pullOf(t.Context(), w.open(t, Settings{}), w.alice, at)
	if err != nil {
		t.Fatal(err)
	}
	more, _, err := pullOf(t.Context(), w.open(t, Settings{}), w.alice, next(pages))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, ch := range latestOf(append(append(told, rest...), more...)) {
		if ch.Item != nil && !ch.Deleted {
			found[ch.Item.Key] = true
			if ch.Item.Key == key && ch.Item.Event.Location != "new" {
				t.Errorf("cut after page %d: the late one is at %q", cut+1, ch.Item.Event.Location)
			}
		}
	}
	for key := range keys {
		if !found[key] {
			t.Errorf("cut after page %d, %s was not told", cut+1, key)
		}
	}
}

// An item that is deleted while everything is read, after whatever page, is not left behind as there.
func TestAnItemThatGoesWhileEverythingIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for cut := range 3 {
		item := w.create(t, fmt.Sprintf("bk-%d", cut), desk())
		n := 0
		var changes []backend.Change
		var at backend.Cursor
		err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice}, func(p backend.Page) error {
			changes, at = append(changes, p.Changes...), p.Next
			if n++; n == cut+1 {
				return w.sim.Outlook("alice@example.com").HardDelete(w.idOf(t, item.Ref))
			}
			return nil
		})
		if err != nil || n < 3 {
			t.Fatal(n, err)
		}
		more, _ := w.pull(t, at)
		if ch, told := latestOf(append(changes, more...))[item.Ref]; told && !ch.Deleted {
			t.Errorf("deleted after page %d: %+v", cut+1, ch)
		}
	}
}

// Nor is one that goes to Deleted Items between the moment at which the marked ones were counted and the round, of which no
// delta tells: an immutable id leads there all the same.
func TestAnItemThatGoesToDeletedItemsBeforeTheRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.SetGraphQuirks(exchangesim.GraphQuirks{DeletedEventsFound: true})
	item := w.create(t, "bk-1", desk())
	gone := false
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		if strings.Contains(r.URL.Path, "/delta") && !gone {
			gone = true
			return nil, w.sim.Outlook("alice@example.com").Delete(w.idOf(t, item.Ref))
		}
		return nil, nil
	})
	changes, pages := w.pull(t, "")
	more, _ := w.pull(t, next(pages))
	if ch, told := latestOf(append(changes, more...))[item.Ref]; !gone || told && !ch.Deleted {
		t.Errorf("deleted: %t, and told as %+v", gone, ch)
	}
}

// An item that lasts longer than Graph looks at in one go can be deleted as any other.
func TestAVeryLongItemThatGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sim.SetGraphQuirks(exchangesim.GraphQuirks{DeletedEventsFound: true})
	ref := w.own(t, exchangesim.Appointment{Subject: "employed", Start: soon(-900, "08:00"), End: soon(925, "08:00")})
	_, pages := w.pull(t, "")
	if err := w.sim.Outlook("alice@example.com").Delete(w.idOf(t, ref)); err != nil {
		t.Fatal(err)
	}
	changes, _ := w.pull(t, next(pages))
	if ch := latestOf(changes)[ref]; !ch.Deleted {
		t.Errorf("told as %+v", ch)
	}
}

// Whatever answer of a pull fails, no page says that it was the last.
func TestNoFailureEndsAPull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "bk-1", desk())
	_, pages := w.pull(t, "")
	w.create(t, "bk-2", desk())
	for _, since := range []backend.Cursor{"", next(pages)} {
		begun := w.line.count("", "")
		if _, _, err := pullOf(t.Context(), w.Backend, w.alice, since); err != nil {
			t.Fatal(err)
		}
		steps := w.line.count("", "") - begun
		for step := range steps {
			for _, bad := range []struct {
				status int
				body   string
				header []string
			}{
				{429, `{"error":{"code":"ApplicationThrottled","message":"slow down"}}`, []string{"Retry-After", "33"}},
				{503, "", nil},
				{200, `{"value":null}`, nil},
				{200, `{}`, nil},
				{200, `{"value":[]}`, nil}, // of a delta neither link, of a batch no responses
				{200, `{"responses":[]}`, nil},
				{404, `{"error":{"code":"ErrorItemNotFound","message":"not found"}}`, nil},
			} {
				n := 0
				w.line.twisted(func(r *http.Request) (*http.Response, error) {
					if n++; n == step+1 {
						return answered(r, bad.status, bad.body, bad.header...), nil
					}
					return nil, nil
				})
				err := w.Pull(t.Context(), backend.PullRequest{Mailbox: w.alice, Since: since}, func(p backend.Page) error {
					if p.Last && bad.body != `{"value":[]}` && bad.status != 404 {
						t.Errorf("request %d answered %d %q: the pull came to an end", step+1, bad.status, bad.body)
					}
					for _, ch := range p.Changes {
						if ch.Deleted && bad.status != 404 {
							t.Errorf("request %d answered %d %q: %q is told as deleted", step+1, bad.status, bad.body, ch.Ref)
						}
					}
					return nil
				})
				if bad.status == 429 && (fault.Of(err) != fault.Throttled || fault.After(err) != 33*time.Second) {
					t.Errorf("request %d answered 429: %v after %s", step+1, err, fault.After(err))
				}
			}
		}
	}
	w.line.twisted(nil)
}

func TestAnExpiredDeltaIsReadAnew(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"gone", "notfound", "invalid"} {
		w := newWorld(t)
		w.create(t, "bk-1", desk())
		_, pages := w.pull(t, "")
		if err := w.sim.ExpireDelta("alice@example.com", how); err != nil {
			t.Fatal(err)
		}
		if _, got, err := pullOf(t.Context(), w.Backend, w.alice, next(pages)); fault.Of(err) != fault.StateExpired || len(got) > 0 {
			t.Errorf("%s: %d pages, %v; want StateExpired", how, len(got), err)
		}
		w.pull(t, "")
	}
}

func TestWhichCursorsAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, "bk-1", desk())
	_, pages := w.pull(t, "")
	at := next(pages)
	change := func(f func(map[string]any)) backend.Cursor {
		var c map[string]any
		if err := json.Unmarshal([]byte(at), &c); err != nil {
			t.Fatal(err)
		}
		f(c)
		data, _ := json.Marshal(c)
		return backend.Cursor(data)
	}
	later := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	for name, tc := range map[string]struct {
		since   backend.Cursor
		m       backend.Mailbox
		now     func() time.Time
		expired bool
	}{
		"as it was given":     {since: at},
		"six days later":      {since: at, now: later(6 * day)},
		"eight days later":    {since: at, now: later(8 * day), expired: true},
		"eight days earlier":  {since: at, now: later(-8 * day), expired: true},
		"in another mailbox":  {since: at, m: w.mailbox("bob@example.com"), expired: true},
		"of another version":  {since: change(func(c map[string]any) { c["v"] = 2 }), expired: true},
		"of an unknown phase": {since: change(func(c map[string]any) { c["p"] = "x" }), expired: true},
		"without its link":    {since: change(func(c map[string]any) { delete(c, "d") }), expired: true},
		"with another link":   {since: change(func(c map[string]any) { c["d"] = "/v1.0/users/alice@example.com/calendarView/delta?$deltatoken=x" }), expired: true},
		"no JSON":             {since: "H4sIAAAA", expired: true},
	} {
		b := w.open(t, Settings{})
		if tc.now != nil {
			b.now = tc.now
		}
		if tc.m.Address == "" {
			tc.m = w.alice
		}
		_, _, err := pullOf(t.Context(), b, tc.m, tc.since)
		if tc.expired != (fault.Of(err) == fault.StateExpired) || !tc.expired && err != nil {
			t.Errorf("%s: %v; expired ought to be %t", name, err, tc.expired)
		}
	}
}
