package service

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// Run runs the host, as a service or in a terminal. When ctx ends, or the service is stopped, so does the host, after the
// work under way; a further Ctrl-C ends the process at once.
func Run(ctx context.Context, run Main) error {
	if !managed() {
		return runForeground(ctx, socketOf(), run)
	}
	h := &handler{ctx: ctx, run: run}
	// The name goes unread: this process is one service only.
	if err := svc.Run(DefaultName, h); err != nil {
		return fmt.Errorf("talk to the service control manager: %w", err)
	}
	return h.err
}

// managed reports whether the Windows service control manager runs this process.
func managed() bool {
	is, err := svc.IsWindowsService()
	return err == nil && is
}

// A pending service is given up unless it shows progress within the wait hint.
const (
	progress = 2 * time.Second
	waitHint = 20 * time.Second
)

// handler is the service as Windows sees it. It holds the context because svc.Handler hands none on.
type handler struct {
	ctx context.Context
	run Main
	err error
}

// Execute implements svc.Handler.
func (h *handler) Execute(args []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	events := openEvents(args)
	defer events.close()
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	tell := make(scm, 1)
	done := make(chan error, 1)
	go func() { done <- h.run(ctx, tell) }()

	now := svc.Status{State: svc.StartPending, WaitHint: uint32(waitHint.Milliseconds())}
	status <- now
	tick := time.NewTicker(progress)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if now.State != svc.Running {
				now.CheckPoint++
				status <- now
			}
		case <-tell:
			if now.State == svc.StartPending {
				now = svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptPreShutdown}
				status <- now
				events.info("Roomwire is running.")
			}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- now
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				now = svc.Status{State: svc.StopPending, WaitHint: uint32(waitHint.Milliseconds())}
				status <- now
				cancel()
			}
		case h.err = <-done:
			if h.err != nil {
				events.failure("Roomwire ends: " + h.err.Error())
				return true, 1
			}
			events.info("Roomwire has stopped.")
			return false, 0
		}
	}
}

// scm is how the host says that it is ready; what else it says Windows has no place for.
type scm chan struct{}

func (s scm) Ready() error {
	select {
	case s <- struct{}{}:
	default: // it was said already
	}
	return nil
}

func (scm) Reloading() error    { return nil }
func (scm) Status(string) error { return nil }

// events is the Application log of the Windows Event Viewer; nil where the service has no entry there.
type events struct{ log *eventlog.Log }

// openEvents opens the log under the service's name, which Windows gives as the first argument.
func openEvents(args []string) events {
	if len(args) == 0 {
		return events{}
	}
	log, err := eventlog.Open(args[0])
	if err != nil {
		return events{} // the log file has it all
	}
	return events{log}
}

func (e events) info(text string) {
	if e.log != nil {
		_ = e.log.Info(1, text)
	}
}

func (e events) failure(text string) {
	if e.log != nil {
		_ = e.log.Error(3, text)
	}
}

func (e events) close() {
	if e.log != nil {
		_ = e.log.Close()
	}
}
