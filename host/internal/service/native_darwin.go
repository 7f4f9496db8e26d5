package service

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kardianos/service"
)

// plist is in the template language of kardianos/service: ExitTimeOut is longer than the host's drain, and a host that
// ends without an error stays ended.
//
//go:embed roomwire.plist
var plist string

// Privileged refuses who may not install and control services.
func Privileged() error {
	if os.Geteuid() != 0 {
		return errors.New("this needs root: run it with sudo")
	}
	return nil
}

const logDir = "/Library/Logs/Roomwire"

// DefaultLogFile is where a service of this platform logs by itself.
func DefaultLogFile(name string) string { return filepath.Join(logDir, name+".log") }

// account is the one the service runs as; empty for root.
func account(_, wanted string) string { return wanted }

func options(s Spec) service.KeyValue {
	return service.KeyValue{"LaunchdConfig": plist, "RunAtLoad": true, "LogDirectory": filepath.Dir(s.LogFile)}
}

func (n native) entry() string { return "/Library/LaunchDaemons/" + n.name + ".plist" }

// afterInstall gives data and log to the account.
func (n native) afterInstall(_ context.Context, s Spec, rep *Report) error {
	if s.User == "" {
		rep.next("It runs as root. To have an account of its own: make one, uninstall, and install with --user NAME.")
		return nil
	}
	u, err := user.Lookup(s.User)
	if err != nil {
		return fmt.Errorf("the service is installed, but cannot run: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	for _, dir := range []string{s.DataDir, filepath.Dir(s.LogFile)} {
		if err := os.Chown(dir, uid, -1); err != nil {
			return fmt.Errorf("give a folder to %s: %w", s.User, err)
		}
	}
	rep.did("it runs as %s", s.User)
	rep.next("Let %s read %s, and nobody else but root.", s.User, s.ConfigDir)
	return nil
}

var pidLine = regexp.MustCompile(`(?m)^\s*pid = (\d+)$`)

// Status implements Controller.
func (n native) Status(ctx context.Context) (Status, error) {
	st := Status{Name: n.name, State: NotInstalled}
	if _, err := os.Stat(n.entry()); errors.Is(err, os.ErrNotExist) {
		return st, nil
	}
	st.State, st.Unit, st.Logs = Stopped, n.entry(), DefaultLogFile(n.name)
	out, err := runCommand(ctx, "launchctl", "print", "system/"+n.name)
	if err != nil {
		return st, nil // it is not loaded
	}
	m := pidLine.FindStringSubmatch(out)
	if m == nil {
		st.State = Waiting
		return st, nil
	}
	st.State = Running
	st.PID, _ = strconv.Atoi(m[1])
	if out, err := runCommand(ctx, "ps", "-o", "lstart=", "-p", m[1]); err == nil {
		st.Since, _ = time.Parse("Mon Jan _2 15:04:05 2006", strings.TrimSpace(out))
	}
	return st, nil
}
