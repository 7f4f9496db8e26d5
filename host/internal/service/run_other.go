//go:build !windows

package service

import "context"

// Run runs the host, as a service or in a terminal. When ctx ends, so does the host, after the work under way; a further
// SIGTERM or Ctrl-C ends the process at once.
func Run(ctx context.Context, run Main) error { return runForeground(ctx, socketOf(), run) }
