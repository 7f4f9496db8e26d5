package app

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"

	"github.com/roomwire/roomwire/host/internal/config"
	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/supervise"
	"github.com/roomwire/roomwire/host/internal/watch"
)

// A Reloaded says what became of another configuration.
type Reloaded struct {
	Changed []string // in force now, one line each; secrets are only said to be changed
	Restart []string // changed, too, but in force after the next start only
}

// A RefusedError is a configuration that cannot be used. The one before stays in force.
type RefusedError struct{ Diagnostics config.Diagnostics }

// Error implements error.
func (e *RefusedError) Error() string {
	return "the configuration is refused, and the one before stays in force:\n" + strings.TrimSpace(e.Diagnostics.String())
}

// Reload reads the configuration anew and takes it over. Persons whose settings did not change notice nothing of it: their
// subscriptions, cursors and the plugins they use stand. *RefusedError if it has errors; then nothing changes.
func (a *App) Reload(ctx context.Context) (Reloaded, error) {
	if a.Load == nil {
		return Reloaded{}, errors.New("this host's configuration is built in and cannot be changed while it runs")
	}
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.closed {
		return Reloaded{}, errors.New("the host has stopped: the configuration is in force when it is started")
	}
	next, diags := a.Load()
	if diags.HasErrors() {
		return Reloaded{}, a.refuse(diags)
	}
	old := a.force.get()
	changes := config.Diff(old, next)
	if len(changes) == 0 {
		return Reloaded{}, nil
	}
	known := a.schemas(ctx, next)
	diags = next.CheckPlugins(known)
	if diags.HasErrors() {
		return Reloaded{}, a.refuse(diags)
	}
	out := report(config.Diff(old.Knowing(known), next.Knowing(known)))
	if a.Reloading != nil {
		a.Reloading(true)
		defer a.Reloading(false)
	}
	if err := a.certificates(next); err != nil {
		return Reloaded{}, err
	}
	// From here on nothing fails but the store, whose part is a hint: who is not woken now is by the clock.
	a.warnOfSettings(diags)
	keepFixed(next, old)
	a.force.set(next)
	a.Log.SetLevel(hclog.LevelFromString(next.Log.Level))
	a.engine.SetLimits(limitsOf(next))
	a.watch.SetLimits(watch.LimitsOf(next))
	a.store.SetCoalesce(next.Sync.Coalesce)
	a.closeLater(a.modes.replace(next, changes), max(old.Sync.AttemptTimeout, next.Sync.AttemptTimeout))
	for _, mode := range next.AllModes() {
		if config.ModeChanged(changes, mode.Name) {
			a.engine.Unpause(mode.Name)
			a.watch.ModeChanged(mode.Name)
		}
	}
	err := a.store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error { return wakeChanged(ctx, tx, old, next) })
	if err != nil {
		a.Log.Warn("mailboxes whose settings changed could not be woken; they are looked at by the clock", "error", err)
	}
	a.Log.Info("another configuration is in force", "changed", len(out.Changed), "after_restart", len(out.Restart))
	return out, nil
}

// refuse says why the changed configuration is not taken over.
func (a *App) refuse(diags config.Diagnostics) error {
	a.Log.Error("the changed configuration is refused; the one before stays in force (roomwire config check says more)", "errors", strings.TrimSpace(diags.String()))
	return &RefusedError{Diagnostics: diags}
}

func report(changes []config.Change) Reloaded {
	var out Reloaded
	for _, c := range changes {
		if c.Restart {
			out.Restart = append(out.Restart, c.String())
		} else {
			out.Changed = append(out.Changed, c.String())
		}
	}
	return out
}

// keepFixed puts back into next what a running host cannot change.
func keepFixed(next, old *config.Config) {
	next.Store, next.Plugins, next.Log.Format = old.Store, old.Plugins, old.Log.Format
	next.Listen.Notifications.Addr, next.Listen.API.Addr = old.Listen.Notifications.Addr, old.Listen.API.Addr
}

