package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A site is an installation of Roomwire as an operator makes it: the host, its configuration, and the pinned plugins. Its
// persons' calendars are on a Radicale.
type site struct {
	*testing.T
	dir  string // configuration
	api  string // URL of the REST API
	key  string
	http *http.Client
	log  *transcript
}

// A transcript is what a process wrote, for tests to look into while it runs.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// newSite configures a host for some persons and starts it.
func newSite(t *testing.T, r *radicale, persons ...string) *site {
	t.Helper()
	s := &site{T: t, dir: filepath.Join(t.TempDir(), "configs"), http: &http.Client{Timeout: patience}, log: &transcript{}}
	t.Cleanup(s.http.CloseIdleConnections)
	public, api := freePort(t), freePort(t)
	s.api = "http://" + api
	s.write("secret", password)
	s.write("roomwire.hcl", fmt.Sprintf(`
listen {
  notifications = %q
  api           = %q
}
store {
  url = "sqlite:data/roomwire.db"
}
plugins {
  dir = %q
}
tenant "Default" {
  root_url  = "http://%s/Default"
  time_zone = "Europe/Berlin"
}
sync {
  coalesce = "0s"
}
sync_mode "CalDAV" {
  backend  = "caldav"
  auth     = ["basic"]
  url      = %q
  user     = "svc"
  password = file("secret")
  notices  = "pull"
  http {
    ca_file = %q
  }
  backend_settings {
    calendar_path = "/{user}/{calendar}/"
    calendar      = "work"
  }
}
`, public, api, filepath.Join(built, "plugins"), public, r.url, r.caFile))
	// How often the server is asked is a key of ROOMS.
	s.write("RoomsAppSettings.config", `<RoomsAppSettings><add key="IntervallTaskInSeconds" value="1"/></RoomsAppSettings>`)
	rows := "id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour\n"
	for _, p := range persons {
		rows += fmt.Sprintf("%s,%s@example.com,%s,person,CalDAV,,false,rollback\n", p, p, p)
	}
	rows += "room,room@example.com,Room,resource,,,,\n"
	s.must("person", "import", s.write("people.csv", rows))
	s.key = strings.TrimSpace(s.must("apikey", "create", "test"))
	s.serve(public)
	return s
}

func (s *site) write(name, text string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// must runs a command that has to succeed.
func (s *site) must(args ...string) string {
	s.Helper()
	cmd := exec.Command(filepath.Join(built, program("roomwire")), append(args, "--config", s.dir)...)
	cmd.Env = cleanEnviron()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.Fatalf("roomwire %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// serve runs the host until the test ends, and waits until it answers.
func (s *site) serve(public string) {
	s.Helper()
	cmd := exec.Command(filepath.Join(built, program("roomwire")), "serve", "--config", s.dir)
	cmd.Env, cmd.SysProcAttr = cleanEnviron(), dieWithTest()
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		s.Fatalf("start the host: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	s.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		log := s.log.String()
		if strings.Contains(log, password) {
			s.Error("the host's log holds the password")
		}
		if s.Failed() {
			s.Logf("the host said:\n%s", tail(log))
		}
	})
	s.eventually("the host answers", func() error {
		select {
		case err := <-done:
			done <- err
			s.Fatalf("the host ended: %v", err)
		default:
		}
		resp, err := s.http.Get("http://" + public + "/healthz")
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

// eventually waits until check returns nil.
func (s *site) eventually(what string, check func() error) {
	s.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("waited for: %s; still: %v", what, err)
		}
		<-tick.C
	}
}

// A booking is one as the REST API has it.
type booking struct {
	Title     string     `json:"title"`
	Notes     string     `json:"notes,omitempty"`
	Organizer string     `json:"organizer"`
	Resources []string   `json:"resources"`
	Attendees []attendee `json:"attendees"`
	Start     string     `json:"start"`
	End       string     `json:"end"`
	Zone      string     `json:"zone,omitempty"`
	Status    string     `json:"status,omitempty"`
}

type attendee struct {
	Email string `json:"email"`
}

// do makes a request of the REST API; out takes the answer.
func (s *site) do(method, path string, in, out any) {
	s.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.Fatal(err)
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequest(method, s.api+"/Default/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.Fatalf("%s %s: %s, %s, %v", method, path, resp.Status, text, err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *site) booking(id string) (b booking) {
	s.Helper()
	s.do(http.MethodGet, "/bookings/"+id, nil, &b)
	return b
}

// freePort returns an address to listen at. It is none of those that the system gives to outgoing connections, which might
// take it away again.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}
