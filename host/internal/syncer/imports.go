package syncer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// An ImportResult is what became of one imported person, or in a dry run would.
type ImportResult struct {
	ID      string
	Created bool
	Changed bool
	Kept    string // what of the person was not taken from the import, and why; empty if all was
	Err     error  // the person was not imported
}

// ImportOptions say how an import deals with what is not plain.
type ImportOptions struct {
	AllOrNothing  bool // if a person is refused, none is taken
	DryRun        bool // find out what would happen, and change nothing
	RemoveMissing bool // forget the persons of the tenant that are not given; implies AllOrNothing
	Force         bool // forget them though they are all, or more than half of those there are
	Shadow        bool // who is new begins in shadow mode, but for resources
	// Progress, unless nil, is told how many persons are done. It may be told a smaller number than before if the work
	// had to be begun anew.
	Progress func(done int)
}

// An Import is what became of all of them.
type Import struct {
	Persons []ImportResult // in the order given
	Removed []string       // ids of those forgotten, or that would be
	Before  int            // how many there were; only counted with RemoveMissing
	// Applied is false if nothing was changed: in a dry run, for a refused person, or since too many were to go.
	Applied bool
	TooMany bool // were to be forgotten without Force
}

// importBatch is how many persons are put in one transaction, for which others wait on SQLite.
const importBatch = 500

// ImportPersons puts many persons of a tenant, each for itself unless o wants all or nothing. Persons of the same id that
// come twice are put twice.
func (e *Engine) ImportPersons(ctx context.Context, tenant string, people []directory.Person, o ImportOptions) (Import, error) {
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
	if o.AllOrNothing || o.DryRun || o.RemoveMissing {
		return e.importWhole(ctx, tenant, people, o)
	}
	out := Import{Persons: make([]ImportResult, 0, len(people)), Applied: true}
	for part := range slices.Chunk(people, importBatch) {
		mark := len(out.Persons)
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			out.Persons, err = e.importPart(ctx, tx, out.Persons[:mark], part, o.Shadow)
			return err
		})
		if err != nil {
			out.Persons = out.Persons[:mark]
			return out, err
		}
		o.Progress(len(out.Persons))
	}
	return out, nil
}

// errUndone ends a transaction that leaves no trace.
var errUndone = errors.New("undone")

// importWhole does everything in one transaction, or nothing.
func (e *Engine) importWhole(ctx context.Context, tenant string, people []directory.Person, o ImportOptions) (Import, error) {
	var out Import
	err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
		out = Import{Persons: make([]ImportResult, 0, len(people))}
		if o.RemoveMissing {
			if err := e.removeMissing(ctx, tx, tenant, people, &out); err != nil {
				return err
			}
			out.TooMany = !o.Force && len(out.Removed) > 0 && 2*len(out.Removed) > out.Before
		}
		for part := range slices.Chunk(people, importBatch) {
			var err error
			if out.Persons, err = e.importPart(ctx, tx, out.Persons, part, o.Shadow); err != nil {
				return err
			}
			o.Progress(len(out.Persons))
		}
		refused := slices.ContainsFunc(out.Persons, func(r ImportResult) bool { return r.Err != nil })
		if o.DryRun || out.TooMany || refused && (o.AllOrNothing || o.RemoveMissing) {
			return errUndone
		}
		out.Applied = true
		return nil
	})
	if errors.Is(err, errUndone) {
		err = nil
	}
	return out, err
}

func (e *Engine) importPart(ctx context.Context, tx *store.Tx, done []ImportResult, part []directory.Person, shadow bool) ([]ImportResult, error) {
	for _, p := range part {
		kept, err := staysMoved(ctx, tx, &p)
		if err != nil {
			return done, err
		}
		res, err := e.putPerson(ctx, tx, p)
		if taken, ok := asTaken(err); ok {
			done = append(done, ImportResult{ID: p.ID, Err: taken})
			continue
		}
		if err != nil {
			return done, err
		}
		if res.Created && shadow && p.Kind != directory.KindResource {
			if _, err := tx.SetShadow(ctx, p.Tenant, p.ID, true); err != nil {
				return done, err
			}
		}
		done = append(done, ImportResult{ID: p.ID, Created: res.Created, Changed: res.Changed, Kept: kept})
	}
	return done, nil
}

// staysMoved keeps the sync mode to which a person was moved if p, which is to be imported, still has the one from before: a
// table that nobody has brought up to date is no word to move everybody back. It returns what to say about it.
func staysMoved(ctx context.Context, tx *store.Tx, p *directory.Person) (kept string, err error) {
	m, found, err := tx.Move(ctx, p.Tenant, p.ID)
	if err != nil || !found || m.DryRun || m.State != store.MoveDone || !strings.EqualFold(p.SyncMode, m.From) {
		return "", err
	}
	row, found, err := tx.Person(ctx, p.Tenant, p.ID)
	if err != nil || !found || row.SyncMode != m.To || !strings.EqualFold(row.Email, p.Email) {
		return "", err
	}
	p.SyncMode, p.SyncURL = row.SyncMode, row.SyncURL
	return fmt.Sprintf("sync mode %s is kept, to which the person was moved; write it here in place of %s, or move back: roomwire person move --to %s %s",
		m.To, m.From, m.From, p.ID), nil
}

// removeMissing forgets who is not among people. It comes first, so that an address that is free then can be taken.
func (e *Engine) removeMissing(ctx context.Context, tx *store.Tx, tenant string, people []directory.Person, out *Import) error {
	given := make(map[string]bool, len(people))
	for _, p := range people {
		given[p.ID] = true
	}
	for after := ""; ; {
		rows, err := tx.Persons(ctx, tenant, store.PersonFilter{After: after, Limit: importBatch})
		if err != nil {
			return err
		}
		for _, row := range rows {
			after = row.ID
			out.Before++
			if given[row.ID] {
				continue
			}
			if err := e.deletePerson(ctx, tx, tenant, row.ID); err != nil {
				return err
			}
			out.Removed = append(out.Removed, row.ID)
		}
		if len(rows) < importBatch {
			return nil
		}
	}
}

func asTaken(err error) (error, bool) {
	for e := err; e != nil; {
		if t, ok := e.(*store.TakenError); ok {
			return t, true
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			return nil, false
		}
		e = u.Unwrap()
	}
	return nil, false
}
