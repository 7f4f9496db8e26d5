package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/api"
	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
)

// openStore opens the database, making the folder of an SQLite file where there is none.
func openStore(ctx context.Context, cfg *config.Config, log hclog.Logger) (*store.Store, error) {
	if err := os.MkdirAll(DataDir(cfg), 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	st, err := store.Open(ctx, store.Options{URL: cfg.Store.URL, Log: log.Named("store")})
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", cfg.Store, err)
	}
	return st, nil
}

func limitsOf(cfg *config.Config) syncer.Limits {
	s, limits := cfg.Sync, syncer.DefaultLimits()
	limits.SubscriptionInterval, limits.StatusFrequency = s.SubscriptionInterval, s.StatusFrequency
	limits.ReconcileInterval, limits.PollInterval, limits.AttemptTimeout = s.ReconcileInterval, s.PollInterval, s.AttemptTimeout
	limits.WorkersPerServer, limits.RetryBase = s.WorkersPerServer, s.RetryDelay
	limits.MassDeletionLimit, limits.MassDeletionShare = s.MassDeletionLimit, s.MassDeletionShare
	limits.MassChangeLimit, limits.MassChangeShare = s.MassChangeLimit, s.MassChangeShare
	limits.RollbackTries, limits.CancelTries, limits.FollowMoves = s.RollbackTries, s.CancelTries, s.FollowMoves
	limits.ResolveGroups = s.ResolveGroups
	return limits
}

// bareEngine works on the store alone: nobody runs passes.
func bareEngine(force *inForce, st *store.Store, log hclog.Logger) *syncer.Engine {
	return syncer.New(syncer.Options{
		Store: st, Modes: noModes{}, Log: log.Named("sync"), Render: api.Render, Parse: api.Parse,
		Limits: limitsOf(force.get()), Zone: force.zone, NotificationURL: force.notificationURL, Mails: force.mailsOn,
		RoomSync: force.roomSync, PrivateBusy: force.privateBusy,
	})
}

func (a *App) newEngine() *syncer.Engine {
	return syncer.New(syncer.Options{
		Store: a.store, Modes: a.modes, Log: a.Log.Named("sync"), Render: api.Render, Parse: api.Parse, Failpoint: a.Failpoint,
		Limits: limitsOf(a.force.get()), Zone: a.force.zone, NotificationURL: a.force.notificationURL, Mails: a.force.mailsOn,
		RoomSync: a.force.roomSync, PrivateBusy: a.force.privateBusy,
		ModeNames: a.modes.names,
		Meter:     a.meter, WayChanged: func(tenant, person string) { a.watch.Changed(tenant, person) },
	})
}

// workers is how many mailboxes are worked on at once, over all servers.
func workers(cfg *config.Config) int {
	n := 0
	for _, m := range cfg.AllModes() {
		n += cfg.Sync.WorkersPerServer * m.Breadth()
	}
	return max(16, cfg.Sync.WorkersPerServer, n)
}

// DataDir is where the host keeps what is its own beside the database: the key file, the plugins' sockets.
func DataDir(cfg *config.Config) string {
	if path, ok := strings.CutPrefix(cfg.Store.URL, "sqlite:"); ok && path != ":memory:" {
		return filepath.Dir(path)
	}
	return filepath.Join(cfg.Dir, "data")
}
