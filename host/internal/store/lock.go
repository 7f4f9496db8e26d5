package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
)

// Locks are the one place where the two databases need different statements. SQLite has one writer at a time, so a
// transaction sees nobody else's changes; PostgreSQL must be told what to keep still.

// A rowLock is a statement that locks one row until the transaction ends.
type rowLock string

const (
	lockPerson  rowLock = "SELECT 1 FROM person WHERE tenant = $1 AND id = $2 FOR UPDATE"
	lockMailbox rowLock = "SELECT 1 FROM mailbox WHERE tenant = $1 AND person = $2 FOR UPDATE"
	lockBooking rowLock = "SELECT 1 FROM booking WHERE tenant = $1 AND id = $2 FOR UPDATE"
	lockLink    rowLock = "SELECT 1 FROM link WHERE tenant = $1 AND key = $2 FOR UPDATE"
	lockIntent  rowLock = "SELECT 1 FROM intent WHERE tenant = $1 AND key = $2 FOR UPDATE"
	lockMove    rowLock = "SELECT 1 FROM move WHERE tenant = $1 AND person = $2 FOR UPDATE"
)

// lockRow locks a row and reports whether it exists.
func (t *Tx) lockRow(ctx context.Context, l rowLock, args ...any) (bool, error) {
	if t.s.dialect == SQLite {
		return true, nil
	}
	var one int
	err := t.exec.QueryRowContext(ctx, string(l), args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock row: %w", err)
	}
	return true, nil
}

// lockClass keeps our advisory locks apart from those of the queue.
const lockClass int32 = 0x526F6F6D

// reserveNames keeps others from reserving the same names until the transaction ends: for what has no row yet.
func (t *Tx) reserveNames(ctx context.Context, names ...string) error {
	if t.s.dialect == SQLite {
		return nil
	}
	keys := make([]int32, len(names))
	for i, n := range names {
		h := fnv.New32a()
		h.Write([]byte(n))
		keys[i] = int32(h.Sum32())
	}
	slices.Sort(keys) // everybody in the same order, so that nobody waits in a circle
	for _, k := range slices.Compact(keys) {
		if _, err := t.exec.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockClass, k); err != nil {
			return fmt.Errorf("reserve: %w", err)
		}
	}
	return nil
}
