// Package verify examines plugin binaries: whether they are what was pinned, and whether they keep the contract.
package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/backendtest"
	"github.com/roomwire/roomwire/sdk/conformance"
	"github.com/roomwire/roomwire/sdk/launch"
)

// A Pin is what became of a pinned binary.
type Pin struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	State string `json:"state"`
	Good  bool   `json:"good"`
}

// Pins compares the binaries of a plugin folder with plugins.lock: those of the names given, or all of them.
func Pins(dir string, names []string) ([]Pin, error) {
	entries, err := supervise.List(dir)
	if err != nil {
		return nil, err
	}
	var out []Pin
	for _, e := range entries {
		if len(names) == 0 || slices.Contains(names, e.Name) {
			out = append(out, Pin{Name: e.Name, File: e.File, State: e.State, Good: e.State == supervise.StateGood})
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(out, func(p Pin) bool { return p.Name == name }) {
			return nil, fmt.Errorf("there is no plugin %q in %s", name, dir)
		}
	}
	return out, nil
}

// An Order says which plugin is held against the contract, and where.
type Order struct {
	File string // the plugin's binary; it need not be pinned
	// Set are settings of the plugin as NAME=VALUE; see ParseSettings.
	Set []string
	// Auth is the binary of the auth plugin that a backend logs in by, and AuthSet its settings; empty for none.
	Auth    string
	AuthSet []string
	// Mode stands for what the configuration says of a sync mode, in the place of Set, Auth and AuthSet; nil for none.
	Mode *Mode

	ActAs         bool
	URL           string // of the service, that of Mode by default; the accounts are used at its origin alone
	CAFile, Proxy string
	Mailboxes     []string // addresses of calendars in which items are made and removed
	Absent        string   // address of a mailbox that does not exist; empty for none
	Attendees     bool     // items with attendees may be made
	NoticesListen string   // address to listen at for the server's messages; empty for none
	NoticesURL    string   // where the server reaches that
	Lag           time.Duration
	Check         string // pattern of the checks to make, as path.Match has it; empty for all
	Log           hclog.Logger
}

// A Check is one rule of the contract, and whether it was kept.
type Check struct {
	Name    string   `json:"name"`
	Outcome string   `json:"outcome"` // passed, failed or skipped
	Said    []string `json:"said,omitempty"`
}

// Failed reports whether the rule is not kept.
func (c Check) Failed() bool { return c.Outcome == string(conformance.Failed) }

// Skipped reports whether the rule was not examined; Said tells why.
func (c Check) Skipped() bool { return c.Outcome == string(conformance.Skipped) }

// A Report is what came of an Order.
type Report struct {
	Plugin  string  `json:"plugin"`
	Version string  `json:"version"`
	Kind    string  `json:"kind"`
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Skipped int     `json:"skipped"`
	Checks  []Check `json:"checks"`
}

// Conformance holds a plugin against the contract of its kind. told is called with each check as it ends. An error means
// that nothing could be examined. When ctx ends, no more is examined, and what was made is removed.
func Conformance(ctx context.Context, o Order, told func(Check)) (Report, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	about, err := describe(ctx, o.File, o.Log)
	if err != nil {
		return Report{}, err
	}
	report := Report{Plugin: about.Name, Version: about.Version, Kind: string(about.Kind), Checks: []Check{}}
	r := conformance.NewReport(ctx, func(one conformance.Result) {
		c := Check{Name: one.Name, Outcome: string(one.Outcome), Said: inFlags(one.Said, about.Kind)}
		report.add(c)
		told(c)
	})
	run := backendPlugin
	if about.Kind == launch.AuthPlugin {
		run = authPlugin
	}
	// The suite is a check of its own: what it cannot begin with is said so.
	err = run(ctx, o, about, func(suite func(*conformance.Report)) { suite(r) })
	return report, err
}

func (r *Report) add(c Check) {
	switch {
	case c.Failed():
		r.Failed++
	case c.Skipped():
		r.Skipped++
	default:
		r.Passed++
	}
	r.Checks = append(r.Checks, c)
}

// describe starts a binary to ask what it is.
func describe(ctx context.Context, file string, log hclog.Logger) (launch.Description, error) {
	sum, err := launch.Sum(file)
	if err != nil {
		return launch.Description{}, fmt.Errorf("reading the plugin's binary: %w", err)
	}
	p, err := launch.Start(ctx, launch.Options{Path: file, SHA256: sum, Log: log})
	if err != nil {
		return launch.Description{}, err
	}
	about := p.Description()
	if err := p.Stop(ctx); err != nil {
		return launch.Description{}, err
	}
	return about, nil
}

// A suite runs checks.
type suite = func(func(*conformance.Report))

// backendPlugin examines a backend.
func backendPlugin(ctx context.Context, o Order, about launch.Description, run suite) error {
	if len(o.Mailboxes) == 0 {
		return errors.New("say with --mailbox in whose calendar items may be made and removed")
	}
	if err := o.place(); err != nil {
		return err
	}
	exe, err := o.executable(ctx, about)
	if err != nil {
		return err
	}
	f, err := o.fixture()
	if err != nil {
		return err
	}
	p, err := exe.Start(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	f.Open, f.Restart, f.CutOff = p.Open, p.Restart, p.CutOff
	run(func(r *conformance.Report) { backendtest.Run(r, f) })
	return nil
}

// place finds out where the suite works, and that the accounts may be used there: the host would refuse it, too.
func (o *Order) place() error {
	if o.Mode != nil && o.URL == "" {
		o.URL = o.Mode.URL
	}
	logsIn := o.Auth != "" || o.Mode != nil && len(o.Mode.auth) > 0
	switch {
	case !logsIn:
		return nil
	case o.URL == "":
		return errors.New("say with --url where the backend may log in: the account is used nowhere else")
	case o.Mode != nil:
		return o.Mode.may(o.URL)
	}
	return nil
}

// executable is the backend and what it is opened with.
func (o Order) executable(ctx context.Context, about launch.Description) (backendtest.Executable, error) {
	exe := backendtest.Executable{Path: o.File, ActAs: o.ActAs, CAFile: o.CAFile, Proxy: o.Proxy, Log: o.Log}
	if o.URL != "" {
		exe.URLs = []string{o.URL}
	}
	if o.Mode != nil {
		exe.Settings, exe.Markers, exe.Timeout = o.Mode.fit(about), o.Mode.Markers, o.Mode.Timeout
		exe.ActAs, exe.CAFile, exe.Proxy = o.Mode.ActAs, o.Mode.CAFile, o.Mode.Proxy
		for _, l := range o.Mode.auth {
			about, err := describe(ctx, l.path, o.Log)
			if err != nil {
				return exe, err
			}
			exe.Auth = append(exe.Auth, backendtest.Auth{Path: l.path, Settings: l.fit(about)})
		}
		return exe, nil
	}
	var err error
	if exe.Settings, err = ParseSettings(o.Set, about.Settings); err != nil {
		return exe, fmt.Errorf("--set: %w", err)
	}
	if o.Auth == "" {
		return exe, nil
	}
	login, err := describe(ctx, o.Auth, o.Log)
	if err != nil {
		return exe, err
	}
	settings, err := ParseSettings(o.AuthSet, login.Settings)
	if err != nil {
		return exe, fmt.Errorf("--auth-set: %w", err)
	}
	exe.Auth = []backendtest.Auth{{Path: o.Auth, Settings: settings}}
	exe.PlainHTTP = true // it is their author's account, and where it goes was said by hand
	return exe, nil
}

// fixture is where the suite works.
func (o Order) fixture() (backendtest.Fixture, error) {
	f := backendtest.Fixture{Attendees: o.Attendees, Lag: o.Lag}
	for _, address := range o.Mailboxes {
		f.Mailboxes = append(f.Mailboxes, backend.Mailbox{Address: address, URL: o.URL})
	}
	if o.Absent != "" {
		f.Absent = &backend.Mailbox{Address: o.Absent, URL: o.URL}
	}
	if o.Check != "" {
		if _, err := path.Match(o.Check, ""); err != nil {
			return f, fmt.Errorf("%q is no pattern: %w", o.Check, err)
		}
		f.Only = o.wanted
	}
	if o.NoticesListen == "" {
		return f, nil
	}
	l, err := net.Listen("tcp", o.NoticesListen)
	if err != nil {
		return f, fmt.Errorf("listen for the server's messages: %w", err)
	}
	f.Notices = &backendtest.Notices{Listener: l, URL: o.NoticesURL}
	return f, nil
}

// wanted reports whether a check, or the group that it belongs to, is of the pattern.
func (o Order) wanted(check string) bool {
	group, _, _ := strings.Cut(check, "/")
	whole, _ := path.Match(o.Check, check)
	part, _ := path.Match(o.Check, group)
	return whole || part
}
