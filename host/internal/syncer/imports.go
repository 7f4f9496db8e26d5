package syncer

import (
	"context"

	"github.com/roomwire/roomwire/host/internal/directory"
	"github.com/roomwire/roomwire/host/internal/store"
)

// An ImportResult is what became of one imported person.
type ImportResult struct {
	ID      string
	Created bool
	Changed bool
	Err     error // the person was not imported; the others were
}

// ImportPersons puts many persons, each for itself.
func (e *Engine) ImportPersons(ctx context.Context, people []directory.Person) ([]ImportResult, error) {
	const batch = 500
	results := make([]ImportResult, 0, len(people))
	for len(people) > 0 {
		part := people[:min(batch, len(people))]
		people = people[len(part):]
		mark := len(results)
		err := e.tx(ctx, func(ctx context.Context, tx *store.Tx) error {
			results = results[:mark]
			for _, p := range part {
				res, err := e.putPerson(ctx, tx, p)
				if taken, ok := asTaken(err); ok {
					results = append(results, ImportResult{ID: p.ID, Err: taken})
					continue
				}
				if err != nil {
					return err
				}
				results = append(results, ImportResult{ID: p.ID, Created: res.Created, Changed: res.Changed})
			}
			return nil
		})
		if err != nil {
			return results[:mark], err
		}
	}
	return results, nil
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
