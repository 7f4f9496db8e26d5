package wire

import (
	"google.golang.org/protobuf/types/known/durationpb"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/backend"
)

func wayToProto(w backend.Way) roomwirev1.Way {
	return roomwirev1.Way(enum(w, backend.WayAsking) + 1)
}

func wayFromProto(p roomwirev1.Way) backend.Way {
	return enum(backend.Way(p-1), backend.WayAsking)
}

func listenToProto(id string, r backend.ListenRequest) *roomwirev1.ListenRequest {
	return &roomwirev1.ListenRequest{
		Id: id, Mailbox: mailboxToProto(r.Mailbox), Way: wayToProto(r.Way), Group: []byte(r.Group),
		Timeout: durationpb.New(r.Timeout),
	}
}

func listenFromProto(p *roomwirev1.ListenRequest) backend.ListenRequest {
	return backend.ListenRequest{
		Mailbox: mailboxFromProto(p.GetMailbox()), Way: wayFromProto(p.GetWay()), Group: string(p.GetGroup()),
		Timeout: positive(p.GetTimeout().AsDuration()),
	}
}

func watchToProto(id string, r backend.WatchRequest) *roomwirev1.WatchRequest {
	return &roomwirev1.WatchRequest{
		Id: id, Way: wayToProto(r.Way), Watched: each(r.Watched, watchedToProto), For: durationpb.New(r.For),
	}
}

func watchFromProto(p *roomwirev1.WatchRequest) backend.WatchRequest {
	return backend.WatchRequest{
		Way: wayFromProto(p.GetWay()), Watched: each(p.GetWatched(), watchedFromProto),
		For: positive(p.GetFor().AsDuration()),
	}
}

func watchedToProto(w backend.Watched) *roomwirev1.Watched {
	return &roomwirev1.Watched{Mailbox: mailboxToProto(w.Mailbox), Subscription: subscriptionToProto(w.Subscription)}
}

func watchedFromProto(p *roomwirev1.Watched) backend.Watched {
	return backend.Watched{
		Mailbox: mailboxFromProto(p.GetMailbox()), Subscription: subscriptionFromProto(p.GetSubscription()),
	}
}
