// Package service makes the host a service of the machine: it installs it, starts and stops it, says how it is, and is
// the host's end of the talk with the service manager (systemd, launchd, the Windows service control manager).
//
// Run is what the host runs in; it works alike in a terminal, where nobody is told anything:
//
//	err := service.Run(ctx, func(ctx context.Context, tell service.Manager) error {
//		…
//		return host.Run(ctx) // and tell.Ready() as soon as it serves
//	})
package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// DefaultName is what the service is called where nobody says otherwise.
const DefaultName = "roomwire"

// ErrNotInstalled means that there is no service of that name.
var ErrNotInstalled = errors.New("it is not installed; `roomwire service install` does that")

// A Manager of services is told how the host is. Where none asked to be told, its methods do nothing.
type Manager interface {
	// Ready says that the host serves, for the first time or after a Reloading.
	Ready() error
	// Reloading says that the host takes over another configuration. Ready must follow, also when that failed.
	Reloading() error
	// Status shows a line about the host wherever the manager shows the service.
	Status(text string) error
}

// Main is the host. It ends when ctx does, after the work under way.
type Main func(ctx context.Context, tell Manager) error

// A Spec says what is to be installed. Paths are absolute.
type Spec struct {
	Executable  string
	ConfigDir   string
	DataDir     string // where the host writes; made if it is missing
	PluginDir   string
	LogFile     string // empty: what the platform does by itself
	Credentials string // folder of files that only root may read; systemd hands them to the service; may be empty
	User        string // empty: an account for the service alone
	LowPorts    bool   // it listens at a port below 1024
	Force       bool   // put another service of this name aside
}

// A Verb is what a service can be told to do.
type Verb string

// Start, Stop and Restart wait until it is done: started means serving, stopped means that the work under way was finished.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
)

// State is how a service is.
type State string

// Running alone means that the host serves. Waiting means that it failed and will be started again in a moment.
const (
	Running      State = "running"
	Starting     State = "starting"
	Stopping     State = "stopping"
	Waiting      State = "waiting for the next try"
	Failed       State = "failed"
	Stopped      State = "stopped"
	NotInstalled State = "not installed"
)

// Status is what is known of a service. What the platform does not tell is zero.
type Status struct {
	Name  string
	State State
	PID   int
	Since time.Time // since when State holds
	Text  string    // what the host says of itself, or why it failed
	Unit  string    // the file, or the entry, by which the service is known
	Logs  string    // where to look
}

// ExitCode is what `roomwire service status` ends with: 0 running, 3 installed and not running, 4 not installed.
func (s Status) ExitCode() int {
	switch s.State {
	case Running:
		return 0
	case NotInstalled:
		return 4
	default:
		return 3
	}
}

// A Report says what was done, and what is left to do or worth knowing; a sentence each.
type Report struct{ Done, Next []string }

func (r *Report) did(format string, args ...any) {
	r.Done = append(r.Done, fmt.Sprintf(format, args...))
}
func (r *Report) next(format string, args ...any) {
	r.Next = append(r.Next, fmt.Sprintf(format, args...))
}

// A Controller is the platform's service manager, for one service. What it cannot do it refuses before it does half of it.
type Controller interface {
	Install(ctx context.Context, s Spec) (Report, error)
	Uninstall(ctx context.Context) (Report, error)
	Control(ctx context.Context, v Verb) error
	Status(ctx context.Context) (Status, error)
}

// checkName refuses names that are no file name and no service name everywhere.
func checkName(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if name == "" || len(name) > 64 || strings.Trim(name, letters+"-_.") != "" || !strings.Contains(letters, name[:1]) {
		return fmt.Errorf("%q cannot be the name of a service: take letters, digits, hyphens and dots, at most 64", name)
	}
	return nil
}

// checkPaths refuses paths that would mean something else in a unit or in a registry entry.
func (s Spec) checkPaths() error {
	for _, p := range []string{s.Executable, s.ConfigDir, s.DataDir, s.PluginDir, s.LogFile, s.Credentials} {
		if p != "" && !filepath.IsAbs(p) {
			return fmt.Errorf("the path %q is not absolute", p)
		}
		if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("the path %q holds a control character: a service cannot be told of it", p)
		}
	}
	return nil
}

// arguments are those the service runs the program with.
func (s Spec) arguments() []string {
	args := []string{"serve", "--config", s.ConfigDir}
	if s.LogFile != "" {
		args = append(args, "--log-file", s.LogFile)
	}
	return args
}

// nameFlag is what a command needs to mean this service.
func nameFlag(name string) string {
	if name == DefaultName {
		return ""
	}
	return " --name " + name
}
