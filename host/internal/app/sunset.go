package app

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/sunset"
)

// ending is a sync mode in use whose servers' interface ends.
type ending struct {
	sunset.End
	persons int64
}

// endingsOf returns those of the modes that end and that somebody is in.
func endingsOf(modes []config.SyncMode, counts []store.ModeCount) []ending {
	var out []ending
	for _, m := range modes {
		end, ends := sunset.Of(m, modes)
		if !ends {
			continue
		}
		e := ending{End: end}
		for _, c := range counts {
			if strings.EqualFold(c.Mode, m.Name) {
				e.persons += c.Persons
			}
		}
		if e.persons > 0 {
			out = append(out, e)
		}
	}
	return out
}

func (a *App) endings(ctx context.Context) ([]ending, error) {
	counts, err := a.store.Modes(ctx)
	if err != nil {
		return nil, err
	}
	return endingsOf(a.force.modes(), counts), nil
}

// endsAt are the dates of endings that are known, by mode.
func (a *App) endsAt(ctx context.Context) (map[string]time.Time, error) {
	all, err := a.endings(ctx)
	at := map[string]time.Time{}
	for _, e := range all {
		if !e.At.IsZero() {
			at[e.Mode] = e.At
		}
	}
	return at, err
}

// countDown writes to the log, now and once a day, what ends.
func countDown(ctx context.Context, log hclog.Logger, endings func(context.Context) ([]ending, error), now func() time.Time) error {
	t := time.NewTicker(24 * time.Hour)
	defer t.Stop()
	for {
		all, err := endings(ctx)
		if err != nil && ctx.Err() == nil {
			log.Warn("it cannot be found out whether the interface of a sync mode ends; it is tried again tomorrow", "error", err)
		}
		for _, e := range all {
			say := log.Warn
			if e.Over(now()) {
				say = log.Error
			}
			say("the interface that a sync mode uses ends", "mode", e.Mode, "persons", e.persons, "what", e.What(now()), "remedy", e.Remedy())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}
