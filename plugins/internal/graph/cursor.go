package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// The phases of a pull. A pull from nothing goes through the first three, or with Everything through the round and phaseAll, and
// all that follow are of the last. The round comes
// first: what happens to an item after it was read is a change since the round.
const (
	phaseRound   = "round"   // everything in the window, by the first round of a delta
	phaseKey     = "key"     // the items that bear our key, wherever they are
	phaseForeign = "foreign" // those that bear the booking system's
	phaseAll     = "all"     // every item, wherever it is
	phaseDelta   = "delta"   // what changed since the round
)

// cursorVersion is that of the form; cursors of another are expired.
const cursorVersion = 1

// A cursor is where a pull goes on, as JSON. Links are kept without their origin.
type cursor struct {
	Version int       `json:"v"`
	Mailbox string    `json:"m"` // a hash of the address: a cursor serves no other
	Phase   string    `json:"p"`
	Next    string    `json:"n,omitempty"` // the page to go on with; empty: the first of the phase
	Delta   string    `json:"d,omitempty"` // where the next delta begins; empty in the round
	From    time.Time `json:"f"`           // the window
	To      time.Time `json:"t"`
	All     bool      `json:"a,omitempty"` // everything was asked for from the beginning
}

// stale is how far a window may be from where it is due. The host reads everything daily, and the window slides with that.
const stale = 7 * 24 * time.Hour

// window returns the days that are read, from midnight to midnight UTC.
func (b *Backend) window() (from, to time.Time) {
	today := b.now().UTC().Truncate(24 * time.Hour)
	return today.Add(-b.back), today.Add(b.ahead)
}

// begin returns where a pull begins.
func (b *Backend) begin(req backend.PullRequest) (cursor, error) {
	from, to := b.window()
	fresh := cursor{Version: cursorVersion, Mailbox: hashOf(req.Mailbox), Phase: phaseRound, From: from, To: to, All: req.Everything}
	if req.Since == "" {
		return fresh, nil
	}
	expired := func(why string) (cursor, error) {
		return cursor{}, fmt.Errorf("the cursor of %s %s: %w", req.Mailbox.Address, why, fault.StateExpired)
	}
	var c cursor
	if err := json.Unmarshal([]byte(req.Since), &c); err != nil || c.Version != cursorVersion {
		return expired("is none of this version")
	}
	if c.Mailbox != fresh.Mailbox {
		return expired("is that of another mailbox")
	}
	if off(c.From, from) > stale || off(c.To, to) > stale {
		return expired("has another window than is due")
	}
	if req.Everything && !c.All {
		return expired("is that of a pull that did not read everything")
	}
	c.All = req.Everything
	switch c.Phase {
	case phaseRound:
	case phaseKey, phaseForeign, phaseAll, phaseDelta:
		if c.Delta == "" {
			return expired("leads nowhere")
		}
	default:
		return expired("has no phase that is known")
	}
	return c, nil
}

func (c cursor) encode() backend.Cursor {
	data, _ := json.Marshal(c) // of plain data, which never fails
	return backend.Cursor(data)
}

func off(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

func hashOf(m calendar.Mailbox) string {
	h := sha256.Sum256([]byte(strings.ToLower(m.Address)))
	return hex.EncodeToString(h[:8])
}
