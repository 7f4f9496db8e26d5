package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/roomwire/roomwire/exchangesim"
)

// startExchangeProcess runs the Exchange stand-in as a process of its own. Tests act on it by its control API.
func (s *site) startExchangeProcess(args []string) {
	s.Helper()
	accounts, err := json.Marshal(accounts(true))
	if err != nil {
		s.Fatal(err)
	}
	s.certFile = filepath.Join(s.dir, "exchange.pem")
	args = append([]string{
		"--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--cert-out", s.certFile, "--people", s.write("accounts.json", string(accounts)),
	}, args...)
	cmd := exec.Command(filepath.Join(built, program("exchangesim")), args...)
	cmd.SysProcAttr = dieWithTest()
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatalf("start Exchange: %v", err)
	}
	s.Cleanup(func() {
		_ = cmd.Process.Kill() // whatever it does just now
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for s.control == "" || s.exchange == "" {
		if !lines.Scan() {
			s.Fatalf("Exchange ended before it said where it listens: %v", lines.Err())
		}
		ews, control, found := strings.Cut(lines.Text(), ", control at ")
		switch _, at, ok := strings.Cut(ews, "EWS at "); {
		case !found || !ok:
			s.Fatalf("Exchange says %q", lines.Text())
		case strings.HasPrefix(at, "https:"):
			s.exchange = at
		default:
			s.control = strings.TrimSuffix(control, "/")
		}
	}
}

// ask makes a request of the control API of Exchange.
func (s *site) ask(method, path string, in, out any) {
	s.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			s.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, s.control+path, &body)
	if err != nil {
		s.Fatal(err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && out != nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil || resp.StatusCode >= 300 {
		s.Fatalf("%s %s: %s, %v\n%s", method, path, resp.Status, err, data)
	}
}

// subscriptions are those that Exchange has now, wherever it runs.
func (s *site) subscriptions() []exchangesim.SubscriptionInfo {
	s.Helper()
	if s.sim != nil {
		return s.sim.Subscriptions()
	}
	var all []exchangesim.SubscriptionInfo
	s.ask(http.MethodGet, "/subscriptions", nil, &all)
	return all
}

// An appointment is what these tests look at of what the control API shows.
type appointment struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Busy    string `json:"busy_status"`
}

func (s *site) appointments(person, subject string) []appointment {
	s.Helper()
	var all, found []appointment
	s.ask(http.MethodGet, "/appointments?mailbox="+address(person), nil, &all)
	for _, a := range all {
		if a.Subject == subject {
			found = append(found, a)
		}
	}
	return found
}

// bothWaysAt does as bothWays where Exchange is a process of its own.
func (s *site) bothWaysAt(person string, b booking) {
	s.Helper()
	s.put(b)
	var found []appointment
	s.eventually(b.ID+" is in the calendar of "+person, func() error {
		found = s.appointments(person, b.Title)
		return yes(len(found) == 1, "there are %d; %+v", len(found), s.state(person))
	})
	s.ask(http.MethodPatch, "/appointments?mailbox="+address(person)+"&id="+url.QueryEscape(found[0].ID), map[string]string{"busy_status": "OOF"}, nil)
	s.eventually("the change feed tells of "+b.ID, func() error {
		return yes(s.booking(b.ID).Busy == "oof", "%+v", s.state(person))
	})
}
