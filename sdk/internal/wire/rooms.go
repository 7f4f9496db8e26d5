package wire

import (
	"context"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
)

// This file holds both ends of what rooms need.

// Respond implements the service.
func (s *BackendServer) Respond(ctx context.Context, req *roomwirev1.RespondRequest) (*roomwirev1.RespondResponse, error) {
	a, release, err := ability[backend.Responder](s, req.GetId(), "answers of invitations")
	if err != nil {
		return nil, err
	}
	defer release()
	r := reactionFromProto(req)
	return &roomwirev1.RespondResponse{}, a.Respond(backend.WithMailbox(ctx, r.Mailbox.Address), r)
}

// Answer implements the service.
func (s *BackendServer) Answer(ctx context.Context, req *roomwirev1.AnswerRequest) (*roomwirev1.AnswerResponse, error) {
	a, release, err := ability[backend.Answers](s, req.GetId(), "look at what attendees wrote")
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	text, err := a.Answer(backend.WithMailbox(ctx, m.Address), m, refFromProto(req.GetRef()), req.GetAttendee())
	return &roomwirev1.AnswerResponse{Text: utf(text)}, err
}

// Respond implements backend.Responder.
func (b *BackendClient) Respond(ctx context.Context, r backend.Reaction) error {
	_, err := call(ctx, b, b.rpc.Respond, reactionToProto(b.id, r))
	return err
}

// Answer implements backend.Answers.
func (b *BackendClient) Answer(ctx context.Context, m backend.Mailbox, ref backend.Ref, attendee string) (string, error) {
	resp, err := call(ctx, b, b.rpc.Answer, &roomwirev1.AnswerRequest{
		Id: b.id, Mailbox: mailboxToProto(m), Ref: refToProto(ref), Attendee: utf(attendee),
	})
	return resp.GetText(), err
}

func reactionToProto(id string, r backend.Reaction) *roomwirev1.RespondRequest {
	return &roomwirev1.RespondRequest{
		Id: id, Mailbox: mailboxToProto(r.Mailbox), Ref: refToProto(r.Ref), Occurrence: timeToProto(r.Occurrence),
		Response: responseToProto(r.Response), Comment: utf(r.Comment),
	}
}

func reactionFromProto(p *roomwirev1.RespondRequest) backend.Reaction {
	return backend.Reaction{
		Mailbox: mailboxFromProto(p.GetMailbox()), Ref: refFromProto(p.GetRef()), Occurrence: timeFromProto(p.GetOccurrence()),
		Response: responseFromProto(p.GetResponse()), Comment: p.GetComment(),
	}
}
