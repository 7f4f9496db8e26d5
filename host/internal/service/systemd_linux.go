package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// systemd is the Controller of machines that systemd runs. With a root other than "/" it prepares the file tree of another
// machine: it writes there and commands nobody.
type systemd struct {
	name   string
	root   string
	units  string   // the folder of units
	hidden []string // folders that the unit hides from the service
	// run runs a command of the system and returns what it prints.
	run func(ctx context.Context, name string, args ...string) (string, error)
	// account looks a user up.
	account func(name string) (*user.User, error)
}

func newSystemd(name, root string) *systemd {
	return &systemd{
		name: name, root: root, units: filepath.Join(root, "/etc/systemd/system"),
		hidden: []string{"/home", "/root", "/run/user", "/tmp", "/var/tmp"}, run: runCommand, account: user.Lookup,
	}
}

func (d *systemd) unitName() string { return d.name + ".service" }

// path is where the unit lies.
func (d *systemd) path() string { return filepath.Join(d.units, d.unitName()) }

// elsewhere reports whether another machine's file tree is prepared.
func (d *systemd) elsewhere() bool { return d.root != "/" }

// Install implements Controller.
func (d *systemd) Install(ctx context.Context, s Spec) (Report, error) {
	var rep Report
	if s.User == "" {
		s.User = d.name
	}
	credentials, err := d.check(s)
	if err != nil {
		return rep, err
	}
	if !d.elsewhere() {
		if err := d.prepare(ctx, s, &rep); err != nil {
			return rep, err
		}
	}
	if err := writeFile(d.path(), s.unit(d.name, credentials)); err != nil {
		return rep, fmt.Errorf("write the unit: %w", err)
	}
	rep.did("wrote %s", d.path())
	if d.elsewhere() {
		return rep, nil
	}
	if _, err := d.run(ctx, "systemctl", "daemon-reload"); err != nil {
		return rep, err
	}
	if _, err := d.run(ctx, "systemctl", "enable", d.unitName()); err != nil {
		return rep, err
	}
	rep.did("switched the service on: it starts with the machine")
	d.hint(ctx, s, &rep)
	return rep, nil
}

// check refuses what would not run, while nothing is changed yet. It returns the names of the credentials.
func (d *systemd) check(s Spec) ([]string, error) {
	if err := s.checkPaths(); err != nil {
		return nil, err
	}
	if strings.ContainsAny(s.Executable, "\"'\\$") {
		return nil, fmt.Errorf("systemd starts no program whose path holds quotes, dollars or backslashes: move %s", s.Executable)
	}
	for _, p := range []string{s.Executable, s.ConfigDir, s.DataDir, s.PluginDir, s.LogFile} {
		for _, hidden := range d.hidden {
			if p != "" && within(hidden, p) && !d.elsewhere() {
				return nil, fmt.Errorf("%s lies in %s, which the service does not see: move it, for example to /opt/roomwire (program, plugins), "+
					"/etc/roomwire (configuration) and /var/lib/roomwire (data)", p, hidden)
			}
		}
	}
	if err := d.ours(s.Force); err != nil {
		return nil, err
	}
	if _, err := d.account(s.User); err != nil && s.User != d.name && !d.elsewhere() {
		return nil, fmt.Errorf("there is no user %q: make it, or leave --user out and have one made", s.User)
	}
	return credentialNames(s.Credentials)
}

// ours refuses to touch a unit that somebody else wrote.
func (d *systemd) ours(force bool) error {
	info, err := os.Lstat(d.path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && force {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the unit: %w", err)
	}
	if info.Mode().IsRegular() {
		text, err := os.ReadFile(d.path())
		if err != nil {
			return fmt.Errorf("look at the unit: %w", err)
		}
		if strings.HasPrefix(string(text), written) {
			return nil
		}
	}
	return fmt.Errorf("%s was not written by `roomwire service install`: look at it, then use --force, or take another --name", d.path())
}

// credentialNames lists the files of the folder; each becomes a credential of its name.
func credentialNames(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of credentials: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if checkName(e.Name()) != nil || strings.ContainsAny(dir, ": \t\"'\\") {
			return nil, fmt.Errorf("the file %s cannot be a credential: folder and name must be plain, without spaces, colons and quotes",
				filepath.Join(dir, e.Name()))
		}
		names = append(names, e.Name())
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the folder of credentials %s is empty: put a file in it for each secret, or leave --credentials out", dir)
	}
	return names, nil
}

// prepare makes the account and the folders that the service writes to.
func (d *systemd) prepare(ctx context.Context, s Spec, rep *Report) error {
	if _, err := d.account(s.User); err != nil {
		_, err := d.run(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", stateDir(d.name),
			"--shell", "/usr/sbin/nologin", s.User)
		if err != nil {
			return fmt.Errorf("make the user %q: %w", s.User, err)
		}
		rep.did("made the system user %s", s.User)
	}
	dirs := []string{s.DataDir}
	if s.LogFile != "" {
		dirs = append(dirs, filepath.Dir(s.LogFile))
	}
	for _, dir := range slices.Compact(dirs) {
		if _, err := os.Stat(dir); err == nil || dir == "" {
			continue
		}
		if err := d.makeFor(s.User, dir); err != nil {
			return fmt.Errorf("make the folder %s: %w", dir, err)
		}
		rep.did("made the folder %s for %s", dir, s.User)
	}
	return nil
}

