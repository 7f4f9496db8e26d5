package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/roomwire/roomwire/host/internal/store/internal/db"
)

// A Webhook sends the change feed to a URL.
type Webhook struct {
	Tenant, ID, Name string
	URL              string
	Secret           string   // whsec_…, as Standard Webhooks has it
	Kinds            []string // of changes; empty: all
	Disabled         bool
	Created          time.Time

	Seq      int64     // the last change that was dealt with
	Attempts int       // failed ones, of the change after it
	NextAt   time.Time // not before
	LastOK   time.Time
	Failing  time.Time // since when; zero: it is not
	Problem  string    // of the last attempt, if it failed
}

// A DeadMessage is one that a webhook was given up for.
type DeadMessage struct {
	Tenant, Webhook string
	Seq             int64 // of the change
	At              time.Time
	Attempts        int
	Problem         string
}

// PutWebhook writes a webhook. Of one that there is, what was sent (Seq, LastOK, Failing, Problem) stays.
func (t *Tx) PutWebhook(ctx context.Context, w Webhook) error {
	if w.Created.IsZero() {
		w.Created = t.s.now()
	}
	err := t.q.UpsertWebhook(ctx, db.UpsertWebhookParams{
		Tenant: w.Tenant, ID: w.ID, Name: w.Name, Url: w.URL, Secret: w.Secret, Kinds: strings.Join(w.Kinds, " "),
		Disabled: w.Disabled, Seq: w.Seq, Attempts: int64(w.Attempts), NextAt: millis(w.NextAt), LastOk: millis(w.LastOK),
		Failing: millis(w.Failing), Problem: w.Problem, Created: millis(w.Created),
	})
	if err != nil {
		return fmt.Errorf("save webhook %s: %w", w.ID, err)
	}
	return nil
}

// SaveWebhookProgress writes Seq, Attempts, NextAt, LastOK, Failing and Problem.
func (t *Tx) SaveWebhookProgress(ctx context.Context, w Webhook) error {
	err := t.q.SaveWebhookProgress(ctx, db.SaveWebhookProgressParams{
		Tenant: w.Tenant, ID: w.ID, Seq: w.Seq, Attempts: int64(w.Attempts), NextAt: millis(w.NextAt),
		LastOk: millis(w.LastOK), Failing: millis(w.Failing), Problem: w.Problem,
	})
	if err != nil {
		return fmt.Errorf("save progress of webhook %s: %w", w.ID, err)
	}
	return nil
}

// Webhook returns one webhook.
func (r Reads) Webhook(ctx context.Context, tenant, id string) (Webhook, bool, error) {
	row, err := r.q.GetWebhook(ctx, db.GetWebhookParams{Tenant: tenant, ID: id})
	ok, err := found(err)
	if err != nil {
		return Webhook{}, false, fmt.Errorf("read webhook %s: %w", id, err)
	}
	if !ok {
		return Webhook{}, false, nil
	}
	return webhookFromRow(row), true, nil
}

// Webhooks returns the webhooks of a tenant, or of all for an empty one, oldest first.
func (r Reads) Webhooks(ctx context.Context, tenant string) ([]Webhook, error) {
	list := r.q.ListAllWebhooks
	if tenant != "" {
		list = func(ctx context.Context) ([]db.Webhook, error) { return r.q.ListWebhooks(ctx, tenant) }
	}
	rows, err := list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return mapped(rows, webhookFromRow), nil
}

// DeleteWebhook forgets a webhook with its dead messages; false if there is none.
func (t *Tx) DeleteWebhook(ctx context.Context, tenant, id string) (bool, error) {
	n, err := t.q.DeleteWebhook(ctx, db.DeleteWebhookParams{Tenant: tenant, ID: id})
	if err == nil {
		err = t.q.DeleteWebhookDead(ctx, db.DeleteWebhookDeadParams{Tenant: tenant, Webhook: id})
	}
	if err != nil {
		return false, fmt.Errorf("delete webhook %s: %w", id, err)
	}
	return n == 1, nil
}

// AddDeadMessage records that a message was given up.
func (t *Tx) AddDeadMessage(ctx context.Context, d DeadMessage) error {
	err := t.q.InsertDead(ctx, db.InsertDeadParams{
		Tenant: d.Tenant, Webhook: d.Webhook, Seq: d.Seq, At: millis(d.At), Attempts: int64(d.Attempts), Problem: d.Problem,
	})
	if err != nil {
		return fmt.Errorf("record message %d that webhook %s was given up for: %w", d.Seq, d.Webhook, err)
	}
	return nil
}

// DeadMessages returns the messages that a webhook was given up for, after the given number.
func (r Reads) DeadMessages(ctx context.Context, w Webhook, after int64, limit int) ([]DeadMessage, error) {
	rows, err := r.q.ListDead(ctx, db.ListDeadParams{Tenant: w.Tenant, Webhook: w.ID, After: after, MaxRows: page(limit)})
	if err != nil {
		return nil, fmt.Errorf("list dead messages of webhook %s: %w", w.ID, err)
	}
	return mapped(rows, func(row db.WebhookDead) DeadMessage {
		return DeadMessage{
			Tenant: row.Tenant, Webhook: row.Webhook, Seq: row.Seq, At: moment(row.At), Attempts: int(row.Attempts),
			Problem: row.Problem,
		}
	}), nil
}

// DropDeadMessage forgets a dead message that was sent after all; false if there is none.
func (t *Tx) DropDeadMessage(ctx context.Context, tenant, webhook string, seq int64) (bool, error) {
	n, err := t.q.DropDead(ctx, db.DropDeadParams{Tenant: tenant, Webhook: webhook, Seq: seq})
	if err != nil {
		return false, fmt.Errorf("forget dead message %d of webhook %s: %w", seq, webhook, err)
	}
	return n == 1, nil
}

// CountDeadMessages counts those of all tenants.
func (r Reads) CountDeadMessages(ctx context.Context) (int64, error) {
	n, err := r.q.CountDead(ctx)
	if err != nil {
		return 0, fmt.Errorf("count dead messages: %w", err)
	}
	return n, nil
}

func webhookFromRow(row db.Webhook) Webhook {
	return Webhook{
		Tenant: row.Tenant, ID: row.ID, Name: row.Name, URL: row.Url, Secret: row.Secret, Kinds: strings.Fields(row.Kinds),
		Disabled: row.Disabled, Created: moment(row.Created), Seq: row.Seq, Attempts: int(row.Attempts),
		NextAt: moment(row.NextAt), LastOK: moment(row.LastOk), Failing: moment(row.Failing), Problem: row.Problem,
	}
}
