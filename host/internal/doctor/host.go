package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
)

func (d *Doctor) host(context.Context) []Finding {
	if !d.Running {
		return []Finding{bad("host", "roomwire", "no host runs on this configuration: nothing is kept in sync", "Start it: roomwire service start, or roomwire serve. What needs a running host is not examined.")}
	}
	return []Finding{good("host", "roomwire", fmt.Sprintf("version %s runs since %s", d.Version, d.Started.Local().Format("2006-01-02 15:04:05")))}
}

// configuration says whether the files are good, and whether they are what is in force.
func (d *Doctor) configuration(ctx context.Context) []Finding {
	const area = "configuration"
	if d.Reload == nil {
		return []Finding{good(area, "built in", "the configuration is built in")}
	}
	inForce := d.Config()
	next, diags := d.Reload()
	if diags.HasErrors() {
		return []Finding{bad(area, inForce.Dir, "the files there cannot be used: the host goes on with the configuration before, and would not start again",
			"Run roomwire config check: it names every fault with its line.")}
	}
	var out []Finding
	if changes := config.Diff(inForce, next); len(changes) > 0 && d.Running {
		restart := 0
		for _, c := range changes {
			if c.Restart {
				restart++
			}
		}
		if restart == len(changes) {
			out = append(out, warn(area, inForce.Dir, fmt.Sprintf("%s not in force: %s", plural(restart, "change is", "changes are"), first(changes)), "Restart the host: roomwire service restart."))
		} else {
			out = append(out, warn(area, inForce.Dir, fmt.Sprintf("%s not in force yet: %s", plural(len(changes), "change is", "changes are"), first(changes)), "Run roomwire config apply."))
		}
	}
	if d.Settings != nil {
		ctx, cancel := context.WithTimeout(ctx, d.Timeout)
		defer cancel()
		for _, f := range d.Settings(ctx, inForce) {
			switch f.Severity {
			case config.Error:
				out = append(out, bad(area, inForce.Dir, firstLine(f.String()), "Persons of this sync mode are not synced until it is corrected: roomwire config check shows the line."))
			case config.Warning:
				out = append(out, warn(area, inForce.Dir, firstLine(f.String()), "It has no effect: roomwire config check shows the line."))
			}
		}
	}
	for _, f := range diags {
		if f.Severity == config.Warning {
			out = append(out, warn(area, inForce.Dir, firstLine(f.String()), "Run roomwire config check: it says more."))
		}
	}
	if len(out) == 0 {
		out = append(out, good(area, inForce.Dir, fmt.Sprintf("%s, %s", plural(len(next.Tenants), "tenant", "tenants"), plural(len(next.SyncModes), "sync mode", "sync modes"))))
	}
	return out
}

func first(changes []config.Change) string {
	text := changes[0].String()
	if n := len(changes) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(strings.TrimPrefix(line, "Warning: "), "Error: ")
}

