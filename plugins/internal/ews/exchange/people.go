package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/plugins/internal/ews"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What is looked into of a distribution group, at most. Exchange itself delivers to larger ones, but nobody's meeting has so
// many attendees.
const (
	maxGroups  = 100
	maxMembers = 5000
)

// FreeBusy implements backend.FreeBusy.
func (b *Backend) FreeBusy(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	if !to.After(from) || to.Sub(from) > backend.MaxFreeBusy {
		return nil, fmt.Errorf("free/busy can be asked for up to 62 days at a time, and not from %s to %s: %w",
			from.Format(time.RFC3339), to.Format(time.RFC3339), fault.Invalid)
	}
	got, err := b.ews.GetUserAvailability(ctx, m, addresses, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]backend.Availability, len(got))
	for i, one := range got {
		out[i] = backend.Availability{Address: addresses[i], Err: one.Err}
		for _, busy := range one.Busy {
			state, known := nameToBusy[busy.Status]
			if !known || busy.Start.IsZero() || busy.End.Before(busy.Start) { // NoData
				continue
			}
			t := backend.BusyTime{Start: busy.Start, End: busy.End, Busy: state, Subject: busy.Subject, Location: busy.Location, Private: busy.Private}
			if t.Private {
				t.Subject, t.Location = "", ""
			}
			out[i].Busy = append(out[i].Busy, t)
		}
		slices.SortStableFunc(out[i].Busy, func(x, y backend.BusyTime) int { return x.Start.Compare(y.Start) })
	}
	return out, nil
}

// Members implements backend.GroupExpander. Groups may be in each other; each is looked into once.
func (b *Backend) Members(ctx context.Context, m backend.Mailbox, group string) ([]calendar.Address, error) {
	found := members{seen: map[string]bool{}}
	entries, err := b.ews.ExpandDL(ctx, m, group)
	if err != nil {
		return nil, err
	}
	if err := found.take(group, entries); err != nil {
		return nil, err
	}
	for i := 0; i < len(found.groups); i++ {
		inner := found.groups[i]
		entries, err := b.ews.ExpandDL(ctx, m, inner.Email)
		if fault.Of(err) == fault.NotFound {
			found.all = append(found.all, calendar.Address{Name: inner.Name, Email: inner.Email})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the group %s within %s: %w", inner.Email, group, err)
		}
		if err := found.take(group, entries); err != nil {
			return nil, err
		}
	}
	return found.all, nil
}

// members gathers who is in a group.
type members struct {
	all    []calendar.Address
	groups []ews.Member // within it, as far as they are known
	seen   map[string]bool
}

// take adds the entries of a group, or of one within it.
func (found *members) take(group string, entries []ews.Member) error {
	found.seen[strings.ToLower(group)] = true
	for _, e := range entries {
		key := strings.ToLower(e.SMTP())
		if key == "" || found.seen[key] {
			continue
		}
		found.seen[key] = true
		if e.Group {
			found.groups = append(found.groups, e)
		} else {
			found.all = append(found.all, calendar.Address{Name: e.Name, Email: e.Email})
		}
	}
	if len(found.groups) > maxGroups || len(found.all) > maxMembers {
		return fmt.Errorf("the distribution group %s is too large: it holds more than %d members or %d groups: %w",
			group, maxMembers, maxGroups, fault.Unsupported)
	}
	return nil
}

var (
	_ backend.FreeBusy      = (*Backend)(nil)
	_ backend.GroupExpander = (*Backend)(nil)
)
