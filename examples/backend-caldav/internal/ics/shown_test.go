package ics

import (
	"encoding/json"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// shown is an item as text.
func shown(i calendar.Item) string {
	text, err := json.MarshalIndent(i, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
