package e2e

import (
	"encoding/xml"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// What must never be seen in a log or in what a command prints. Every appointment's subject and text holds hush.
const (
	password = `Zq9&<w"0rd-of-e2e`
	hush     = "Hush"
)

// The people of every site. Bob is only invited to things unless a test makes him an organizer.
var people = []string{"alice", "bob", "carol", "dave"}

func address(person string) string { return person + "@example.com" }

// A setup says how a site differs from the usual one: Exchange2013 over TLS with NTLM, impersonation, push.
type setup struct {
	auth      string                      // list in HCL; empty: "ntlm"
	plainHTTP bool                        // Exchange is reached over plain HTTP
	delegate  bool                        // no impersonation: the people have opened their calendars to the service user
	sync      map[string]string           // further numbers of the sync block
	mode      string                      // more of the block of Exchange2013
	hcl       string                      // more of roomwire.hcl
	keys      map[string]string           // more of RoomsAppSettings.config
	sim       exchangesim.Options         // of the Exchange stand-in
	store     string                      // store.url; empty: an SQLite file
	rows      []string                    // more lines of people.csv
	faults    func(f *exchangesim.Faults) // before the first start
	process   []string                    // Exchange is a process of its own, with these arguments; sim and faults have no effect
	stopped   bool                        // do not start the host
	cloud     string                      // sync mode of everybody, in Exchange Online: "O365" or "Microsoft365"; empty: on premises
}

// A site is an installation: Exchange, the host's configuration and data, and the host itself.
type site struct {
	*testing.T
	sim      *exchangesim.Server // nil if Exchange is a process of its own
	control  string              // URL of its control API then
	exchange string              // URL of EWS
	mode     string              // sync mode of the people
	certFile string
	dir      string // configuration
	plugins  string // the folder with this site's plugin binaries
	public   string // URL of the notification listener
	api      string // URL of the REST listener
	key      string // of the REST API
	http     *http.Client
	host     *host
	feed     int64 // last change seen by changes
	panics   bool  // a plugin of the site panics, as it is told to

	mu    sync.Mutex
	hosts []*host
	said  []string // by commands
}

// newSite makes a site and starts its host.
func newSite(t *testing.T, o setup) *site {
	t.Helper()
	s := &site{T: t, dir: filepath.Join(t.TempDir(), "configs"), http: &http.Client{Timeout: patience}}
	t.Cleanup(s.http.CloseIdleConnections)
	if o.process != nil {
		s.startExchangeProcess(o.process)
	} else {
		s.startExchange(o)
	}
	s.copyPlugins()
	s.mode = "Exchange2013"
	s.configure(o)
	if o.cloud != "" {
		s.mode, s.exchange = o.cloud, ""
		s.addOnline()
	}
	t.Cleanup(s.end)
	csv := filepath.Join(s.dir, "people.csv")
	s.write("people.csv", strings.Join(append(s.rows(), o.rows...), "\n")+"\n")
	// No host runs yet: both commands work on the store themselves.
	s.must("person", "import", csv)
	s.key = strings.TrimSpace(s.must("apikey", "create", "e2e"))
	if !o.stopped {
		s.serve()
		if s.sim != nil {
			s.settle()
		}
	}
	return s
}

func (s *site) startExchange(o setup) {
	s.Helper()
	if len(o.sim.People) == 0 {
		o.sim.People = accounts(!o.delegate)
	}
	if o.sim.RetryBase == 0 {
		o.sim.RetryBase = 100 * time.Millisecond
	}
	var err error
	if s.sim, err = exchangesim.New(o.sim); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := s.sim.Close(); err != nil {
			s.Errorf("close Exchange: %v", err)
		}
	})
	if o.delegate {
		for _, p := range people {
			s.sim.SetDelegates(address(p), `EXAMPLE\svc-rooms`)
		}
	}
	if o.faults != nil {
		o.faults(s.sim.Faults())
	}
	start := func(addr string) (*exchangesim.Listener, error) { return s.sim.StartTLS(addr) }
	if o.plainHTTP {
		start = s.sim.Start
	}
	l, err := start("127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = l.Close() })
	s.exchange = l.URL + "/EWS/Exchange.asmx"
	s.certFile = s.write("exchange.pem", string(l.CertificatePEM))
}

