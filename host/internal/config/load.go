package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files that Load looks for in its folder.
const (
	HCLFile   = "roomwire.hcl"
	RoomsFile = "RoomsAppSettings.config"
)

// maxHCLFile bounds roomwire.hcl.
const maxHCLFile = 1 << 20

// Source says where to read from. Nothing else is asked: not the process's
// environment, not its working folder (but to make a relative Dir absolute).
type Source struct {
	Dir        string   // the configuration folder; empty means none: defaults and environment only
	Environ    []string // as os.Environ gives it
	Executable string   // as os.Executable gives it; a relative plugins.dir is meant from its folder

	// Candidate is a folder whose files are read in place of those of Dir, where it has them: what Install would put there.
	Candidate string
}

// folderOf returns where the file of that name is read.
func (s Source) folderOf(name string) string {
	if s.Candidate != "" && exists(filepath.Join(s.Candidate, name)) {
		return s.Candidate
	}
	return s.Dir
}

// Load reads the configuration. It returns nil when there are errors, and all
// findings in any case; without a roomwire.hcl the defaults hold, and a note
// says so.
func Load(s Source) (*Config, Diagnostics) {
	l := &loader{env: newEnvironment(s.Environ)}
	l.folders(s)
	hcl, rooms := s.folderOf(HCLFile), s.folderOf(RoomsFile)
	l.hcl = parseHCL(filepath.Join(hcl, HCLFile), l.read(hcl, HCLFile, maxHCLFile), functions(l.dir, l.env))
	l.rooms = parseRooms(filepath.Join(rooms, RoomsFile), l.readRooms(rooms))

	// What is built from a file that could not be parsed would complain of
	// what is in the file.
	parsed := !l.hcl.unread && !l.rooms.unread
	c := &Config{Dir: l.dir}
	before := len(l.diags)
	l.build(c)
	if !parsed {
		l.diags = l.diags[:before]
	}
	l.strayVariables()

	diags := slices.Concat(l.hcl.diags, l.rooms.diags, l.diags)
	l.order(diags)
	if diags.HasErrors() {
		return nil, diags
	}
	c.shown = l.shown
	return c, diags
}

// folders makes the two folders absolute from which relative paths are meant.
func (l *loader) folders(s Source) {
	var err error
	if l.dir, err = filepath.Abs(s.Dir); err != nil {
		l.add(place{}, Error, "the working folder is not known", err.Error(), "Name the configuration folder in full: --config DIR.")
	}
	l.exeDir = l.dir
	if s.Executable != "" {
		exe := s.Executable
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		if exe, err := filepath.Abs(exe); err == nil {
			l.exeDir = filepath.Dir(exe)
		}
	}
	if s.Dir == "" {
		l.add(place{}, Note, "no configuration folder was given", "Defaults and environment hold.", "Name one with --config DIR.")
		return
	}
	info, err := os.Stat(l.dir)
	switch {
	case err != nil:
		l.add(place{}, Error, fmt.Sprintf("there is no configuration folder %s", l.dir), "Without it the wrong installation could be started, on defaults.",
			"Name the right one with --config DIR, or make it: the example is configs/ of the distribution.")
	case !info.IsDir():
		l.add(place{}, Error, fmt.Sprintf("%s is no folder", l.dir), "The configuration is a folder with "+HCLFile+" and "+RoomsFile+" in it.", "Name the folder, not a file: --config DIR.")
	}
}

// read returns a file's contents, nil when it is not there.
func (l *loader) read(dir, name string, limit int64) []byte {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, name)
	data, err := readBounded(path, limit)
	switch {
	case err == nil:
		return data
	case !errors.Is(err, os.ErrNotExist):
		l.add(place{}, Error, fmt.Sprintf("%s: %s", name, err), "", "Give the user that runs roomwire the right to read it.")
	case name == HCLFile && exists(dir):
		l.add(place{}, Note, fmt.Sprintf("there is no %s; the defaults hold", path), "", "Copy the example, configs/roomwire.hcl, to set more than RoomsAppSettings.config can.")
		fallthrough
	default:
		l.misnamed(dir, name)
	}
	return nil
}

func (l *loader) readRooms(dir string) []byte {
	data := l.read(dir, RoomsFile, maxRoomsFile)
	if data == nil {
		return []byte("<RoomsAppSettings/>")
	}
	return data
}

