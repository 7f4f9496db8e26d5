package backendtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Find implements backend.Finder.
func (b *memory) Find(ctx context.Context, m backend.Mailbox, by backend.Marker, value string) ([]backend.Item, error) {
	x, err := b.reach(ctx, m)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	boxes := []*box{x}
	if b.has("Find looks everywhere") {
		boxes = slices.Collect(maps.Values(b.boxes))
	}
	var out []backend.Item
	for _, x := range boxes {
		for _, item := range x.items {
			if b.bears(item, by, value) {
				item.Event = b.shown(item.Event)
				if b.has("Find reads otherwise") {
					item.Event.Location = "somewhere"
				}
				out = append(out, item)
			}
		}
	}
	if b.has("Find finds what is gone") && b.gone[value] {
		out = append(out, calendar.Item{Ref: "gone", Key: value})
	}
	if len(out) == 0 && b.has("none is an error") {
		return nil, fmt.Errorf("no item: %w", fault.NotFound)
	}
	if len(out) > 1 && b.has("Find gives one") {
		out = out[:1]
	}
	return out, nil
}

func (b *memory) bears(item calendar.Item, by backend.Marker, value string) bool {
	have := item.Key
	if by == backend.ForeignKey && !b.has("Find knows keys alone") {
		have = item.ForeignKey
	}
	switch {
	case b.has("Find knows no keys") && by == backend.OurKey:
		return false
	case b.has("Find takes a beginning"):
		return value != "" && strings.HasPrefix(have, value)
	case b.has("Find does not mind the case"):
		return strings.EqualFold(have, value)
	}
	return have == value
}
