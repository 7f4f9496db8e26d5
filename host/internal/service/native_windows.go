package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// Privileged refuses who may not install and control services.
func Privileged() error {
	if !windows.GetCurrentProcessToken().IsElevated() {
		return errors.New("this needs an administrator: open the command prompt with \"Run as administrator\"")
	}
	return nil
}

// DefaultLogFile is where a service of this platform logs by itself.
func DefaultLogFile(name string) string {
	dir := os.Getenv("ProgramData")
	if dir == "" {
		dir = `C:\ProgramData`
	}
	return filepath.Join(dir, "Roomwire", "logs", name+".log")
}

// account is the one the service runs as: by default a virtual account, which Windows makes for the service alone.
func account(name, wanted string) string {
	if wanted == "" {
		return `NT SERVICE\` + name
	}
	return wanted
}

func options(Spec) service.KeyValue {
	return service.KeyValue{
		service.StartType: service.ServiceStartAutomatic, "DelayedAutoStart": true,
		service.OnFailure: service.OnFailureRestart, service.OnFailureDelayDuration: "5s", service.OnFailureResetPeriod: 86400,
	}
}

func (n native) entry() string { return `HKLM\SYSTEM\CurrentControlSet\Services\` + n.name }

// afterInstall sets what the library cannot, and lets the account read the configuration and write data and log.
func (n native) afterInstall(ctx context.Context, s Spec, rep *Report) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("reach the service manager: %w", err)
	}
	defer func() { _ = m.Disconnect() }()
	sv, err := m.OpenService(n.name)
	if err != nil {
		return fmt.Errorf("open the service: %w", err)
	}
	defer sv.Close()
	// A host that ends with an error has told Windows so, and Windows takes that for no failure by itself.
	if err := sv.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
		return fmt.Errorf("have the service started again after an error: %w", err)
	}
	rep.did("it runs as %s, is started again 5 s after a failure, and reports to the Application event log", s.User)
	for _, g := range []struct{ path, right string }{
		{s.ConfigDir, "(OI)(CI)RX"}, {filepath.Dir(s.Executable), "(OI)(CI)RX"}, {s.PluginDir, "(OI)(CI)RX"},
		{s.DataDir, "(OI)(CI)M"}, {filepath.Dir(s.LogFile), "(OI)(CI)M"},
	} {
		if _, err := runCommand(ctx, "icacls", g.path, "/grant", s.User+":"+g.right, "/Q"); err != nil {
			rep.next("%s could not be given %s on %s: %v", s.User, g.right, g.path, err)
		}
	}
	if s.User != account(n.name, "") {
		rep.next("If %s has a password, give it in services.msc (Properties, Log On); that also grants the right to log on as a service.", s.User)
	}
	rep.next("Let nobody else read %s and %s: they hold passwords and bookings (docs/administrator/service.md).", s.ConfigDir, s.DataDir)
	return nil
}

// Status implements Controller.
func (n native) Status(context.Context) (Status, error) {
	st := Status{Name: n.name, State: NotInstalled}
	scm, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return st, fmt.Errorf("reach the service manager: %w", err)
	}
	defer func() { _ = windows.CloseServiceHandle(scm) }()
	name, err := windows.UTF16PtrFromString(n.name)
	if err != nil {
		return st, err
	}
	h, err := windows.OpenService(scm, name, windows.SERVICE_QUERY_STATUS)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return st, nil
	}
	if err != nil {
		return st, fmt.Errorf("ask after the service %s: %w", n.name, err)
	}
	sv := mgr.Service{Name: n.name, Handle: h}
	defer sv.Close()
	q, err := sv.Query()
	if err != nil {
		return st, fmt.Errorf("ask after the service %s: %w", n.name, err)
	}
	st.Unit, st.Logs = n.entry(), DefaultLogFile(n.name)+"; Event Viewer, Application, source "+n.name
	switch q.State {
	case svc.Running:
		st.State = Running
	case svc.StartPending:
		st.State = Starting
	case svc.StopPending:
		st.State = Stopping
	default:
		st.State = Stopped
		if q.Win32ExitCode != 0 && q.Win32ExitCode != uint32(windows.ERROR_SERVICE_NEVER_STARTED) {
			st.State, st.Text = Failed, fmt.Sprintf("Windows says: %v", windows.Errno(q.Win32ExitCode))
		}
	}
	st.PID = int(q.ProcessId)
	if st.PID != 0 {
		st.Since = began(q.ProcessId)
	}
	return st, nil
}

// began is when the process was made; zero if that cannot be seen.
func began(pid uint32) time.Time {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, pid)
	if err != nil {
		return time.Time{}
	}
	defer func() { _ = windows.CloseHandle(h) }()
	var made, ended, kernel, own windows.Filetime
	if err := windows.GetProcessTimes(h, &made, &ended, &kernel, &own); err != nil {
		return time.Time{}
	}
	return time.Unix(0, made.Nanoseconds())
}
