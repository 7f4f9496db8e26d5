package exchangesim

import "testing"

// TestACopyOfASeriesHoldsEachExceptionOnce: an exception that held those before it would double with each one more.
func TestACopyOfASeriesHoldsEachExceptionOnce(t *testing.T) {
	t.Parallel()
	series := content{changes: map[int]*content{}, cancels: map[int]bool{7: true}}
	for index := range 3 {
		made := series.clone()
		series.changes[index] = &made
	}
	made := series.clone()
	if len(made.changes) != 3 || !made.cancels[7] {
		t.Fatalf("the copy has %d exceptions, and left out: %v", len(made.changes), made.cancels)
	}
	for index, e := range made.changes {
		if len(e.changes) != 0 || len(e.cancels) != 0 {
			t.Errorf("exception %d holds %d others, and left out: %v", index, len(e.changes), e.cancels)
		}
	}
}
