package backend

import (
	"errors"
	"fmt"
	"testing"

	"github.com/roomwire/roomwire/sdk/fault"
)

func TestOnlyWhatIsMissingIsAnErrorOfOneItem(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trouble error // with "b"
		want    fault.Kind
		whole   bool // whether it is that of the whole call
	}{
		"none":                   {},
		"missing":                {fmt.Errorf("no such item: %w", fault.NotFound), fault.NotFound, false},
		"a calendar that is not": {fault.MailboxNotFound, fault.MailboxNotFound, true},
		"a server that is busy":  {&fault.Error{Kind: fault.Throttled}, fault.Throttled, true},
		"of no known kind":       {errors.New("what?"), fault.Unavailable, true},
	} {
		var asked []Ref
		got, err := FetchEach([]Ref{"a", "b", "c"}, func(ref Ref) (Item, error) {
			asked = append(asked, ref)
			if ref == "b" && tc.trouble != nil {
				return Item{}, tc.trouble
			}
			return Item{Ref: ref}, nil
		})
		if tc.whole {
			if got != nil || fault.Of(err) != tc.want || len(asked) != 2 {
				t.Errorf("%s: %v, %v after %d items were asked for; want %s after two", name, got, err, len(asked), tc.want)
			}
			continue
		}
		if err != nil || len(got) != 3 || got[0].Item.Ref != "a" || got[2].Item.Ref != "c" || fault.Of(got[1].Err) != tc.want {
			t.Errorf("%s: %+v, %v; want a and c, and b with the kind %q", name, got, err, tc.want)
		}
	}
}
