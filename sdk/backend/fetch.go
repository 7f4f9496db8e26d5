package backend

import (
	"fmt"

	"github.com/roomwire/roomwire/sdk/fault"
)

// FetchEach is Fetch for a server that gives one item at a time. An item that read reports as fault.NotFound is missing,
// and the others are read all the same; any other error is trouble with the server and ends the whole.
func FetchEach(refs []Ref, read func(Ref) (Item, error)) ([]Fetched, error) {
	out := make([]Fetched, len(refs))
	for i, ref := range refs {
		item, err := read(ref)
		switch {
		case err == nil:
			out[i].Item = item
		case fault.Of(err) == fault.NotFound:
			out[i].Err = err
		default:
			return nil, fmt.Errorf("read item %d of %d: %w", i+1, len(refs), err)
		}
	}
	return out, nil
}
