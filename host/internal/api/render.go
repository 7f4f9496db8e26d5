package api

import (
	"encoding/json"

	"github.com/roomwire/roomwire/host/internal/store"
)

// RenderChange gives a change the form it has in the change feed.
func RenderChange(c store.ChangeRecord) ([]byte, error) {
	out, err := changeOut(c)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}
