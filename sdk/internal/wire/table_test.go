package wire

import (
	"context"
	"errors"
	"testing"

	"github.com/roomwire/roomwire/sdk/fault"
)

type closing struct{ closed *int }

func (c closing) Close() error {
	*c.closed++
	return nil
}

func TestAReplacedInstanceIsClosedWhenItsLastCallEnds(t *testing.T) {
	t.Parallel()
	var tab table[closing]
	var first, second int
	tab.put("a", closing{&first})
	_, releaseOne, err := tab.get("a")
	if err != nil {
		t.Fatal(err)
	}
	_, releaseTwo, _ := tab.get("a")
	tab.put("a", closing{&second})
	releaseOne()
	releaseOne() // once more does not count
	if first != 0 {
		t.Error("closed under a call")
	}
	releaseTwo()
	if first != 1 || second != 0 {
		t.Errorf("closed %d and %d times, want 1 and 0", first, second)
	}
	tab.remove("a")
	tab.remove("a")
	if second != 1 {
		t.Errorf("removed: closed %d times, want 1", second)
	}
	if _, _, err := tab.get("a"); fault.Of(err) != fault.Unavailable {
		t.Errorf("get = %v, want unavailable", err)
	}
}

func TestAClosedGateWaitsForThoseInside(t *testing.T) {
	t.Parallel()
	var g Gate
	leave, err := g.Enter()
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Close(done); !errors.Is(err, context.Canceled) {
		t.Errorf("close = %v although a call is inside", err)
	}
	if _, err := g.Enter(); fault.Of(err) != fault.Unavailable {
		t.Errorf("enter = %v, want unavailable", err)
	}
	leave()
	leave()
	if err := g.Close(t.Context()); err != nil {
		t.Errorf("close = %v with nobody inside", err)
	}
}