func (d *systemd) makeFor(name, dir string) error {
	u, err := d.account(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// hint says what keeps the account from the files it needs, and what comes next.
func (d *systemd) hint(ctx context.Context, s Spec, rep *Report) {
	can := func(how, path string) bool {
		if _, err := os.Stat(path); err != nil {
			return true // `config check` says what is missing
		}
		_, err := d.run(ctx, "runuser", "-u", s.User, "--", "test", how, path)
		return err == nil
	}
	switch {
	case !can("-x", s.Executable):
		rep.next("The user %s may not run %s: let everybody read and run it (chmod 755), and enter its folder.", s.User, s.Executable)
	case !can("-r", filepath.Join(s.PluginDir, "plugins.lock")):
		rep.next("The user %s may not read %s: let everybody read it.", s.User, s.PluginDir)
	}
	for _, file := range []string{"roomwire.hcl", "RoomsAppSettings.config"} {
		if !can("-r", filepath.Join(s.ConfigDir, file)) {
			secret := ""
			if s.Credentials != "" && within(s.ConfigDir, s.Credentials) {
				secret = "; chmod -R go-rwx " + s.Credentials
			}
			rep.next("The user %s may not read the configuration: chgrp -R %s %s; chmod -R g+rX,o-rwx %s%s",
				s.User, s.User, s.ConfigDir, s.ConfigDir, secret)
			break
		}
	}
	if !can("-w", s.DataDir) {
		rep.next("The user %s may not write its data: chown -R %s: %s", s.User, s.User, s.DataDir)
	}
	rep.next("Start it: roomwire service start%s", nameFlag(d.name))
	variable := ""
	if s.Credentials != "" {
		variable = "env CREDENTIALS_DIRECTORY=/run/credentials/" + d.unitName() + " "
	}
	rep.next("Commands on its data are run as its user: sudo -u %s %s%s person list --config %s", s.User, variable, s.Executable, s.ConfigDir)
}

// Uninstall implements Controller.
func (d *systemd) Uninstall(ctx context.Context) (Report, error) {
	var rep Report
	if _, err := os.Lstat(d.path()); errors.Is(err, fs.ErrNotExist) {
		return rep, fmt.Errorf("%s: %w", d.name, ErrNotInstalled)
	}
	if err := d.ours(false); err != nil {
		return rep, fmt.Errorf("it is left alone: %w", err)
	}
	if !d.elsewhere() {
		st, err := d.Status(ctx)
		if err != nil {
			return rep, err
		}
		if st.State != Stopped && st.State != Failed && st.State != NotInstalled {
			if _, err := d.run(ctx, "systemctl", "stop", d.unitName()); err != nil {
				return rep, err
			}
		}
		if _, err := d.run(ctx, "systemctl", "disable", d.unitName()); err != nil {
			return rep, err
		}
		rep.did("stopped the service and switched it off")
	}
	if err := os.Remove(d.path()); err != nil {
		return rep, fmt.Errorf("remove the unit: %w", err)
	}
	rep.did("removed %s", d.path())
	if !d.elsewhere() {
		if _, err := d.run(ctx, "systemctl", "daemon-reload"); err != nil {
			return rep, err
		}
		_, _ = d.run(ctx, "systemctl", "reset-failed", d.unitName()) // complains when there was no failure
	}
	rep.next("Configuration, data and the user are left as they are.")
	return rep, nil
}

// Control implements Controller.
func (d *systemd) Control(ctx context.Context, v Verb) error {
	st, err := d.Status(ctx)
	if err != nil {
		return err
	}
	if st.State == NotInstalled {
		return fmt.Errorf("%s: %w", d.name, ErrNotInstalled)
	}
	if _, err := d.run(ctx, "systemctl", string(v), d.unitName()); err != nil {
		return err
	}
	return nil
}

// Status implements Controller.
func (d *systemd) Status(ctx context.Context) (Status, error) {
	out, err := d.run(ctx, "systemctl", "show", d.unitName(), "--no-pager",
		"--property=LoadState,ActiveState,SubState,MainPID,ActiveEnterTimestamp,StateChangeTimestamp,FragmentPath,StatusText,Result")
	if err != nil {
		return Status{}, err
	}
	st := parseShow(out)
	st.Name = d.name
	if st.State != NotInstalled {
		st.Logs = "journalctl -u " + d.unitName() + d.logFile()
	}
	return st, nil
}

// logFile is where the unit says that the host logs, besides what it says before it can.
func (d *systemd) logFile() string {
	text, err := os.ReadFile(d.path())
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if path, found := strings.CutPrefix(line, logsTo); found {
			return "; " + strings.TrimSpace(path)
		}
	}
	return ""
}

// parseShow reads what `systemctl show` prints.
func parseShow(out string) Status {
	p := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		p[key] = value
	}
	st := Status{State: Stopped, Unit: p["FragmentPath"], Text: p["StatusText"]}
	switch p["ActiveState"] {
	case "active", "reloading":
		st.State = Running
	case "activating":
		st.State = Starting
		if p["SubState"] == "auto-restart" {
			st.State = Waiting
		}
	case "deactivating":
		st.State = Stopping
	case "failed":
		st.State = Failed
	}
	switch {
	case st.State == Stopped:
		st.Text = "" // what it said last holds no more
	case (st.State == Failed || st.State == Waiting) && p["Result"] != "success":
		st.Text = strings.TrimPrefix(st.Text+"; systemd says: "+p["Result"], "; ")
	}
	if p["LoadState"] == "not-found" && p["ActiveState"] == "inactive" {
		return Status{State: NotInstalled}
	}
	st.PID, _ = strconv.Atoi(p["MainPID"])
	since := p["StateChangeTimestamp"]
	if st.State == Running {
		since = p["ActiveEnterTimestamp"] // a reload is a change of state, too
	}
	// Empty for a unit that was never started, and the zero time is right for it.
	st.Since, _ = time.Parse("Mon 2006-01-02 15:04:05 MST", since)
	return st
}

// writeFile puts a file in place as a whole, or not at all.
func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".roomwire-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
