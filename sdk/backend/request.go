package backend

import "context"

// What a backend's requests need to be told travels in their context; Env.HTTP reads it.
type (
	mailboxKey struct{}
	streamKey  struct{}
)

// WithMailbox returns a context whose requests are made for the mailbox of the given address: for a Plugin of package
// auth with PerMailbox that is whose login is used. Every call of a Backend has a context for its mailbox already, Watch
// for the first that is watched; a Watch that makes requests for the others says so with this.
func WithMailbox(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, mailboxKey{}, address)
}

// MailboxOf returns what WithMailbox set, or nothing.
func MailboxOf(ctx context.Context) string {
	address, _ := ctx.Value(mailboxKey{}).(string)
	return address
}

// WithStream returns a context for a request whose answer is read for minutes, while the server goes on writing it. Such
// a request gets a connection of its own beside those of ordinary requests, which are few; its answer is neither
// compressed nor held back, and no time limit cuts it off: ending it is up to the context, and noticing that a server
// has fallen silent is up to the backend. The answer's header must come within two minutes as ever.
func WithStream(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamKey{}, true)
}

// IsStream reports whether WithStream made ctx.
func IsStream(ctx context.Context) bool {
	stream, _ := ctx.Value(streamKey{}).(bool)
	return stream
}
