package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/roomwire/roomwire/exchangesim"
)

// A receiver is a booking system that takes webhooks.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	verifier *standard.Webhook
	status   int // what is answered; 0: 200
	taken    []int64
	ids      map[string]bool
	refused  int
	forged   []string
}

func newReceiver(s *site) *receiver {
	r := &receiver{ids: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	s.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.verifier == nil {
		w.WriteHeader(http.StatusServiceUnavailable) // the secret is not known yet
		return
	}
	if err == nil {
		err = r.verifier.Verify(body, req.Header)
	}
	var m struct {
		Type string
		Data struct{ Seq int64 }
	}
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		r.forged = append(r.forged, err.Error())
	}
	if r.status != 0 {
		r.refused++
		w.WriteHeader(r.status)
		return
	}
	if id := req.Header.Get("webhook-id"); !r.ids[id] && m.Type != "webhook.test" {
		r.ids[id] = true
		r.taken = append(r.taken, m.Data.Seq)
	}
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status, r.refused = status, 0
}

// seen are the numbers of the changes taken so far, in the order in which they came.
func (r *receiver) seen() (seqs []int64, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken), r.refused
}

// A webhook is what REST says of one.
type webhook struct {
	ID       string
	Seq      int64
	Attempts int
	Problem  string
	Disabled bool
}

// TestWebhooks has a receiver that is well, down while the host is killed, and down for so long that a message is given up.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := newSite(t, setup{})
	r := newReceiver(s)
	admin := s.newKey("admin")
	s.put(meeting("before", "alice", day(1, 9))) // not told: the webhook is not there yet
	s.settle()
	var made struct {
		Webhook webhook
		Secret  string
	}
	s.decode(s.request("POST", "/webhooks", admin, fmt.Sprintf(`{"name":"booking system","url":%q}`, r.URL+"/roomwire")), &made)
	path := "/webhooks/" + made.Webhook.ID
	verifier, err := standard.NewWebhook(made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.verifier = verifier
	r.mu.Unlock()
	var trial struct{ OK bool }
	if s.decode(s.request("POST", path+"/test", admin, ""), &trial); !trial.OK {
		t.Error("the trial message was not taken")
	}
	last := made.Webhook.Seq
	told := func() {
		t.Helper()
		var page struct{ Last int64 }
		s.do(http.MethodGet, "/changes?limit=1", nil, &page)
		want := []int64{}
		for seq := made.Webhook.Seq + 1; seq <= page.Last; seq++ {
			want = append(want, seq)
		}
		s.eventually("every change was told", func() error {
			got, _ := r.seen()
			return yes(slices.Equal(got, want), "%v, want %v", got, want)
		})
		last = page.Last
	}
	work := func(round int) {
		t.Helper()
		for i, p := range people {
			s.put(deskMeeting(fmt.Sprintf("%s-%d", p, round), p, day(1+i, 9+round), desk(i)))
		}
		s.settle()
		it := s.only("bob", fmt.Sprintf("%s bob-%d", hush, round))
		s.outlook("bob", it.ID, func(a *exchangesim.Appointment) { a.BusyStatus = "OOF" })
		s.awaitChange(fmt.Sprintf("bob-%d", round), "updated", "calendar")
	}
	work(0)
	told()

	// Down: what happens waits. The host is killed meanwhile, and the next one goes on where it was.
	r.answers(http.StatusServiceUnavailable)
	work(1)
	s.eventually("the receiver refused", func() error {
		_, refused := r.seen()
		return yes(refused > 0, "nothing came")
	})
	s.kill()
	s.serve()
	work(2)
	if got, _ := r.seen(); got[len(got)-1] != last {
		t.Errorf("told although it was refused: %v", got)
	}
	r.answers(0)
	s.tryNow(path, admin)
	told()

	// Down for a day: eleven tries have failed, and the twelfth is the last. The tries are made up, by hand.
	s.stop()
	s.failedTries(11)
	r.answers(http.StatusInternalServerError)
	s.serve()
	s.put(deskMeeting("too-much", "alice", day(20, 9), desk(9)))
	var dead struct {
		Items []struct{ Seq int64 } `json:"items"`
	}
	s.eventually("the message is laid aside", func() error {
		s.decode(s.request("GET", path+"/dead", admin, ""), &dead)
		return yes(len(dead.Items) == 1 && dead.Items[0].Seq == last+1, "%+v; %s", dead.Items, s.request("GET", path, admin, "").body)
	})
	var resent struct{ Sent int }
	if s.decode(s.request("POST", path+"/dead/resend", admin, ""), &resent); resent.Sent != 0 {
		t.Errorf("%d messages got through to a receiver that refuses them", resent.Sent)
	}
	r.answers(0)
	if s.decode(s.request("POST", path+"/dead/resend", admin, ""), &resent); resent.Sent != 1 {
		t.Errorf("%d messages were sent again, want 1", resent.Sent)
	}
	s.decode(s.request("GET", path+"/dead", admin, ""), &dead)
	if len(dead.Items) != 0 {
		t.Errorf("still dead: %+v", dead.Items)
	}
	told()

	// It wants no more.
	r.answers(http.StatusGone)
	s.put(deskMeeting("unwanted", "alice", day(21, 9), desk(9)))
	s.eventually("the webhook is switched off", func() error {
		var w webhook
		s.decode(s.request("GET", path, admin, ""), &w)
		return yes(w.Disabled, "%+v", w)
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.forged) > 0 {
		t.Errorf("messages that the library does not take: %v", r.forged)
	}
}

// tryNow has what waits for its next try sent at once.
func (s *site) tryNow(webhook, key string) {
	s.Helper()
	var now any
	s.decode(s.request("PATCH", webhook, key, `{"disabled":false}`), &now)
}

// failedTries has the host, which must not run, remember failed tries for the next message of the webhook.
func (s *site) failedTries(n int) {
	s.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "data", "roomwire.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.Context(), "UPDATE webhook SET attempts = ?1", n); err != nil {
		s.Fatal(err)
	}
}
