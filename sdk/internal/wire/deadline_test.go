package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/roomwire/roomwire/sdk/fault"
)

// A deadline travels as a duration, so the far side may see it come first. It is the caller's all the same.
func TestADeadlineThatComesFirstOnTheFarSideIsTheCallers(t *testing.T) {
	t.Parallel()
	over := status.Error(codes.DeadlineExceeded, "over")
	synctest.Test(t, func(t *testing.T) {
		soon, cancel := context.WithTimeout(t.Context(), clockSkew/2)
		defer cancel()
		if err := errorFromStatus(soon, over); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a moment before the deadline: %v, want the caller's own", err)
		}
		late, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := errorFromStatus(late, over); fault.Of(err) != fault.Unavailable || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("long before the deadline: %v, want unavailable", err)
		}
		if err := errorFromStatus(t.Context(), over); fault.Of(err) != fault.Unavailable {
			t.Errorf("without a deadline: %v, want unavailable", err)
		}
	})
}
