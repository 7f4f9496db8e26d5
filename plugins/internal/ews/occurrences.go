package ews

import (
	"context"
	"fmt"
	"strconv"

	"github.com/roomwire/roomwire/plugins/internal/ews/xmlscan"
	"github.com/roomwire/roomwire/sdk/calendar"
)

// writeBatch is how many occurrences one request changes or deletes, and batchText how many bytes of text it has about: the server
// has a minute for a request, and refuses those of more than 400 KB.
const (
	writeBatch = 10
	batchText  = 100 << 10
)

// An OccurrenceID names an occurrence by its place in the pattern of its series.
type OccurrenceID struct {
	Master    string
	ChangeKey string // of the series; empty: whatever it is
	Index     int    // from 1, deleted ones counted
}

// An OccurrenceChange is what is to be written of one occurrence.
type OccurrenceChange struct {
	OccurrenceID
	Fields []Field
}

func (o OccurrenceID) element(w *writer) {
	index := strconv.Itoa(o.Index)
	if o.ChangeKey == "" {
		w.empty("t:OccurrenceItemId", "RecurringMasterId", o.Master, "InstanceIndex", index)
		return
	}
	w.empty("t:OccurrenceItemId", "RecurringMasterId", o.Master, "ChangeKey", o.ChangeKey, "InstanceIndex", index)
}

// size is how many bytes of text the change has, about.
func (o OccurrenceChange) size() int {
	w := &writer{}
	for _, f := range o.Fields {
		f.update(w)
	}
	return len(w.b)
}

// UpdateOccurrences changes occurrences of series, several at a time, and returns for each in their order whether it was done. With
// a ChangeKey that is not the series' any more, it is not: fault.Conflict. The second error is of the call: nobody knows then which
// were changed.
func (c *Client) UpdateOccurrences(ctx context.Context, m calendar.Mailbox, changes []OccurrenceChange, mail Mail) ([]error, error) {
	out := make([]error, 0, len(changes))
	for len(changes) > 0 {
		n, text := 1, changes[0].size()
		for n < min(len(changes), writeBatch) && changes[n].ChangeKey == changes[0].ChangeKey {
			if text += changes[n].size(); text > batchText {
				break
			}
			n++
		}
		done, err := c.updateBatch(ctx, m, changes[:n], mail)
		if err != nil {
			return out, err
		}
		out, changes = append(out, done...), changes[n:]
	}
	return out, nil
}

func (c *Client) updateBatch(ctx context.Context, m calendar.Mailbox, changes []OccurrenceChange, mail Mail) ([]error, error) {
	resolution := "AlwaysOverwrite"
	if changes[0].ChangeKey != "" {
		resolution = "NeverOverwrite"
	}
	return eachDone(len(changes))(send(ctx, c, m, request{op: "UpdateItem", doing: "changing an occurrence in the calendar", body: func(w *writer) {
		w.inside("m:UpdateItem", func() {
			w.inside("m:ItemChanges", func() {
				for _, one := range changes {
					w.inside("t:ItemChange", func() {
						one.element(w)
						w.inside("t:Updates", func() {
							for _, f := range one.Fields {
								f.update(w)
							}
						})
					})
				}
			})
		}, "ConflictResolution", resolution, "SendMeetingInvitationsOrCancellations", updateMail[mail])
	}}, nothing))
}

// DeleteOccurrences deletes occurrences of series, as UpdateOccurrences changes them.
func (c *Client) DeleteOccurrences(ctx context.Context, m calendar.Mailbox, ids []OccurrenceID, mail Mail) ([]error, error) {
	to := "SendToNone"
	if mail != Nobody {
		to = "SendToAllAndSaveCopy"
	}
	out := make([]error, 0, len(ids))
	for len(ids) > 0 {
		batch := ids[:min(len(ids), writeBatch)]
		done, err := eachDone(len(batch))(send(ctx, c, m, request{op: "DeleteItem", doing: "deleting an occurrence in the calendar", body: func(w *writer) {
			w.inside("m:DeleteItem", func() {
				w.inside("m:ItemIds", func() {
					for _, one := range batch {
						one.element(w)
					}
				})
			}, "DeleteType", "MoveToDeletedItems", "SendMeetingCancellations", to)
		}}, nothing))
		if err != nil {
			return out, err
		}
		out, ids = append(out, done...), ids[len(batch):]
	}
	return out, nil
}

func nothing(*xmlscan.Scanner, string, *struct{}) {}

// eachDone returns what reads of an answer whether each of n things was done.
func eachDone(n int) func(answer[struct{}], error) ([]error, error) {
	return func(a answer[struct{}], err error) ([]error, error) {
		if err != nil {
			return nil, err
		}
		if len(a.replies) != n {
			return nil, a.at.unreadable(fmt.Errorf("it tells of %d occurrences where %d were asked for", len(a.replies), n))
		}
		out := make([]error, n)
		for i, r := range a.replies {
			out[i] = a.at.reply(r.status)
		}
		return out, nil
	}
}
