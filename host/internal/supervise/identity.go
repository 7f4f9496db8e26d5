package supervise

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/launch"
)

// An authenticator is a handle of an auth instance that outlives the plugin's processes. Sync modes with the same
// plugin and settings share one, and with it cached headers.
type authenticator struct {
	keeper   *keeper
	settings map[string]any
	fit      func(launch.Description) map[string]any
	opened   *opened[*launch.Authenticator]
	ends     atomic.Pointer[[]auth.Expiry] // when the credentials end, as the plugin told when it was opened last
}

// authenticator returns the one that b shares with others. Once b is closed there is none: nobody would close it.
func (s *Supervisor) authenticator(b *Backend, id Identity) (*authenticator, error) {
	key := identityKey(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.handles[b] {
		return nil, errClosed
	}
	if s.auths[key] == nil {
		s.auths[key] = &authenticator{keeper: s.keeper(id.Plugin), settings: id.Settings, fit: id.Fit, opened: newOpened[*launch.Authenticator]()}
	}
	return s.auths[key], nil
}

// identityKey is the same for identities that may share an instance.
func identityKey(id Identity) string { return id.Plugin + "/" + digest(id.Settings) }

// digest tells settings apart without keeping them a second time.
func digest(settings map[string]any) string {
	raw, _ := json.Marshal(settings) // what cannot be encoded is refused when it is opened
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// get returns the open instance in the running process, opening it if this process has none yet.
func (a *authenticator) get(ctx context.Context) (*launch.Authenticator, process, error) {
	return inRunning(ctx, a.keeper, a.opened, a.open(ctx))
}

// open returns how the instance is opened.
func (a *authenticator) open(ctx context.Context) func(*launch.Process) (*launch.Authenticator, error) {
	return func(lp *launch.Process) (*launch.Authenticator, error) {
		open, err := lp.OpenAuth(ctx, fitted(a.settings, a.fit, lp.Description()))
		if err != nil {
			return nil, fmt.Errorf("open plugin %s: %w", a.keeper.name, err)
		}
		ends := open.Expires()
		a.ends.Store(&ends)
		return open, nil
	}
}

// Begin implements auth.Authenticator. A login whose first leg finds the process being stopped begins in the next; one
// under way goes on to its end where it began.
func (a *authenticator) Begin(ctx context.Context, target auth.Target) (auth.Exchange, error) {
	open, p, err := a.get(ctx)
	if err != nil {
		return nil, err
	}
	exchange, err := open.Begin(ctx, target)
	if err != nil {
		return nil, err
	}
	return func(leg context.Context, challenge []string) (auth.Header, error) {
		for {
			began := time.Now()
			h, err := exchange(leg, challenge)
			a.keeper.calls.done(time.Since(began), err)
			if !errors.Is(err, launch.ErrStopping) || !a.keeper.moved(p) {
				return h, err
			}
			if open, p, err = a.get(ctx); err != nil {
				return h, err
			}
			if exchange, err = open.Begin(ctx, target); err != nil {
				return h, err
			}
		}
	}, nil
}
