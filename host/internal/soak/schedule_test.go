package soak

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var table = NewTable("put 3, pass 5, never 0, crash 1")

func TestTheSameSeedIsTheSameSchedule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		acts := table.Schedule(seed, 8, 40)
		if len(acts) < 8 || len(acts) >= 48 {
			t.Fatalf("%d acts", len(acts))
		}
		if !slices.Equal(acts, table.Schedule(seed, 8, 40)) {
			t.Fatal("another schedule of the same seed")
		}
		for _, a := range acts {
			if a.Do == "never" {
				t.Fatal("an act without weight happened")
			}
		}
	})
}

func TestAScheduleOutlivesBeingText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		acts := table.Schedule(rapid.Uint64().Draw(t, "seed"), 1, 20)
		got, err := Parse("# a comment\n\n" + Text(acts))
		if err != nil || !slices.Equal(got, acts) {
			t.Fatalf("%v, %v; want %v", got, err, acts)
		}
	})
}

func TestWhatIsNoScheduleIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"put 1 2", "put 1 2 3 4", "put 1 2 x", "put -1 2 3", "put 1 2 3\nnothing"} {
		if acts, err := Parse(text); err == nil || !strings.Contains(err.Error(), "line") {
			t.Errorf("%q: %v, %v", text, acts, err)
		}
	}
}

// What fails because of two acts is left with these two.
func TestShortenLeavesWhatMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		acts := table.Schedule(rapid.Uint64().Draw(t, "seed"), 2, 40)
		i := rapid.IntRange(0, len(acts)-2).Draw(t, "first")
		j := rapid.IntRange(i+1, len(acts)-1).Draw(t, "second")
		acts[i].Do, acts[j].Do = "one", "two"
		got := Shorten(acts, func(a []Act) bool {
			one := slices.IndexFunc(a, func(a Act) bool { return a.Do == "one" })
			return one >= 0 && slices.ContainsFunc(a[one:], func(a Act) bool { return a.Do == "two" })
		})
		if !slices.Equal(got, []Act{acts[i], acts[j]}) {
			t.Fatalf("%v, want %v", got, []Act{acts[i], acts[j]})
		}
	})
}
