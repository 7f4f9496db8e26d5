package api

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

func TestListsCanBeNarrowed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		m, _, err := tx.Mailbox(ctx, "Default", "alice")
		if err != nil {
			return err
		}
		m.Way, m.WayReason, m.TryWay, m.ClimbAt = "streaming", "no notice came", "push", noon
		return tx.SaveMailbox(ctx, m)
	})
	if err != nil {
		t.Fatal(err)
	}
	g.call(t, h, "PUT", bookings+"/b1", simple)
	g.call(t, h, "PUT", bookings+"/b2", `{"start":"2026-12-03","end":"2026-12-04","organizer":"bob","resources":["r2"]}`)
	future := url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339))
	for path, want := range map[string]string{
		"/persons?mode=Feed":                           "alice",
		"/persons?way=streaming":                       "alice",
		"/persons?way=poll":                            "",
		"/persons?q=R&kind=resource":                   "r1 r2",
		"/persons?q=bob%40":                            "bob",
		"/persons?updated_since=" + future:             "",
		"/persons?updated_since=2020-01-01T00:00:00Z":  "alice bob r1 r2",
		"/bookings?resource=r2":                        "b1 b2",
		"/bookings?resource=r1&person=bob":             "",
		"/bookings?resource=r2&person=bob":             "b2",
		"/bookings?resource=r1&from=2026-11-01T00:00Z": "400",
	} {
		r := g.call(t, h, "GET", "/Default/api/v1"+path, "")
		if want == "400" {
			if r.StatusCode != 400 {
				t.Errorf("%s: %d", path, r.StatusCode)
			}
			continue
		}
		var ids []string
		for _, one := range decode[struct{ Items []struct{ ID string } }](t, r.text).Items {
			ids = append(ids, one.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	s := decode[rest.Person](t, g.call(t, h, "GET", persons+"/alice", "").text).Sync
	if *s.Way != "streaming" || *s.WayReason != "no notice came" || *s.TryWay != "push" || !s.ClimbAt.Equal(noon) || *s.Notices != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTimelineAndDifferencesAreRead(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := range 5 {
			what := fmt.Sprint("n", i)
			if err := tx.AddActivity(ctx, store.Activity{Tenant: "Default", Person: "alice", At: noon, What: what}); err != nil {
				return err
			}
			if err := tx.AddDifference(ctx, store.Difference{Tenant: "Default", Person: "alice", At: noon, Kind: "edit lost", Detail: what}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, name := range map[string]string{persons + "/alice/activity?limit=2": "what", "/Default/api/v1/differences?limit=2": "detail"} {
		var seen []string
		var newest int64
		for before := ""; ; {
			page := decode[struct {
				Items []map[string]any
				Next  *int64
			}](t, g.call(t, h, "GET", path+before, "").text)
			for _, one := range page.Items {
				seen = append(seen, one[name].(string))
				newest = max(newest, int64(one["id"].(float64)))
			}
			if page.Next == nil {
				break
			}
			before = fmt.Sprint("&before=", *page.Next)
		}
		if got := strings.Join(seen, " "); got != "n4 n3 n2 n1 n0" {
			t.Errorf("%s: %s", path, got)
		}
		if name == "what" {
			if r := g.call(t, h, "GET", fmt.Sprint(path, "&after=", newest-1), ""); strings.Count(r.text, `"what"`) != 1 || !strings.Contains(r.text, "n4") {
				t.Errorf("what is new: %s", r.text)
			}
		}
	}
}

func TestOwnBookingsAndSync(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	h := New(g.Options)
	for body, want := range map[string]bool{
		`{"email":"bob@example.com"}`: true, `{"email":"bob@example.com","own_bookings":false}`: false, `{"email":"bob@example.com","own_bookings":true}`: true,
	} {
		if p := decode[rest.Person](t, g.call(t, h, "PUT", persons+"/bob", body).text); p.OwnBookings != want {
			t.Errorf("%s: %+v", body, p)
		}
	}
	for sync, want := range map[string][2]bool{"": {false, true}, `,"sync":true`: {false, false}, `,"sync":false`: {true, false}} {
		in := decode[rest.BookingInput](t, strings.TrimSuffix(simple, "}")+sync+"}")
		b, v := bookingIn("Default", "b", &in)
		if len(v) > 0 || b.SyncOff != want[0] || b.SyncUnsaid != want[1] {
			t.Errorf("%q: off %v, unsaid %v, %v", sync, b.SyncOff, b.SyncUnsaid, v)
		}
		if out := bookingOut(b); out.Sync == b.SyncOff {
			t.Errorf("%q: shown as %v", sync, out.Sync)
		}
	}
}
