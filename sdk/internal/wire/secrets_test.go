package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/fault"
)

func TestASecretIsHiddenHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// From an alphabet that the rest of the text does not use, so that whatever of it is left can be seen.
		secret := rapid.StringOfN(rapid.RuneFrom([]rune(`QXZ"\<&%+/ü§7`)), 4, 40, -1).Draw(t, "secret")
		before := rapid.StringMatching(`[a-c]{0,5}`).Draw(t, "before")
		after := rapid.StringMatching(`[a-c]{0,5}`).Draw(t, "after")
		var s Secrets
		s.AddSetting(secret)
		raw, _ := json.Marshal(secret)
		pair := before + secret + after
		for what, form := range map[string]string{
			"raw": secret, "json": string(raw), "quoted": fmt.Sprintf("%q", secret),
			"base64":         base64.StdEncoding.EncodeToString([]byte(secret)),
			"in base64":      base64.StdEncoding.EncodeToString([]byte(pair)),
			"in URL base64":  base64.URLEncoding.EncodeToString([]byte(pair)),
			"in bare base64": base64.RawURLEncoding.EncodeToString([]byte(pair)),
		} {
			got := s.Hide("it said " + form + " there")
			if rest := strings.Trim(strings.NewReplacer("it said ", "", " there", "", hidden, "").Replace(got), `"`); rest != "" {
				t.Fatalf("%s %q became %q", what, form, got)
			}
		}
	})
}

func TestWhatLooksLikeACredentialIsHidden(t *testing.T) {
	t.Parallel()
	var s Secrets
	for text, want := range map[string]string{
		"Authorization: Basic YTpi":                       "Authorization: Basic (secret)",
		"authorization: bearer abc.DEF-1_2~3":             "authorization: bearer (secret)",
		`{"Authorization":"Negotiate YIIJvw+/=="}`:        `{"Authorization":"Negotiate (secret)"}`,
		"NTLM TlRMTVNTUAADAAAA, and more":                 "NTLM (secret), and more",
		"Authorization%3A+Bearer+0123456":                 "Authorization%3A+Bearer+(secret)",
		"got eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln ok": "got (secret) ok",

		"the server offers Basic realm=\"x\"":               "the server offers Basic realm=\"x\"",
		"NTLM authentication failed; Basic over plain HTTP": "NTLM authentication failed; Basic over plain HTTP",
		"answered Negotiate with something":                 "answered Negotiate with something",
		"Bearer error=\"invalid_token\"":                    "Bearer error=\"invalid_token\"",
		"two NTLM legs. Bearer (expired)":                   "two NTLM legs. Bearer (expired)",
	} {
		if got := s.Hide(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
		if again := s.Hide(want); again != want {
			t.Errorf("%q became %q when it was hidden again", want, again)
		}
	}
}

func TestWhatIsASecretOfASetting(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddSetting(nil)
	s.AddSetting(true)
	s.AddSetting("abc") // too short to be looked for
	s.AddSetting(12345678)
	s.AddSetting(map[string]any{"a": []string{"in a list"}})
	s.AddSetting(" padded\n")
	s.AddSetting("-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n")
	const text = "true abc <nil> -----BEGIN KEY-----"
	if got := s.Hide(text); got != text {
		t.Errorf("%q became %q", text, got)
	}
	for _, text := range []string{"12345678", "in a list", "padded", "MIIEvQIBADANBg"} {
		if got := s.Hide(text); got != hidden {
			t.Errorf("%q became %q", text, got)
		}
	}
	for _, text := range []string{"12345678", "in a list"} {
		if got := s.HideCut("end " + text[:len(text)-1]); got != "end "+hidden {
			t.Errorf("%q, cut off, became %q", text, got)
		}
	}
}

func TestOnlySoManyRelayedCredentialsAreRemembered(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddHeader(auth.Header{Value: "Negotiate of-one-use"})
	for i := range maxRelayed + 1 {
		s.AddHeader(auth.Header{Value: fmt.Sprintf("Bearer token-%06d", i)})
	}
	s.AddHeader(auth.Header{Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:correct horse"))})
	const text = "of-one-use token-000000"
	if got := s.Hide(text); got != text {
		t.Errorf("%q became %q", text, got)
	}
	if got := s.Hide("token-000256 correct horse"); got != hidden+" "+hidden {
		t.Errorf("what was relayed last became %q", got)
	}
	(*Secrets)(nil).AddHeader(auth.Header{Value: "Bearer x"})
}

// bearer is a header that ends at a time; zero: unknown.
func bearer(token string, expires time.Time) auth.Header {
	return auth.Header{Value: "Bearer " + token, Expires: expires}
}

func TestATokenIsForgottenSomeTimeAfterItsEndAndAPasswordIsNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Secrets
		s.AddHeader(bearer("token-of-an-hour", time.Now().Add(time.Hour)))
		s.AddHeader(auth.Header{Value: "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:correct horse"))})
		const text = "token-of-an-hour correct horse"
		check := func(when, want string) {
			t.Helper()
			s.AddHeader(bearer("another "+when, time.Time{}))
			if got := s.Hide(text); got != want {
				t.Errorf("%s, %q became %q, want %q", when, text, got, want)
			}
		}
		check("at once", hidden+" "+hidden)
		time.Sleep(time.Hour + relayedAfter)
		check("a while after its end", hidden+" "+hidden)
		time.Sleep(time.Second)
		check("later", "token-of-an-hour "+hidden)
	})
}

