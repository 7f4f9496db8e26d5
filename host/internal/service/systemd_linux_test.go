package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var plain = Spec{
	Executable: "/opt/roomwire/roomwire", ConfigDir: "/etc/roomwire", DataDir: "/var/lib/roomwire", PluginDir: "/opt/roomwire/plugins",
	User: "roomwire",
}

func TestTheUnitInConfigsIsTheOneThatIsInstalled(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../../../configs/systemd/roomwire.service")
	if err != nil {
		t.Fatal(err)
	}
	if string(shipped) != unitTemplate {
		t.Error("configs/systemd/roomwire.service and host/internal/service/roomwire.service differ: copy one over the other")
	}
	if got := plain.unit("roomwire", nil); got != written+unitTemplate {
		t.Errorf("installed with its own paths, the unit is not as it is shipped:\n%s", got)
	}
}

func TestTheUnitTellsOfTheInstallation(t *testing.T) {
	t.Parallel()
	s := Spec{
		Executable: "/srv/room wire/100%/roomwire", ConfigDir: `/srv/a "b" $HOME`, DataDir: "/srv/data", LogFile: "/var/log/rw/rw.log",
		User: "svc", LowPorts: true, Credentials: "/etc/creds%",
	}
	unit := s.unit("rw2", []string{"one", "two"})
	for _, want := range []string{
		"# It logs to /var/log/rw/rw.log",
		`ExecStart="/srv/room wire/100%%/roomwire" serve --config "/srv/a \"b\" $$HOME" --log-file /var/log/rw/rw.log`,
		"User=svc", "StateDirectory=rw2", "WorkingDirectory=/var/lib/rw2", "ReadWritePaths=/srv/data /var/log/rw",
		"AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
		"LoadCredential=one:/etc/creds%%/one", "LoadCredential=two:/etc/creds%%/two",
	} {
		if !strings.Contains(unit, "\n"+want+"\n") {
			t.Errorf("no line %s in\n%s", want, unit)
		}
	}
	if strings.Contains(unit, "\nConfigurationDirectory") {
		t.Error("systemd would make a configuration folder that nobody uses")
	}
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	s := plain
	s.Executable, s.DataDir, s.LogFile, s.LowPorts = "/bin/true", "/srv/my data", "/var/log/a b/c.log", true
	path := filepath.Join(t.TempDir(), "roomwire.service")
	if err := os.WriteFile(path, []byte(s.unit("roomwire", []string{"x"})), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || strings.Contains(string(out), "roomwire.service:") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// machine is a systemd whose commands are only noted.
type machine struct {
	*systemd
	ran    []string
	answer map[string]string // of commands that begin so; an answer "!…" is a failure
}

func newMachine(t *testing.T, users ...string) *machine {
	t.Helper()
	m := &machine{systemd: newSystemd("roomwire", t.TempDir()), answer: map[string]string{}}
	m.run = func(_ context.Context, name string, args ...string) (string, error) {
		line := name + " " + strings.Join(args, " ")
		m.ran = append(m.ran, line)
		for begin, answer := range m.answer {
			if failure, bad := strings.CutPrefix(answer, "!"); strings.HasPrefix(line, begin) && bad {
				return "", errors.New(failure)
			} else if strings.HasPrefix(line, begin) {
				return answer, nil
			}
		}
		return "", nil
	}
	m.account = func(name string) (*user.User, error) {
		if !slices.Contains(users, name) {
			return nil, user.UnknownUserError(name)
		}
		return &user.User{Uid: fmt.Sprint(os.Getuid()), Gid: fmt.Sprint(os.Getgid())}, nil
	}
	return m
}

func TestInstallLeavesForeignUnitsAlone(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "roomwire")
	if err := os.MkdirAll(filepath.Dir(m.path()), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func() error{
		"written by hand": func() error { return os.WriteFile(m.path(), []byte("[Service]\n"), 0o600) },
		"masked":          func() error { return os.Symlink("/dev/null", m.path()) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Install(t.Context(), plain); err == nil {
			t.Errorf("a unit that is %s was overwritten", name)
		}
		if _, err := m.Uninstall(t.Context()); err == nil {
			t.Errorf("a unit that is %s was removed", name)
		}
		s := plain
		s.Force = true
		for range 2 { // then it is ours, and may be written again
			if _, err := m.Install(t.Context(), s); err != nil {
				t.Errorf("%s, with force: %v", name, err)
			}
			s.Force = false
		}
		if info, err := os.Lstat(m.path()); err != nil || info.Mode().Perm() != 0o644 || !info.Mode().IsRegular() {
			t.Errorf("the unit is %v, %v", info, err)
		}
		if _, err := m.Uninstall(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(m.ran) > 0 {
		t.Errorf("another machine's tree was prepared, but here ran %q", m.ran)
	}
}

func TestInstallRefusesBeforeItChangesAnything(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	odd := t.TempDir()
	if err := os.WriteFile(filepath.Join(odd, "with space"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Spec){
		"relative":               func(s *Spec) { s.ConfigDir = "configs" },
		"control character":      func(s *Spec) { s.ConfigDir = "/etc/a\nb" },
		"unseen home":            func(s *Spec) { s.Executable = "/home/ada/roomwire" },
		"unseen temporary files": func(s *Spec) { s.DataDir = "/tmp/data" },
		"quoted program":         func(s *Spec) { s.Executable = `/opt/a"b` },
		"no such user":           func(s *Spec) { s.User = "ada" },
		"no credentials":         func(s *Spec) { s.Credentials = empty },
		"odd credentials":        func(s *Spec) { s.Credentials = odd },
		"missing credentials":    func(s *Spec) { s.Credentials = filepath.Join(empty, "none") },
	} {
		m := newMachine(t)
		m.here()
		s := plain
		change(&s)
		if _, err := m.Install(t.Context(), s); err == nil {
			t.Errorf("%s: installed", name)
		}
		if len(m.ran) > 0 {
			t.Errorf("%s: ran %q", name, m.ran)
		}
	}
}

// here makes the machine this one, with nothing in it.
func (m *machine) here() {
	m.units = filepath.Join(m.root, "etc/systemd/system")
	m.root = "/"
}

func TestInstallMakesWhatTheServiceNeeds(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "svc")
	m.here()
	m.answer["runuser"] = "!may not"
	s := plain
	s.User, s.ConfigDir, s.DataDir = "svc", filepath.Join(m.units, "c"), filepath.Join(m.units, "d/e")
	for _, dir := range []string{"/tmp", "/var/tmp", "/root", "/home"} {
		if within(dir, m.units) {
			m.hidden = nil // the test's own folder
		}
	}
	if err := os.MkdirAll(s.ConfigDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.ConfigDir, "roomwire.hcl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := m.Install(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.DataDir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v", info, err)
	}
	next := strings.Join(rep.Next, "\n")
	for _, want := range []string{"may not read the configuration: chgrp -R svc " + s.ConfigDir, "may not write its data", "roomwire service start"} {
		if !strings.Contains(next, want) {
			t.Errorf("what comes next does not say %q:\n%s", want, next)
		}
	}
	if want := []string{"systemctl daemon-reload", "systemctl enable roomwire.service"}; !slices.Equal(m.ran[:2], want) {
		t.Errorf("ran %q, want %q first", m.ran, want)
	}
	m.ran = nil
	m.answer["systemctl show"] = "LoadState=loaded\nActiveState=active\n"
	if _, err := m.Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"systemctl stop roomwire.service", "systemctl disable roomwire.service", "systemctl daemon-reload"}
	if got := slices.DeleteFunc(m.ran, func(l string) bool { return !slices.Contains(want, l) }); !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if _, err := m.Uninstall(t.Context()); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("a second uninstall = %v, want ErrNotInstalled", err)
	}
}

func TestTheUserOfTheServiceIsMade(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.here()
	m.answer["useradd"] = "!no space"
	if _, err := m.Install(t.Context(), plain); err == nil || len(m.ran) != 1 || !strings.HasSuffix(m.ran[0], " roomwire") {
		t.Errorf("Install = %v, ran %q; want useradd, and its error", err, m.ran)
	}
	if _, err := os.Stat(m.path()); err == nil {
		t.Error("the unit was written for a user that is not there")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 23, 0, 2, 47, 0, time.UTC)
	const at = "StateChangeTimestamp=Mon 2026-11-23 00:02:47 UTC\nFragmentPath=/u\nLoadState=loaded\n"
	const up = "ActiveEnterTimestamp=Mon 2026-11-23 00:02:47 UTC\nStateChangeTimestamp=Tue 2026-11-24 00:00:00 UTC\nFragmentPath=/u\nLoadState=loaded\n"
	for _, c := range []struct {
		show string
		want Status
		code int
	}{
		{up + "ActiveState=active\nSubState=running\nMainPID=12\nStatusText=a=b\n", Status{State: Running, PID: 12, Text: "a=b"}, 0},
		{up + "ActiveState=reloading\nMainPID=12\n", Status{State: Running, PID: 12}, 0},
		{at + "ActiveState=activating\nSubState=start\nMainPID=12\n", Status{State: Starting, PID: 12}, 3},
		{at + "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nStatusText=no database\n",
			Status{State: Waiting, Text: "no database; systemd says: exit-code"}, 3},
		{at + "ActiveState=failed\nResult=signal\nMainPID=0\n", Status{State: Failed, Text: "systemd says: signal"}, 3},
		{at + "ActiveState=deactivating\n", Status{State: Stopping}, 3},
		{at + "ActiveState=inactive\nStatusText=old\nResult=success\n", Status{State: Stopped}, 3},
		{"LoadState=not-found\nActiveState=inactive\nStateChangeTimestamp=\n", Status{State: NotInstalled}, 4},
	} {
		m := newMachine(t)
		m.answer["systemctl show"] = c.show
		got, err := m.Status(t.Context())
		if c.want.Name = "roomwire"; c.want.State != NotInstalled {
			c.want.Since, c.want.Unit, c.want.Logs = since, "/u", "journalctl -u roomwire.service"
		}
		if err != nil || got != c.want || got.ExitCode() != c.code {
			t.Errorf("%q:\n got %+v, exit code %d, %v\nwant %+v, exit code %d", c.show, got, got.ExitCode(), err, c.want, c.code)
		}
	}
}

func TestStatusKnowsTheLogFile(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "roomwire")
	s := plain
	s.LogFile = "/var/log/rw.log"
	if _, err := m.Install(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	m.answer["systemctl show"] = "LoadState=loaded\nActiveState=inactive\n"
	if st, err := m.Status(t.Context()); err != nil || !strings.HasSuffix(st.Logs, "; /var/log/rw.log") {
		t.Errorf("logs: %q, %v", st.Logs, err)
	}
}

func TestControlOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.answer["systemctl show"] = "LoadState=not-found\nActiveState=inactive\n"
	if err := m.Control(t.Context(), Start); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("Control = %v, want ErrNotInstalled", err)
	}
	m.answer["systemctl show"] = "LoadState=loaded\nActiveState=inactive\n"
	if err := m.Control(t.Context(), Restart); err != nil || m.ran[len(m.ran)-1] != "systemctl restart roomwire.service" {
		t.Errorf("Control = %v, ran %q", err, m.ran)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"roomwire": true, "Room-wire_2.test": true, "": false, "a b": false, "../x": false, "-x": false, "x/y": false, "ü": false,
		strings.Repeat("x", 65): false,
	} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("checkName(%q) = %v", name, err)
		}
	}
}

func FuzzParseShow(f *testing.F) {
	f.Add("LoadState=loaded\nActiveState=active\nMainPID=1\nStateChangeTimestamp=Mon 2026-11-23 00:02:47 UTC\n")
	f.Add("=\n\n=x\nMainPID=99999999999999999999")
	f.Fuzz(func(t *testing.T, out string) {
		if st := parseShow(out); st.State == "" {
			t.Errorf("no state from %q", out)
		}
	})
}
