//go:build !windows

package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// listenTo is systemd's end of the socket.
func listenTo(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func heard(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestSystemdIsToldHowTheHostIs(t *testing.T) {
	t.Parallel()
	names := []string{filepath.Join(t.TempDir(), "notify")}
	if abstract := fmt.Sprintf("@roomwire-test-%d", os.Getpid()); linux() {
		names = append(names, abstract)
	}
	for _, name := range names {
		conn := listenTo(t, name)
		ctx, cancel := context.WithCancel(t.Context())
		err := runForeground(ctx, notifySocket(name), func(ctx context.Context, tell Manager) error {
			for _, say := range []func() error{
				tell.Ready, tell.Reloading, tell.Ready, func() error { return tell.Status("two\nlines") },
			} {
				if err := say(); err != nil {
					t.Error(err)
				}
			}
			cancel()
			<-ctx.Done()
			for _, want := range []string{"READY=1", "RELOADING=1", "READY=1", "STATUS=two lines", "STOPPING=1"} {
				if got := heard(t, conn); got != want && !strings.HasPrefix(got, want+"\nSTATUS=") {
					t.Errorf("at %s: got %q, want %q", name, got, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func linux() bool {
	_, err := os.Stat("/proc/self/exe")
	return err == nil
}

func TestNobodyIsToldWhereNobodyAsked(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	err := runForeground(t.Context(), "", func(_ context.Context, tell Manager) error {
		if err := tell.Ready(); err != nil {
			t.Error(err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Run = %v, want the host's own error", err)
	}
}

func TestAManagerThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	if err := notifySocket(filepath.Join(t.TempDir(), "none")).Ready(); err == nil {
		t.Error("Ready = nil; nobody heard it")
	}
}

const stubborn = "ROOMWIRE_TEST_STUBBORN"

// TestMain is a host that never finishes its work when the variable is set.
func TestMain(m *testing.M) {
	if os.Getenv(stubborn) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	_ = Run(ctx, func(_ context.Context, tell Manager) error {
		if os.Getenv("NOTIFY_SOCKET") != "" {
			return errors.New("the socket is left to what the host starts")
		}
		if err := tell.Ready(); err != nil {
			return err
		}
		select {}
	})
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "notify")
	conn := listenTo(t, name)
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), stubborn+"=1", "NOTIFY_SOCKET="+name)
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		if got := heard(t, conn); !strings.HasPrefix(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if err := host.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	exit, ok := errors.AsType[*exec.ExitError](host.Wait())
	if !ok {
		t.Fatal("the host ended as if it had finished")
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGTERM {
		t.Errorf("the host ended by %v, want SIGTERM", exit)
	}
}
