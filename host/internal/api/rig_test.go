package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/apikey"
	"github.com/roomwire/roomwire/host/internal/booking"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/store/storetest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// engine does to bookings and persons what the syncer does, without calendars.
type engine struct{ *store.Store }

func (e engine) Put(ctx context.Context, b *booking.Booking, match booking.Match, on booking.OnConflict) (saved booking.Saved, err error) {
	b.Normalize()
	if v := booking.Validate(b); len(v) > 0 {
		return saved, &booking.InvalidError{Booking: b.ID, Violations: v}
	}
	err = e.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, found, err := tx.Booking(ctx, b.Tenant, b.ID)
		if err != nil {
			return err
		}
		saved = booking.Saved{Created: !found}
		if err := check(b.ID, old, found, match); err != nil {
			return err
		}
		if b.ExceptionsUnsaid && found {
			b.Exceptions = old.Exceptions
			saved.Dropped = booking.Rebase(old, b)
		}
		b.ExceptionsUnsaid = false
		who := append([]string{b.Organizer}, b.Resources...)
		if b.External != nil {
			who = b.Resources
		}
		for i, id := range who {
			if _, known, err := tx.Person(ctx, b.Tenant, id); err != nil {
				return err
			} else if !known {
				return &booking.InvalidError{Booking: b.ID, Violations: []booking.Violation{{Field: fmt.Sprintf("who[%d]", i), Reason: "unknown: " + id}}}
			}
		}
		if saved.Skipped, err = tx.Conflicts(ctx, old, b); err != nil {
			return err
		} else if len(saved.Skipped) > 0 && (on != booking.Skip || !b.Series() || !b.Skip(saved.Skipped, e.Now())) {
			return booking.Overlapped(b.ID, saved.Skipped)
		}
		saved.Booking, err = e.replace(ctx, tx, old, b)
		return err
	})
	return saved, err
}

func (e engine) replace(ctx context.Context, tx *store.Tx, old, b *booking.Booking) (*booking.Booking, error) {
	if old != nil && booking.Same(old, b) {
		return old, nil
	}
	b.Version, b.Created, b.Updated = 1, noon, noon
	kind := "created"
	if old != nil {
		b.Version, kind = old.Version+1, "updated"
	}
	return b, e.save(ctx, tx, b, kind)
}

func (e engine) PutOccurrence(ctx context.Context, c booking.OccurrenceChange) (saved booking.Saved, err error) {
	err = e.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, found, err := tx.Booking(ctx, c.Tenant, c.Booking)
		if err != nil {
			return err
		}
		if err := check(c.Booking, old, found, c.Match); err != nil {
			return err
		}
		if !found || !old.HasOccurrence(c.Exception.Occurrence) {
			return fmt.Errorf("occurrence of booking %q: %w", c.Booking, booking.ErrNotFound)
		}
		b := old.Clone()
		b.SetException(c.Exception)
		b.Normalize()
		if v := booking.Validate(b); len(v) > 0 {
			return &booking.InvalidError{Booking: b.ID, Violations: v}
		}
		if conflicts, err := tx.Conflicts(ctx, old, b); err != nil {
			return err
		} else if len(conflicts) > 0 {
			return booking.Overlapped(b.ID, conflicts)
		}
		saved.Booking, err = e.replace(ctx, tx, old, b)
		return err
	})
	return saved, err
}

func (e engine) Cancel(ctx context.Context, tenant, id string, match booking.Match) (saved *booking.Booking, err error) {
	err = e.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		old, found, err := tx.Booking(ctx, tenant, id)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("booking %q: %w", id, booking.ErrNotFound)
		}
		if err := check(id, old, found, match); err != nil {
			return err
		}
		saved = old
		if old.Status == booking.Cancelled {
			return nil
		}
		saved.Status = booking.Cancelled
		saved.Version++
		return e.save(ctx, tx, saved, "cancelled")
	})
	return saved, err
}

func check(id string, old *booking.Booking, found bool, match booking.Match) error {
	current := int64(0)
	if found {
		current = old.Version
	}
	if match.Absent && found || match.Set && match.Version != current {
		return &booking.VersionError{Booking: id, Current: current}
	}
	return nil
}

