package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// goalFirstSync is how much longer the first sync may take than a bare client, at 20 ms latency.
const goalFirstSync = 1.5

const firstSyncItems = 10000

// measureFirstSync reads a full calendar for the first time, and then has a bare client send the same requests.
func measureFirstSync(ctx context.Context, b *bench, r *result) error {
	var rows [][]string
	worst := 0.0
	marked := []int{0, firstSyncItems / 10}
	if b.full {
		marked = append(marked, firstSyncItems)
	}
	for _, ours := range marked {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			f, err := firstSync(ctx, b, ours, latency)
			if err != nil {
				return err
			}
			ratio := f.took.Seconds() / f.bare.Seconds()
			if latency > 0 {
				worst = max(worst, ratio)
			}
			rows = append(rows, []string{
				fmt.Sprint(ours), latency.String(), f.operations, fmt.Sprintf("%.2f s", f.took.Seconds()), fmt.Sprintf("%.2f s", f.bare.Seconds()),
				fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f s", f.cpu.Seconds()), fmt.Sprintf("%.2f s", f.bareCPU.Seconds()), mib(f.peak),
			})
		}
	}
	r.table([]string{"of bookings", "latency", "requests", "first sync", "bare client", "ratio", "CPU of host and plugins", "CPU of the bare client", "most memory of host and plugins"}, rows)
	r.note("%d items, over TLS with Basic. Items \"of bookings\" bear the booking system's marker, as at a take-over: each of them is read "+
		"in full (GetItem, ten at a time as Microsoft advises), compared with its booking and linked. The bare client sends the "+
		"recorded requests again, one after the other as the plugin does, over one connection, and throws the answers away. "+
		"Goal: at most %.1f times the bare client at 20 ms: %s (worst %.2f).", firstSyncItems, goalFirstSync, verdict(worst <= goalFirstSync), worst)
	return nil
}

// A syncOutcome is one first sync, and the bare client's turn.
type syncOutcome struct {
	operations   string // requests by operation
	requests     int    // counted, as bareRequests, where the bare client's are others
	bareRequests int
	took, bare   time.Duration
	cpu, bareCPU time.Duration
	peak         int64
}

func firstSync(ctx context.Context, b *bench, marked int, latency time.Duration) (*syncOutcome, error) {
	name := fmt.Sprintf("first-%d-%s", marked, latency)
	record := filepath.Join(b.work, name+"-record")
	if b.profile == "" {
		defer func() { _ = os.RemoveAll(record) }()
	}
	s, err := b.fullCalendar(ctx, name, marked, setup{auth: "basic", sim: []string{"--record", record, "--latency", latency.String()}})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	o, err := s.firstPass(ctx, name)
	if err != nil {
		return nil, err
	}
	s.stopHost() // what it still has to say is not part of the comparison
	requests, err := recorded(record)
	if err != nil {
		return nil, err
	}
	o.operations = operations(record)
	return o, s.replay(ctx, s.ews, requests, o, func(r *http.Request) { r.SetBasicAuth(`EXAMPLE\svc-rooms`, password) })
}

