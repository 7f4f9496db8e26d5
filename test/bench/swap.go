package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The goals of a swap, and how it is measured.
const (
	goalPause    = time.Second // that one mailbox sees
	swapPersons  = 50
	swapRate     = 200 // changes a second, both ways in sum
	swapRounds   = 4
	swapRest     = 2 * time.Second // between swaps
	swapPlainFor = 30 * time.Second
	// keepsUp is the p99 up to which the host is said to keep up with a rate: it has something to spare then.
	keepsUp = goalLatency
)

// sparePlugin is a copy of the backend that no sync mode uses. When it is replaced, the command and the host do all that
// they do in a swap, but nothing is switched: what mailboxes wait for meanwhile, they wait for the machine.
const sparePlugin = "backend-spare"

// swapRates are tried one after the other until the host keeps up with one: each machine has its own.
var swapRates = []int{swapRate, 150, 100, 75, 50, 30, 20, 10}

// measureSwap replaces the plugins' processes while changes come from both sides.
func measureSwap(ctx context.Context, b *bench, r *result) error {
	s, err := b.newSite(ctx, "swap", setup{
		people: swapPersons, sync: map[string]string{"coalesce": `"0s"`},
		plugins: map[string]string{backendPlugin: backendPlugin, authPlugin: authPlugin, sparePlugin: backendPlugin},
	})
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.ready(ctx); err != nil {
		return err
	}
	t, err := newTraffic(ctx, s)
	if err != nil {
		return err
	}
	before, err := s.metrics()
	if err != nil {
		return err
	}
	m := &swapping{traffic: t}
	if err := m.makeBuilds(swapRounds + 1); err != nil {
		return err
	}
	rate, tried, err := m.bearable(ctx)
	if err != nil {
		return err
	}
	plain, err := t.run(ctx, rate, func(ctx context.Context) error { return sleep(ctx, swapPlainFor) })
	if err != nil {
		return err
	}
	var swapped *stretch
	err = b.profiled("swap", 30, s.processes(), func() (err error) {
		swapped, err = t.run(ctx, rate, func(ctx context.Context) error { return m.swapAll(ctx, swapRounds) })
		return err
	})
	if err != nil {
		return err
	}
	done, spare := slices.Clone(m.done), slices.Clone(m.spare)
	full := swapped
	if rate < swapRate { // what it cannot keep up with must do no harm either
		if full, err = t.run(ctx, swapRate, func(ctx context.Context) error { return m.swapAll(ctx, 1) }); err != nil {
			return err
		}
	}
	after, err := s.metrics()
	if err != nil {
		return err
	}
	lost := plain.lost + swapped.lost
	for _, one := range tried {
		lost += one.lost
	}
	if full != swapped {
		lost += full.lost
	}
	in, err := t.stop()
	if err != nil {
		return err
	}
	tellSwaps(r, done)
	longest, more := tellWaits(r, plain, swapped, append(spare, done...))
	rose := func(name, label string) float64 { return after.sum(name, label) - before.sum(name, label) }
	faults, refused := rose("roomwire_faults_total", ""), rose("roomwire_notices_total", `kind="plugin_failed"`)
	cut := 0
	for _, one := range m.done {
		if one.cutOff {
			cut++
		}
	}
	r.table([]string{
		"changes", "swaps", "failed passes", "changes lost", "items doubled", "items missing", "items not where their booking is", "notices refused",
		"swaps that cut calls off", "plugins started unasked",
	}, [][]string{{
		fmt.Sprint(t.bookings + t.edits), fmt.Sprint(len(m.done)), fmt.Sprint(faults), fmt.Sprint(lost), fmt.Sprint(in.doubled), fmt.Sprint(in.missing),
		fmt.Sprint(in.apart), fmt.Sprint(refused), fmt.Sprint(cut), fmt.Sprint(rose("roomwire_plugin_restarts_total", "")),
	}})
	r.note("%d mailboxes, half of the changes new bookings over REST, half items moved in Outlook; coalesce = 0s; SQLite. %s",
		swapPersons, rateSaid(rate, plain, swapped, full))
	r.note("Waits of both ways together, while such a command is carried out. That of a plugin that nobody uses is for comparison: command and " +
		"host do the same work then, but nothing is switched.")
	r.note("A wait is as in the figure of changes: from when the change was due to be made until the other side has it. It counts "+
		"for a command if any of it fell between the command's start and the end of the old process. The longest wait of all mailboxes during a swap "+
		"bounds the pause from above: %s; without a swap at most %s; a mailbox's longest wait grew by at most %s.",
		ms(longest), ms(longestOf(plain.waits)), ms(more))
	r.note("Goals at %d/s: pause of any mailbox under %s: %s; no pass failed, nothing lost, nothing doubled: %s.", swapRate, goalPause,
		atRate(longest < goalPause, float64(rate)),
		atRate(faults == 0 && lost == 0 && in == inventory{items: in.items} && in.items == swapPersons*itemsEach+t.bookings, full.perSecond()))
	return nil
}

