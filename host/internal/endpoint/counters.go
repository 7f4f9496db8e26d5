package endpoint

import "sync/atomic"

// Counters count what arrived. All may be read at any time.
type Counters struct {
	Alive, Dirty, Lost atomic.Int64 // trusted messages, by the strongest thing they said
	Untrusted          atomic.Int64 // messages without a living token, answered so that the sender stops
	Mismatched         atomic.Int64 // a living token with another subscription's id
	Invalid            atomic.Int64 // bodies that are no messages of the protocol
	TooLarge           atomic.Int64
	Unread             atomic.Int64 // bodies that did not arrive in time or whole
	Busy               atomic.Int64 // refused because too many were in work
	StoreFailed        atomic.Int64 // answered 503 because the store could not be asked or written
	PluginFailed       atomic.Int64 // answered 503 because the plugin was away or failed
	NotFound           atomic.Int64 // requests for other paths
	Panics             atomic.Int64
}
