package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/store"
)

// reviewer is a Reviewer that notes what it is asked. What is numbered 404 is not there, and what is numbered 422 cannot be.
type reviewer struct {
	Reviewer
	store *store.Store
	asked []string
}

func outcomeOf(id int64) error {
	switch id {
	case 404:
		return fmt.Errorf("number %d: %w", id, booking.ErrNotFound)
	case 422:
		return &booking.InvalidError{Booking: "b1", Violations: []booking.Violation{{Field: "decision", Reason: "it is approved already"}}}
	}
	return nil
}

func (r *reviewer) ResolveAll(_ context.Context, tenant string, ids []int64, how Resolution) ([]Resolved, error) {
	r.asked = append(r.asked, fmt.Sprint("resolve ", tenant, ids, how.Use, how.Mail, how.Preview))
	var out []Resolved
	for _, id := range ids {
		one := Resolved{ID: id, Person: "alice", Booking: "b1", Kind: "fields differ", Use: how.Use, Does: "the item takes what the booking says", Fields: "title"}
		if outcomeOf(id) != nil {
			one = Resolved{ID: id, Use: how.Use, Refused: "neither side is recommended"}
		}
		out = append(out, one)
	}
	return out, nil
}

func (r *reviewer) StartScan(ctx context.Context, s store.Scan) (store.Scan, error) {
	r.asked = append(r.asked, fmt.Sprint("scan ", s.Tenant, " ", s.Target, " ", s.Name, s.Thorough, !s.From.IsZero()))
	if s.Target == store.ScanPerson && s.Name == "" {
		return s, &booking.InvalidError{Violations: []booking.Violation{{Field: "name", Reason: "say whose calendar"}}}
	}
	if s.Name == "nobody" {
		return s, fmt.Errorf("person %q: %w", s.Name, booking.ErrNotFound)
	}
	err := r.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		s.ID, err = tx.AddScan(ctx, s)
		return err
	})
	return s, err
}

func (r *reviewer) CancelScan(ctx context.Context, tenant string, number int64) (store.Scan, error) {
	r.asked = append(r.asked, fmt.Sprint("cancel ", tenant, number))
	s, found, err := r.store.Scan(ctx, tenant, number)
	if err == nil && !found {
		err = outcomeOf(404)
	}
	return s, err
}

func (r *reviewer) DecideQuarantine(ctx context.Context, tenant string, id int64, decision string) (store.Quarantine, error) {
	r.asked = append(r.asked, fmt.Sprint(decision, " ", tenant, id))
	if err := outcomeOf(id); err != nil {
		return store.Quarantine{}, err
	}
	q, _, err := r.store.Quarantine(ctx, tenant, id)
	q.State, q.Decided = map[string]store.QuarantineState{
		"approve": store.QuarantineApproved, "discard": store.QuarantineDiscarded, "undo": store.QuarantineUndone,
	}[decision], noon
	return q, err
}

func (r *reviewer) Held(q store.Quarantine) ([]HeldItem, error) {
	return []HeldItem{{Booking: "b1", Does: "the booking is cancelled"}, {Booking: "b2", Does: "the booking is cancelled", Problem: "its room is taken"}}[:q.Total], nil
}

// review is a rig with a reviewer, three differences, two scans, and three units in quarantine; the second of each is another tenant's.
func review(t *testing.T) (*rig, *reviewer, http.Handler) {
	t.Helper()
	g := newRig(t)
	r := &reviewer{store: g.store}
	g.Reviewer = r
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i, tenant := range []string{"Default", "Other", "Default", "Default"} {
			d := store.Difference{
				Tenant: tenant, Person: "alice", Booking: fmt.Sprint("b", i), Kind: "fields differ", Detail: "the titles differ", Recommend: store.SideBooking, At: noon,
			}
			if i == 2 {
				d.Person, d.Kind, d.Recommend = "bob", "edit lost", store.SideNeither
			}
			if err := tx.AddDifference(ctx, d); err != nil {
				return err
			}
			id, err := tx.AddScan(ctx, store.Scan{Tenant: tenant, Target: store.ScanAll, Started: noon})
			if err != nil {
				return err
			}
			part := store.ScanPart{Scan: id, Tenant: tenant, Person: "alice", State: store.ScanFailed, Problem: "access denied", Ended: noon}
			if err := tx.PutScanPart(ctx, part); err != nil {
				return err
			}
			q := store.Quarantine{Tenant: tenant, Person: "alice", Kind: "calendar deletions", Items: []byte("[]"), Total: 2, Created: noon}
			if i == 3 {
				q.Person = "bob"
			}
			if _, err := tx.AddQuarantine(ctx, q); err != nil {
				return err
			}
		}
		_, err := tx.EndDifference(ctx, "Default", 1, store.DifferenceIgnored)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, r, New(g.Options)
}

