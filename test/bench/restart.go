package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/test/bench/internal/payload"
)

// The goal of a restart, and how it is measured.
const (
	goalRestart   = 500 * time.Millisecond
	restartRounds = 8
	// restartAfter is how long a plugin must have run to be started again at once, with something to spare.
	restartAfter = 11 * time.Second
)

// measureRestart kills the backend plugin and asks for it until it serves.
func measureRestart(ctx context.Context, b *bench, r *result) error {
	s, err := b.newSite(ctx, "restart", setup{people: 2, sync: map[string]string{"coalesce": `"0s"`}})
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if err := s.quiet(ctx); err != nil {
		return err
	}
	var fair restarts
	for range restartRounds {
		if err := s.killAndAsk(ctx, restartAfter, &fair); err != nil {
			return err
		}
	}
	var soon restarts
	if err := s.killAndAsk(ctx, 0, &soon); err != nil {
		return err
	}
	r.table([]string{"killed after", "rounds", "calls go to the new process, median", "first call has succeeded, median", "slowest", "calls that failed, median", "most",
		"CPU of host and new process, median"},
		[][]string{fair.row("more than 10 s"), soon.row("less than 10 s")})
	slowest := slices.Max(fair.served)
	r.note("kill -9 of the backend plugin while nothing else is asked of it; from then on a notice is posted to the host's notification "+
		"endpoint, the next one %s after the answer to the one before, until one is answered with 200: it was read by the new process, in "+
		"which the sync mode had to be opened anew. A call fails (503) that had reached the old process when it died, or comes before the host has seen "+
		"its end; later ones wait for the start. Goal: at most %s, for a plugin that ran more than 10 s: %s (slowest %s).",
		askEvery, ms(goalRestart), verdict(slowest <= goalRestart), ms(slowest))
	return nil
}

// restarts are what came of killing a plugin, once per round.
type restarts struct {
	running []time.Duration // until calls go to the new process
	served  []time.Duration // until the first call has succeeded
	failed  []int           // calls before that
	cpu     []time.Duration // of the host and the new process until then
}

func (r *restarts) row(name string) []string {
	for _, list := range [][]time.Duration{r.running, r.served, r.cpu} {
		slices.Sort(list)
	}
	slices.Sort(r.failed)
	middle := len(r.served) / 2
	return []string{
		name, fmt.Sprint(len(r.served)), ms(r.running[middle]), ms(r.served[middle]), ms(slices.Max(r.served)),
		fmt.Sprint(r.failed[middle]), fmt.Sprint(slices.Max(r.failed)), ms(r.cpu[middle]),
	}
}

// askEvery is the rest between two calls.
const askEvery = 2 * time.Millisecond

// killAndAsk kills the backend once it has run so long, and asks it something until it answers.
func (s *site) killAndAsk(ctx context.Context, after time.Duration, r *restarts) error {
	subs, err := s.subscriptions()
	if err != nil {
		return err
	}
	if len(subs) == 0 {
		return fmt.Errorf("no subscription to send notices of")
	}
	before, err := s.pluginState(backendPlugin)
	if err != nil {
		return err
	}
	select {
	case <-time.After(time.Until(before.Since.Add(after))):
	case <-ctx.Done():
		return ctx.Err()
	}
	process, err := os.FindProcess(before.PID)
	if err != nil {
		return err
	}
	began, failed, host := time.Now(), 0, used(s.host.Process.Pid).cpu
	if err := process.Kill(); err != nil {
		return fmt.Errorf("kill the plugin: %w", err)
	}
	for ; ; failed++ {
		served, err := s.notice(ctx, subs[0])
		if err != nil {
			return err
		}
		if served {
			break
		}
		if time.Since(began) > patience {
			return fmt.Errorf("%s after its end the plugin still serves nothing", patience)
		}
		time.Sleep(askEvery)
	}
	r.served, r.failed = append(r.served, time.Since(began)), append(r.failed, failed)
	host = used(s.host.Process.Pid).cpu - host
	now, err := s.pluginState(backendPlugin)
	if err != nil {
		return err
	}
	if now.PID == before.PID || now.Restarts != before.Restarts+1 {
		return fmt.Errorf("the plugin was killed, and the host says %+v; before it said %+v", now, before)
	}
	r.running, r.cpu = append(r.running, now.Since.Sub(began)), append(r.cpu, host+used(now.PID).cpu)
	return nil
}

// notice posts a sign of life to the host as Exchange does, and reports whether the plugin read it.
func (s *site) notice(ctx context.Context, sub subscription) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.URL, strings.NewReader(payload.Status(sub.ID)))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	resp, err := s.client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusOK && !strings.Contains(string(data), "OK<") {
		return false, fmt.Errorf("a good notice was answered with %.300s", data)
	}
	return resp.StatusCode == http.StatusOK, nil
}