// accounts are those of every Exchange server.
func accounts(impersonation bool) []exchangesim.Person {
	var all []exchangesim.Person
	for _, p := range people {
		all = append(all, exchangesim.Person{Address: address(p), Name: strings.ToUpper(p[:1]) + p[1:], Password: password})
	}
	return append(all,
		exchangesim.Person{Address: "room-a@example.com", Name: "Room A", Room: true, Password: password},
		exchangesim.Person{Address: "room-b@example.com", Name: "Room B", Room: true, Password: password},
		exchangesim.Person{Address: "svc-rooms@example.com", Name: "Rooms Service", User: `EXAMPLE\svc-rooms`, Password: password, Impersonation: impersonation, NoMailbox: true},
		exchangesim.Person{Address: "svc-plain@example.com", Name: "Plain Service", User: `EXAMPLE\svc-plain`, Password: password, NoMailbox: true},
	)
}

// copyPlugins gives the site its own names of the plugin binaries, by which their processes are told from others'.
func (s *site) copyPlugins() {
	s.Helper()
	s.plugins = filepath.Join(filepath.Dir(s.dir), "plugins")
	if err := os.MkdirAll(s.plugins, 0o755); err != nil {
		s.Fatal(err)
	}
	from := filepath.Join(built, "plugins")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := filepath.Join(s.plugins, d.Name())
		if filepath.Ext(d.Name()) != ".lock" && os.Link(path, to) == nil {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o755)
	})
	if err != nil {
		s.Fatalf("copy the plugins: %v", err)
	}
}

// configure writes the two files of an installation.
func (s *site) configure(o setup) {
	s.Helper()
	notifications, api := freePort(s.T), freePort(s.T)
	s.public, s.api = "http://"+notifications, "http://"+api
	if o.auth == "" {
		o.auth = `"ntlm"`
	}
	if o.store == "" {
		o.store = "sqlite:data/roomwire.db"
	}
	numbers := map[string]string{"coalesce": `"0s"`, "retry_delay": `"1s"`, "attempt_timeout": `"60s"`, "poll_interval": `"5s"`}
	for k, v := range o.sync {
		numbers[k] = v
	}
	var block strings.Builder
	for k, v := range numbers {
		fmt.Fprintf(&block, "  %s = %s\n", k, v)
	}
	s.write("roomwire.hcl", fmt.Sprintf(`
listen {
  notifications = %q
  api           = %q
}
store {
  url = %q
}
plugins {
  dir = %q
}
log {
  level = "debug"
}
tenant "Default" {
  root_url  = "%s/Default"
  time_zone = "Europe/Berlin"
}
sync {
%s}
sync_mode "Exchange2013" {
  auth = [%s]
  %s
  %s
}
%s
`, notifications, api, o.store, s.plugins, s.public, &block, o.auth, o.mode, s.httpBlock(o.plainHTTP), o.hcl))
	var keys strings.Builder
	for k, v := range o.keys {
		fmt.Fprintf(&keys, "\n  <add key=%q value=\"%s\"/>", k, escaped(v))
	}
	s.write("RoomsAppSettings.config", fmt.Sprintf(`<?xml version="1.0" encoding="utf-8"?>
<RoomsAppSettings>
  <add key="Exchange2013ServiceUser" value="svc-rooms"/>
  <add key="Exchange2013ServicePassword" value="%s"/>
  <add key="Exchange2013ServiceDomain" value="EXAMPLE"/>
  <add key="ExchangeUseImpersonation" value="%t"/>%s
</RoomsAppSettings>
`, escaped(password), !o.delegate, &keys))
}