// misnamed warns of roomwire.hcl.txt and its like: Windows hides the end.
func (l *loader) misnamed(dir, name string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		n := e.Name()
		stem := strings.TrimSuffix(strings.ToLower(n), ".txt")
		if !e.IsDir() && n != name && (stem == strings.ToLower(name) || Nearest(n, []string{name}) != "") {
			l.add(place{}, Warning, fmt.Sprintf("the file %s is not read", n), "Its name is not quite "+name+". Windows may hide the end of names.", "Rename it to "+name+".")
		}
	}
}

// build asks for every setting there is.
func (l *loader) build(c *Config) {
	top := schema()
	block := func(name string) section {
		b, _ := top.block(name)
		return l.section(b, name)
	}
	rooms := l.section(roomsKeys(), "RoomsAppSettings")
	rooms.head = "RoomsAppSettings.config"

	c.Listen = l.listen(block("listen"))
	c.Store = l.store(block("store"))
	c.Plugins = l.plugins(block("plugins"))
	log := block("log")
	c.Log = Log{Level: log.text("level"), Format: log.text("format")}
	c.Watch = block("config").boolean("watch")
	c.Sync = l.sync(block("sync"))
	c.Mail = l.mail(block("mail"))
	for _, a := range rooms.spec.attrs {
		rooms.get(a.name)
	}
	c.Pull = pull(rooms)
	endpoint := l.endpoint(rooms)
	tenant, _ := top.block("tenant")
	resources := block("rooms")
	resources.rooms = map[string]string{"sync": "ExchangeRessourceSyncEnabled"}
	l.roomSync = resources.boolean("sync")
	c.Tenants = l.tenants(tenant, endpoint)
	mode, _ := top.block("sync_mode")
	c.SyncModes = l.modes(mode)
}

func (l *loader) listen(s section) Listen {
	shared := l.certificate(s)
	one := func(name string) Listener {
		own := s.sub(name)
		blockAt, isBlock := l.hcl.blocks[key("listen", name)]
		if !isBlock && !own.has("address") && !own.has("cert_file") && !own.has("key_file") {
			shared.Addr = s.text(name)
			return shared
		}
		if s.has(name) {
			l.add(blockAt, Error, fmt.Sprintf("listen has %s both as a setting and as a block", name), "", "Keep the block.")
		}
		n := l.certificate(own)
		n.Addr = own.text("address")
		return n
	}
	return Listen{Notifications: one("notifications"), API: one("api")}
}

// certificate reads cert_file and key_file of a block and checks that they
// belong together.
func (l *loader) certificate(s section) Listener {
	cert, _, certAt := s.file("cert_file")
	keyFile, _, keyAt := s.file("key_file")
	certSet, keySet := s.has("cert_file"), s.has("key_file")
	const both = "Set both, or neither behind a reverse proxy that speaks TLS."
	switch {
	case certSet && !keySet:
		l.add(certAt, Error, "there is cert_file without key_file", "TLS needs both.", both)
	case keySet && !certSet:
		l.add(keyAt, Error, "there is key_file without cert_file", "TLS needs both.", both)
	case cert != "" && keyFile != "":
		if _, err := tls.LoadX509KeyPair(cert, keyFile); err != nil {
			l.add(certAt, Error, "the certificate and its key cannot be used: "+err.Error(), "",
				"cert_file takes the certificate, then its intermediates, key_file the unencrypted private key, both as PEM.")
		}
	}
	return Listener{CertFile: cert, KeyFile: keyFile}
}

// once adds a finding unless the same is there already.
func (l *loader) once(at place, s Severity, what, why, remedy string) {
	d := at.say(s, what, why, remedy)
	if !slices.Contains(l.diags, d) {
		l.diags = append(l.diags, d)
	}
}

func firstPlace(places ...place) place {
	for _, p := range places {
		if p.env != "" || p.src != nil {
			return p
		}
	}
	return place{}
}

func (l *loader) store(s section) Store {
	url := s.text("url")
	rest, isSQLite := strings.CutPrefix(url, "sqlite:")
	if !isSQLite || rest == ":memory:" {
		return Store{URL: url}
	}
	path := strings.TrimPrefix(rest, "//")
	return Store{URL: "sqlite:" + within(l.dir, filepath.FromSlash(path))}
}

