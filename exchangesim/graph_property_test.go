package exchangesim

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A follower keeps a copy of a calendar view by delta alone.
type follower struct {
	prefer []string
	next   string
	known  map[string]object
}

// A deltaWorld is a mailbox that changes at random, and followers of it.
type deltaWorld struct {
	*rapid.T
	sim       *Server
	token     string
	followers []*follower
}

func (w *deltaWorld) ask(prefer []string, method, path string, body any) (int, object) {
	raw, err := json.Marshal(body)
	if err != nil {
		w.Fatal(err)
	}
	path = strings.TrimPrefix(path, "http://example.com"+graphRoot)
	r := httptest.NewRequestWithContext(w.Context(), method, graphRoot+path, strings.NewReader(string(raw)))
	r.Header.Set("Authorization", "Bearer "+w.token)
	for _, p := range prefer {
		r.Header.Add("Prefer", p)
	}
	rec := httptest.NewRecorder()
	w.sim.Online().ServeHTTP(rec, r)
	var answer object
	_ = json.Unmarshal(rec.Body.Bytes(), &answer) // some have none
	return rec.Code, answer
}

// step follows one link; it reports whether a round ended.
func (w *deltaWorld) step(f *follower) bool {
	status, page := w.ask(append([]string{"odata.maxpagesize=2"}, f.prefer...), http.MethodGet, f.next, nil)
	if status != http.StatusOK {
		w.Fatalf("%s is answered %d %v", f.next, status, page)
	}
	for _, v := range list(page, "value") {
		if e, _ := v.(object); e["@removed"] != nil {
			delete(f.known, text(e, "id"))
		} else {
			f.known[text(e, "id")] = e
		}
	}
	if f.next = text(page, "@odata.nextLink"); f.next != "" {
		return false
	}
	f.next = text(page, "@odata.deltaLink")
	return true
}

// check compares what a follower knows with the calendar view.
func (w *deltaWorld) check(f *follower) {
	for rounds := 0; rounds < 2; { // the rest of one, and another for what came meanwhile
		if w.step(f) {
			rounds++
		}
	}
	_, view := w.ask(f.prefer, http.MethodGet, "/users/alice@example.com/calendarView"+days(2, 20)+"&$top=1000", nil)
	want := map[string]bool{}
	for _, v := range list(view, "value") {
		id := text(v, "id")
		want[id] = true
		if master := text(v, "seriesMasterId"); master != "" {
			want[master] = true
		}
		known := f.known[id]
		if text(known, "start", "dateTime") != text(v, "start", "dateTime") || known["subject"] != nil && known["subject"] != member(v, "subject") {
			w.Fatalf("%v is known as %v", v, known)
		}
	}
	if got := slices.Sorted(maps.Keys(f.known)); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		w.Fatalf("known are %v, want %v", got, slices.Sorted(maps.Keys(want)))
	}
}

// TestGraphDeltaIsTheView: who follows delta with small pages, whatever happens meanwhile, ends with what the view shows.
func TestGraphDeltaIsTheView(t *testing.T) {
	t.Parallel()
	tenant := SampleTenant()
	rapid.Check(t, func(rt *rapid.T) {
		s, err := New(Options{Now: func() time.Time { return noon }})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		s.newSigning = graphSigning
		token, _, err := s.issue(&tenant, &tenant.Apps[0], "https://graph.microsoft.com", "1")
		if err != nil {
			rt.Fatal(err)
		}
		w := &deltaWorld{T: rt, sim: s, token: token}
		s.SetGraphQuirks(GraphQuirks{Replay: rapid.IntRange(0, 2).Draw(rt, "replay"), InOrder: rapid.Bool().Draw(rt, "in order")})
		for _, prefer := range [][]string{nil, {`IdType="ImmutableId"`}} {
			w.followers = append(w.followers, &follower{prefer: prefer, next: aliceDelta + days(2, 20), known: map[string]object{}})
		}
		o := s.Outlook("alice@example.com")
		hours := rapid.IntRange(-24*5, 24*25)
		pick := func(from []Appointment) string {
			if len(from) == 0 {
				rt.Skip("nothing there")
			}
			return from[rapid.IntRange(0, len(from)-1).Draw(rt, "which")].ID
		}
		occurrence := func() string {
			_, view := w.ask(nil, http.MethodGet, "/users/alice@example.com/calendarView"+days(2, 20)+"&$top=1000", nil)
			all := slices.DeleteFunc(list(view, "value"), func(v any) bool { return text(v, "seriesMasterId") == "" })
			if len(all) == 0 {
				rt.Skip("no occurrence")
			}
			return aliceEvents + "/" + url.PathEscape(text(all[rapid.IntRange(0, len(all)-1).Draw(rt, "which")], "id"))
		}
		series := func(count int) *Recurrence { return &Recurrence{Pattern: "Daily", Interval: 1, Count: count} }
		at := func() (time.Time, time.Time) {
			start := noon.Add(time.Duration(hours.Draw(rt, "hours")) * time.Hour)
			return start, start.Add(time.Hour)
		}
		must := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(*rapid.T) {
				start, end := at()
				_, err := o.Create(Appointment{Subject: "single", Start: start, End: end})
				must(err)
			},
			"series": func(*rapid.T) {
				start, end := at()
				_, err := o.Create(Appointment{Subject: "series", Start: start, End: end, Recurrence: series(rapid.IntRange(1, 8).Draw(rt, "count"))})
				must(err)
			},
			"move in time": func(*rapid.T) {
				start, end := at()
				must(o.Update(pick(o.Items()), func(a *Appointment) {
					if a.Recurrence == nil {
						a.Start, a.End = start, end
					} else {
						a.Recurrence.Count = rapid.IntRange(1, 8).Draw(rt, "count")
					}
				}))
			},
			"rename":  func(*rapid.T) { must(o.Update(pick(o.Items()), func(a *Appointment) { a.Subject += "!" })) },
			"delete":  func(*rapid.T) { must(o.Delete(pick(o.Items()))) },
			"destroy": func(*rapid.T) { must(o.HardDelete(pick(o.Items()))) },
			"restore": func(*rapid.T) { _, err := o.Restore(pick(o.Deleted())); must(err) },
			"skip one": func(*rapid.T) {
				if status, answer := w.ask(nil, http.MethodDelete, occurrence(), nil); status != http.StatusNoContent {
					rt.Fatalf("%d %v", status, answer)
				}
			},
			"except one": func(*rapid.T) {
				if status, answer := w.ask(nil, http.MethodPatch, occurrence(), object{"subject": "exception"}); status != http.StatusOK {
					rt.Fatalf("%d %v", status, answer)
				}
			},
			"follow": func(*rapid.T) { w.step(w.followers[rapid.IntRange(0, 1).Draw(rt, "who")]) },
			"settle": func(*rapid.T) { w.check(w.followers[rapid.IntRange(0, 1).Draw(rt, "who")]) },
		})
		for _, f := range w.followers {
			w.check(f)
		}
	})
}
