package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long anything may take that has to come.
const patience = 5 * time.Minute

// A site is an installation: Exchange, the host's configuration, and the host.
type site struct {
	*exchange
	b      *bench
	dir    string
	public string // URL of the notification listener
	api    string // URL of the REST listener
	key    string
	host   *exec.Cmd
	people int
	mode   string // everybody's sync mode at first

	pluginsDir string
	spawned    time.Time // when the host was started last
}

// A setup says how a site differs from the usual one.
type setup struct {
	people  int
	store   string            // store.url; empty: an SQLite file
	auth    string            // empty: ntlm
	sync    map[string]string // numbers of the sync block
	sim     []string          // options of exchangesim
	plugins map[string]string // a plugin folder of its own: which plugin's binary lies there under which name
	modes   string            // further sync modes, as configured
	online  string            // everybody is in Exchange Online, and has this sync mode at first; empty: on premises
	off     bool              // everybody's sync is switched off at first
	stopped bool              // the host is not started
}

// newSite makes an installation and starts it.
func (b *bench) newSite(ctx context.Context, name string, o setup) (_ *site, err error) {
	s := &site{b: b, dir: filepath.Join(b.work, name), people: o.people, mode: cmp.Or(o.online, "Exchange2013")}
	if o.online != "" {
		o.sim = append(o.sim, onlineFlag, "127.0.0.1:0")
	}
	if err := os.MkdirAll(filepath.Join(s.dir, "configs"), 0o755); err != nil {
		return nil, err
	}
	if s.exchange, err = b.startExchange(ctx, s.dir, o.people, o.sim...); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	s.pluginsDir = filepath.Join(b.bin, "plugins")
	if o.online != "" {
		s.pluginsDir = filepath.Join(b.bin, onlineDir)
	}
	if o.plugins != nil {
		s.pluginsDir = filepath.Join(s.dir, "plugins")
		if err := b.pluginDir(s.pluginsDir, o.plugins); err != nil {
			return nil, err
		}
	}
	if err := s.configure(o); err != nil {
		return nil, err
	}
	if o.plugins != nil {
		if _, err := s.command(ctx, "plugin", "lock"); err != nil {
			return nil, err
		}
	}
	if o.people > 0 {
		if err := s.importPeople(ctx, o.off); err != nil {
			return nil, err
		}
	}
	if o.stopped {
		return s, nil
	}
	return s, s.serve(ctx)
}

func (s *site) configure(o setup) error {
	notifications, err := freePort()
	if err != nil {
		return err
	}
	api, err := freePort()
	if err != nil {
		return err
	}
	s.public, s.api = "http://"+notifications, "http://"+api
	if o.store == "" {
		o.store = "sqlite:data/roomwire.db"
	}
	if o.auth == "" {
		o.auth = "ntlm"
	}
	var numbers strings.Builder
	for k, v := range o.sync {
		fmt.Fprintf(&numbers, "  %s = %s\n", k, v)
	}
	modes := s.onPremises(o.auth) + o.modes
	if o.online != "" {
		modes = s.inTheCloud() + o.modes
	}
	hcl := fmt.Sprintf(`
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
  level = "warn"
}
tenant "Default" {
  root_url  = "%s/Default"
  time_zone = "Europe/Berlin"
}
sync {
%s}
%s`, notifications, api, o.store, s.pluginsDir, s.public, &numbers, modes)
	if err := os.WriteFile(filepath.Join(s.dir, "configs", "roomwire.hcl"), []byte(hcl), 0o600); err != nil || o.online != "" {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "configs", "RoomsAppSettings.config"), []byte(`<?xml version="1.0" encoding="utf-8"?>
<RoomsAppSettings>
  <add key="Exchange2013ServiceUser" value="svc-rooms"/>
  <add key="Exchange2013ServicePassword" value="`+password+`"/>
  <add key="Exchange2013ServiceDomain" value="EXAMPLE"/>
</RoomsAppSettings>
`), 0o600)
}

// onPremises is the sync mode of the Exchange server.
func (s *site) onPremises(auth string) string {
	return fmt.Sprintf(`sync_mode "Exchange2013" {
  auth = [%q]
  url  = %q
  http {
    ca_file = %q
  }
}
`, auth, s.ews, s.certFile)
}