func (engine) save(ctx context.Context, tx *store.Tx, b *booking.Booking, kind string) error {
	if err := tx.PutBooking(ctx, b); err != nil {
		return err
	}
	data, err := Render(b)
	if err != nil {
		return err
	}
	_, err = tx.AppendChange(ctx, store.ChangeRecord{Tenant: b.Tenant, Kind: kind, Source: "api", Booking: b.ID, Version: b.Version, At: noon, Data: data})
	return err
}

// people is the half of the engine that concerns persons.
type people struct {
	*store.Store
	synced func(id string, full bool)
}

func (p people) Put(ctx context.Context, person directory.Person) (created bool, err error) {
	err = p.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		res, err := tx.PutPerson(ctx, person)
		created = res.Created
		return err
	})
	return created, err
}

func (p people) Import(ctx context.Context, _ string, rows []directory.Person, o ImportOptions) (Import, error) {
	done := Import{Rows: make([]Imported, len(rows)), Applied: true}
	for i, person := range rows {
		done.Rows[i].Err = p.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			res, err := tx.PutPerson(ctx, person)
			done.Rows[i].Created, done.Rows[i].Changed = res.Created, res.Changed
			return err
		})
		if o.Progress != nil {
			o.Progress(i + 1)
		}
	}
	return done, nil
}

func (p people) Delete(ctx context.Context, tenant, id string) error {
	return p.of(ctx, tenant, id, func(ctx context.Context, tx *store.Tx) error { return tx.DeletePerson(ctx, tenant, id) })
}

func (p people) ApproveDeletions(ctx context.Context, tenant, id string) error {
	return p.of(ctx, tenant, id, func(ctx context.Context, tx *store.Tx) error { return tx.ApproveDeletions(ctx, tenant, id, true) })
}

func (p people) RestoreDeletions(ctx context.Context, tenant, id string) error {
	return p.of(ctx, tenant, id, func(ctx context.Context, tx *store.Tx) error { return tx.ApproveDeletions(ctx, tenant, id, false) })
}

func (p people) SetShadow(ctx context.Context, tenant, id string, on bool) error {
	return p.of(ctx, tenant, id, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.SetShadow(ctx, tenant, id, on)
		return err
	})
}

func (p people) Sync(ctx context.Context, tenant, id string, full bool) error {
	return p.of(ctx, tenant, id, func(context.Context, *store.Tx) error {
		p.synced(id, full)
		return nil
	})
}

func (p people) of(ctx context.Context, tenant, id string, f func(context.Context, *store.Tx) error) error {
	return p.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, found, err := tx.Person(ctx, tenant, id); err != nil {
			return err
		} else if !found {
			return fmt.Errorf("person %q: %w", id, booking.ErrNotFound)
		}
		return f(ctx, tx)
	})
}

// storedAnswers are the Answers that a store keeps.
type storedAnswers struct{ *store.Store }

func (s storedAnswers) BeginAnswer(ctx context.Context, a store.Answer) (mine bool, err error) {
	err = s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		mine, err = tx.BeginAnswer(ctx, a)
		return err
	})
	return mine, err
}

func (s storedAnswers) FinishAnswer(ctx context.Context, a store.Answer) error {
	return s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.FinishAnswer(ctx, a) })
}

func (s storedAnswers) DropAnswer(ctx context.Context, tenant, apiKey, key string) error {
	return s.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.DropAnswer(ctx, tenant, apiKey, key) })
}

// rig is an API on a store with the persons alice and bob and the rooms r1 and r2 in tenant Default, and eve in Other.
type rig struct {
	Options
	store      *store.Store
	key, admin string // of Default, and the host's own
	other      string // of Other
	synced     []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, storetest.New(t, store.Options{URL: storetest.SQLite(t)}))
}

// newRigAtNoon is one whose store has the time of the API: what is over is in nobody's way.
func newRigAtNoon(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, storetest.New(t, store.Options{URL: storetest.SQLite(t), Now: func() time.Time { return noon }}))
}

