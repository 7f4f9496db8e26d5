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
		k.retire(ctx, next.process, drainTime)
		return Swapped{}, fmt.Errorf("version %s of plugin %s: %w", next.Description().Version, name, err)
	}
	if old != nil {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Drain)
		defer cancel()
		out.CutOff = old.Stop(drain)
	}
	if k.current().process != next.process {
		return out, fmt.Errorf("version %s of plugin %s took over and did not stay up, so the pinned binary is started again: %w", out.To, name, k.lastEnd())
	}
	s.o.Log.Info("a plugin was replaced", "plugin", name, "from", out.From, "to", out.To, "instances", out.Instances, "pause", out.Pause)
	if out.CutOff != nil {
		s.o.Log.Warn("calls of the plugin's old process were cut off; they are made again", "plugin", name, "error", out.CutOff)
	}
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
	if problems := newlyLacking(users, before, next.Description()); len(problems) > 0 {
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
	unlock, err := lockAll(ctx, moves)
	if err != nil {
		return out, nil, err
	}
	began := time.Now()
	if old, err = k.replace(next); err == nil {
		for _, m := range moves {
			m.switchOver()
		}
	}
	unlock()
	if err != nil {
		return out, nil, err
	}
	out.Instances, out.Pause = len(moves), time.Since(began)
	if before.process != nil && !sameTraits(before.Description().Auth, next.Description().Auth) {
		s.reopenUsersOf(k.name)
	}
	return out, old, nil
}

// lockWithin is how long calls may be kept waiting for one another's openings before a switch; then it is tried again.
const lockWithin = 250 * time.Millisecond

// lockAll keeps calls from opening any of the instances, until unlock. Whoever is just opening one is waited for, but not
// while others are kept waiting.
func lockAll(ctx context.Context, moves []move) (unlock func(), err error) {
	for {
		var locked []move
		unlock = func() {
			for _, m := range locked {
				m.unlock()
			}
		}
		brief, cancel := context.WithTimeout(ctx, lockWithin)
		failed := false
		for _, m := range moves {
			if failed = m.lock(brief) != nil; failed {
				break
			}
			locked = append(locked, m)
		}
		cancel()
		if !failed {
			return unlock, nil
		}
		unlock()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("an instance is just being opened, and that takes too long: %w", ctx.Err())
		}
	}
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

// newlyLacking is lacking without what is so with the version before as well: it is no worse then. While none runs, what
// somebody's settings lack keeps nobody else from working.
func newlyLacking(users []user, before live, about launch.Description) []string {
	problems := lacking(users, about)
	if before.process == nil {
		for _, u := range users {
			if len(lacking([]user{u}, about)) == 0 {
				return nil
			}
		}
		return problems
	}
	had := lacking(users, before.Description())
	return slices.DeleteFunc(problems, func(p string) bool { return slices.Contains(had, p) })
}

// ready opens in the new process what is open in the old.
func (s *Supervisor) ready(ctx context.Context, users []user, old, next process) ([]move, error) {
	var moves []move
	for _, u := range users {
		m, used, err := u.ready(ctx, old, next)
		if err != nil {
			return moves, fmt.Errorf("%s works in the version before, and cannot be opened in this: %w", u.name, err)
		}
		if used {
			moves = append(moves, m)
		}
	}
	return moves, nil
}

// reopenUsersOf has the backends that log in with an auth plugin opened anew, in its own time: how its headers are used has
// changed.
func (s *Supervisor) reopenUsersOf(plugin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil || s.running.Err() != nil {
		return
	}
	for b := range s.handles {
		if !slices.ContainsFunc(b.spec.Identities, func(i Identity) bool { return i.Plugin == plugin }) {
			continue
		}
		s.wait.Go(func() {
			// Whoever is just opening it is waited for, however long that takes.
			if err := b.opened.forget(s.running); err != nil && s.running.Err() == nil {
				s.o.Log.Debug("an instance that is opened anew could not be closed", "mode", b.spec.Name, "error", err)
			}
		})
	}
}

func sameTraits(a, b launch.AuthTraits) bool {
	return slices.Equal(a.Schemes, b.Schemes) && a.PerConnection == b.PerConnection && a.PerMailbox == b.PerMailbox && a.Attempts == b.Attempts
}

// Halt ends a plugin's process once its calls are over, or have had 30 s, for as long as its pin does not let it be started again.
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
	k.retire(ctx, p, usualDrain)
	return nil
}
