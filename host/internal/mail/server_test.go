package mail

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// server is a little SMTP server.
type server struct {
	t        *testing.T
	listener net.Listener
	cert     tls.Certificate
	caFile   string
	implicit bool // TLS from the first byte
	offerTLS bool
	wantsTLS bool   // a login is offered within TLS only
	login    string // "user\x00password"; empty: nobody logs in

	mu    sync.Mutex
	mails []delivered
	// refuse answers RCPT and DATA in the server's place; an empty answer lets them pass.
	refuse func(line string) string
	conns  int
}

type delivered struct {
	from, to string
	tls      bool
	user     string
	msg      *netmail.Message
	body     string
}

func newServer(t *testing.T, change func(*server)) *server {
	t.Helper()
	pki := httptest.NewTLSServer(nil)
	defer pki.Close()
	s := &server{t: t, cert: pki.TLS.Certificates[0], caFile: filepath.Join(t.TempDir(), "ca.pem")}
	block := &pem.Block{Type: "CERTIFICATE", Bytes: pki.Certificate().Raw}
	if err := os.WriteFile(s.caFile, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(s)
	}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if s.implicit {
		s.listener = tls.NewListener(s.listener, s.tls())
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = s.listener.Close()
		wg.Wait()
	})
	return s
}

func (s *server) tls() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{s.cert}} }

func (s *server) received() []delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivered(nil), s.mails...)
}

func (s *server) refuses(f func(line string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

func (s *server) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	s.mu.Lock()
	s.conns++
	s.mu.Unlock()
	text := textproto.NewConn(c)
	say := func(line string) { _ = text.PrintfLine("%s", line) }
	say("220 mail.example.com ESMTP")
	var d delivered
	d.tls = s.implicit
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		s.mu.Lock()
		refuse := s.refuse
		s.mu.Unlock()
		if refuse != nil {
			if answer := refuse(line); answer != "" {
				say(answer)
				continue
			}
		}
		switch strings.ToUpper(verb) {
		case "EHLO":
			say("250-mail.example.com")
			if s.offerTLS && !d.tls {
				say("250-STARTTLS")
			}
			if s.login != "" && (d.tls || !s.wantsTLS) {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go ahead")
			secure := tls.Server(c, s.tls())
			text, d.tls = textproto.NewConn(secure), true
		case "AUTH":
			data, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			if string(data) != "\x00"+s.login {
				say("535 5.7.8 wrong password")
				continue
			}
			d.user, _, _ = strings.Cut(s.login, "\x00")
			say("235 welcome")
		case "MAIL":
			d.from = rest
			say("250 ok")
		case "RCPT":
			d.to = rest
			say("250 ok")
		case "DATA":
			say("354 go on")
			data, err := io.ReadAll(text.DotReader())
			if err != nil {
				return
			}
			d.msg, err = netmail.ReadMessage(bufio.NewReader(bytes.NewReader(data)))
			if err != nil {
				s.t.Error(err)
				return
			}
			body, _ := io.ReadAll(d.msg.Body)
			d.body = string(body)
			s.mu.Lock()
			s.mails = append(s.mails, d)
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}