const v1 = "/Default/api/v1"

// numbers are the ids on a page, and the next.
func numbers(t *testing.T, text string) string {
	t.Helper()
	page := decode[struct {
		Items []struct{ ID int64 }
		Next  *int64
	}](t, text)
	out := ""
	for _, one := range page.Items {
		out += fmt.Sprint(one.ID, " ")
	}
	if page.Next != nil {
		out += fmt.Sprint("next ", *page.Next)
	}
	return strings.TrimSpace(out)
}

func TestDifferencesScansAndTheQuarantineAreListedPageByPage(t *testing.T) {
	t.Parallel()
	g, _, h := review(t)
	for path, want := range map[string]string{
		"/differences":                              "4 3",
		"/differences?all=true":                     "4 3 1",
		"/differences?limit=1":                      "4 next 4",
		"/differences?limit=1&before=4":             "3",
		"/differences?limit=2&all=true":             "4 3 next 3",
		"/differences?limit=2&all=true&before=3":    "1",
		"/differences?status=ignored":               "1",
		"/differences?person=bob":                   "3",
		"/differences?kind=edit%20lost":             "3",
		"/differences?recommendation=neither":       "3",
		"/differences?booking=b3":                   "4",
		"/differences?booking=b1":                   "", // of the other tenant
		"/differences?status=lost":                  "400 status",
		"/differences?limit=0":                      "400 limit",
		"/differences?before=x":                     "400 before",
		"/scans":                                    "4 3 1",
		"/scans?limit=2":                            "4 3 next 3",
		"/scans?limit=2&before=3":                   "1",
		"/quarantine":                               "4 3 1",
		"/quarantine?limit=1":                       "4 next 4",
		"/quarantine?limit=1&before=4&person=alice": "3 next 3",
		"/quarantine?state=approved":                "",
		"/quarantine?state=waiting&person=bob":      "4",
		"/quarantine?state=forgotten":               "400 state",
	} {
		r := g.call(t, h, "GET", v1+path, "")
		if status, field, refused := strings.Cut(want, " "); refused && status == "400" {
			if r.StatusCode != 400 || !strings.Contains(r.text, field) {
				t.Errorf("%s: %d %s", path, r.StatusCode, r.text)
			}
			continue
		}
		if got := numbers(t, r.text); r.StatusCode != 200 || got != want {
			t.Errorf("%s: %d %q, want %q", path, r.StatusCode, got, want)
		}
	}
}

func TestOneDifferenceScanOrUnitIsShownToItsTenantAlone(t *testing.T) {
	t.Parallel()
	g, _, h := review(t)
	d := decode[rest.Difference](t, g.call(t, h, "GET", v1+"/differences/3", "").text)
	if d.Kind != "edit lost" || !d.Open || d.Recommendation == nil || *d.Recommendation != "neither" {
		t.Errorf("%+v", d)
	}
	s := decode[rest.Scan](t, g.call(t, h, "GET", v1+"/scans/1", "").text)
	if s.Ended == nil || s.Failed != 1 || s.Failures == nil || (*s.Failures)[0].Problem != "access denied" {
		t.Errorf("%+v", s)
	}
	q := decode[rest.Quarantine](t, g.call(t, h, "GET", v1+"/quarantine/1", "").text)
	if q.Items == nil || len(*q.Items) != 2 || (*q.Items)[0].Problem != nil || *(*q.Items)[1].Problem != "its room is taken" {
		t.Errorf("%+v", q)
	}
	for _, path := range []string{"/differences/", "/scans/", "/quarantine/"} {
		for number, want := range map[string]int{"2": 404, "99": 404, "x": 400, "0": 400} {
			if r := g.call(t, h, "GET", v1+path+number, ""); r.StatusCode != want {
				t.Errorf("%s%s: %d %s", path, number, r.StatusCode, r.text)
			}
		}
	}
}