// used returns a test for sync modes that somebody is in. RoomsAppSettings.config of an installation has keys of modes
// that nobody uses any more, or yet. Where it cannot be found out, all count as used.
func (d *Doctor) used(ctx context.Context) func(mode string) bool {
	if d.Store == nil {
		return func(string) bool { return true }
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	counts, err := d.Store.Modes(ctx)
	return func(mode string) bool {
		return err != nil || slices.ContainsFunc(counts, func(c store.ModeCount) bool { return strings.EqualFold(c.Mode, mode) })
	}
}

func (d *Doctor) store(ctx context.Context) []Finding {
	if d.Store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	name := d.Config().Store.String()
	began := time.Now()
	if err := d.Store.Ping(ctx); err != nil {
		return []Finding{bad("store", name, err.Error(), "Nothing works without it: Exchange is asked to repeat its notices until it is back.")}
	}
	if took := time.Since(began); took > time.Second {
		return []Finding{warn("store", name, fmt.Sprintf("it answered after %s", took.Round(time.Millisecond)), "Look at the load of the database and its disk.")}
	}
	return []Finding{good("store", name, "it answers")}
}

// stuck is how long a mailbox may wait for a pass before something is wrong.
const stuck = 5 * time.Minute

func (d *Doctor) queue(ctx context.Context) []Finding {
	const area = "queue"
	if d.Store == nil || !d.Running {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	now := d.Now()
	counts, err := d.Store.QueueCounts(ctx, now)
	var oldest time.Time
	if err == nil {
		oldest, err = d.Store.OldestDirty(ctx, now)
	}
	if err != nil {
		return []Finding{bad(area, "mailboxes", err.Error(), "See the store.")}
	}
	text := fmt.Sprintf("%d worked on, %d wait, %d of them as bulk work", counts.Running, counts.Queued+counts.QueuedBulk+counts.Due, counts.QueuedBulk)
	if wait := now.Sub(oldest); !oldest.IsZero() && wait > stuck {
		return []Finding{warn(area, "mailboxes", fmt.Sprintf("%s; the oldest for %s", text, wait.Round(time.Second)),
			"The host does not keep up: see the servers for latency and throttling, sync.workers_per_server, and the machine's load.")}
	}
	return []Finding{good(area, "mailboxes", text)}
}

func (d *Doctor) disk(context.Context) []Finding {
	if d.DataDir == "" {
		return nil
	}
	free, err := freeSpace(d.DataDir)
	if err != nil {
		return []Finding{warn("disk", d.DataDir, "its free space cannot be told: "+err.Error(), "Look by hand.")}
	}
	text := fmt.Sprintf("%.1f GB are free", float64(free)/1e9)
	switch {
	case free < 200e6:
		return []Finding{bad("disk", d.DataDir, text, "Make room: a full disk stops the database, and with it everything.")}
	case free < 2e9:
		return []Finding{warn("disk", d.DataDir, text, "Make room before it is full.")}
	}
	return []Finding{good("disk", d.DataDir, text)}
}

// people counts those whose sync does not work.
func (d *Doctor) people(ctx context.Context) []Finding {
	const area = "persons"
	if d.Store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	states, err := d.Store.States(ctx)
	if err != nil {
		return []Finding{bad(area, "all", err.Error(), "See the store.")}
	}
	var out []Finding
	fine, others := int64(0), ""
	for _, s := range states {
		switch s.Status {
		case store.StatusNew:
			others += fmt.Sprintf(", %d not looked at yet", s.Persons)
		case store.StatusDisabled:
			others += fmt.Sprintf(", %d not to be synced", s.Persons)
		case store.StatusAttention:
			out = append(out, bad(area, s.Kind, fmt.Sprintf("%s attention", plural(int(s.Persons), "person needs", "persons need")), "roomwire person list --status attention names them, with what to do."))
		case store.StatusWaiting:
			out = append(out, warn(area, s.Kind, fmt.Sprintf("%s after a failure", plural(int(s.Persons), "person waits", "persons wait")), "It is tried again by itself: roomwire person list --status waiting."))
		case store.StatusOK:
			fine += s.Persons
		}
	}
	if len(states) == 0 {
		return []Finding{warn(area, "all", "nobody is to be kept in sync yet", "Say who: roomwire person import FILE.")}
	}
	return append([]Finding{good(area, "all", plural(int(fine), "person is", "persons are")+" in sync"+others)}, out...)
}

func (d *Doctor) webhooks(ctx context.Context) []Finding {
	const area = "webhooks"
	if d.Store == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	hooks, err := d.Store.Webhooks(ctx, "")
	if err != nil {
		return []Finding{bad(area, "all", err.Error(), "See the store.")}
	}
	var out []Finding
	for _, h := range hooks {
		name := h.Tenant + "/" + orElse(h.Name, h.ID)
		switch {
		case h.Disabled:
			out = append(out, warn(area, name, "it is switched off"+because(h.Problem), "roomwire webhook enable "+h.ID+" when its receiver is ready."))
		case !h.Failing.IsZero():
			out = append(out, bad(area, name, fmt.Sprintf("it fails since %s%s", h.Failing.Local().Format("2006-01-02 15:04"), because(h.Problem)), "Messages wait and are sent again: look at the receiver."))
		default:
			out = append(out, good(area, name, "it works"))
		}
	}
	if n, err := d.Store.CountDeadMessages(ctx); err == nil && n > 0 {
		out = append(out, warn(area, "given up", plural(int(n), "message was", "messages were")+" given up", "roomwire webhook dead lists them, roomwire webhook resend sends them again."))
	}
	return out
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// answers says where refusals of rooms are known without their reasons. That is no fault: the right to read mail is asked for by
// nothing else, and not everybody grants it.
func (d *Doctor) answers(context.Context) []Finding {
	if d.Unread == nil {
		return nil
	}
	var out []Finding
	for _, u := range d.Unread() {
		out = append(out, good("rooms", u.Mode, "that a room declines is known, and not what it writes; nothing else depends on that. "+u.Why))
	}
	return out
}
