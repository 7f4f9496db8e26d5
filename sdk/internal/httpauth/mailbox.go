package httpauth

import "context"

type mailboxKey struct{}

// WithMailbox returns a context whose requests are made for the mailbox of the given address.
func WithMailbox(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, mailboxKey{}, address)
}

// mailboxOf returns what WithMailbox set, or nothing.
func mailboxOf(ctx context.Context) string {
	address, _ := ctx.Value(mailboxKey{}).(string)
	return address
}
