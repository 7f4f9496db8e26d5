package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// ErrHeld is in the error of Hold when another command changes the folder.
var ErrHeld = errors.New("another command is changing the plugins")

// heldFile is locked in a plugin folder by the command that changes it. It says which that is, from its second byte on: the
// first is what is locked, and Windows lets nobody else read that. The file stays, since one that is deleted may be locked
// by somebody who opened it before.
const heldFile = ".command.lock"

// Hold keeps other commands from changing a plugin folder until release is called or this process ends. If another one is
// at it, Hold waits for that until ctx is done; the error then wraps ErrHeld and names the other. by is what the others are told.
//
// Whoever calls Stage, Take, Sweep, Discard, Unpin, Drop or WriteLock should hold the folder from before the first look at
// the pins until after the last change.
func Hold(ctx context.Context, dir, by string) (release func(), err error) {
	path := filepath.Join(dir, heldFile)
	l := flock.New(path, flock.SetPermissions(0o644))
	got, err := l.TryLock()
	if !got && err == nil {
		got, err = l.TryLockContext(ctx, 50*time.Millisecond)
	}
	switch {
	case !got && ctx.Err() != nil:
		return nil, fmt.Errorf("%w in %s: %s; wait until it is done, and repeat this: %w", ErrHeld, dir, holder(path), ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("keep other commands from changing the plugins: %w", err)
	}
	// Only for people: that it could not be written keeps nobody from working.
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		_ = f.Truncate(1)
		_, _ = f.WriteAt(fmt.Appendf(nil, "%s, process %d, since %s", by, os.Getpid(), time.Now().Format(time.DateTime)), 1)
		_ = f.Close()
	}
	return func() {
		_ = os.Truncate(path, 0)
		_ = l.Unlock() // else it is unlocked when this process ends
	}, nil
}

// holder says who holds a folder.
func holder(path string) string {
	text := make([]byte, 200)
	n := 0
	if f, err := os.Open(path); err == nil {
		n, _ = f.ReadAt(text, 1) // it is shorter than that
		_ = f.Close()
	}
	if who := strings.Trim(string(text[:n]), "\x00"); who != "" {
		return who
	}
	return "it does not say which it is"
}
