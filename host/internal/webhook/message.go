package webhook

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/roomwire/roomwire/host/internal/store"
)

// A message is what is sent.
type message struct {
	id   string // the same in every try
	body []byte
}

// form is the body of a message, as Standard Webhooks recommends it.
type form struct {
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"` // when it happened
	Data      json.RawMessage `json:"data"`
}

func (s *Service) message(w store.Webhook, c store.ChangeRecord) (message, error) {
	data, err := s.Render(c)
	if err != nil {
		return message{}, fmt.Errorf("change %d for webhook %s: %w", c.Seq, w.ID, err)
	}
	body, err := json.Marshal(form{Type: "booking." + c.Kind, Timestamp: c.At.UTC(), Data: data})
	if err != nil {
		return message{}, fmt.Errorf("change %d for webhook %s: %w", c.Seq, w.ID, err)
	}
	sum := sha256.Sum256([]byte(w.Tenant + "\x00" + w.ID + "\x00" + strconv.FormatInt(c.Seq, 10)))
	return message{id: "msg_" + hex.EncodeToString(sum[:16]), body: body}, nil
}

func (s *Service) trial(w store.Webhook) message {
	data, _ := json.Marshal(map[string]string{"webhook": w.ID}) // plain data: cannot fail
	body, _ := json.Marshal(form{Type: "webhook.test", Timestamp: s.now(), Data: data})
	return message{id: "msg_test_" + random(16), body: body}
}

// oldSecretFor is how long messages are signed with a replaced secret as well.
const oldSecretFor = 24 * time.Hour

func newSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// rotated returns what is stored when next replaces the secret in stored: both, the old one with the moment until which it
// is good.
func rotated(stored, next string, until time.Time) string {
	current, _, _ := strings.Cut(stored, " ")
	return fmt.Sprintf("%s %s@%d", next, current, until.Unix())
}

// secrets returns those that are good now, the newest first.
func secrets(stored string, now time.Time) []string {
	current, old, _ := strings.Cut(stored, " ")
	list := []string{current}
	secret, until, _ := strings.Cut(old, "@")
	if end, err := strconv.ParseInt(until, 10, 64); err == nil && now.Before(time.Unix(end, 0)) {
		list = append(list, secret)
	}
	return list
}

// signature signs a message with every good secret.
func signature(w store.Webhook, m message, now time.Time) (string, error) {
	var all []string
	for _, secret := range secrets(w.Secret, now) {
		signer, err := standard.NewWebhook(secret)
		if err != nil {
			return "", fmt.Errorf("the secret of webhook %s is damaged: give it another one", w.ID)
		}
		sig, err := signer.Sign(m.id, now, m.body)
		if err != nil {
			return "", fmt.Errorf("sign message for webhook %s: %w", w.ID, err)
		}
		all = append(all, sig)
	}
	return strings.Join(all, " "), nil
}