func newRigOn(t *testing.T, on *store.Store) *rig {
	t.Helper()
	g := &rig{store: on}
	var hash []byte
	var own, foreign store.APIKey
	g.admin, hash = apikey.NewAdmin()
	g.key, own = apikey.New("Default", "test", []apikey.Scope{apikey.ScopeAdmin}, noon)
	g.other, foreign = apikey.New("Other", "test", []apikey.Scope{apikey.ScopeAdmin}, noon)
	g.Options = Options{
		Tenants: func() []string { return []string{"Default", "Other"} }, Bookings: engine{g.store},
		Persons: people{g.store, func(id string, full bool) { g.synced = append(g.synced, fmt.Sprint(id, full)) }},
		Reads:   g.store, Keys: KeysOn(g.store), Answers: storedAnswers{g.store},
		Modes:        func() []config.SyncMode { return []config.SyncMode{{Name: "Feed", Backend: "feed"}} },
		AdminKeyHash: hash, Now: func() time.Time { return noon },
	}
	err := g.store.Tx(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, p := range []directory.Person{
			{Tenant: "Default", ID: "alice", Email: "alice@example.com", Kind: directory.KindPerson, SyncMode: "Feed"},
			{Tenant: "Default", ID: "bob", Email: "bob@example.com", Kind: directory.KindPerson},
			{Tenant: "Default", ID: "r1", Email: "r1@example.com", Kind: directory.KindResource},
			{Tenant: "Default", ID: "r2", Email: "r2@example.com", Kind: directory.KindResource},
			{Tenant: "Other", ID: "eve", Email: "eve@example.com", Kind: directory.KindPerson},
		} {
			p.ConflictBehaviour = directory.Rollback
			if _, err := tx.PutPerson(ctx, p); err != nil {
				return err
			}
		}
		if err := tx.AddAPIKey(ctx, own); err != nil {
			return err
		}
		return tx.AddAPIKey(ctx, foreign)
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// answer is what came back.
type answer struct {
	*http.Response
	text    string
	problem rest.Problem
}

// call sends a request with the key of tenant Default. Headers are pairs; one named Authorization replaces the key.
func (g *rig) call(t *testing.T, h http.Handler, method, path, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+g.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	asDescribed(t, r, w)
	return read(t, w.Result())
}

var description = sync.OnceValues(func() (routers.Router, error) {
	// The validator knows no streams.
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	spec, err := rest.GetSpec()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(spec)
})

// asDescribed sees that an answer is one that the description promises.
func asDescribed(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	router, err := description()
	if err != nil {
		t.Fatal(err)
	}
	r = r.Clone(r.Context())
	if r.Method == http.MethodHead {
		r.Method = http.MethodGet
	}
	route, params, err := router.FindRoute(r)
	if err != nil {
		return // 404 and 405 are nobody's answers
	}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: the answer %d is not as described: %v", r.Method, r.URL, w.Code, err)
	}
}

// read sees that every error is a problem document.
func read(t *testing.T, r *http.Response) answer {
	t.Helper()
	defer func() { _ = r.Body.Close() }()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{Response: r, text: string(data)}
	if r.StatusCode < 400 {
		return a
	}
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%d came as %q: %s", r.StatusCode, got, data)
	}
	if err := json.Unmarshal(data, &a.problem); err != nil {
		t.Errorf("%d: %v: %s", r.StatusCode, err, data)
	}
	if p := a.problem; p.Status != r.StatusCode || p.Title == "" || p.Detail == "" || !strings.HasPrefix(p.Type, urn) || p.RequestID == nil {
		t.Errorf("incomplete problem document: %s", data)
	}
	return a
}

// fields lists the fields at fault.
func (a answer) fields() string {
	var names []string
	if a.problem.Violations != nil {
		for _, v := range *a.problem.Violations {
			names = append(names, v.Field)
		}
	}
	return strings.Join(names, " ")
}

func (a answer) booking(t *testing.T) rest.Booking {
	t.Helper()
	var b rest.Booking
	if err := json.Unmarshal([]byte(a.text), &b); err != nil {
		t.Fatalf("%d: %v: %s", a.StatusCode, err, a.text)
	}
	return b
}
