package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// password is everybody's at the Exchange stand-in.
const password = "secret"

// domain is where everybody's mailbox is.
const domain = "example.com"

// person names one of the people that the stand-in makes up.
func person(i int) string { return fmt.Sprintf("user%d", i+1) }

// An exchange is a running exchangesim.
type exchange struct {
	cmd      *exec.Cmd
	ews      string // URL, over TLS
	online   string // of Exchange Online, without a path; empty: there is none
	control  string // URL of /sim/
	certFile string
	client   *http.Client
}

// startExchange runs exchangesim with that many people in a process of its own; args are further options.
func (b *bench) startExchange(ctx context.Context, dir string, people int, args ...string) (*exchange, error) {
	data, err := json.Marshal([]map[string]any{{
		"name": "Rooms Service", "address": "svc-rooms@" + domain, "user": `EXAMPLE\svc-rooms`, "password": password,
		"impersonation": true, "no_mailbox": true,
	}})
	if err != nil {
		return nil, err
	}
	list := filepath.Join(dir, "people.json")
	if err := os.WriteFile(list, data, 0o600); err != nil {
		return nil, err
	}
	x := &exchange{certFile: filepath.Join(dir, "exchange.pem"), client: newClient()}
	x.cmd = exec.Command(filepath.Join(b.bin, executable("exchangesim")), append([]string{
		"--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", "--cert-out", x.certFile, "--people", list,
		"--generate", strconv.Itoa(people),
	}, args...)...)
	log, err := os.Create(filepath.Join(dir, "exchange.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	x.cmd.Stderr = log
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := x.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	online := slices.Contains(args, onlineFlag)
	for (x.ews == "" || x.control == "" || online && x.online == "") && lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ": EWS at ")
		at, control, _ := strings.Cut(rest, ", control at ")
		switch name {
		case "https":
			x.ews = at
		case "online":
			x.online = strings.TrimSuffix(control, "/sim/")
		default:
			x.control = control
		}
	}
	if x.ews == "" || x.control == "" || online && x.online == "" {
		x.stop()
		return nil, fmt.Errorf("exchangesim did not say where it is; its log is %s", log.Name())
	}
	return x, ctx.Err()
}

func (x *exchange) stop() { stop(x.cmd) }

// newClient keeps enough connections for all who work with it at once.
func newClient() *http.Client {
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
}

// do asks the control API; in and out are JSON, or nil.
func (x *exchange) do(method, path string, query url.Values, in, out any) error {
	return callJSON(x.client, method, x.control+path+"?"+query.Encode(), "", in, out)
}

// An appointment is what we look at of one.
type appointment struct {
	ID         string            `json:"id,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Body       string            `json:"body,omitempty"`
	Location   string            `json:"location,omitempty"`
	Start      time.Time         `json:"start,omitzero"`
	End        time.Time         `json:"end,omitzero"`
	Properties map[string]string `json:"properties,omitempty"`
	Created    time.Time         `json:"created,omitzero"`
	Modified   time.Time         `json:"modified,omitzero"`
}

// foreignMarker is the property by which ROOMS marks its items.
const foreignMarker = "PublicStrings/AppointmentOid"

func mailbox(who string) url.Values { return url.Values{"mailbox": {who + "@" + domain}} }

func (x *exchange) appointments(who string) (list []appointment, err error) {
	err = x.do(http.MethodGet, "appointments", mailbox(who), nil, &list)
	return list, err
}

// move moves an appointment as Outlook does.
func (x *exchange) move(who, id string, start time.Time) error {
	q := mailbox(who)
	q.Set("id", id)
	return x.do(http.MethodPatch, "appointments", q, map[string]time.Time{"start": start, "end": start.Add(time.Hour)}, nil)
}

// A subscription is one of Roomwire's at the stand-in.
type subscription struct {
	ID      string `json:"id"`
	Mailbox string `json:"mailbox"`
	URL     string `json:"url"`
}

func (x *exchange) subscriptions() (list []subscription, err error) {
	err = x.do(http.MethodGet, "subscriptions", nil, nil, &list)
	return list, err
}

// counts returns the requests served so far, by operation.
func (x *exchange) counts() (n map[string]int, err error) {
	err = x.do(http.MethodGet, "counts", nil, nil, &n)
	return n, err
}

// requests returns how many requests were served so far.
func (x *exchange) requests() (int, error) {
	counts, err := x.counts()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

// pushSubscriptions counts the living push subscriptions, of which a mailbox may have several for a while.
func (x *exchange) pushSubscriptions() (int, error) {
	var stats struct {
		Subscriptions map[string]int `json:"subscriptions"`
	}
	err := x.do(http.MethodGet, "stats", nil, nil, &stats)
	return stats.Subscriptions["push"], err
}

// callJSON makes one request with JSON both ways.
func callJSON(client *http.Client, method, address, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %.300s", method, address, resp.Status, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}
