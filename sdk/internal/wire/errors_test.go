package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/fault"
)

func TestAFaultIsTheSameOnBothEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := fault.Error{
			Kind: rapid.SampledFrom(fault.Kinds()).Draw(t, "kind"), Message: rapid.StringN(1, 50, -1).Draw(t, "message"),
			After: time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "after")), Scope: fault.Scope(rapid.IntRange(0, 1).Draw(t, "scope")),
			Code: rapid.String().Draw(t, "code"), ID: rapid.String().Draw(t, "id"),
		}
		text := want.Error()
		for way, err := range map[string]error{
			"status": errorFromStatus(t.Context(), errorToStatus(t.Context(), &want)), "message": faultFromProto(faultToProto(&want)),
		} {
			got, ok := errors.AsType[*fault.Error](err)
			if !ok || got.Error() != text || got.Kind != want.Kind || got.After != want.After || got.Scope != want.Scope ||
				got.Code != want.Code || got.ID != want.ID {
				t.Fatalf("%s: got %+v saying %q, want %+v saying %q", way, got, err, want, text)
			}
		}
	})
}

func TestTheOutermostKindCounts(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("reading: %w: %w", fault.Invalid, fault.ThrottledFor(time.Minute, "wait"))
	got := errorFromStatus(t.Context(), errorToStatus(t.Context(), err))
	if fault.Of(got) != fault.Invalid || fault.After(got) != time.Minute || got.Error() != err.Error() {
		t.Errorf("got %v of kind %s after %s", got, fault.Of(got), fault.After(got))
	}
}

func TestCanceledIsBelievedOnlyIfTheCallerIs(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, code := range []codes.Code{codes.Canceled, codes.DeadlineExceeded} {
		said := status.Error(code, "said")
		if got := errorFromStatus(t.Context(), said); fault.Of(got) != fault.Unavailable || errors.Is(got, context.Canceled) {
			t.Errorf("%s to a caller who waits: %v, want unavailable", code, got)
		}
		if got := errorFromStatus(gone, said); !errors.Is(got, context.Canceled) {
			t.Errorf("%s to a caller who left: %v, want his own", code, got)
		}
	}
	mine := fmt.Errorf("asking the server: %w", context.DeadlineExceeded)
	if got := status.Code(errorToStatus(t.Context(), mine)); got != codes.Unavailable {
		t.Errorf("a timeout of the plugin's own travels as %s, want Unavailable", got)
	}
	if got := status.Code(errorToStatus(gone, mine)); got != codes.Canceled {
		t.Errorf("the end of a cancelled call travels as %s, want Canceled", got)
	}
}

func TestWhatNobodyKnowsIsUnavailable(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]fault.Kind{
		codes.Unknown: fault.Unavailable, codes.NotFound: fault.Unavailable, codes.Internal: fault.Unavailable,
		codes.Unimplemented: fault.Unsupported, codes.ResourceExhausted: fault.Invalid,
	} {
		if got := fault.Of(errorFromStatus(t.Context(), status.Error(code, "by gRPC itself"))); got != want {
			t.Errorf("%s without a kind is %s, want %s", code, got, want)
		}
	}
	if errorFromStatus(t.Context(), io.EOF) != io.EOF || errorFromStatus(t.Context(), nil) != nil || errorToStatus(t.Context(), nil) != nil {
		t.Error("the end of a stream, or no error at all, became one")
	}
}

func TestALongMessageIsCut(t *testing.T) {
	t.Parallel()
	got := errorFromStatus(t.Context(), errorToStatus(t.Context(), errors.New(strings.Repeat("ä", 10_000)+"\xff")))
	if s := got.Error(); len(s) > maxErrorText+10 || !utf8.ValidString(s) {
		t.Errorf("%d bytes, valid %v", len(s), utf8.ValidString(s))
	}
}