// importPeople imports everybody as an administrator does. Without a running host it writes to the store itself.
func (s *site) importPeople(ctx context.Context, off bool) error {
	var csv strings.Builder
	csv.WriteString("id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour\n")
	for i := range s.people {
		fmt.Fprintf(&csv, "%[1]s,%[1]s@%[2]s,%[1]s,person,%[4]s,,%[3]t,\n", person(i), domain, off, s.mode)
	}
	path := filepath.Join(s.dir, "people.csv")
	if err := os.WriteFile(path, []byte(csv.String()), 0o600); err != nil {
		return err
	}
	_, err := s.command(ctx, "person", "import", path)
	return err
}

// command runs a command of roomwire and returns what it printed.
func (s *site) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.b.bin, executable("roomwire")), append(args, "--config", filepath.Join(s.dir, "configs"))...)
	cmd.Env = environ()
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("roomwire %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// environ is the environment without settings of the product, which go before files.
func environ() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ROOMWIRE_") && !strings.HasPrefix(v, "Exchange") {
			env = append(env, v)
		}
	}
	return env
}

// serve starts the host and returns when it answers.
func (s *site) serve(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.host = exec.Command(filepath.Join(s.b.bin, executable("roomwire")), "serve", "--config", filepath.Join(s.dir, "configs"))
	s.host.Env, s.host.Stdout, s.host.Stderr = environ(), log, log
	s.spawned = time.Now()
	if err := s.host.Start(); err != nil {
		return err
	}
	err = s.await(ctx, "the host answers", func() error {
		resp, err := s.client.Get(s.public + "/healthz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The key with which commands on the same machine reach the host: it may do everything.
	file, err := os.ReadFile(filepath.Join(s.dir, "configs", "data", "admin.key"))
	if err != nil {
		return err
	}
	_, key, _ := strings.Cut(strings.TrimSpace(string(file)), "\n")
	s.key = key
	return nil
}

// stop ends the host and Exchange.
func (s *site) stop() {
	s.stopHost()
	s.exchange.stop()
	if s.b.profile == "" {
		_ = os.RemoveAll(s.dir)
	}
}

func (s *site) stopHost() {
	if s.host != nil {
		stop(s.host)
		s.host = nil
	}
}

// stop ends a process of ours as a service manager does.
func stop(cmd *exec.Cmd) {
	if cmd.Process == nil {
		return
	}
	kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if cmd.Process.Signal(syscall.SIGTERM) != nil {
		_ = cmd.Process.Kill()
	}
	_ = cmd.Wait()
}

// await asks until check is content.
func (s *site) await(ctx context.Context, what string, check func() error) error {
	return s.awaitFor(ctx, patience, what, check)
}

func (s *site) awaitFor(ctx context.Context, most time.Duration, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			tail, _ := os.ReadFile(filepath.Join(s.dir, "host.log"))
			return fmt.Errorf("waited for: %s; still: %w\n%s", what, err, tail[max(0, len(tail)-2000):])
		case <-tick.C:
		}
	}
}

// plugins returns the processes of the host's plugins.
func (s *site) plugins() []int { return children(s.host.Process.Pid) }

// processes names those whose profiles are wanted.
func (s *site) processes() map[string]int {
	all := map[string]int{"host": s.host.Process.Pid, "exchange": s.exchange.cmd.Process.Pid}
	for i, pid := range s.plugins() {
		all[fmt.Sprintf("plugin%d", i)] = pid
	}
	return all
}

func (s *site) rest(method, path string, in, out any) error {
	return callJSON(s.client, method, s.api+"/Default/api/v1"+path, s.key, in, out)
}

// personsWith counts the persons whose sync has a status, by the sizes of pages.
func (s *site) personsWith(status string) (int, error) {
	n, after := 0, ""
	for {
		var page struct {
			Items []struct{ ID string } `json:"items"`
			Next  string                `json:"next"`
		}
		if err := s.rest(http.MethodGet, "/persons?limit=500&status="+status+"&after="+after, nil, &page); err != nil {
			return 0, err
		}
		n += len(page.Items)
		if after = page.Next; after == "" {
			return n, nil
		}
	}
}

// ready waits until everybody is subscribed and well.
func (s *site) ready(ctx context.Context) error {
	return s.await(ctx, "everybody is subscribed", func() error {
		n, err := s.personsWith("ok")
		if err != nil {
			return err
		}
		if n < s.people {
			return fmt.Errorf("%d of %d", n, s.people)
		}
		return nil
	})
}

func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}
