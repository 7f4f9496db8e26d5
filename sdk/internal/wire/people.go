package wire

import (
	"context"
	"fmt"
	"slices"
	"time"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// FreeBusy implements the service.
func (s *BackendServer) FreeBusy(ctx context.Context, req *roomwirev1.FreeBusyRequest) (*roomwirev1.FreeBusyResponse, error) {
	f, release, err := ability[backend.FreeBusy](s, req.GetId(), "free/busy")
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	got, err := f.FreeBusy(backend.WithMailbox(ctx, m.Address), m, req.GetAddresses(), timeFromProto(req.GetFrom()), timeFromProto(req.GetTo()))
	if err == nil && len(got) != len(req.GetAddresses()) {
		err = internal(fmt.Sprintf("the plugin has a defect: asked for the free/busy of %d mailboxes it answered %d", len(req.GetAddresses()), len(got)))
	}
	return &roomwirev1.FreeBusyResponse{Availabilities: each(got, availabilityToProto)}, err
}

// Members implements the service.
func (s *BackendServer) Members(ctx context.Context, req *roomwirev1.MembersRequest) (*roomwirev1.MembersResponse, error) {
	g, release, err := ability[backend.GroupExpander](s, req.GetId(), "look at distribution groups")
	if err != nil {
		return nil, err
	}
	defer release()
	m := mailboxFromProto(req.GetMailbox())
	got, err := g.Members(backend.WithMailbox(ctx, m.Address), m, req.GetGroup())
	return &roomwirev1.MembersResponse{Members: each(got, addressToProto)}, err
}

// FreeBusy implements backend.FreeBusy.
func (b *BackendClient) FreeBusy(ctx context.Context, m backend.Mailbox, addresses []string, from, to time.Time) ([]backend.Availability, error) {
	if !b.Abilities.FreeBusy {
		return nil, lacking("free/busy")
	}
	resp, err := call(ctx, b, b.rpc.FreeBusy, &roomwirev1.FreeBusyRequest{
		Id: b.id, Mailbox: mailboxToProto(m), Addresses: each(addresses, utf), From: timeToProto(from), To: timeToProto(to),
	})
	if err != nil {
		return nil, err
	}
	got := each(resp.GetAvailabilities(), availabilityFromProto)
	if len(got) != len(addresses) {
		return nil, internal(fmt.Sprintf("the plugin has a defect: asked for the free/busy of %d mailboxes it answered %d", len(addresses), len(got)))
	}
	for i := range got {
		got[i].Address = addresses[i]
	}
	return got, nil
}

// Members implements backend.GroupExpander.
func (b *BackendClient) Members(ctx context.Context, m backend.Mailbox, group string) ([]calendar.Address, error) {
	if !b.Abilities.GroupExpander {
		return nil, lacking("look at distribution groups")
	}
	resp, err := call(ctx, b, b.rpc.Members, &roomwirev1.MembersRequest{Id: b.id, Mailbox: mailboxToProto(m), Group: utf(group)})
	return each(resp.GetMembers(), addressFromProto), err
}

// lacking is what a call of an ability that the far side has not gets.
func lacking(name string) error {
	return fmt.Errorf("this backend has no %s: %w", name, fault.Unsupported)
}

func availabilityToProto(a backend.Availability) *roomwirev1.Availability {
	if a.Err != nil {
		return &roomwirev1.Availability{Address: utf(a.Address), Fault: faultToProto(a.Err)}
	}
	return &roomwirev1.Availability{Address: utf(a.Address), Busy: each(a.Busy, busyTimeToProto)}
}

// availabilityFromProto puts the times in order, whatever the plugin did.
func availabilityFromProto(p *roomwirev1.Availability) backend.Availability {
	if p.GetFault() != nil {
		return backend.Availability{Address: p.GetAddress(), Err: faultFromProto(p.GetFault())}
	}
	a := backend.Availability{Address: p.GetAddress(), Busy: each(p.GetBusy(), busyTimeFromProto)}
	slices.SortStableFunc(a.Busy, func(x, y backend.BusyTime) int { return x.Start.Compare(y.Start) })
	return a
}

// busyTimeToProto keeps what a private appointment is about in the plugin.
func busyTimeToProto(t backend.BusyTime) *roomwirev1.BusyTime {
	if t.Private {
		t.Subject, t.Location = "", ""
	}
	return &roomwirev1.BusyTime{
		Start: timeToProto(t.Start), End: timeToProto(t.End), Busy: roomwirev1.Busy(enum(t.Busy, calendar.WorkingElsewhere)),
		Subject: utf(t.Subject), Location: utf(t.Location), Private: t.Private,
	}
}

func busyTimeFromProto(p *roomwirev1.BusyTime) backend.BusyTime {
	t := backend.BusyTime{
		Start: timeFromProto(p.GetStart()), End: timeFromProto(p.GetEnd()), Busy: enum(calendar.Busy(p.GetBusy()), calendar.WorkingElsewhere),
		Subject: p.GetSubject(), Location: p.GetLocation(), Private: p.GetPrivate(),
	}
	if t.Private {
		t.Subject, t.Location = "", ""
	}
	if t.Busy == calendar.BusyUnspecified {
		t.Busy = calendar.Occupied
	}
	return t
}
