package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
	"github.com/roomwire/roomwire/sdk/launch"
)

// usualDrain is how long the calls of a replaced process may go on.
const usualDrain = 30 * time.Second

// A Replacement says what a plugin's process is replaced by.
type Replacement struct {
	// File is the binary's name within the plugin folder, and SHA256 its sum in hexadecimal. Both are empty for the
	// one that is pinned.
	File, SHA256 string
	// Drain is how long calls under way may go on in the process that is replaced; 0 means 30 s.
	Drain time.Duration
}

// A Swapped says what Swap did.
type Swapped struct {
	From, To  string // versions; From is empty if the plugin did not run
	Instances int    // that were opened beforehand
	// Pause is the time in which no call could begin.
	Pause time.Duration
	// CutOff is why calls of the old process were cut off: they are made again. Nil if they ended by themselves.
	CutOff error
	// Unused: no sync mode uses the plugin. It was only started, looked at and stopped again.
	Unused bool
}

// Swap replaces the process of a plugin by a new one, of the same binary or of another, while its work goes on: the new one is
// started, asked what it is, and given every instance that is open in the old one; then calls go to it, and the old
// one ends when its own calls are over. If anything fails before that, the old one serves on as if nothing had been, and the
// error says why. The pins are as they were.
func (s *Supervisor) Swap(ctx context.Context, name string, r Replacement) (Swapped, error) {
	if r.Drain == 0 {
		r.Drain = usualDrain
	}
	start := launcher(s.o, name)
	if r.File != "" {
		pin, err := namedPin(name, r.File, r.SHA256)
		if err != nil {
			return Swapped{}, err
		}
		start = func(ctx context.Context) (live, error) { return s.o.launch(ctx, pin) }
	}
	s.mu.Lock()
	k := s.keepers[name]
	s.mu.Unlock()
	if k == nil {
		return tryOut(ctx, start)
	}
	select {
	case k.swapping <- struct{}{}:
		defer func() { <-k.swapping }()
	case <-ctx.Done():
		return Swapped{}, fmt.Errorf("plugin %s is being replaced already: %w", name, ctx.Err())
	}
	next, err := start(ctx)
	if err != nil {
		return Swapped{}, err
	}
	out, old, err := s.swapTo(ctx, k, next)
	if err != nil {
		k.retire(ctx, next.process)
		return Swapped{}, fmt.Errorf("version %s of plugin %s was not taken: %w", next.Description().Version, name, err)
	}
	if old == nil {
		return out, nil
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Drain)
	defer cancel()
	out.CutOff = old.Stop(drain)
	s.o.Log.Info("a plugin was replaced", "plugin", name, "from", out.From, "to", out.To, "instances", out.Instances,
		"pause", out.Pause, "cut_off", out.CutOff)
	return out, nil
}

// tryOut starts a plugin that nobody uses, and stops it again.
func tryOut(ctx context.Context, start func(context.Context) (live, error)) (Swapped, error) {
	p, err := start(ctx)
	if err != nil {
		return Swapped{}, err
	}
	out := Swapped{To: p.Description().Version, Unused: true}
	return out, p.Stop(ctx)
}

// swapTo readies the new process and switches to it. What it returns as old is to be drained; nil if there was none.
func (s *Supervisor) swapTo(ctx context.Context, k *keeper, next live) (out Swapped, old process, err error) {
	before := k.current()
	out.To = next.Description().Version
	if before.process != nil {
		out.From = before.Description().Version
	}
	if err := next.Ping(ctx); err != nil {
		return out, nil, fmt.Errorf("it does not answer: %w", err)
	}
	users := s.users(k.name)
	if problems := lacking(users, next.Description()); len(problems) > 0 {
		return out, nil, fmt.Errorf("its settings are not those that the configuration gives: %s: %w", strings.Join(problems, "; "), fault.Invalid)
	}
	moves, err := s.ready(ctx, users, before.process, next.process)
	defer func() {
		if err != nil {
			for _, m := range moves {
				_ = m.drop()
			}
		}
	}()
	if err != nil {
		return out, nil, err
	}
	if err := next.Ping(ctx); err != nil {
		return out, nil, fmt.Errorf("it no longer answers once its instances are open: %w", err)
	}
	began := time.Now()
	var locked []move
	defer func() {
		for _, m := range locked {
			m.unlock()
		}
	}()
	for _, m := range moves {
		if err := m.lock(ctx); err != nil {
			return out, nil, err
		}
		locked = append(locked, m)
	}
	if old, err = k.replace(next); err != nil {
		return out, nil, err
	}
	for _, m := range moves {
		m.switchOver()
	}
	out.Instances, out.Pause = len(moves), time.Since(began)
	if before.process != nil && !sameTraits(before.Description().Auth, next.Description().Auth) {
		s.reopenUsersOf(ctx, k.name)
	}
	return out, old, nil
}