func TestWhatIsRelayedAgainIsTheNewest(t *testing.T) {
	t.Parallel()
	var s Secrets
	for i := range 3 * maxRelayed {
		s.AddHeader(bearer(fmt.Sprintf("token-%06d", i), time.Time{}))
		if i%100 == 0 {
			s.AddHeader(bearer("again-and-again", time.Time{}))
		}
	}
	if got := s.Hide("again-and-again"); got != hidden || len(s.relayed) != maxRelayed {
		t.Errorf("it became %q, and %d are remembered", got, len(s.relayed))
	}
}

func TestASettingStaysHiddenWhenATokenLikeItIsForgotten(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddSetting("S3cr3t-token")
	s.AddHeader(bearer("S3cr3t-token", time.Time{}))
	for i := range maxRelayed {
		s.AddHeader(bearer(fmt.Sprintf("token-%06d", i), time.Time{}))
	}
	for _, text := range []string{"S3cr3t-token", base64.StdEncoding.EncodeToString([]byte("x:S3cr3t-token"))} {
		if got := s.Hide(text); got != hidden {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// What is looked for comes and goes one by one; what is found is what a look at each would find.
func TestAnIndexFindsWhatALookAtEachFinds(t *testing.T) {
	t.Parallel()
	words := rapid.StringMatching(`[ab]{4,8}`)
	rapid.Check(t, func(t *rapid.T) {
		var x index
		var all []string
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			if len(all) > 0 && rapid.Bool().Draw(t, "remove") {
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.remove(all[i])
				all = slices.Delete(all, i, i+1)
				continue
			}
			all = append(all, words.Draw(t, "word"))
			x.add(all[len(all)-1])
		}
		at := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "at")
		longest, begins := 0, false
		for _, one := range all {
			if strings.HasPrefix(at, one) {
				longest = max(longest, len(one))
			}
			begins = begins || len(at) >= minSecret && len(one) > len(at) && strings.HasPrefix(one, at)
		}
		if got := x.longest(at); got != longest || x.begins(at) != begins {
			t.Fatalf("of %q at %q: %d and %v, want %d and %v", all, at, got, x.begins(at), longest, begins)
		}
		for _, one := range all {
			x.remove(one)
		}
		if len(x.times)+len(x.by) > 0 {
			t.Fatalf("%v is left", x)
		}
	})
}

func TestSecretsMayBeAddedWhileTextsAreHidden(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddSetting("S3cr3t-password")
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 300 {
				token := fmt.Sprintf("token-%d-%06d", g, i)
				s.AddHeader(bearer(token, time.Now().Add(time.Hour)))
				if got := s.HideCut("S3cr3t-password " + token + " S3cr3t-pass"); strings.Contains(got, "S3cr3t") {
					t.Errorf("it became %q", got)
				}
			}
		})
	}
	all.Wait()
}

func TestFaultsInsideAnAnswerAreHiddenAndDataIsNot(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddSetting("S3cr3t")
	bad := &roomwirev1.Fault{Kind: "invalid", Message: "S3cr3t!", Code: "S3cr3t", Id: "S3cr3t", After: durationpb.New(1)}
	answer := &roomwirev1.FetchResponse{Fetched: []*roomwirev1.Fetched{
		{Item: &roomwirev1.Item{Key: "S3cr3t"}}, {}, {Fault: bad},
	}}
	s.hideFaults(answer)
	if bad.GetMessage() != hidden+"!" || bad.GetCode() != hidden || bad.GetId() != hidden || answer.GetFetched()[0].GetItem().GetKey() != "S3cr3t" {
		t.Errorf("answer = %+v", answer)
	}
	s.hideFaults(nil)
	(*Secrets)(nil).hideFaults(answer)
}

func TestAnErrorIsBoundedAlsoWhereThePluginDidNot(t *testing.T) {
	t.Parallel()
	var s Secrets
	s.AddSetting("S3cr3t-password")
	long := &fault.Error{Kind: fault.Invalid, Message: strings.Repeat("x", maxErrorText-6) + "S3cr3t-password", Code: strings.Repeat("y", 2*maxErrorText)}
	got := s.hideError(long).(*fault.Error)
	if len(got.Message) > maxErrorText+20 || len(got.Code) > maxErrorText+20 || strings.Contains(got.Message, "S3cr3t") || got.Kind != fault.Invalid {
		t.Errorf("%d and %d bytes, ending %q", len(got.Message), len(got.Code), got.Message[maxErrorText-10:])
	}
	if err := s.hideError(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

func FuzzHide(f *testing.F) {
	f.Add("Bearer x", "secret")
	f.Fuzz(func(t *testing.T, text, secret string) {
		var s Secrets
		s.AddSetting(secret)
		if got := s.Hide(text); len(secret) >= minSecret && !strings.Contains(hidden, secret) && !strings.Contains(secret, "(") &&
			!strings.Contains(secret, ")") && strings.Contains(strings.ReplaceAll(got, hidden, "\x00"), secret) && !strings.Contains(secret, "\x00") {
			t.Errorf("%q with %q became %q", text, secret, got)
		}
		s.HideCut(text)
	})
}