func (s *site) httpBlock(plain bool) string {
	if plain {
		return ""
	}
	return fmt.Sprintf("http {\n    ca_file = %q\n  }", s.certFile)
}

// rows are the lines of people.csv that every site has.
func (s *site) rows() []string {
	rows := []string{"id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour"}
	for _, p := range people {
		rows = append(rows, s.row(p, s.mode, s.exchange))
	}
	for _, r := range []string{"a", "b"} {
		rows = append(rows, fmt.Sprintf("room-%s,room-%s@example.com,Room %s,resource,,,,", r, r, strings.ToUpper(r)))
	}
	for i := range desks {
		rows = append(rows, fmt.Sprintf("%s,,Desk %d,resource,,,,", desk(i), i))
	}
	return rows
}

// desks have no mailbox; tests book them to be out of each other's way.
const desks = 12

func desk(i int) string { return fmt.Sprintf("desk-%d", i) }

func (s *site) row(person, mode, url string) string {
	return fmt.Sprintf("%s,%s,%s,person,%s,%s,false,rollback", person, address(person), strings.ToUpper(person[:1])+person[1:], mode, url)
}

// write puts a file into the site's folder.
func (s *site) write(name, content string) string {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.Fatal(err)
	}
	return path
}

// end stops what runs and looks through everything that was said.
func (s *site) end() {
	tokens := []string{exchangesim.SampleTenant().Apps[0].Secrets[0].Value, "Bearer ey"}
	for _, sub := range s.subscriptions() {
		if _, token, ok := strings.Cut(sub.URL, "k="); ok {
			tokens = append(tokens, token)
		}
	}
	if s.sim != nil {
		for _, sub := range s.sim.GraphSubscriptions() {
			_, token, _ := strings.Cut(sub.URL, "k=")
			tokens = append(tokens, token, sub.ClientState)
		}
	}
	s.mu.Lock()
	hosts := s.hosts
	texts := append([]string(nil), s.said...)
	s.mu.Unlock()
	for _, h := range hosts {
		select {
		case <-h.done:
		default:
			_ = h.cmd.Process.Kill() // it may end by itself just now
			<-h.done
		}
		texts = append(texts, h.log.String())
	}
	secrets := append(tokens, password, basicOf(password), hush)
	for _, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				s.Errorf("a log or a command's output holds %q:\n%s", secret, around(text, secret))
			}
		}
		for _, bad := range []string{"DATA RACE", "panic:", "panicked"} {
			if strings.Contains(text, bad) && (!s.panics || bad == "DATA RACE") {
				s.Errorf("a log holds %q:\n%s", bad, around(text, bad))
			}
		}
	}
	if s.Failed() {
		for i, h := range hosts {
			s.Logf("host %d said, but for requests and the queue:\n%s", i+1, quieter(h.log.String()))
		}
	}
}

// quieter leaves out what these tests cause by asking all the time.
func quieter(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "roomwire.api: request:") && !strings.Contains(line, "roomwire.schedule.queue: ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// around returns the surroundings of the first occurrence of part.
func around(text, part string) string {
	i := strings.Index(text, part)
	return text[max(0, i-300):min(len(text), i+1500)]
}

// noPluginsLeft waits until no plugin of the site runs any more: none outlives its host.
func (s *site) noPluginsLeft() {
	s.Helper()
	s.eventually("the plugins end with their host", func() error {
		left := s.pluginProcesses("")
		return yes(len(left) == 0, "processes %v are left", left)
	})
}

// freePort returns an address to listen at. It is none of those that the system gives to outgoing connections, which
// might take it away again.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		portsMu.Lock()
		taken := ports[addr]
		ports[addr] = true
		portsMu.Unlock()
		if taken {
			continue
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		_ = ln.Close()
		return addr
	}
	t.Fatal("no free port")
	return ""
}

var (
	portsMu sync.Mutex
	ports   = map[string]bool{}
)

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder cannot fail
	return b.String()
}