// fullCalendar makes a site of one person, whose sync is switched off and whose calendar is full; so many of the items are
// those of bookings, which the host has as well.
func (b *bench) fullCalendar(ctx context.Context, name string, marked int, o setup) (*site, error) {
	o.people, o.off = 1, true
	o.sync = map[string]string{"coalesce": `"0s"`, "attempt_timeout": `"10m"`}
	s, err := b.newSite(ctx, name, o)
	if err != nil {
		return nil, err
	}
	begin := time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour)
	err = s.do(http.MethodPost, "appointments/many", mailbox(person(0)), map[string]any{
		"count": firstSyncItems, "marked": marked, "start": begin, "properties": map[string]string{foreignMarker: "b{n}"},
	}, nil)
	if err == nil {
		err = s.putAll(ctx, marked, func(i int) booking {
			item := (i + 1) * firstSyncItems / marked // the marked items lie evenly among the others
			at := begin.Add(time.Duration(item-1) * time.Hour)
			return booking{
				ID: fmt.Sprintf("b%d", i+1), Title: fmt.Sprintf("Appointment %d", item), Organizer: person(0), Item: "expected",
				Start: at.Format(time.RFC3339), End: at.Add(30 * time.Minute).Format(time.RFC3339),
			}
		})
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// firstPass switches the sync on and waits until the calendar is read.
func (s *site) firstPass(ctx context.Context, name string) (*syncOutcome, error) {
	o := &syncOutcome{}
	pids := append(s.plugins(), s.host.Process.Pid)
	before := used(pids...)
	began := time.Now()
	err := s.b.profiled(name, 10, s.processes(), func() error {
		if err := s.switchSync(ctx, true); err != nil {
			return err
		}
		return s.await(ctx, "the calendar is read", func() error {
			status, err := s.syncOf(person(0))
			if err != nil {
				return err
			}
			if status != "ok" {
				return errors.New(status)
			}
			o.took = time.Since(began) // before any profile is waited for
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	after := used(pids...)
	o.cpu, o.peak = after.cpu-before.cpu, after.peak
	return o, nil
}

// syncOf returns the state of a person's sync; one that is well while there is something to be looked at is pending.
func (s *site) syncOf(who string) (status string, err error) {
	var p struct {
		Sync struct {
			Status  string `json:"status"`
			Pending bool   `json:"pending"`
		} `json:"sync"`
	}
	err = s.rest(http.MethodGet, "/persons/"+who, nil, &p)
	if p.Sync.Status == "ok" && p.Sync.Pending {
		return "pending", err
	}
	return p.Sync.Status, err
}

// recorded reads the requests that the host sent, in their order.
func recorded(dir string) ([][]byte, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.req.xml"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all [][]byte
	for _, f := range files {
		if strings.Contains(f, "SendNotification") || strings.Contains(f, "Subscribe") {
			continue // sent by Exchange; and another subscription would be another effect
		}
		body, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		all = append(all, body)
	}
	return all, nil
}

// operations counts the recorded requests, most frequent first.
func operations(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*.req.xml"))
	counts := map[string]int{}
	for _, f := range files {
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(f), ".req.xml"), "-")
		if name != "SendNotification" {
			counts[name]++
		}
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Compare(counts[b], counts[a]) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(names, ", ")
}

// replay sends the requests one after the other over one connection.
func (s *site) replay(ctx context.Context, address string, requests [][]byte, o *syncOutcome, authorize func(*http.Request)) error {
	client, err := s.oneConnection()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	before := used(os.Getpid())
	began := time.Now()
	for _, body := range requests {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return err
		}
		authorize(req)
		req.Header.Set("Content-Type", "text/xml; charset=utf-8")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("a repeated request was answered with %s", resp.Status)
		}
	}
	o.bare, o.bareCPU = time.Since(began), used(os.Getpid()).cpu-before.cpu
	return nil
}

// oneConnection is a client that trusts the stand-in and makes one request after the other.
func (x *exchange) oneConnection() (*http.Client, error) {
	pem, err := os.ReadFile(x.certFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

// switchSync switches everybody's sync on or off, by an import as an administrator makes it.
func (s *site) switchSync(_ context.Context, on bool) error {
	var csv strings.Builder
	csv.WriteString("id,email,display_name,kind,sync_mode,sync_url,sync_disabled,conflict_behaviour\n")
	for i := range s.people {
		fmt.Fprintf(&csv, "%[1]s,%[1]s@%[2]s,%[1]s,person,%[4]s,,%[3]t,\n", person(i), domain, !on, s.mode)
	}
	req, err := http.NewRequest(http.MethodPost, s.api+"/Default/api/v1/persons/import", strings.NewReader(csv.String()))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "text/csv")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("import: %s: %.500s", resp.Status, text)
	}
	return nil
}

// A booking as the REST API takes it.
type booking struct {
	ID        string     `json:"-"`
	Title     string     `json:"title"`
	Organizer string     `json:"organizer"`
	Resources []string   `json:"resources"`
	Attendees []struct{} `json:"attendees"`
	Start     string     `json:"start"`
	End       string     `json:"end"`
	Item      string     `json:"item,omitempty"`
}

func (s *site) put(b booking) error {
	b.Resources, b.Attendees = []string{}, []struct{}{}
	return s.rest(http.MethodPut, "/bookings/"+url.PathEscape(b.ID), b, nil)
}

// putAll saves n bookings, eight at a time.
func (s *site) putAll(ctx context.Context, n int, b func(i int) booking) error {
	return spread(ctx, 8, n, func(i int) error { return s.put(b(i)) })
}
