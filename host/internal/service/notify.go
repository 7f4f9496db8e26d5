package service

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// notifySocket tells systemd how the host is: datagrams to the socket that NOTIFY_SOCKET names (sd_notify(3)). The empty
// one tells nobody.
type notifySocket string

// socketOf returns the socket that systemd gave to this process, and takes its name out of the environment: what this
// process starts must not speak for it.
func socketOf() notifySocket {
	name := os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET")
	return notifySocket(name)
}

func (n notifySocket) Ready() error { return n.send("READY=1", "STATUS=") }
func (n notifySocket) Reloading() error {
	return n.send("RELOADING=1", "STATUS=taking over another configuration")
}

func (n notifySocket) Status(text string) error {
	return n.send("STATUS=" + strings.ReplaceAll(text, "\n", " "))
}

func (n notifySocket) stopping() error {
	return n.send("STOPPING=1", "STATUS=finishing the work under way")
}

func (n notifySocket) send(lines ...string) error {
	if n == "" {
		return nil
	}
	// Go takes a leading @ for the abstract namespace, as systemd writes it.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: string(n), Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}