// atRate is a verdict that holds for the goal's rate only if that was reached, or nearly.
func atRate(met bool, reached float64) string {
	if reached >= 0.95*swapRate {
		return verdict(met)
	}
	return fmt.Sprintf("**not shown**; at %.0f/s %s", reached, verdict(met))
}

// rateSaid says which rate was reached.
func rateSaid(rate int, plain, swapped, full *stretch) string {
	if rate == swapRate {
		return fmt.Sprintf("At the %d/s of the goal: %.0f/s were reached without swaps and %.0f/s with them.", rate, plain.perSecond(), swapped.perSecond())
	}
	return fmt.Sprintf("**This machine does not keep up with the %d/s of the goal** (p99 at most %s): the waits are at %d/s (reached: %.0f/s without "+
		"swaps, %.0f/s with them). The counts include one round of swaps at an offer of %d/s, of which it took %.0f/s.",
		swapRate, keepsUp, rate, plain.perSecond(), swapped.perSecond(), swapRate, full.perSecond())
}

// swapping replaces the plugins under traffic.
type swapping struct {
	*traffic
	builds map[string][]string // of each plugin, still to be taken
	done   []swapDone
	spare  []swapDone // of the plugin that nobody uses
}

// A swapDone is one replacement of a plugin's process.
type swapDone struct {
	plugin, by                      string
	ordered, switched, ended, drawn time.Time // the command's start, the switch to the new process, the command's end, the old one's end
	pause                           time.Duration
	cutOff                          bool
}

// until is when nothing of the swap goes on any more.
func (d swapDone) until() time.Time {
	if d.drawn.After(d.ended) {
		return d.drawn
	}
	return d.ended
}

// bearable finds the rate with which the host keeps up, and returns what was tried for it.
func (m *swapping) bearable(ctx context.Context) (int, []*stretch, error) {
	var tried []*stretch
	for _, rate := range swapRates {
		s, err := m.run(ctx, rate, func(ctx context.Context) error { return sleep(ctx, 8*time.Second) })
		if err != nil {
			return 0, nil, err
		}
		tried = append(tried, s)
		if took := tookOf(s.waits); quantile(took, 0.99) <= keepsUp && s.lost == 0 {
			return rate, tried, nil
		}
	}
	return swapRates[len(swapRates)-1], tried, nil
}

// swapAll replaces both plugins by another build and by a new process of the same, so many times each.
func (m *swapping) swapAll(ctx context.Context, rounds int) error {
	for range rounds {
		for _, plugin := range []string{backendPlugin, authPlugin} {
			for _, by := range []string{"swap", "restart"} {
				if err := sleep(ctx, swapRest); err != nil {
					return err
				}
				if err := m.replace(ctx, plugin, by); err != nil {
					return err
				}
			}
		}
		if err := sleep(ctx, swapRest); err != nil {
			return err
		}
		if err := m.startSpare(ctx); err != nil {
			return err
		}
	}
	return sleep(ctx, swapRest)
}

// pauseSaid finds the pause in what the command prints.
var pauseSaid = regexp.MustCompile(`no call could begin for ([0-9a-zµ.]+[a-z])\.`)

// replace runs one command as an administrator does.
func (m *swapping) replace(ctx context.Context, plugin, by string) error {
	args := []string{"plugin", by, plugin}
	if by == "swap" {
		args = append(args, m.build(plugin))
	}
	old, err := m.pluginState(plugin)
	if err != nil {
		return err
	}
	ended := gone(old.PID)
	d := swapDone{plugin: plugin, by: by, ordered: time.Now()}
	out, err := m.command(ctx, args...)
	if err != nil {
		return err
	}
	d.ended = time.Now()
	said := pauseSaid.FindStringSubmatch(out)
	if said == nil {
		return fmt.Errorf("roomwire plugin %s tells no pause: %s", by, out)
	}
	if d.pause, err = time.ParseDuration(said[1]); err != nil {
		return err
	}
	d.cutOff = strings.Contains(out, "cut off")
	d.drawn = <-ended
	now, err := m.pluginState(plugin)
	if err != nil {
		return err
	}
	if now.PID == old.PID || !now.Since.After(d.ordered) {
		return fmt.Errorf("%s was replaced, and the host says %+v; before it said %+v", plugin, now, old)
	}
	d.switched = now.Since
	m.done = append(m.done, d)
	return nil
}

// makeBuilds makes the builds for so many rounds beforehand: to write them is no part of a swap.
func (m *swapping) makeBuilds(rounds int) error {
	m.builds = map[string][]string{}
	for i := range rounds {
		for at, of := range map[string]string{backendPlugin: backendPlugin, authPlugin: authPlugin, sparePlugin: backendPlugin} {
			path, err := m.anotherBuild(of, fmt.Sprintf("%s-%d", at, i))
			if err != nil {
				return err
			}
			m.builds[at] = append(m.builds[at], path)
		}
	}
	return nil
}