func (l *loader) plugins(s section) Plugins {
	dir := within(l.exeDir, s.text("dir"))
	return Plugins{Dir: dir, Lock: filepath.Join(dir, "plugins.lock"), MemoryLimit: int64(s.whole("memory_limit")) << 20}
}

func (l *loader) sync(s section) Sync {
	s.rooms = map[string]string{"resolve_distribution_groups": "ExchangeSyncResolveDistributionGroups"}
	interval := s.duration("subscription_interval")
	frequency, at, _ := s.get("status_frequency")
	minutes, _ := frequency.(time.Duration)
	if minutes%time.Minute != 0 {
		l.add(at, Error, "status_frequency is not in whole minutes", "Exchange counts it in minutes.", "Write for example \"30m\".")
	}
	l.notYet(s, "workers_per_mailbox", 1)
	l.private = s.text("private")
	return Sync{
		SubscriptionInterval: interval,
		StatusFrequency:      minutes,
		BackSyncDelay:        s.duration("back_sync_delay"),
		Coalesce:             s.duration("coalesce"),
		ReconcileInterval:    s.duration("reconcile_interval"),
		PollInterval:         s.duration("poll_interval"),
		AttemptTimeout:       s.duration("attempt_timeout"),
		RetryDelay:           s.duration("retry_delay"),
		WorkersPerServer:     s.whole("workers_per_server"),
		WorkersPerMailbox:    s.whole("workers_per_mailbox"),
		MassDeletionLimit:    s.whole("mass_deletion_limit"),
		MassDeletionShare:    s.share("mass_deletion_share"),
		MassChangeLimit:      s.whole("mass_change_limit"),
		MassChangeShare:      s.share("mass_change_share"),
		RollbackTries:        s.whole("rollback_tries"),
		CancelTries:          s.whole("cancel_tries"),
		FollowMoves:          s.boolean("follow_moves"),
		KeepTimeline:         s.duration("keep_timeline"),
		KeepChanges:          s.duration("keep_changes"),
		ResolveGroups:        s.boolean("resolve_distribution_groups"),
	}
}

// notYet says of a setting that this release does not use, and that is not what it does anyway.
func (l *loader) notYet(s section, name string, does any) {
	if value, at, _ := s.get(name); value != nil && value != does {
		l.add(at, Note, name+" has no effect in this release", fmt.Sprintf("Roomwire does as if it were %v.", does), "Leave it, or delete it.")
	}
}

func pull(s section) Pull {
	in := func(name string, unit time.Duration) time.Duration { return time.Duration(s.whole(name)) * unit }
	return Pull{
		BatchGetEvents:       s.whole("BatchGetEventsSize"),
		BatchSubscribe:       s.whole("BatchSubscribeSize"),
		FailedGetEventsLimit: s.whole("FailedGetEventsTillDeactivate"),
		FailedSubscribeLimit: s.whole("FailedSubscribeTillDeactivate"),
		SubscribeInterval:    in("IntervallSubscribeInMinutes", time.Minute),
		TaskInterval:         in("IntervallTaskInSeconds", time.Second),
		TokenRenewBefore:     in("OAuthTokenMinutesBeforeRenew", time.Minute),
		SubscriptionTimeout:  in("SubscriptionTimeoutInMinutes", time.Minute),
	}
}

// strayVariables warns of ROOMWIRE_ variables that look like a slip of one that
// is read.
func (l *loader) strayVariables() {
	for _, name := range l.env.names {
		if !strings.HasPrefix(name, "ROOMWIRE_") || slices.Contains(l.asked, name) {
			continue
		}
		near := Nearest(name, l.asked)
		if near == "" {
			near = nearestBegin(name, l.begun)
		}
		if near != "" {
			l.add(place{env: name}, Warning, fmt.Sprintf("the variable %s is not read", name), "Nothing is called so.", "Did you mean `"+near+"`?")
		}
	}
}

// order sorts findings by file and line; those without a place go first.
func (l *loader) order(diags Diagnostics) {
	rank := func(d Diagnostic) int {
		switch d.File {
		case "":
			return 0
		case l.hcl.src.name:
			return 1
		case l.rooms.src.name:
			return 2
		default:
			return 3
		}
	}
	slices.SortStableFunc(diags, func(a, b Diagnostic) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		return a.Line - b.Line
	})
}
