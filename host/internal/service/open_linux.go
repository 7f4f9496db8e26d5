package service

import (
	"errors"
	"os"
)

// errNoSystemd says what to do instead.
var errNoSystemd = errors.New("systemd does not run here (a container, or another init system). In a container, make " +
	"`roomwire serve --config DIR` its command; elsewhere have the init system run that as a user of its own, stop it " +
	"with SIGTERM and allow it 60 s (docs/administrator/service.md shows OpenRC)")

// Open returns the controller of the service called name. A root other than "/" is the file tree of a machine that does
// not run.
func Open(name, root string) (Controller, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if root != "/" {
		return newSystemd(name, root), nil
	}
	if info, err := os.Stat("/run/systemd/system"); err != nil || !info.IsDir() {
		return nil, errNoSystemd
	}
	return newSystemd(name, root), nil
}

// Privileged refuses who may not install and control services.
func Privileged() error {
	if os.Geteuid() != 0 {
		return errors.New("this needs root: run it with sudo")
	}
	return nil
}

// DefaultLogFile is where a service of this platform logs by itself; empty for the journal.
func DefaultLogFile(string) string { return "" }