// A user is something that is opened in a plugin: a sync mode's backend, or an identity.
type user struct {
	name     string                                  // for people
	settings func(launch.Description) map[string]any // that it gives a plugin
	ready    func(ctx context.Context, old, p process) (move, bool, error)
}

// users lists what is opened in a plugin.
func (s *Supervisor) users(plugin string) []user {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []user
	for b := range s.handles {
		if b.spec.Plugin == plugin {
			out = append(out, user{
				name:     fmt.Sprintf("sync mode %q", b.spec.Name),
				settings: func(about launch.Description) map[string]any { return fitted(b.spec.Settings, b.spec.Fit, about) },
				ready: func(ctx context.Context, old, p process) (move, bool, error) {
					return b.opened.ready(ctx, old, p, b.open(ctx))
				},
			})
		}
	}
	for _, a := range s.auths {
		if a.keeper.name == plugin {
			out = append(out, user{
				name:     "an account",
				settings: func(about launch.Description) map[string]any { return fitted(a.settings, a.fit, about) },
				ready: func(ctx context.Context, old, p process) (move, bool, error) {
					return a.opened.ready(ctx, old, p, a.open(ctx))
				},
			})
		}
	}
	slices.SortFunc(out, func(a, b user) int { return strings.Compare(a.name, b.name) })
	return out
}

// lacking compares what the configuration gives with what the plugin takes. It names settings, never their values.
func lacking(users []user, about launch.Description) []string {
	var out []string
	for _, u := range users {
		given := u.settings(about)
		for name := range given {
			if !slices.ContainsFunc(about.Settings, func(d launch.Setting) bool { return d.Name == name }) {
				out = append(out, fmt.Sprintf("%s gives it %q, which it does not know", u.name, name))
			}
		}
		for _, d := range about.Settings {
			if _, is := given[d.Name]; d.Required && !is {
				out = append(out, fmt.Sprintf("%s does not give it %q, which it requires", u.name, d.Name))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ready opens in the new process what is open in the old. What was not open there either may fail: it is no worse then.
func (s *Supervisor) ready(ctx context.Context, users []user, old, next process) ([]move, error) {
	var moves []move
	for _, u := range users {
		m, used, err := u.ready(ctx, old, next)
		switch {
		case errors.Is(err, errClosed):
		case err != nil && used:
			return moves, fmt.Errorf("%s works in the version before, and cannot be opened in this: %w", u.name, err)
		case err != nil:
			s.o.Log.Warn("an instance cannot be opened in the plugin's new process, nor was it open in the old", "for", u.name, "error", err)
		default:
			moves = append(moves, m)
		}
	}
	return moves, nil
}

// reopenUsersOf has the backends that log in with an auth plugin opened anew: how its headers are used has changed.
func (s *Supervisor) reopenUsersOf(ctx context.Context, plugin string) {
	s.mu.Lock()
	var stale []*Backend
	for b := range s.handles {
		if slices.ContainsFunc(b.spec.Identities, func(i Identity) bool { return i.Plugin == plugin }) {
			stale = append(stale, b)
		}
	}
	s.mu.Unlock()
	for _, b := range stale {
		if err := b.opened.forget(ctx); err != nil {
			s.o.Log.Warn("a sync mode goes on with how the auth plugin was before", "mode", b.spec.Name, "plugin", plugin, "error", err)
		}
	}
}

func sameTraits(a, b launch.AuthTraits) bool {
	return slices.Equal(a.Schemes, b.Schemes) && a.PerConnection == b.PerConnection && a.PerMailbox == b.PerMailbox && a.Attempts == b.Attempts
}

// Halt ends a plugin's process once its calls are over, for as long as its pin does not let it be started again.
func (s *Supervisor) Halt(ctx context.Context, name string) error {
	s.mu.Lock()
	k := s.keepers[name]
	s.mu.Unlock()
	if k == nil {
		return nil
	}
	p := k.halt(errors.New("it was stopped by a command"))
	if p == nil {
		return nil
	}
	if err := p.Stop(ctx); err != nil {
		s.o.Log.Warn("a plugin was stopped before its calls were done", "plugin", name, "error", err)
	}
	return nil
}