func TestWhatIsDecidedAndRefused(t *testing.T) {
	t.Parallel()
	g, r, h := review(t)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		asked, says              string
	}{
		{"approved", "POST", "/quarantine/1/decide", `{"decision":"approve"}`, 200, "approve Default1", `"state":"approved"`},
		{"discarded", "POST", "/quarantine/3/decide", `{"decision":"discard"}`, 200, "discard Default3", `"state":"discarded"`},
		{"undone", "POST", "/quarantine/1/decide", `{"decision":"undo"}`, 200, "undo Default1", `"state":"undone"`},
		{"a unit that is not there", "POST", "/quarantine/404/decide", `{"decision":"approve"}`, 404, "approve Default404", "not-found"},
		{"decided already", "POST", "/quarantine/422/decide", `{"decision":"approve"}`, 422, "approve Default422", "it is approved already"},
		{"another decision", "POST", "/quarantine/1/decide", `{"decision":"delete"}`, 422, "", "decision"},
		{"no decision", "POST", "/quarantine/1/decide", `{}`, 422, "", "decision"},
		{"a scan of a person", "POST", "/scans", `{"target":"person","name":"alice","thorough":true}`, 202, "scan Default person alicetrue false", `"target":"person"`},
		{"of a window", "POST", "/scans", `{"target":"window","from":"2026-12-01T00:00:00Z"}`, 202, "scan Default window false true", `"target":"window"`},
		{"of nobody", "POST", "/scans", `{"target":"person","name":"nobody"}`, 404, "scan Default person nobodyfalse false", "not-found"},
		{"without a name", "POST", "/scans", `{"target":"person"}`, 422, "scan Default person false false", "say whose calendar"},
		{"of what there is not", "POST", "/scans", `{"target":"planet"}`, 422, "", "target"},
		{"cancelled", "DELETE", "/scans/1", "", 200, "cancel Default1", `"id":1`},
		{"of the other tenant", "DELETE", "/scans/2", "", 404, "cancel Default2", "not-found"},
		{"many", "POST", "/differences/resolve", `{"numbers":[3,422],"use":"recommended","preview":true}`, 200, "resolve Default[3 422]recommendedfalse true", "neither side is recommended"},
		{"many with mail", "POST", "/differences/resolve", `{"numbers":[3],"use":"booking","mail":true}`, 200, "resolve Default[3]bookingtrue false", `"does":"the item takes`},
		{"none", "POST", "/differences/resolve", `{"numbers":[],"use":"booking"}`, 422, "", "numbers"},
		{"many, somehow", "POST", "/differences/resolve", `{"numbers":[3],"use":"both"}`, 422, "", "use"},
	} {
		r.asked = nil
		got := g.call(t, h, c.method, v1+c.path, c.body)
		if got.StatusCode != c.status || strings.Join(r.asked, "; ") != c.asked || !strings.Contains(got.text, c.says) {
			t.Errorf("%s: %d, asked %q: %s; want %d, %q, %s", c.name, got.StatusCode, r.asked, got.text, c.status, c.asked, c.says)
		}
	}

	// Without a running host all that can be read is read, and nothing else is done.
	g.Reviewer = nil
	h = New(g.Options)
	for _, c := range [][3]string{
		{"POST", "/quarantine/1/decide", `{"decision":"approve"}`}, {"POST", "/scans", `{"target":"all"}`}, {"DELETE", "/scans/1", ""},
		{"POST", "/differences/resolve", `{"numbers":[3],"use":"booking"}`}, {"POST", "/differences/3/resolve", `{"use":"reopen"}`},
	} {
		if got := g.call(t, h, c[0], v1+c[1], c[2]); got.StatusCode != 503 || !strings.Contains(got.problem.Detail, "needs a running host") {
			t.Errorf("%s: %d %s", c[1], got.StatusCode, got.text)
		}
	}
	if got := g.call(t, h, "GET", v1+"/quarantine/1", ""); got.StatusCode != 200 {
		t.Errorf("reading: %d %s", got.StatusCode, got.text)
	}
}

