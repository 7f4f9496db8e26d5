package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// A mailServer takes every mail.
type mailServer struct {
	addr  string
	mu    sync.Mutex
	mails []string
}

func newMailServer(t *testing.T) *mailServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailServer{addr: ln.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		all.Wait()
	})
	return m
}

func (m *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	say := func(line string) { _, _ = fmt.Fprint(conn, line, "\r\n") }
	in := textproto.NewReader(bufio.NewReader(conn))
	say("220 mail.example.com")
	for {
		line, err := in.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "DATA":
			say("354 go on")
			lines, err := in.ReadDotLines()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.mails = append(m.mails, strings.Join(lines, "\n"))
			m.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// to returns the mails to a person so far.
func (m *mailServer) to(person string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []string
	for _, mail := range m.mails {
		if strings.Contains(mail, "To: <"+address(person)+">") {
			found = append(found, mail)
		}
	}
	return found
}

// TestMailsAboutTrouble has bookings taken out of the sync: their organizers are told once a day, those who want to be.
func TestMailsAboutTrouble(t *testing.T) {
	t.Parallel()
	m := newMailServer(t)
	s := newSite(t, setup{
		sync: map[string]string{"rollback_tries": "1"},
		hcl:  fmt.Sprintf("mail {\n  smtp = \"smtp://%s\"\n  from = \"Rooms <rooms@example.com>\"\n}\n", m.addr),
	})
	s.must("person", "set", "dave", "--mail-on-error=false")
	disabled := func(id, organizer string, n int) {
		t.Helper()
		s.sim.Faults().Error("CreateItem", "ErrorMessageSizeExceeded", -1)
		s.put(deskMeeting(id, organizer, day(n, 9), desk(n)))
		s.eventually(id+" is taken out of the sync", func() error {
			b := s.booking(id)
			return yes(b.SyncDisabled, "%+v; %+v", b, s.state(organizer))
		})
		s.sim.Faults().Reset()
	}
	disabled("first", "alice", 1)
	s.eventually("alice is told", func() error { return yes(len(m.to("alice")) > 0, "she is not") })
	mail := m.to("alice")[0]
	for _, part := range []string{"From:", "rooms@example.com", "no longer kept in step", "Desk 1"} {
		if !strings.Contains(mail, part) {
			t.Errorf("the mail has no %q:\n%s", part, mail)
		}
	}
	if strings.Contains(mail, hush) {
		t.Errorf("the mail tells what the booking is about:\n%s", mail)
	}
	// The same trouble again, the same day; then somebody else's, which is told after it would have been.
	disabled("first", "alice", 2)
	disabled("second", "dave", 3)
	disabled("third", "carol", 4)
	s.eventually("carol is told", func() error { return yes(len(m.to("carol")) > 0, "she is not") })
	for p, want := range map[string]int{"alice": 1, "carol": 1, "dave": 0} {
		if got := len(m.to(p)); got != want {
			t.Errorf("%s got %d mails, want %d", p, got, want)
		}
	}
	if shown := strings.Join(s.timeline("alice"), "\n"); !strings.Contains(shown, "sync of the booking disabled") {
		t.Errorf("alice's timeline: %s", shown)
	}
}
