package looptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/roomwire/roomwire/host/internal/store"
	"github.com/roomwire/roomwire/host/internal/syncer"
	"github.com/roomwire/roomwire/sdk/backend"
)

// errTaken ends a run that others took for dead: it is theirs to clean up after.
var errTaken = errors.New("the run was given up by another host, which took it for dead")

// record is what is stored of a run beside its columns.
type record struct {
	Way   string `json:"way,omitempty"`
	Steps []Step `json:"steps"`
}

// active is a run under way in this process. Only the goroutine that executes it changes it; what is below mu is read by
// others as well.
type active struct {
	item    backend.Item
	horizon time.Time // changes of what lies later are not told; zero: there is none
	before  Arrivals  // when the change was made
	epoch   int64     // of the mailbox when the run began
	mark    int64     // Mailbox.Notices before the change
	// unsure: a create was cut off, so the server may make the item yet.
	unsure bool

	saving sync.Mutex // so that the newest state is stored last

	mu      sync.Mutex
	mode    syncer.Mode
	mailbox backend.Mailbox
	run     Run
	key     string
	cleaned bool
}

func (r *Runner) newRun(tenant, person string) *active {
	run := Run{Tenant: tenant, ID: newID(), Person: person, Outcome: Running, Started: r.now()}
	for _, name := range []string{StepConfiguration, StepCreate, StepChange, StepNotification, StepDelete} {
		run.Steps = append(run.Steps, Step{Name: name, State: StatePending})
	}
	return &active{run: run, cleaned: true}
}

// snapshot returns a copy of the run.
func (a *active) snapshot() Run {
	a.mu.Lock()
	defer a.mu.Unlock()
	run := a.run
	run.Steps = append([]Step(nil), run.Steps...)
	return run
}

// change changes what others read of a; save makes it durable.
func (a *active) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func (a *active) row(now time.Time) store.TestRun {
	a.mu.Lock()
	defer a.mu.Unlock()
	steps, _ := json.Marshal(record{Way: a.run.Way, Steps: a.run.Steps}) // plain data: cannot fail
	row := store.TestRun{
		Tenant: a.run.Tenant, ID: a.run.ID, Person: a.run.Person, Mode: a.mode.Name, Address: a.mailbox.Address, URL: a.mailbox.URL,
		Key: a.key, Outcome: a.run.Outcome, Steps: steps, Started: a.run.Started, Ended: a.run.Ended,
		AliveUntil: now.Add(lease), Cleaned: a.cleaned,
	}
	if a.run.Outcome == Running {
		row.Cleaned = false // so that it is found when its host dies
	}
	return row
}

// save makes the run durable as it is, alive for another while. It fails with errTaken once the run is another's.
func (r *Runner) save(ctx context.Context, a *active) error {
	a.saving.Lock()
	defer a.saving.Unlock()
	row := a.row(r.now())
	err := r.Store.Tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := r.mine(ctx, tx, row); err != nil {
			return err
		}
		return tx.PutTestRun(ctx, row)
	})
	if err != nil {
		return err
	}
	r.watch.wake(row.Tenant + "\x00" + row.ID)
	return nil
}

// mine makes sure that nobody has given the run up meanwhile.
func (r *Runner) mine(ctx context.Context, tx *store.Tx, row store.TestRun) error {
	// Reading the person keeps others from writing runs of theirs at the same time.
	if _, _, err := tx.Person(ctx, row.Tenant, row.Person); err != nil {
		return err
	}
	now, found, err := tx.TestRun(ctx, row.Tenant, row.ID)
	if err != nil {
		return err
	}
	if !found || now.Outcome != Running {
		return errTaken
	}
	return nil
}

func fromRow(row store.TestRun) (Run, error) {
	var rec record
	if err := json.Unmarshal(row.Steps, &rec); err != nil {
		return Run{}, fmt.Errorf("stored steps of test run %s: %w", row.ID, err)
	}
	return Run{
		Tenant: row.Tenant, ID: row.ID, Person: row.Person, Outcome: row.Outcome, Way: rec.Way,
		Started: row.Started, Ended: row.Ended, Steps: rec.Steps,
	}, nil
}