func TestWhoMayReviewAndWhoMayDecide(t *testing.T) {
	t.Parallel()
	g, r, h := review(t)
	keys := []string{g.keyWith(t), g.keyWith(t, apikey.ScopeRead), g.keyWith(t, apikey.ScopeBookings), g.keyWith(t, apikey.ScopeAdmin)}
	scopes := []string{"", "read", "bookings", "admin"}
	for _, c := range []struct{ method, path, body, needs string }{
		{"GET", "/differences", "", "read"},
		{"GET", "/differences/3", "", "read"},
		{"GET", "/scans", "", "read"},
		{"GET", "/scans/1", "", "read"},
		{"GET", "/quarantine", "", "read"},
		{"GET", "/quarantine/1", "", "read"},
		{"POST", "/differences/resolve", `{"numbers":[3],"use":"booking"}`, "admin"},
		{"POST", "/scans", `{"target":"all"}`, "admin"},
		{"DELETE", "/scans/1", "", "admin"},
		{"POST", "/quarantine/1/decide", `{"decision":"approve"}`, "admin"},
	} {
		for i, key := range keys {
			r.asked = nil
			got := g.call(t, h, c.method, v1+c.path, c.body, "Authorization", key)
			may := i >= slices.Index(scopes, c.needs)
			if (got.StatusCode != 403) != may || !may && (len(r.asked) > 0 || got.problem.Scope == nil || *got.problem.Scope != c.needs) {
				t.Errorf("%s %s with scope %q: %d %s, asked %q", c.method, c.path, scopes[i], got.StatusCode, got.text, r.asked)
			}
		}
		if got := g.call(t, h, c.method, v1+c.path, c.body, "Authorization", "Bearer "+g.other); got.StatusCode < 400 {
			t.Errorf("%s %s with the key of another tenant: %d", c.method, c.path, got.StatusCode)
		}
	}
}

// The lists of bookings with problems, of those that no calendar ever had, and of series.
func TestBookingsAreListedByWhatIsWrongWithThem(t *testing.T) {
	t.Parallel()
	g, _, h := review(t)
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i, id := range []string{"a1", "a2", "a3", "a4", "a5", "a6", "b3"} {
			b := &booking.Booking{
				Tenant: "Default", ID: id, Title: id, Organizer: "alice", Resources: []string{}, Version: 1, Status: booking.Confirmed,
				Start: noon.AddDate(0, 0, i+1), End: noon.AddDate(0, 0, i+1).Add(3600e9), Zone: "UTC",
			}
			switch id {
			case "a2", "a5":
				b.Recurrence = "FREQ=WEEKLY"
			case "a3":
				b.SyncDisabled, b.SyncProblem = true, "given up"
			case "a4":
				b.Status = booking.Cancelled
			}
			b.Normalize()
			if err := tx.PutBooking(ctx, b); err != nil {
				return err
			}
			if id == "a1" || id == "a5" {
				l := store.Link{Tenant: "Default", Key: id + ".1", Booking: id, Person: "alice", Epoch: 1, State: store.LinkLive, Ref: "i1", Base: []byte("{}")}
				if err := tx.PutLink(ctx, l); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"?problem=true":                     "a3 b3", // b3 has an open difference
		"?problem=true&limit=1":             "a3 next a3",
		"?problem=true&limit=1&after=a3":    "b3",
		"?never_found=true":                 "a2 a3 a6 b3",
		"?never_found=true&series=true":     "a2",
		"?never_found=true&limit=2":         "a2 a3 next a3",
		"?series=true":                      "a2 a5",
		"?series=true&limit=1":              "a2 next a2",
		"?series=true&limit=1&after=a2":     "a5",
		"?series=true&person=bob":           "",
		"?problem=true&person=nobody":       "",
		"?include_cancelled=true&series=no": "400",
		"?never_found=perhaps":              "400",
		"?problem=true&limit=100000":        "400",
	} {
		r := g.call(t, h, "GET", bookings+path, "")
		if want == "400" {
			if r.StatusCode != 400 {
				t.Errorf("%s: %d %s", path, r.StatusCode, r.text)
			}
			continue
		}
		page := decode[rest.BookingPage](t, r.text)
		var got []string
		for _, b := range page.Items {
			got = append(got, b.ID)
		}
		if page.Next != nil {
			got = append(got, "next", *page.Next)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %q, want %q", path, s, want)
		}
	}
}