// certificates puts those of both listeners into force, or none of them.
func (a *App) certificates(next *config.Config) error {
	var loaded []func()
	for _, l := range []struct {
		name string
		at   *listener
		to   config.Listener
	}{
		{"listen.notifications", a.notifications, next.Listen.Notifications},
		{"listen.api", a.rest, next.Listen.API},
	} {
		if l.at.cert.Load() == nil || !l.to.TLS() {
			continue // from and to plain HTTP after a restart only
		}
		cert, err := certificate(l.name, l.to)
		if err != nil {
			return err
		}
		loaded = append(loaded, func() { l.at.cert.Store(cert) })
	}
	for _, put := range loaded {
		put()
	}
	if err := a.tellCommands(); err != nil {
		a.Log.Warn("commands on this machine cannot be told of the renewed certificate, and will not trust this host", "error", err)
	}
	return nil
}

// closeLater closes what passes under way may still use, when the longest of them is over. a.reloading is held.
func (a *App) closeLater(over []*supervise.Backend, longest time.Duration) {
	if len(over) == 0 {
		return
	}
	for _, b := range over {
		b.Retire()
	}
	var t *time.Timer
	t = time.AfterFunc(longest, func() {
		a.reloading.Lock()
		delete(a.graces, t)
		a.reloading.Unlock()
		for _, b := range over {
			if err := b.Close(); err != nil {
				a.Log.Debug("a replaced plugin instance could not be closed", "error", err)
			}
		}
	})
	a.graces[t] = true
}

// wakeChanged makes those due whose settings changed.
func wakeChanged(ctx context.Context, tx *store.Tx, old, next *config.Config) error {
	changes := config.Diff(old, next)
	wake := func(mode config.SyncMode) error {
		name := mode.Name
		if mode.Domain != "" {
			name = mode.Base
		}
		_, err := tx.WakeMode(ctx, name, mode.Domain)
		return err
	}
	for _, mode := range next.AllModes() {
		if config.ModeChanged(changes, mode.Name) {
			if err := wake(mode); err != nil {
				return err
			}
		}
	}
	for _, mode := range old.AllModes() {
		if _, still := next.Mode(mode.Name); !still {
			if err := wake(mode); err != nil { // so that their state says why
				return err
			}
		}
	}
	for _, t := range next.Tenants {
		if before, _ := old.Tenant(t.Name); before.RoomSync != t.RoomSync {
			if _, err := tx.WakeRooms(ctx, t.Name); err != nil {
				return err
			}
		}
		if before, known := old.Tenant(t.Name); known && before.PrivateBusy != t.PrivateBusy {
			if _, err := tx.WakeTenant(ctx, t.Name); err != nil {
				return err
			}
		}
		moved := func(m config.SyncMode) bool {
			return backendURL(old, t.Name, m.Backend) != backendURL(next, t.Name, m.Backend)
		}
		if slices.ContainsFunc(next.SyncModes, moved) {
			if _, err := tx.RenewSubscriptions(ctx, t.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle is how long the folder must have been quiet: editors write a file in several steps.
const settle = time.Second

// watchFiles reloads when a file of the configuration folder changes, for as long as the configuration wants that.
func (a *App) watchFiles(ctx context.Context) error {
	dir := a.force.get().Dir
	if a.Load == nil || dir == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		err = w.Add(dir) // not the files: editors replace them
	}
	if err != nil {
		a.Log.Warn("the configuration folder cannot be watched; use roomwire config apply", "folder", dir, "error", err)
		<-ctx.Done()
		return ctx.Err()
	}
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-w.Events:
			if name := filepath.Base(e.Name); name == config.HCLFile || name == config.RoomsFile {
				quiet.Reset(settle)
			}
		case err := <-w.Errors:
			a.Log.Warn("watching the configuration folder", "error", err)
		case <-quiet.C:
			if !a.force.get().Watch {
				continue
			}
			if _, err := a.Reload(ctx); err != nil {
				if _, said := errors.AsType[*RefusedError](err); !said {
					a.Log.Error("the changed configuration could not be taken over", "error", err)
				}
			}
		}
	}
}

// announce says that the host serves.
func (a *App) announce(ctx context.Context) error {
	if a.Ready != nil {
		a.Ready()
	}
	<-ctx.Done()
	return ctx.Err()
}
