//go:build !linux && !windows && !darwin

package service

import "errors"

// Open refuses: no service manager of this platform is known.
func Open(_, _ string) (Controller, error) {
	return nil, errors.New("the service manager of this system is not known: have it run `roomwire serve --config DIR` as a " +
		"user of its own, stop it with SIGTERM and allow it 60 s")
}

// Privileged refuses nobody.
func Privileged() error { return nil }

// DefaultLogFile is empty: the host logs to standard error.
func DefaultLogFile(string) string { return "" }
