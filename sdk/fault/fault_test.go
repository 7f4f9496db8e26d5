package fault_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/roomwire/roomwire/sdk/fault"
)

func TestOfFindsTheKindThroughWrapping(t *testing.T) {
	t.Parallel()
	for _, k := range fault.Kinds() {
		for _, err := range []error{
			k,
			fmt.Errorf("item %q: %w", "x", k),
			fmt.Errorf("outer: %w", &fault.Error{Kind: k, Message: "m"}),
			errors.Join(errors.New("plain"), fmt.Errorf("inner: %w", k)),
		} {
			if got := fault.Of(err); got != k || !errors.Is(err, k) {
				t.Errorf("Of(%v) = %q, Is = %v; want %q", err, got, errors.Is(err, k), k)
			}
		}
	}
}

func TestWhatIsUnknownIsUnavailable(t *testing.T) {
	t.Parallel()
	if got := fault.Of(errors.New("surprise")); got != fault.Unavailable {
		t.Errorf("Of = %q, want %q", got, fault.Unavailable)
	}
	if got := fault.Of(nil); got != "" {
		t.Errorf("Of(nil) = %q, want none", got)
	}
}

func TestErrorNamesItsCodeOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  fault.Error
		want string
	}{
		{fault.Error{Kind: fault.Throttled}, "throttled"},
		{fault.Error{Kind: fault.Throttled, Message: "busy", Code: "ErrorServerBusy"}, "busy (ErrorServerBusy)"},
		{fault.Error{Kind: fault.Throttled, Message: "ErrorServerBusy it said", Code: "ErrorServerBusy"}, "ErrorServerBusy it said"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("Error() = %q, want %q", got, tc.want)
		}
	}
}

func TestAfterIsFoundThroughWrapping(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("pull: %w", fault.ThrottledFor(90*time.Second, "the server asks for a pause"))
	if got := fault.After(err); got != 90*time.Second || fault.Of(err) != fault.Throttled {
		t.Errorf("After = %v of kind %q, want 90 s of kind %q", got, fault.Of(err), fault.Throttled)
	}
	if got := fault.After(fault.Throttled); got != 0 {
		t.Errorf("After without a hint = %v, want 0", got)
	}
}

func TestFromResponse(t *testing.T) {
	t.Parallel()
	const date = "Sun, 22 Nov 2026 10:00:00 GMT"
	for _, tc := range []struct {
		status int
		after  string
		kind   fault.Kind
		wait   time.Duration
	}{
		{204, "", "", 0},
		{400, "", fault.Invalid, 0},
		{401, "", fault.Unauthorized, 0},
		{403, "", fault.Forbidden, 0},
		{404, "", fault.NotFound, 0},
		{412, "", fault.Conflict, 0},
		{429, "120", fault.Throttled, 2 * time.Minute},
		{503, "Sun, 22 Nov 2026 10:00:30 GMT", fault.Throttled, 30 * time.Second},
		{503, "Sun, 22 Nov 2026 09:00:00 GMT", fault.Throttled, 0},
		{503, "-5", fault.Throttled, 0},
		{503, "soon", fault.Throttled, 0},
		{500, "", fault.Unavailable, 0},
		{302, "", fault.Unavailable, 0},
	} {
		h := http.Header{"Date": {date}}
		if tc.after != "" {
			h.Set("Retry-After", tc.after)
		}
		err := fault.FromResponse(&http.Response{StatusCode: tc.status, Status: http.StatusText(tc.status), Header: h})
		if fault.Of(err) != tc.kind || fault.After(err) != tc.wait {
			t.Errorf("%d %q: kind %q after %v, want %q after %v", tc.status, tc.after, fault.Of(err), fault.After(err), tc.kind, tc.wait)
		}
	}
}
