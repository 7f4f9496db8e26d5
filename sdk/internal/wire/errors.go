package wire

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/fault"
)

// errorDomain marks the ErrorInfo of our own errors; its reason is the kind.
const errorDomain = "roomwire"

// maxErrorText bounds what an error may say: it travels in a header.
const maxErrorText = 4 << 10

var errNotHere = errors.New("this end of the wire does not do that")

// Internal reports a defect on one of the two ends.
func internal(text string) error { return &fault.Error{Kind: fault.Internal, Message: text} }

// errorToStatus returns err as a gRPC error that keeps its kind, message and particulars. ctx is that of the call: a
// context error counts as such only when the call itself has ended.
func errorToStatus(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return status.FromContextError(ctx.Err()).Err()
	}
	f := faultOf(err)
	info := &errdetails.ErrorInfo{Domain: errorDomain, Reason: string(f.Kind), Metadata: map[string]string{
		"code": text(f.Code), "id": text(f.ID), "scope": strconv.Itoa(int(f.Scope)),
	}}
	st := status.New(codeOf(f.Kind), text(f.Message))
	detailed, detailErr := st.WithDetails(info, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.After)})
	if detailErr != nil {
		return st.Err()
	}
	return detailed.Err()
}

// clockSkew is how far apart a deadline may come on the two sides of a call.
const clockSkew = 100 * time.Millisecond

// errorFromStatus is the other end: it returns a *fault.Error, or the caller's own context error if, and only if, the
// caller's context has ended. "Canceled" alone says nothing: a dying process looks the same.
func errorFromStatus(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	if st.Code() == codes.Canceled || st.Code() == codes.DeadlineExceeded {
		if at, set := ctx.Deadline(); set && st.Code() == codes.DeadlineExceeded && time.Until(at) < clockSkew {
			<-ctx.Done() // the far side's copy of the deadline has come a moment before the caller's own
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &fault.Error{Kind: fault.Unavailable, Message: endedInCall}
	}
	f := &fault.Error{Kind: kindOfCode(st.Code()), Message: st.Message()}
	if st.Code() == codes.Unavailable && len(st.Details()) == 0 {
		f.Message = endedInCall // gRPC's own words are of sockets
	}
	if st.Code() == codes.ResourceExhausted && len(st.Details()) == 0 {
		f = tooLarge("what was to be told of the calendar")
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.Domain != errorDomain {
				continue
			}
			f.Kind = knownKind(d.Reason)
			f.Code, f.ID = d.Metadata["code"], d.Metadata["id"]
			f.Scope = scopeOf(d.Metadata["scope"])
		case *errdetails.RetryInfo:
			f.After = positive(d.GetRetryDelay().AsDuration())
		}
	}
	return f
}

// endedInCall is what gRPC says in many ways.
const endedInCall = "the plugin's process ended during the call"

// faultOf flattens err: its outermost kind, its whole text, and the particulars of the *fault.Error in it, if any.
func faultOf(err error) *fault.Error {
	f := &fault.Error{Kind: knownKind(string(fault.Of(err))), Message: err.Error()}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		f.After, f.Scope, f.Code, f.ID = e.After, e.Scope, e.Code, e.ID
	}
	return f
}

func faultToProto(err error) *roomwirev1.Fault {
	if err == nil {
		return nil
	}
	f := faultOf(err)
	return &roomwirev1.Fault{
		Kind: string(f.Kind), Message: text(f.Message), After: durationpb.New(f.After),
		Scope: roomwirev1.FaultScope(f.Scope + 1), Code: text(f.Code), Id: text(f.ID),
	}
}

func faultFromProto(p *roomwirev1.Fault) error {
	if p == nil {
		return nil
	}
	f := &fault.Error{
		Kind: knownKind(p.GetKind()), Message: p.GetMessage(), After: positive(p.GetAfter().AsDuration()),
		Code: p.GetCode(), ID: p.GetId(),
	}
	if p.GetScope() == roomwirev1.FaultScope_FAULT_SCOPE_SERVER {
		f.Scope = fault.ScopeServer
	}
	return f
}

func knownKind(s string) fault.Kind {
	if k := fault.Kind(s); slices.Contains(fault.Kinds(), k) {
		return k
	}
	return fault.Unavailable
}

func scopeOf(s string) fault.Scope {
	if s == strconv.Itoa(int(fault.ScopeServer)) {
		return fault.ScopeServer
	}
	return fault.ScopeMailbox
}

func positive(d time.Duration) time.Duration { return max(d, 0) }

// codeOf chooses the gRPC code for tools that look at the wire; the kind itself travels in ErrorInfo.
func codeOf(k fault.Kind) codes.Code {
	switch k {
	case fault.Invalid:
		return codes.InvalidArgument
	case fault.Unauthorized:
		return codes.Unauthenticated
	case fault.Forbidden:
		return codes.PermissionDenied
	case fault.NotFound, fault.MailboxNotFound:
		return codes.NotFound
	case fault.MailboxMoved, fault.SubscriptionLost:
		return codes.FailedPrecondition
	case fault.Conflict:
		return codes.Aborted
	case fault.StateExpired:
		return codes.OutOfRange
	case fault.Throttled:
		return codes.ResourceExhausted
	case fault.Unsupported:
		return codes.Unimplemented
	case fault.Internal:
		return codes.Internal
	default:
		return codes.Unavailable
	}
}

// kindOfCode is for errors that gRPC itself made. A message above MaxMessage can never get through, and a method that
// the other end does not know is an ability that it lacks; of all else nobody knows more.
func kindOfCode(c codes.Code) fault.Kind {
	switch c {
	case codes.ResourceExhausted:
		return fault.Invalid
	case codes.Unimplemented:
		return fault.Unsupported
	default:
		return fault.Unavailable
	}
}

// text makes a string fit for protobuf and for a header.
func text(s string) string { return shorten(s, maxErrorText) }

// shorten returns s as valid UTF-8 of about limit bytes at most.
func shorten(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