// build takes one more build of a plugin.
func (m *swapping) build(plugin string) (path string) {
	path, m.builds[plugin] = m.builds[plugin][0], m.builds[plugin][1:]
	return path
}

// startSpare replaces the plugin that nobody uses.
func (m *swapping) startSpare(ctx context.Context) error {
	path := m.build(sparePlugin)
	d := swapDone{plugin: sparePlugin, by: "swap", ordered: time.Now()}
	out, err := m.command(ctx, "plugin", "swap", sparePlugin, path)
	if err != nil {
		return err
	}
	if !strings.Contains(out, "no sync mode uses it") {
		return fmt.Errorf("a plugin that nobody uses was replaced, and roomwire says: %s", out)
	}
	d.ended = time.Now()
	m.spare = append(m.spare, d)
	return nil
}

// tellSwaps makes the table of what an administrator sees.
func tellSwaps(r *result, done []swapDone) {
	var rows [][]string
	for _, plugin := range []string{backendPlugin, authPlugin} {
		for _, by := range []string{"swap", "restart"} {
			var command, toSwitch, drain, pause []time.Duration
			for _, d := range done {
				if d.plugin == plugin && d.by == by {
					command, toSwitch = append(command, d.ended.Sub(d.ordered)), append(toSwitch, d.switched.Sub(d.ordered))
					drain, pause = append(drain, d.drawn.Sub(d.switched)), append(pause, d.pause)
				}
			}
			rows = append(rows, []string{"plugin " + by + " " + plugin, fmt.Sprint(len(command)), span(command), span(toSwitch), span(drain), span(pause)})
		}
	}
	r.table([]string{
		"command", "number", "took", "order → calls go to the new process", "→ the old process is gone", "no call could begin, as the host says",
	}, rows)
	r.note("Each the median, and the longest in parentheses.")
}

// span is the median, with the longest.
func span(list []time.Duration) string {
	if len(list) == 0 {
		return "–"
	}
	slices.Sort(list)
	return fmt.Sprintf("%s (%s)", ms(list[len(list)/2]), ms(list[len(list)-1]))
}

// tellWaits makes the table of what mailboxes see. It returns the longest wait during a swap, and by how much a mailbox's
// longest wait grew at most.
func tellWaits(r *result, plain, swapped *stretch, done []swapDone) (longest, more time.Duration) {
	during := func(is func(swapDone) bool) []wait {
		return slices.DeleteFunc(slices.Clone(swapped.waits), func(w wait) bool {
			return !slices.ContainsFunc(done, func(d swapDone) bool {
				return is(d) && w.due.Before(d.until()) && w.reflected.After(d.ordered)
			})
		})
	}
	rows := [][]string{waitRow("none", plain.waits)}
	for _, one := range []struct{ plugin, by string }{
		{backendPlugin, "swap"}, {backendPlugin, "restart"}, {authPlugin, "swap"}, {authPlugin, "restart"},
	} {
		rows = append(rows, waitRow("plugin "+one.by+" "+one.plugin, during(func(d swapDone) bool { return d.plugin == one.plugin && d.by == one.by })))
	}
	rows = append(rows, waitRow("plugin swap of one that nobody uses", during(func(d swapDone) bool { return d.plugin == sparePlugin })))
	r.table([]string{"meanwhile", "changes", "p50", "p99", "longest", "longest of one mailbox, median"}, rows)
	all := during(func(d swapDone) bool { return d.plugin != sparePlugin })
	was := map[int]time.Duration{}
	for _, w := range plain.waits {
		was[w.who] = max(was[w.who], w.took())
	}
	for _, w := range all {
		longest = max(longest, w.took())
		more = max(more, w.took()-was[w.who])
	}
	return longest, more
}

func waitRow(meanwhile string, waits []wait) []string {
	took := tookOf(waits)
	return []string{
		meanwhile, fmt.Sprint(len(took)), ms(quantile(took, 0.5)), ms(quantile(took, 0.99)), ms(quantile(took, 1)), ms(quantile(longestEach(waits), 0.5)),
	}
}

func tookOf(waits []wait) []time.Duration {
	took := make([]time.Duration, len(waits))
	for i, w := range waits {
		took[i] = w.took()
	}
	slices.Sort(took)
	return took
}

func longestOf(waits []wait) time.Duration { return quantile(tookOf(waits), 1) }

// longestEach returns every mailbox's longest wait, sorted.
func longestEach(waits []wait) []time.Duration {
	longest := map[int]time.Duration{}
	for _, w := range waits {
		longest[w.who] = max(longest[w.who], w.took())
	}
	var out []time.Duration
	for _, d := range longest {
		out = append(out, d)
	}
	slices.Sort(out)
	return out
}

// sleep waits, or gives up with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
