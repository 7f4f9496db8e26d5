//go:build windows || darwin

package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kardianos/service"
)

// native is the Controller of Windows and macOS.
type native struct{ name string }

// Open returns the controller of the service called name. There is no root but "/".
func Open(name, root string) (Controller, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if root != "/" {
		return nil, errors.New("--root is for Linux")
	}
	return native{name}, nil
}

// program is what the library wants for a service that it only installs and commands; Run is the one that runs it.
type program struct{}

func (program) Start(service.Service) error { return nil }
func (program) Stop(service.Service) error  { return nil }

func (n native) service(s Spec) (service.Service, error) {
	svc, err := service.New(program{}, &service.Config{
		Name: n.name, DisplayName: "Roomwire", Description: "Keeps room bookings and Exchange calendars the same.",
		Executable: s.Executable, Arguments: s.arguments(), UserName: s.User, Option: options(s),
	})
	if err != nil {
		return nil, fmt.Errorf("reach the service manager: %w", err)
	}
	return svc, nil
}

// Install implements Controller.
func (n native) Install(ctx context.Context, s Spec) (Report, error) {
	var rep Report
	if err := s.checkPaths(); err != nil {
		return rep, err
	}
	if s.Credentials != "" {
		return rep, errors.New("--credentials is for systemd: here, let only the service's account read the file, and write file(\"…\") in roomwire.hcl")
	}
	st, err := n.Status(ctx)
	if err != nil {
		return rep, err
	}
	if st.State != NotInstalled && !s.Force {
		return rep, fmt.Errorf("%s is installed already (%s): `roomwire service uninstall` first, or use --force", n.name, st.Unit)
	}
	s.User = account(n.name, s.User)
	svc, err := n.service(s)
	if err != nil {
		return rep, err
	}
	if st.State != NotInstalled {
		if st.State != Stopped {
			if err := n.Control(ctx, Stop); err != nil {
				return rep, err
			}
		}
		if err := svc.Uninstall(); err != nil {
			return rep, fmt.Errorf("put the old service aside: %w", err)
		}
		rep.did("removed the old service")
	}
	for _, dir := range []string{s.DataDir, filepath.Dir(s.LogFile)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return rep, fmt.Errorf("make a folder for the service: %w", err)
		}
	}
	if err := svc.Install(); err != nil {
		return rep, fmt.Errorf("install the service: %w", err)
	}
	rep.did("installed the service %s (%s); it starts with the machine", n.name, n.entry())
	if err := n.afterInstall(ctx, s, &rep); err != nil {
		return rep, err
	}
	rep.did("it logs to %s", s.LogFile)
	rep.next("Start it: roomwire service start%s", nameFlag(n.name))
	return rep, nil
}

// Uninstall implements Controller.
func (n native) Uninstall(ctx context.Context) (Report, error) {
	var rep Report
	st, err := n.Status(ctx)
	if err != nil {
		return rep, err
	}
	switch st.State {
	case NotInstalled:
		return rep, fmt.Errorf("%s: %w", n.name, ErrNotInstalled)
	case Stopped, Failed:
	default:
		if err := n.Control(ctx, Stop); err != nil {
			return rep, err
		}
		rep.did("stopped the service")
	}
	svc, err := n.service(Spec{})
	if err != nil {
		return rep, err
	}
	if err := svc.Uninstall(); err != nil {
		// It complains, too, when the service is gone and only had no entry in the event log.
		if st, asked := n.Status(ctx); asked != nil || st.State != NotInstalled {
			return rep, fmt.Errorf("remove the service: %w", err)
		}
	}
	rep.did("removed the service %s", n.name)
	rep.next("Configuration, data and logs are left as they are.")
	return rep, nil
}

// Control implements Controller.
func (n native) Control(ctx context.Context, v Verb) error {
	st, err := n.Status(ctx)
	if err != nil {
		return err
	}
	if st.State == NotInstalled {
		return fmt.Errorf("%s: %w", n.name, ErrNotInstalled)
	}
	svc, err := n.service(Spec{})
	if err != nil {
		return err
	}
	if v != Start && st.State != Stopped && st.State != Failed {
		if err := svc.Stop(); err != nil {
			return fmt.Errorf("stop the service: %w", err)
		}
		if st, err = n.await(ctx, func(s State) bool { return s == Stopped || s == Failed }); err != nil {
			return err
		}
	}
	if v == Stop {
		return nil
	}
	if st.State == Stopped || st.State == Failed {
		if err := svc.Start(); err != nil {
			return fmt.Errorf("start the service: %w", err)
		}
	}
	st, err = n.await(ctx, func(s State) bool { return s == Running || s == Failed || s == Stopped })
	if err != nil {
		return err
	}
	if st.State != Running {
		return fmt.Errorf("the service was started, and now it is %s; why is in %s", st.State, st.Logs)
	}
	return nil
}

// settleTime is how long a start or a stop may take to show.
const settleTime = 5 * time.Minute

// await asks until the service is as wanted.
func (n native) await(ctx context.Context, as func(State) bool) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := n.Status(ctx)
		if err != nil || as(st.State) {
			return st, err
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("the service is still %s: %w", st.State, ctx.Err())
		case <-tick.C:
		}
	}
}
