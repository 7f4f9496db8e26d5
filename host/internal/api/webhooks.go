package api

import (
	"context"
	"fmt"
	"net/url"

	"github.com/roomwire/roomwire/host/internal/api/internal/rest"
	"github.com/roomwire/roomwire/host/internal/store"
)

// sending names what needs a running host.
const sending = "sending changes to webhooks"

// ListWebhooks implements rest.StrictServerInterface.
func (h *handler) ListWebhooks(ctx context.Context, _ rest.ListWebhooksRequestObject) (rest.ListWebhooksResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	list, err := h.Webhooks.List(ctx, tenant(ctx))
	if err != nil {
		return nil, err
	}
	items := make([]rest.Webhook, len(list))
	for i, w := range list {
		items[i] = webhookOut(w)
	}
	return rest.ListWebhooks200JSONResponse{Items: items}, nil
}

// CreateWebhook implements rest.StrictServerInterface.
func (h *handler) CreateWebhook(ctx context.Context, in rest.CreateWebhookRequestObject) (rest.CreateWebhookResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	w, err := h.Webhooks.Create(ctx, store.Webhook{
		Tenant: tenant(ctx), Name: or(in.Body.Name, ""), URL: in.Body.URL, Kinds: kindsIn(in.Body.Kinds),
		Disabled: or(in.Body.Disabled, false),
	})
	if err != nil {
		return nil, err
	}
	at := fmt.Sprintf("/%s/api/v1/webhooks/%s", url.PathEscape(w.Tenant), url.PathEscape(w.ID))
	return rest.CreateWebhook201JSONResponse{
		Body: rest.NewWebhook{Webhook: webhookOut(w), Secret: w.Secret}, Headers: rest.CreateWebhook201ResponseHeaders{Location: &at},
	}, nil
}

// GetWebhook implements rest.StrictServerInterface.
func (h *handler) GetWebhook(ctx context.Context, in rest.GetWebhookRequestObject) (rest.GetWebhookResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	w, err := h.Webhooks.Get(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return rest.GetWebhook200JSONResponse(webhookOut(w)), nil
}

// UpdateWebhook implements rest.StrictServerInterface.
func (h *handler) UpdateWebhook(ctx context.Context, in rest.UpdateWebhookRequestObject) (rest.UpdateWebhookResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	w, err := h.Webhooks.Get(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	w.Tenant = tenant(ctx)
	w.Name, w.URL, w.Disabled = or(in.Body.Name, w.Name), or(in.Body.URL, w.URL), or(in.Body.Disabled, w.Disabled)
	if in.Body.Kinds != nil {
		w.Kinds = kindsIn(in.Body.Kinds)
	}
	if w, err = h.Webhooks.Update(ctx, w); err != nil {
		return nil, err
	}
	return rest.UpdateWebhook200JSONResponse(webhookOut(w)), nil
}

// DeleteWebhook implements rest.StrictServerInterface.
func (h *handler) DeleteWebhook(ctx context.Context, in rest.DeleteWebhookRequestObject) (rest.DeleteWebhookResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	if err := h.Webhooks.Delete(ctx, tenant(ctx), in.ID); err != nil {
		return nil, err
	}
	return rest.DeleteWebhook204Response{}, nil
}

// RotateWebhookSecret implements rest.StrictServerInterface.
func (h *handler) RotateWebhookSecret(ctx context.Context, in rest.RotateWebhookSecretRequestObject) (rest.RotateWebhookSecretResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	secret, err := h.Webhooks.RotateSecret(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return rest.RotateWebhookSecret200JSONResponse{Secret: secret}, nil
}

// TestWebhook implements rest.StrictServerInterface.
func (h *handler) TestWebhook(ctx context.Context, in rest.TestWebhookRequestObject) (rest.TestWebhookResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	why, err := h.Webhooks.Test(ctx, tenant(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return rest.TestWebhook200JSONResponse{Ok: why == "", Problem: given(why)}, nil
}

// ListDeadMessages implements rest.StrictServerInterface.
func (h *handler) ListDeadMessages(ctx context.Context, in rest.ListDeadMessagesRequestObject) (rest.ListDeadMessagesResponseObject, error) {
	if h.Webhooks == nil {
		return nil, absent(sending)
	}
	limit := or(in.Params.Limit, 100)
	list, err := h.Webhooks.Dead(ctx, tenant(ctx), in.ID, or(in.Params.After, 0), limit+1)
	if err != nil {
		return nil, err
	}
	page := rest.DeadMessagePage{Items: make([]rest.DeadMessage, 0, len(list))}
	for _, d := range list {
		if len(page.Items) == limit {
			page.Next = &page.Items[limit-1].Seq
			break
		}
		page.Items = append(page.Items, rest.DeadMessage{Seq: d.Seq, At: d.At.UTC(), Attempts: d.Attempts, Problem: d.Problem})
	}
	return rest.ListDeadMessages200JSONResponse(page), nil
}

// ResendDeadMessage implements rest.StrictServerInterface.
func (h *handler) ResendDeadMessage(ctx context.Context, in rest.ResendDeadMessageRequestObject) (rest.ResendDeadMessageResponseObject, error) {
	sent, err := h.resend(ctx, in.ID, in.Seq)
	return rest.ResendDeadMessage200JSONResponse(sent), err
}

// ResendDeadMessages implements rest.StrictServerInterface.
func (h *handler) ResendDeadMessages(ctx context.Context, in rest.ResendDeadMessagesRequestObject) (rest.ResendDeadMessagesResponseObject, error) {
	sent, err := h.resend(ctx, in.ID, 0)
	return rest.ResendDeadMessages200JSONResponse(sent), err
}

func (h *handler) resend(ctx context.Context, id string, seq int64) (rest.Resent, error) {
	if h.Webhooks == nil {
		return rest.Resent{}, absent(sending)
	}
	sent, why, err := h.Webhooks.Resend(ctx, tenant(ctx), id, seq)
	return rest.Resent{Sent: sent, Problem: given(why)}, err
}

func kindsIn(kinds *[]rest.ChangeKind) []string {
	var names []string
	for _, k := range or(kinds, nil) {
		names = append(names, string(k))
	}
	return names
}

func webhookOut(w store.Webhook) rest.Webhook {
	out := rest.Webhook{
		ID: w.ID, Name: w.Name, URL: w.URL, Kinds: make([]rest.ChangeKind, len(w.Kinds)), Disabled: w.Disabled,
		Created: w.Created.UTC(), Seq: w.Seq, Attempts: w.Attempts, NextAttempt: moment(w.NextAt), LastOk: moment(w.LastOK),
		FailingSince: moment(w.Failing), Problem: given(w.Problem),
	}
	for i, k := range w.Kinds {
		out.Kinds[i] = rest.ChangeKind(k)
	}
	return out
}
