package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// do does what the words say, in their order.
func (b *bad) do(words, token string, m calendar.Mailbox) error {
	for word := range strings.SplitSeq(words, "+") {
		word, argument, _ := strings.Cut(word, "=")
		switch word {
		case "hang":
			b.log.Info("hanging")
			hang()
		case "freeze":
			b.log.Info("freezing")
			b.freeze()
		case "mute":
			b.log.Info("mute")
			b.mute.begin()
			hang()
		case "hold":
			hold(m.URL)
		case "grow":
			grow(number(argument))
		case "flood":
			b.flood(number(argument))
		case "print":
			b.print()
		case "panic":
			panic("bad: panicking as told")
		case "exit":
			fmt.Fprintln(b.stderr, "bad: exiting as told")
			os.Exit(number(argument))
		case "crash":
			go func() { panic("bad: crashing as told") }()
			hang()
		case "leak":
			return b.leak(token)
		}
	}
	return nil
}

// hang never returns. Were nothing waited for, the runtime would take the process for dead where no other goroutine lives.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// held are connections that end with the process.
var held sync.Map

func hold(address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		panic(err)
	}
	held.Store(conn, true)
}

// grown is memory that is kept in use.
var grown sync.Map

func grow(mebibytes int) {
	for range mebibytes {
		piece := bytes.Repeat([]byte{1}, 1<<20) // which touches every page
		grown.Store(&piece[0], piece)
		time.Sleep(100 * time.Microsecond)
	}
}

func (b *bad) flood(lines int) {
	for i := range lines {
		b.log.Info("flooding", "line", i)
	}
	b.log.Info("flooded")
}

// print writes more to the real stdout than whoever expects lines of it can hold, and something that is no text.
func (b *bad) print() {
	for _, text := range []string{strings.Repeat("x", 1<<20), "\n", "1|1|tcp|127.0.0.1:1|grpc|\n", "\x00\xff\xfe\n"} {
		if _, err := b.stdout.WriteString(text); err != nil {
			panic(err)
		}
	}
	b.log.Info("printed")
}

// leak shows token in every form that it is known in.
func (b *bad) leak(token string) error {
	pair := base64.StdEncoding.EncodeToString([]byte("user:" + token))
	forms := strings.Join([]string{
		token, base64.StdEncoding.EncodeToString([]byte(token)), base64.RawURLEncoding.EncodeToString([]byte(token)), pair,
		"Authorization: Basic " + pair, "Authorization: Bearer q.W3rty-uiop", url.QueryEscape(token), url.PathEscape(token),
	}, " ")
	b.log.Warn("leaking "+forms, "token", token, "all", []string{token, pair}, "headers", map[string]string{"Authorization": "Bearer q.W3rty-uiop"})
	fmt.Fprintln(os.Stderr, "leaking", forms)
	b.log.Info("leaked")
	return fmt.Errorf("leaking %s: %w", forms, &fault.Error{Kind: fault.Unavailable, Code: token, ID: pair})
}

// A mute answers no call from begin on.
type mute struct{ is atomic.Bool }

func (m *mute) begin() { m.is.Store(true) }

func (m *mute) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	if m.is.Load() {
		hang()
	}
	return h(ctx, req)
}

func (m *mute) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	if m.is.Load() {
		hang()
	}
	return h(srv, s)
}
